use core::fmt;
use core::task::{Context, Poll};

/// An Ethernet (MAC-48) address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What a device has counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub received_frames: u64,
    /// Bytes received, Ethernet headers included.
    pub received_bytes: u64,
    /// Frames queued for transmission.
    pub transmitted_frames: u64,
    /// Bytes queued for transmission, Ethernet headers included.
    pub transmitted_bytes: u64,
    /// Times that the device was told of new buffers.
    pub notifications: u64,
}

/// A network device (NET): Ethernet frames in and out.
///
/// A device has one owner, so nothing here locks. Frames are read and built in place, in
/// the device's own buffers; many are queued before one [`flush`](Self::flush).
pub trait Net {
    /// A received frame, from the destination address to the last byte of the payload.
    /// It owns a buffer of the device, which goes back by [`recycle`](Self::recycle).
    type Frame: AsRef<[u8]>;

    /// The device's own address.
    fn mac(&self) -> MacAddress;

    /// The largest payload of a frame in bytes, without the 14 bytes of the Ethernet header.
    fn mtu(&self) -> usize;

    /// What was counted so far.
    fn counters(&self) -> Counters;

    /// The next received frame, or `None` if none waits.
    fn receive(&mut self) -> Option<Self::Frame>;

    /// Gives a received frame's buffer back, to be filled again.
    fn recycle(&mut self, frame: Self::Frame);

    /// Whether [`transmit`](Self::transmit) has room for a frame now.
    fn can_transmit(&mut self) -> bool;

    /// Queues a frame of `length` bytes, Ethernet header included, that `fill` writes. The
    /// buffer's first content is arbitrary, so `fill` must write all of it.
    ///
    /// # Errors
    /// [`TransmitError::Full`] if the queue has no room, [`TransmitError::TooLong`] if the
    /// frame exceeds the MTU. `fill` is not called then.
    fn transmit<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, TransmitError>;

    /// Hands queued frames and recycled buffers to the device: one notification a batch.
    fn flush(&mut self);

    /// Ready when a frame can be received, or when a full transmit queue has room again.
    /// Otherwise the task is woken once that may have changed.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitError {
    /// The transmit queue is full; wait for [`Net::poll_ready`].
    Full,
    /// The frame is longer than the MTU allows.
    TooLong,
}

impl fmt::Display for TransmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the transmit queue is full",
            Self::TooLong => "the frame is longer than the MTU allows",
        })
    }
}

impl core::error::Error for TransmitError {}
