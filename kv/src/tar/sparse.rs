//! Files whose holes are left out of the archive.

use super::header::{BLOCK, number};
use super::reader::{Reader, Window};
use crate::Error;
use alloc::vec::Vec;
use fata_block::Block;

/// Bytes of a file that are not in a hole: their offset in it and their number.
pub(super) type Stretch = (u64, u64);

/// Where GNU's old header has its first stretches, and their number there; the mark that a block
/// with more of them follows; the file's size with its holes.
const OLD: (usize, usize, usize) = (386, 4, 482);
const OLD_SIZE: core::ops::Range<usize> = 483..495;
/// The same in a block that follows.
const OLD_MORE: (usize, usize, usize) = (0, 21, 504);
/// Bytes of a stretch, and of each number of it.
const OLD_STRETCH: usize = 24;
const OLD_NUMBER: usize = 12;

/// Where the bytes of a file with holes are. In the archive its stretches follow one another.
#[derive(Debug)]
pub(super) struct Map {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    /// In the file.
    offset: u64,
    /// In what the archive has of it.
    place: u64,
    length: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset + self.length
    }
}

impl Map {
    /// `None` if the stretches are in no order, or are not in a file of `size` bytes of which
    /// the archive has `stored`.
    pub(super) fn new(stretches: &[Stretch], size: u64, stored: u64) -> Option<Self> {
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut end, mut place) = (0, 0);
        for (offset, length) in stretches.iter().copied() {
            if offset < end {
                return None;
            }
            end = offset.checked_add(length).filter(|end| *end <= size)?;
            match pieces.last_mut() {
                Some(last) if last.end() == offset => last.length += length,
                _ if length == 0 => {}
                _ => pieces.push(Piece {
                    offset,
                    place,
                    length,
                }),
            }
            place += length;
        }
        pieces.shrink_to_fit();
        (place <= stored).then_some(Self { pieces })
    }

    /// The part that the archive has of the `length` bytes of the file from `offset` on: its place
    /// in what the archive has of the file, and its length.
    pub(super) fn stored(&self, offset: u64, length: usize) -> (u64, usize) {
        let pieces = self.pieces(offset, length);
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return (0, 0);
        };
        let start = first.place + offset.saturating_sub(first.offset);
        let end = last.place + last.length.min(offset + length as u64 - last.offset);
        (start, (end - start) as usize)
    }

    /// Moves the bytes that [`stored`](Self::stored) tells of, with which `buffer` begins, to where
    /// they are in the file from `offset` on, with the holes between them.
    pub(super) fn spread(&self, offset: u64, buffer: &mut [u8]) {
        let (start, _) = self.stored(offset, buffer.len());
        let mut end = buffer.len();
        // Each moves towards the end, so the last one goes first.
        for piece in self.pieces(offset, buffer.len()).iter().rev() {
            let skipped = offset.saturating_sub(piece.offset);
            let from = (piece.place + skipped - start) as usize;
            let to = (piece.offset + skipped - offset) as usize;
            let length = (piece.length - skipped).min((buffer.len() - to) as u64) as usize;
            buffer.copy_within(from..from + length, to);
            buffer[to + length..end].fill(0);
            end = to;
        }
        buffer[..end].fill(0);
    }

    /// The pieces that have some of these bytes.
    fn pieces(&self, offset: u64, length: usize) -> &[Piece] {
        let end = offset.saturating_add(length as u64);
        let first = self.pieces.partition_point(|piece| piece.end() <= offset);
        let last = self.pieces.partition_point(|piece| piece.offset < end);
        &self.pieces[first..last.max(first)]
    }
}

/// Reads the map of GNU's old format: in the header, and in blocks after it. Returns the file's size
/// with its holes, the map, and the bytes of these blocks.
pub(super) async fn read_old<B: Block>(
    reader: &Reader<B>,
    window: &mut Window,
    header: u64,
    most: usize,
) -> Result<(u64, Vec<Stretch>, u64), Error> {
    let mut map = Vec::new();
    let mut before = 0;
    let block = window.block(reader, header).await?;
    let size = number(&block[OLD_SIZE]).ok_or(Error::Damaged)?;
    let mut has_more = take_old(block, OLD, &mut map).ok_or(Error::Damaged)?;
    while has_more {
        before += BLOCK;
        let block = window.block(reader, header + before).await?;
        has_more = take_old(block, OLD_MORE, &mut map).ok_or(Error::Damaged)?;
        if map.len() > most {
            return Err(Error::TooLarge);
        }
    }
    Ok((size, map, before))
}

/// Takes the stretches of a block, and tells whether another follows. `None` if a number is none.
fn take_old(
    block: &[u8],
    (first, count, more): (usize, usize, usize),
    stretches: &mut Vec<Stretch>,
) -> Option<bool> {
    let entries = block[first..].chunks_exact(OLD_STRETCH).take(count);
    // The first that is empty ends them.
    for entry in entries.take_while(|entry| entry[OLD_NUMBER] != 0) {
        let (offset, length) = entry.split_at(OLD_NUMBER);
        stretches.push((number(offset)?, number(length)?));
    }
    Some(block[more] != 0)
}

/// Reads the map that a body of `size` bytes at `offset` begins with (GNU's format 1.0): numbers in
/// lines, the first that of the stretches, filled up to whole blocks. Returns it and its bytes.
pub(super) async fn read_lines<B: Block>(
    reader: &Reader<B>,
    window: &mut Window,
    (offset, size): (u64, u64),
    most: usize,
) -> Result<(Vec<Stretch>, u64), Error> {
    let mut lines = Lines::default();
    let mut before = 0;
    while before + BLOCK <= size {
        let block = window.block(reader, offset + before).await?;
        before += BLOCK;
        let is_whole = lines.take(block).ok_or(Error::Damaged)?;
        if lines.stretches.len() > most {
            return Err(Error::TooLarge);
        }
        if is_whole {
            return Ok((lines.stretches, before));
        }
    }
    Err(Error::Damaged)
}

/// As much of a map in lines as was read.
#[derive(Default)]
struct Lines {
    /// The digits of the line that was begun.
    number: Option<u64>,
    left: Option<u64>,
    offset: Option<u64>,
    stretches: Vec<Stretch>,
}

impl Lines {
    /// Reads on, and tells whether that was all. `None` if a line is no number.
    fn take(&mut self, block: &[u8]) -> Option<bool> {
        for byte in block {
            if *byte != b'\n' {
                let digit = u64::from(char::from(*byte).to_digit(10)?);
                let number = self.number.unwrap_or(0).checked_mul(10)?;
                self.number = Some(number.checked_add(digit)?);
                continue;
            }
            let number = self.number.take()?;
            match (self.left, self.offset.take()) {
                (None, _) => self.left = Some(number),
                (_, None) => self.offset = Some(number),
                (Some(left), Some(offset)) => {
                    self.stretches.push((offset, number));
                    self.left = Some(left - 1);
                }
            }
            if self.left == Some(0) {
                return Some(true);
            }
        }
        Some(false)
    }
}
