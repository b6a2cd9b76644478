//! A [`Net`] device as smoltcp sees it.

use super::vlan::{Vlan, VlanId};
use alloc::vec::Vec;
use fata_net::{Net, Offload, Offloads, TransmitError};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

/// Hands one received frame at a time to smoltcp, and smoltcp's frames to the device.
pub(super) struct Adapter<N: Net> {
    /// The frame that smoltcp is to take next.
    pending: Option<N::Frame>,
    /// The frame that smoltcp has read.
    spent: Option<N::Frame>,
    pub(super) transmitter: Transmitter<N>,
}

/// The device, and what it does to frames.
pub(super) struct Transmitter<N> {
    pub(super) device: N,
    pub(super) offloads: Offloads,
    pub(super) vlan: Vlan,
    /// Where answers go that the device has no room for: they are lost.
    scratch: Vec<u8>,
}

impl<N: Net> Transmitter<N> {
    /// Tells whether the device has room for a frame.
    pub(super) fn can_transmit(&mut self) -> bool {
        self.device.can_transmit()
    }

    /// As [`Net::transmit`], with the tag that frames are to have: `length` is without it.
    pub(super) fn transmit<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, TransmitError> {
        self.transmit_offloaded(length, |frame| (fill(frame), Offload::None))
    }

    /// The same as [`Net::transmit_offloaded`].
    pub(super) fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        let Self { device, vlan, .. } = self;
        let room = vlan.room();
        device.transmit_offloaded(room + length, |frame| {
            let (result, offload) = fill(&mut frame[room..]);
            let offload = match room {
                0 => offload,
                _ => vlan.insert_tag(frame, offload),
            };
            (result, offload)
        })
    }
}

impl<N: Net> Adapter<N> {
    pub(super) fn new(device: N, vlan: Option<VlanId>) -> Self {
        let transmitter = Transmitter {
            offloads: device.offloads(),
            device,
            vlan: Vlan::new(vlan),
            scratch: Vec::new(),
        };
        Self {
            pending: None,
            spent: None,
            transmitter,
        }
    }

    pub(super) fn device(&mut self) -> &mut N {
        &mut self.transmitter.device
    }

    /// Puts a frame where smoltcp finds it.
    pub(super) fn offer(&mut self, frame: N::Frame) {
        self.pending = Some(frame);
    }

    /// Gives the frame that was offered back to the device, read or not.
    pub(super) fn recycle(&mut self) {
        if let Some(frame) = self.spent.take().or_else(|| self.pending.take()) {
            self.transmitter.device.recycle(frame);
        }
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
        Some((
            receive,
            TxToken {
                transmitter: &mut self.transmitter,
            },
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_, N>> {
        let can_transmit = self.transmitter.can_transmit();
        can_transmit.then_some(TxToken {
            transmitter: &mut self.transmitter,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.transmitter.device.mtu() + ETHERNET_HEADER_LEN;
        // A limit would wrongly clamp the window to 16 bits.
        capabilities.max_burst_size = None;
        // Those that are received were checked where frames are classified.
        capabilities.checksum.udp = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

pub(super) struct RxToken<'a, N: Net> {
    frame: N::Frame,
    spent: &'a mut Option<N::Frame>,
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
}

impl<N: Net> phy::TxToken for TxToken<'_, N> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let (mut fill, mut result) = (Some(fill), None);
        // A frame that is refused is lost, as on the wire.
        let _ = self.transmitter.transmit(length, |frame| {
            result = fill.take().map(|fill| fill(frame));
        });
        match (result, fill) {
            (Some(result), _) => result,
            (None, Some(fill)) => fill_scratch(&mut self.transmitter.scratch, length, fill),
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
