use crate::ethernet::{MacAddress, close_gap};
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;
use core::task::{Context, Poll};

/// Counts of a device since it was opened.
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

/// The work that a device does on frames that it transmits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// It completes checksums ([`Offload::Checksum`]).
    pub checksum: bool,
    /// It cuts TCP segments over IPv4 that are longer than the MTU ([`Offload::Segments`]).
    /// Needs `checksum`.
    pub tcp_ipv4: bool,
    /// The same over IPv6.
    pub tcp_ipv6: bool,
}

/// A checksum that the device completes: the field holds the sum of the pseudo-header (not
/// inverted), and what the checksum covers begins at `start` and goes on to the frame's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where in the frame the transport header begins.
    pub start: u16,
    /// Where in that header the field is.
    pub offset: u16,
}

/// The work left to the device on one frame. The device must have announced it
/// ([`Net::offloads`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Nothing: the frame is complete.
    #[default]
    None,
    /// To complete a checksum.
    Checksum(PartialChecksum),
    /// To cut a TCP segment, and to complete each piece's headers and checksums.
    Segments {
        /// The TCP checksum; its pseudo-header has the length of the whole.
        checksum: PartialChecksum,
        /// True if the segment is in IPv6.
        ipv6: bool,
        /// Bytes of all headers.
        headers: u16,
        /// Bytes of TCP payload of each piece but the last.
        size: NonZeroU16,
    },
}

/// A received frame, from the destination address to the last byte of the payload.
pub trait Frame: AsRef<[u8]> {
    /// Tells whether the device vouches for the checksum of the TCP or UDP packet in it: it has
    /// checked it, or it knows the sender, which left it to be completed. The field may
    /// then hold anything. If false, the receiver has to check it.
    fn is_verified(&self) -> bool {
        false
    }

    /// Takes out the four bytes behind both addresses, where the tag of a VLAN is (IEEE 802.1Q).
    /// A frame that is too short for one stays as it is.
    fn remove_tag(&mut self);
}

impl Frame for Vec<u8> {
    fn remove_tag(&mut self) {
        let excess = close_gap(self);
        self.drain(..excess);
    }
}

/// A network device (NET): Ethernet frames in and out.
///
/// A device has one owner, so nothing here locks. Frames are read and built in place, in
/// the device's own buffers; many are queued before one [`flush`](Self::flush).
pub trait Net {
    /// A received frame. It owns a buffer of the device, which goes back by
    /// [`recycle`](Self::recycle). It may be longer than the MTU, up to [`LARGEST_FRAME`](crate::LARGEST_FRAME),
    /// if it holds TCP segments that the device has merged.
    type Frame: Frame;

    /// The device's own address.
    fn mac(&self) -> MacAddress;

    /// The largest payload of a frame in bytes, without the 14 bytes of the Ethernet header and
    /// the four of a VLAN's tag.
    fn mtu(&self) -> usize;

    /// The work that the device does on frames that it transmits.
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    /// The counts so far.
    fn counters(&self) -> Counters;

    /// The next received frame, or `None` if none waits.
    fn receive(&mut self) -> Option<Self::Frame>;

    /// How many frames can be received now, if the device knows that without a look at each.
    fn waiting(&self) -> Option<usize> {
        None
    }

    /// Gives a received frame's buffer back, to be filled again.
    fn recycle(&mut self, frame: Self::Frame);

    /// Tells whether [`transmit`](Self::transmit) has room for a frame now.
    fn can_transmit(&mut self) -> bool;

    /// Tells whether three quarters of the places for frames to be transmitted are taken: those
    /// that are left are not for answers to strangers. If so, [`poll_ready`](Self::poll_ready) waits
    /// for that to change, too, unless [`can_transmit`](Self::can_transmit) is asked after this.
    fn is_crowded(&mut self) -> bool {
        !self.can_transmit()
    }

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
    ) -> Result<R, TransmitError> {
        self.transmit_offloaded(length, |frame| (fill(frame), Offload::None))
    }

    /// As [`transmit`](Self::transmit); `fill` also tells what the device has to do to the
    /// frame. One that it cuts may have up to [`LARGEST_FRAME`](crate::LARGEST_FRAME) bytes.
    ///
    /// # Errors
    /// As for `transmit`. If the frame is longer than the MTU allows and is not to be cut,
    /// this is found out after `fill`.
    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
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
