//! Headers of segments that are sent.

use super::segment::{
    Flags, HEADER, MAXIMUM_SEGMENT_SIZE, NO_OPERATION, Range, SACK, SACK_PERMITTED, WINDOW_SCALE,
};
use super::sequence::Sequence;

/// SACK blocks that fit a header.
pub const MAX_SACK_BLOCKS: usize = 4;

/// A header, but for ports and checksum (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// SEG.SEQ: the number of the first byte, or of SYN.
    pub sequence_number: Sequence,
    /// SEG.ACK: counts if the flags have ACK.
    pub acknowledgment_number: Sequence,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND: as it is in the header, not scaled.
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
        /// MSS: the largest payload that this side takes (RFC 9293, section 3.7.1).
        maximum_segment_size: u16,
        /// Window scale: the shift of this side's windows (RFC 7323).
        window_scale: Option<u8>,
        /// This side takes SACK (RFC 2018).
        sack_permitted: bool,
    },
    /// SACK blocks: ranges that were received out of order, the newest first.
    Sack([Option<Range>; MAX_SACK_BLOCKS]),
}

impl Options {
    /// Bytes in the header, a multiple of four.
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Syn {
                window_scale,
                sack_permitted,
                ..
            } => 4 + 4 * usize::from(window_scale.is_some()) + 4 * usize::from(*sack_permitted),
            Self::Sack(blocks) => 4 + 8 * blocks.iter().flatten().count(),
        }
    }

    fn encode(&self, place: &mut [u8]) {
        match self {
            Self::None => {}
            Self::Syn {
                maximum_segment_size,
                window_scale,
                sack_permitted,
            } => {
                let [high, low] = maximum_segment_size.to_be_bytes();
                place[..4].copy_from_slice(&[MAXIMUM_SEGMENT_SIZE, 4, high, low]);
                let mut end = 4;
                if let Some(window_scale) = window_scale {
                    place[end..end + 4].copy_from_slice(&[
                        NO_OPERATION,
                        WINDOW_SCALE,
                        3,
                        *window_scale,
                    ]);
                    end += 4;
                }
                if *sack_permitted {
                    place[end..].copy_from_slice(&[NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
                }
            }
            Self::Sack(blocks) => {
                // At most 36.
                let length = (place.len() - 2) as u8;
                place[..4].copy_from_slice(&[NO_OPERATION, NO_OPERATION, SACK, length]);
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
    /// The reset that answers a segment of no connection (RFC 9293, section 3.5.2). `None` if that
    /// was a reset itself.
    pub fn reset_for(segment: &super::Segment<'_>) -> Option<Self> {
        if segment.flags.has(Flags::RST) {
            return None;
        }
        let (sequence_number, flags) = if segment.flags.has(Flags::ACK) {
            (segment.acknowledgment_number, Flags::RST)
        } else {
            (Sequence(0), Flags::RST.with(Flags::ACK))
        };
        Some(Self {
            sequence_number,
            acknowledgment_number: segment.end(),
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
        header[4..8].copy_from_slice(&self.sequence_number.0.to_be_bytes());
        let acknowledgment_number = if self.flags.has(Flags::ACK) {
            self.acknowledgment_number.0
        } else {
            0
        };
        header[8..12].copy_from_slice(&acknowledgment_number.to_be_bytes());
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
    use super::super::segment::SynOptions;
    use super::*;
    use crate::Segment;
    use std::vec;
    use std::vec::Vec;

    fn header(options: Options) -> Header {
        Header {
            sequence_number: Sequence(1),
            acknowledgment_number: Sequence(2),
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
        for (window_scale, sack_permitted) in [
            (None, false),
            (Some(7), false),
            (None, true),
            (Some(14), true),
        ] {
            let bytes = encode(header(Options::Syn {
                maximum_segment_size: 1_460,
                window_scale,
                sack_permitted,
            }));
            let segment = Segment::parse(&bytes).expect("a header");
            let syn_options = SynOptions {
                maximum_segment_size: Some(1_460),
                window_scale,
                sack_permitted,
            };
            assert_eq!(segment.syn_options(), syn_options);
            assert_eq!(
                (segment.sequence_number.0, segment.acknowledgment_number.0),
                (1, 2)
            );
            assert_eq!((segment.flags.0, segment.window), (24, 3));
        }
        let block = (Sequence(7), Sequence(u32::MAX));
        for count in 1..=MAX_SACK_BLOCKS {
            let mut blocks = [None; MAX_SACK_BLOCKS];
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
        let reset_for = Header::reset_for(&Segment::parse(&bytes).expect("a header"));
        let reset_for = reset_for.expect("a SYN is answered");
        assert_eq!(
            (reset_for.sequence_number, reset_for.acknowledgment_number),
            (Sequence(0), Sequence(2))
        );
        let bytes = encode(reset_for);
        assert!(Header::reset_for(&Segment::parse(&bytes).expect("a header")).is_none());
    }
}
