//! VLANs (IEEE 802.1Q): a tag in a frame's header says which of several networks on one wire the
//! frame belongs to. Number 0 says that the tag tells a priority only.

use core::num::NonZeroU16;
use core::str::FromStr;
use fata_net::ethernet::{ADDRESSES, TAG, VLAN_TPID};
use fata_net::{Frame, Offload, PartialChecksum};

/// The number of a VLAN, 1 to 4094 (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanId(NonZeroU16);

impl VlanId {
    /// A number; `None` if no VLAN can have it.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(id) if number < NUMBER => Some(Self(id)),
            _ => None,
        }
    }
}

impl FromStr for VlanId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let id = text.parse().ok().and_then(Self::new);
        id.ok_or("no number of a VLAN; give one from 1 to 4094")
    }
}

/// The bits of a tag's second half that are the number. The others are a priority.
const NUMBER: u16 = 0x0fff;

/// The network on the wire that a stack is in.
pub(super) struct Vlan {
    /// Its number, 0 if its frames have no tag.
    number: u16,
}

impl Vlan {
    pub(super) fn new(id: Option<VlanId>) -> Self {
        let number = id.map_or(0, |VlanId(number)| number.get());
        Self { number }
    }

    /// Tells whether a received frame is of this network. It has no tag any more then.
    #[inline]
    pub(super) fn admits(&self, frame: &mut impl Frame) -> bool {
        let kind = frame.as_ref().get(ADDRESSES..ADDRESSES + VLAN_TPID.len());
        match kind == Some(&VLAN_TPID) {
            true => self.admits_tagged(frame),
            false => self.number == 0,
        }
    }

    #[cold]
    fn admits_tagged(&self, frame: &mut impl Frame) -> bool {
        let Some([_, _, high, low, ..]) = frame.as_ref().get(ADDRESSES..) else {
            return false;
        };
        let number = u16::from_be_bytes([*high, *low]) & NUMBER;
        frame.remove_tag();
        number == self.number
    }

    /// Bytes that a frame to be sent needs before what is written of it.
    pub(super) fn room(&self) -> usize {
        match self.number {
            0 => 0,
            _ => TAG,
        }
    }

    /// Tags a frame that was written behind [`room`](Self::room). Returns what the device has to
    /// do to it now.
    #[cold]
    pub(super) fn insert_tag(&self, frame: &mut [u8], offload: Offload) -> Offload {
        frame.copy_within(TAG..TAG + ADDRESSES, 0);
        let tag = &mut frame[ADDRESSES..][..TAG];
        tag[..2].copy_from_slice(&VLAN_TPID);
        tag[2..].copy_from_slice(&self.number.to_be_bytes());
        moved(offload)
    }
}

/// The same for a frame whose headers have become longer by a tag.
fn moved(offload: Offload) -> Offload {
    const BY: u16 = TAG as u16;
    let moved = |checksum: PartialChecksum| PartialChecksum {
        start: checksum.start + BY,
        ..checksum
    };
    match offload {
        Offload::None => Offload::None,
        Offload::Checksum(checksum) => Offload::Checksum(moved(checksum)),
        Offload::Segments {
            checksum,
            ipv6,
            headers,
            size,
        } => Offload::Segments {
            checksum: moved(checksum),
            ipv6,
            headers: headers + BY,
            size,
        },
    }
}
