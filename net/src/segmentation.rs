//! Checksum and segmentation offloads of a NIC, done by the processor.

use crate::ethernet::{ADDRESSES, TAG, VLAN_TPID};
use crate::{Offload, PartialChecksum};
use alloc::vec::Vec;

/// Where TCP's sequence number and flags are in its header (RFC 9293, section 3.1).
const SEQUENCE: usize = 4;
const FLAGS: usize = 13;
/// Those flags that only the last piece of a segment has: FIN and PSH.
const LAST_ONLY: u8 = 0x09;

/// Does what `offload` says to `frame`. The frames that come of it go to `done`, in buffers
/// out of `spare`.
pub(crate) fn complete(
    mut frame: Vec<u8>,
    offload: Offload,
    spare: &mut Vec<Vec<u8>>,
    mut done: impl FnMut(Vec<u8>),
) {
    match offload {
        Offload::None => done(frame),
        Offload::Checksum(checksum) => {
            fill_checksum(&mut frame, checksum);
            done(frame);
        }
        Offload::Segments {
            checksum,
            ipv6,
            headers,
            size,
        } => {
            let (headers, payload) = frame.split_at(usize::from(headers));
            let size = usize::from(size.get());
            for (number, part) in payload.chunks(size).enumerate() {
                let start = number * size;
                let last = start + part.len() == payload.len();
                let mut piece = spare.pop().unwrap_or_default();
                piece.clear();
                piece.extend_from_slice(headers);
                piece.extend_from_slice(part);
                set_ip_length(&mut piece, ipv6);
                // The sum in the field has the length of the whole segment.
                let less = (payload.len() - part.len()) as u16;
                set_tcp(&mut piece, checksum, start, last, less);
                fill_checksum(&mut piece, checksum);
                done(piece);
            }
            spare.push(frame);
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
    let tag = match frame[ADDRESSES..].starts_with(&VLAN_TPID) {
        true => TAG,
        false => 0,
    };
    let packet = &mut frame[ADDRESSES + tag + 2..];
    let length = packet.len() as u16;
    if ipv6 {
        write(packet, 4, length - 40);
    } else {
        write(packet, 2, length);
        write(packet, 10, 0);
        let value = !sum(&packet[..20]);
        write(packet, 10, value);
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
