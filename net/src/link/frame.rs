//! Frames of a [`Link`](super::Link), and what a card would do to them.

use crate::{Frame, Offload, PartialChecksum};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Deref;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
/// Where TCP's sequence number and flags are in its header (RFC 9293, section 3.1).
const SEQUENCE: usize = 4;
const FLAGS: usize = 13;
/// Those flags that only the last piece of a segment has: FIN and PSH.
const LAST_ONLY: u8 = 0x09;

/// A frame that a [`Link`](super::Link) has received.
#[derive(Debug, Default)]
pub struct LinkFrame {
    bytes: Vec<u8>,
    /// What was not done to it.
    pub(super) offload: Offload,
}

impl Deref for LinkFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for LinkFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Frame for LinkFrame {
    fn is_verified(&self) -> bool {
        self.offload != Offload::None
    }
}

impl LinkFrame {
    /// The bytes of a frame of `length` bytes, to be written.
    pub(super) fn resize(&mut self, length: usize) -> &mut [u8] {
        self.bytes.resize(length, 0);
        &mut self.bytes
    }

    /// Does what was left to the card. The frames that come of it go to `arrived`, in buffers
    /// out of `spare`.
    pub(super) fn complete(mut self, spare: &mut Vec<Self>, arrived: &mut VecDeque<Self>) {
        match core::mem::take(&mut self.offload) {
            Offload::None => arrived.push_back(self),
            Offload::Checksum(checksum) => {
                fill_checksum(&mut self.bytes, checksum);
                arrived.push_back(self);
            }
            Offload::Segments {
                checksum,
                ipv6,
                headers,
                size,
            } => {
                let (headers, size) = (usize::from(headers), usize::from(size.get()));
                let payload = self.bytes.len() - headers;
                for start in (0..payload).step_by(size) {
                    let end = payload.min(start + size);
                    let mut piece = spare.pop().unwrap_or_default();
                    piece.bytes.clear();
                    piece.bytes.extend_from_slice(&self.bytes[..headers]);
                    piece
                        .bytes
                        .extend_from_slice(&self.bytes[headers + start..headers + end]);
                    set_ip_length(&mut piece.bytes, ipv6);
                    // The sum in the field has the length of the whole segment.
                    let less = (payload - (end - start)) as u16;
                    set_tcp(&mut piece.bytes, checksum, start, end == payload, less);
                    fill_checksum(&mut piece.bytes, checksum);
                    arrived.push_back(piece);
                }
                spare.push(self);
            }
        }
    }
}

fn read(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn write(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum of all words, with the carries added (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| match *word {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        _ => u64::from(word[0]) << 8,
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn fill_checksum(frame: &mut [u8], checksum: PartialChecksum) {
    let start = usize::from(checksum.start);
    let value = !sum(&frame[start..]);
    write(frame, start + usize::from(checksum.offset), value);
}

fn set_ip_length(frame: &mut [u8], ipv6: bool) {
    let length = (frame.len() - ETHERNET) as u16;
    if ipv6 {
        write(frame, ETHERNET + 4, length - 40);
    } else {
        write(frame, ETHERNET + 2, length);
        write(frame, ETHERNET + 10, 0);
        let value = !sum(&frame[ETHERNET..ETHERNET + 20]);
        write(frame, ETHERNET + 10, value);
    }
}

/// Makes the TCP header that of the piece that begins `start` bytes on. The pseudo-header's
/// length is lowered by `less`.
fn set_tcp(frame: &mut [u8], checksum: PartialChecksum, start: usize, last: bool, less: u16) {
    let tcp = usize::from(checksum.start);
    let field = tcp + usize::from(checksum.offset);
    let (value, borrow) = read(frame, field).overflowing_sub(less);
    write(frame, field, value.wrapping_sub(u16::from(borrow)));
    let sequence = &mut frame[tcp + SEQUENCE..tcp + SEQUENCE + 4];
    let number = sequence
        .iter()
        .fold(0, |all, byte| all << 8 | u32::from(*byte));
    sequence.copy_from_slice(&number.wrapping_add(start as u32).to_be_bytes());
    if !last {
        frame[tcp + FLAGS] &= !LAST_ONLY;
    }
}
