//! `virtio_net_hdr` (virtio 1.2, section 5.1.6), which TAP devices use, too.

use crate::Offload;

/// Bytes of the header with and without its last field, `num_buffers`.
#[cfg(any(test, feature = "virtio"))]
pub(crate) const LONG: usize = 12;
pub(crate) const SHORT: usize = 10;

/// Flags: the checksum is partial; the checksum was found right.
const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;
/// Kinds of what is to be cut.
const GSO_TCP_IPV4: u8 = 1;
const GSO_TCP_IPV6: u8 = 4;

/// Writes the header of a frame into `place`, which is as long as the header.
pub(crate) fn encode(offload: Offload, place: &mut [u8]) {
    place.fill(0);
    let checksum = match offload {
        Offload::None => return,
        Offload::Checksum(checksum) => checksum,
        Offload::Segments {
            checksum,
            ipv6,
            headers,
            size,
        } => {
            place[1] = if ipv6 { GSO_TCP_IPV6 } else { GSO_TCP_IPV4 };
            place[2..4].copy_from_slice(&headers.to_le_bytes());
            place[4..6].copy_from_slice(&size.get().to_le_bytes());
            checksum
        }
    };
    place[0] = NEEDS_CHECKSUM;
    place[6..8].copy_from_slice(&checksum.start.to_le_bytes());
    place[8..10].copy_from_slice(&checksum.offset.to_le_bytes());
}

/// Tells whether the sender of a header vouches for its frame's checksum (section 5.1.6.4).
pub(crate) fn is_verified(header: &[u8]) -> bool {
    header[0] & (NEEDS_CHECKSUM | DATA_VALID) != 0
}

/// Over how many buffers a received frame goes; `header` has [`LONG`] bytes.
#[cfg(feature = "virtio")]
pub(crate) fn buffers(header: &[u8]) -> u16 {
    u16::from_le_bytes([header[10], header[11]])
}
