//! Headers of segments that are sent.

use super::segment::{
    Flags, HEADER, MAXIMUM_SEGMENT, NOTHING, Range, SACK, SACK_PERMITTED, WINDOW_SCALE,
};
use super::sequence::Sequence;

/// SACK blocks that fit a header.
pub const MOST_BLOCKS: usize = 4;

/// What is in a header, but for ports and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of the first byte, or of SYN.
    pub sequence: Sequence,
    /// Counts if the flags have ACK.
    pub acknowledged: Sequence,
    /// The control bits.
    pub flags: Flags,
    /// As it is in the header, not shifted.
    pub window: u16,
    /// The options behind it.
    pub options: Options,
}

/// The options of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Options {
    #[default]
    /// There are none.
    None,
    /// Those of a SYN.
    Syn {
        /// The largest payload that this side takes (RFC 9293, section 3.7.1).
        maximum_segment: u16,
        /// The shift of this side's windows (RFC 7323).
        shift: Option<u8>,
        /// Whether this side takes SACK (RFC 2018).
        sack: bool,
    },
    /// What was received out of order, the newest range first.
    Sack([Option<Range>; MOST_BLOCKS]),
}

impl Options {
    /// Bytes in the header, a multiple of four.
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Syn { shift, sack, .. } => {
                4 + 4 * usize::from(shift.is_some()) + 4 * usize::from(*sack)
            }
            Self::Sack(blocks) => 4 + 8 * blocks.iter().flatten().count(),
        }
    }

    fn encode(&self, place: &mut [u8]) {
        match self {
            Self::None => {}
            Self::Syn {
                maximum_segment,
                shift,
                sack,
            } => {
                let [high, low] = maximum_segment.to_be_bytes();
                place[..4].copy_from_slice(&[MAXIMUM_SEGMENT, 4, high, low]);
                let mut end = 4;
                if let Some(shift) = shift {
                    place[end..end + 4].copy_from_slice(&[NOTHING, WINDOW_SCALE, 3, *shift]);
                    end += 4;
                }
                if *sack {
                    place[end..].copy_from_slice(&[NOTHING, NOTHING, SACK_PERMITTED, 2]);
                }
            }
            Self::Sack(blocks) => {
                // At most 36.
                let length = (place.len() - 2) as u8;
                place[..4].copy_from_slice(&[NOTHING, NOTHING, SACK, length]);
                let words = blocks
                    .iter()
                    .flatten()
                    .flat_map(|(start, end)| [start, end]);
                for (place, number) in place[4..].as_chunks_mut().0.iter_mut().zip(words) {
                    *place = number.0.to_be_bytes();
                }
            }
        }
    }
}

impl Header {
    /// An answer that needs no connection: RST to a segment that belongs nowhere (RFC 9293,
    /// section 3.5.2). `None` if that was a reset itself.
    pub fn refusal(segment: &super::Segment<'_>) -> Option<Self> {
        if segment.flags.has(Flags::RST) {
            return None;
        }
        let (sequence, flags) = if segment.flags.has(Flags::ACK) {
            (segment.acknowledged, Flags::RST)
        } else {
            (Sequence(0), Flags::RST.with(Flags::ACK))
        };
        Some(Self {
            sequence,
            acknowledged: segment.end(),
            flags,
            window: 0,
            options: Options::None,
        })
    }

    /// Bytes of the header.
    pub fn length(&self) -> usize {
        HEADER + self.options.len()
    }

    /// Writes the header. The checksum is left 0.
    ///
    /// # Panics
    /// If `place` has not as many bytes as the header.
    pub fn encode(&self, source: u16, destination: u16, place: &mut [u8]) {
        let length = place.len();
        let (header, options) = place
            .split_first_chunk_mut::<HEADER>()
            .expect("there is room for a header");
        header[..2].copy_from_slice(&source.to_be_bytes());
        header[2..4].copy_from_slice(&destination.to_be_bytes());
        header[4..8].copy_from_slice(&self.sequence.0.to_be_bytes());
        let acknowledged = if self.flags.has(Flags::ACK) {
            self.acknowledged.0
        } else {
            0
        };
        header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        // At most 60 bytes, in words of four.
        header[12] = (length as u8) << 2;
        header[13] = self.flags.0;
        header[14..16].copy_from_slice(&self.window.to_be_bytes());
        header[16..].fill(0);
        self.options.encode(options);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::segment::Offered;
    use super::*;
    use crate::Segment;
    use std::vec;
    use std::vec::Vec;

    fn header(options: Options) -> Header {
        Header {
            sequence: Sequence(1),
            acknowledged: Sequence(2),
            flags: Flags::ACK.with(Flags::PSH),
            window: 3,
            options,
        }
    }

    fn encode(header: Header) -> Vec<u8> {
        let mut bytes = vec![9; header.length()];
        header.encode(80, 81, &mut bytes);
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (shift, sack) in [
            (None, false),
            (Some(7), false),
            (None, true),
            (Some(14), true),
        ] {
            let bytes = encode(header(Options::Syn {
                maximum_segment: 1_460,
                shift,
                sack,
            }));
            let segment = Segment::parse(&bytes).expect("a header");
            let offered = Offered {
                maximum_segment: Some(1_460),
                shift,
                sack,
            };
            assert_eq!(segment.offered(), offered);
            assert_eq!((segment.sequence.0, segment.acknowledged.0), (1, 2));
            assert_eq!((segment.flags.0, segment.window), (24, 3));
        }
        let block = (Sequence(7), Sequence(u32::MAX));
        for count in 1..=MOST_BLOCKS {
            let mut blocks = [None; MOST_BLOCKS];
            blocks[..count].fill(Some(block));
            let bytes = encode(header(Options::Sack(blocks)));
            let segment = Segment::parse(&bytes).expect("a header");
            assert_eq!(segment.sacked().collect::<Vec<_>>(), vec![block; count]);
        }
    }

    #[test]
    fn a_refusal_fits_what_is_refused() {
        let mut syn = header(Options::None);
        syn.flags = Flags::SYN;
        let bytes = encode(syn);
        let refusal = Header::refusal(&Segment::parse(&bytes).expect("a header"));
        let refusal = refusal.expect("a SYN is answered");
        assert_eq!(
            (refusal.sequence, refusal.acknowledged),
            (Sequence(0), Sequence(2))
        );
        let bytes = encode(refusal);
        assert!(Header::refusal(&Segment::parse(&bytes).expect("a header")).is_none());
    }
}
