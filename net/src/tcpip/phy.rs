//! What smoltcp sees of a [`Net`] device.

use super::offload;
use crate::{LARGEST_FRAME, Net, Offloads};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::{NonZeroU16, NonZeroUsize};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

/// Hands one received frame at a time to smoltcp, and smoltcp's frames to the device.
pub(super) struct Adapter<N: Net> {
    /// The frame that smoltcp is to take next.
    pending: Option<Frame<N::Frame>>,
    /// The frame that smoltcp has read.
    spent: Option<Frame<N::Frame>>,
    /// Whether smoltcp was refused a buffer since [`take_full`](Self::take_full).
    full: bool,
    transmitter: Transmitter<N>,
}

/// A frame that was received: just now, in a buffer of the device, or before.
enum Frame<F> {
    Device(F),
    /// It was checked before.
    Kept(Box<[u8]>),
}

impl<F: crate::Frame> Frame<F> {
    fn is_verified(&self) -> bool {
        match self {
            Self::Device(frame) => frame.is_verified(),
            Self::Kept(_) => true,
        }
    }
}

impl<F: AsRef<[u8]>> AsRef<[u8]> for Frame<F> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Device(frame) => frame.as_ref(),
            Self::Kept(frame) => frame,
        }
    }
}

struct Transmitter<N> {
    device: N,
    offloads: Offloads,
    /// Where answers go that the device has no room for: they are lost.
    scratch: Vec<u8>,
}

impl<N: Net> Adapter<N> {
    pub(super) fn new(device: N) -> Self {
        let transmitter = Transmitter {
            offloads: device.offloads(),
            device,
            scratch: Vec::new(),
        };
        Self {
            pending: None,
            spent: None,
            full: false,
            transmitter,
        }
    }

    pub(super) fn device(&mut self) -> &mut N {
        &mut self.transmitter.device
    }

    /// Receives the next frame, for smoltcp to find it. Returns whether there was one.
    pub(super) fn offer_received(&mut self) -> bool {
        self.pending = self.device().receive().map(Frame::Device);
        self.pending.is_some()
    }

    /// Puts a frame that was kept where smoltcp finds it.
    pub(super) fn offer_kept(&mut self, frame: Box<[u8]>) {
        self.pending = Some(Frame::Kept(frame));
    }

    /// The frame that smoltcp would find.
    pub(super) fn offered(&self) -> &[u8] {
        self.pending.as_ref().map_or(&[], Frame::as_ref)
    }

    /// Whether the checksums of TCP and UDP in that frame need not be checked.
    pub(super) fn is_verified(&self) -> bool {
        self.pending.as_ref().is_some_and(Frame::is_verified)
    }

    /// Gives the frame that was offered back to the device, read or not.
    pub(super) fn recycle(&mut self) {
        if let Some(Frame::Device(frame)) = self.spent.take().or_else(|| self.pending.take()) {
            self.transmitter.device.recycle(frame);
        }
    }

    /// Whether the device was full since this was last asked.
    pub(super) fn take_full(&mut self) -> bool {
        core::mem::take(&mut self.full)
    }
}

impl<N: Net> phy::Device for Adapter<N> {
    type RxToken<'a>
        = RxToken<'a, N>
    where
        N: 'a;
    type TxToken<'a>
        = TxToken<'a, N>
    where
        N: 'a;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_, N>, TxToken<'_, N>)> {
        let receive = RxToken {
            frame: self.pending.take()?,
            spent: &mut self.spent,
        };
        Some((receive, TxToken::new(&mut self.transmitter)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_, N>> {
        if self.transmitter.device.can_transmit() {
            return Some(TxToken::new(&mut self.transmitter));
        }
        self.full = true;
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.transmitter.device.mtu() + ETHERNET_HEADER_LEN;
        // A limit would wrongly clamp the window to 16 bits.
        capabilities.max_burst_size = None;
        let Offloads {
            checksum, tcp_ipv4, ..
        } = self.transmitter.offloads;
        // Those that are received were checked where frames are classified.
        capabilities.checksum.udp = Checksum::Tx;
        capabilities.checksum.tcp = if checksum {
            Checksum::None
        } else {
            Checksum::Tx
        };
        let longest = NonZeroUsize::new(LARGEST_FRAME);
        // Over IPv6 smoltcp 0.14 drops what is longer than the MTU, to be cut or not.
        capabilities.segmentation.tcpv4 = longest.filter(|_| checksum && tcp_ipv4);
        capabilities
    }
}

pub(super) struct RxToken<'a, N: Net> {
    frame: Frame<N::Frame>,
    spent: &'a mut Option<Frame<N::Frame>>,
}

impl<N: Net> phy::RxToken for RxToken<'_, N> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let result = read(self.frame.as_ref());
        *self.spent = Some(self.frame);
        result
    }
}

pub(super) struct TxToken<'a, N: Net> {
    transmitter: &'a mut Transmitter<N>,
    /// Bytes of payload of the pieces that a segment is to be cut into.
    size: Option<NonZeroU16>,
}

impl<'a, N: Net> TxToken<'a, N> {
    fn new(transmitter: &'a mut Transmitter<N>) -> Self {
        Self {
            transmitter,
            size: None,
        }
    }
}

impl<N: Net> phy::TxToken for TxToken<'_, N> {
    fn set_meta(&mut self, meta: PacketMeta) {
        self.size = meta.segmentation_offload_size;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let Transmitter {
            device,
            offloads,
            scratch,
        } = self.transmitter;
        let (mut fill, mut result) = (Some(fill), None);
        // A frame that is refused is lost, as on the wire.
        let _ = device.transmit_offloaded(length, |frame| {
            result = fill.take().map(|fill| fill(frame));
            let offload = offload::prepare(frame, *offloads, self.size);
            ((), offload)
        });
        match (result, fill) {
            (Some(result), _) => result,
            (None, Some(fill)) => fill_scratch(scratch, length, fill),
            (None, None) => unreachable!("what fills a frame has a result"),
        }
    }
}

fn fill_scratch<R>(scratch: &mut Vec<u8>, length: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
    if scratch.len() < length {
        scratch.resize(length, 0);
    }
    fill(&mut scratch[..length])
}
