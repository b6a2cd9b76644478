//! Segments as they arrive.

use super::sequence::Sequence;

/// Bytes of a header without options.
pub(crate) const HEADER: usize = 20;
/// Option kinds (RFC 9293, section 3.2; RFC 7323; RFC 2018).
pub(super) const END_OF_OPTIONS: u8 = 0;
pub(super) const NO_OPERATION: u8 = 1;
pub(super) const MAXIMUM_SEGMENT_SIZE: u8 = 2;
pub(super) const WINDOW_SCALE: u8 = 3;
pub(super) const SACK_PERMITTED: u8 = 4;
pub(super) const SACK: u8 = 5;
/// The largest window scale (RFC 7323, section 2.3).
pub(super) const MAX_WINDOW_SCALE: u8 = 14;

/// The control bits of a header. Urgent data is taken for ordinary data: nothing here looks
/// at that bit or its pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The sender will send no more.
    pub const FIN: Self = Self(1);
    /// The number is the first one.
    pub const SYN: Self = Self(2);
    /// The connection is to be forgotten.
    pub const RST: Self = Self(4);
    /// The receiver need not wait for more.
    pub const PSH: Self = Self(8);
    /// The number of the next byte that is expected counts.
    pub const ACK: Self = Self(16);

    /// Returns whether one of the bits of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These bits and those of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether these are the flags of a segment that asks for a connection.
    pub const fn opens(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0 | Self::RST.0 | Self::FIN.0) == Self::SYN.0
    }
}

/// A range of sequence numbers, its end not included.
pub type Range = (Sequence, Sequence);

/// A segment, as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// SEG.SEQ: the number of the first byte, or of SYN.
    pub sequence_number: Sequence,
    /// SEG.ACK: valid if the flags have ACK.
    pub acknowledgment_number: Sequence,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND: as it is in the header, not scaled.
    pub window: u16,
    options: &'a [u8],
    /// The data.
    pub payload: &'a [u8],
}

/// The options of a SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    /// MSS: the largest payload that the peer takes (RFC 9293, section 3.7.1).
    pub maximum_segment_size: Option<u16>,
    /// Window scale: the shift of its windows, 14 at most (RFC 7323, section 2.3).
    pub window_scale: Option<u8>,
    /// The peer takes SACK (RFC 2018).
    pub sack_permitted: bool,
}

impl<'a> Segment<'a> {
    /// Takes a segment apart, from the source port to the end of the payload. `None` if it
    /// is shorter than it says. The checksum is somebody else's.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<HEADER>()?;
        let length = usize::from(header[12] >> 4) * 4;
        let options = bytes.get(HEADER..length)?;
        let number = |place: usize| {
            Sequence(u32::from_be_bytes([
                header[place],
                header[place + 1],
                header[place + 2],
                header[place + 3],
            ]))
        };
        Some(Self {
            sequence_number: number(4),
            acknowledgment_number: number(8),
            flags: Flags(header[13]),
            window: u16::from_be_bytes([header[14], header[15]]),
            options,
            payload: &bytes[length..],
        })
    }

    /// SEG.SEQ + SEG.LEN: the sequence number behind the segment.
    pub fn end(&self) -> Sequence {
        let controls =
            u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        // A frame has less than 2^32 bytes.
        self.sequence_number + self.payload.len() as u32 + controls
    }

    /// The options that count in a SYN.
    pub fn syn_options(&self) -> SynOptions {
        let mut syn_options = SynOptions::default();
        for (kind, value) in options(self.options) {
            match (kind, value) {
                (MAXIMUM_SEGMENT_SIZE, [high, low]) => {
                    syn_options.maximum_segment_size = Some(u16::from_be_bytes([*high, *low]));
                }
                (WINDOW_SCALE, [window_scale]) => {
                    syn_options.window_scale = Some((*window_scale).min(MAX_WINDOW_SCALE))
                }
                (SACK_PERMITTED, []) => syn_options.sack_permitted = true,
                _ => {}
            }
        }
        syn_options
    }

    /// The SACK blocks: ranges that the peer has received out of order, as it says.
    pub fn sacked(&self) -> impl Iterator<Item = Range> {
        let blocks = options(self.options)
            .filter(|(kind, _)| *kind == SACK)
            .flat_map(|(_, value)| value.as_chunks::<8>().0);
        blocks.map(|[a, b, c, d, e, f, g, h]| {
            (
                Sequence(u32::from_be_bytes([*a, *b, *c, *d])),
                Sequence(u32::from_be_bytes([*e, *f, *g, *h])),
            )
        })
    }

    /// Returns whether the header has options.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }
}

/// The options of a header, up to the first that is malformed.
fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        loop {
            match bytes {
                [NO_OPERATION, rest @ ..] => bytes = rest,
                [] | [END_OF_OPTIONS, ..] | [_] => return None,
                [kind, length, ..] => {
                    let option = bytes.get(2..usize::from(*length))?;
                    bytes = &bytes[usize::from(*length)..];
                    return Some((*kind, option));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn the_parts_of_a_segment() {
        let bytes = [
            0, 80, 1, 0, 0, 0, 0, 9, 0, 0, 0, 7, 0xb0, 0x11, 1, 0, 0, 0, 0, 0, // header
            1, 1, 5, 18, 0, 0, 0, 20, 0, 0, 0, 30, 0, 0, 0, 40, 0, 0, 0, 50, 0, 0, 0,
            0, // options
            b'h', b'i',
        ];
        let segment = Segment::parse(&bytes).expect("a segment");
        assert_eq!(
            (segment.sequence_number, segment.acknowledgment_number),
            (Sequence(9), Sequence(7))
        );
        assert_eq!((segment.window, segment.payload), (256, &b"hi"[..]));
        assert!(segment.flags.has(Flags::FIN) && segment.flags.has(Flags::ACK));
        assert_eq!(segment.end(), Sequence(12));
        let sacked: Vec<_> = segment.sacked().collect();
        assert_eq!(
            sacked,
            [(Sequence(20), Sequence(30)), (Sequence(40), Sequence(50))]
        );
        assert!(Segment::parse(&bytes[..43]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart(bytes in proptest::collection::vec(any::<u8>(), 0..90)) {
            if let Some(segment) = Segment::parse(&bytes) {
                segment.syn_options();
                prop_assert!(segment.sacked().count() <= 4);
                prop_assert!(segment.payload.len() <= bytes.len() - HEADER);
            }
        }
    }
}
