//! Ethernet frames: addresses, lengths, and the tag of a VLAN (IEEE 802.1Q).

use core::fmt;

/// An Ethernet (MAC-48) address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Bytes of the largest IP packet.
pub const LARGEST_PACKET: usize = 65_535;
/// Bytes before a frame's payload at most: an Ethernet header with the tag of a VLAN.
pub const LONGEST_HEADER: usize = ADDRESSES + TAG + 2;
/// Bytes of a tag (IEEE 802.1Q), which stands behind both addresses of a frame.
pub const TAG: usize = 4;
/// TPID (IEEE 802.1Q): the type of a frame that has a tag, which is the first half of the tag.
pub const VLAN_TPID: [u8; 2] = [0x81, 0x00];
/// Bytes of both addresses of a frame.
pub const ADDRESSES: usize = 12;

/// The longest frame in bytes that a device takes or hands over where it segments or merges
/// TCP: an Ethernet header with the tag of a VLAN, and the largest IP packet.
pub const LARGEST_FRAME: usize = LONGEST_HEADER + LARGEST_PACKET;

/// Moves the addresses of a frame to where its tag ends. Returns how many bytes are left over
/// before them.
pub(crate) fn close_gap(frame: &mut [u8]) -> usize {
    if frame.len() < LONGEST_HEADER {
        return 0;
    }
    frame.copy_within(..ADDRESSES, TAG);
    TAG
}
