//! The receiving half of a connection.

#[cfg(test)]
mod tests;

use super::header::{MOST_BLOCKS, Options};
use super::pool::Pool;
use super::ring::{Lent, Ring};
use super::segment::{Flags, Range, Segment};
use super::sequence::Sequence;
use alloc::vec::Vec;
use core::time::Duration;
use fata_time::Instant;

/// An acknowledgement waits that long for data to travel with, but two segments never do.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// Ranges that are held behind gaps. What would be one more is dropped.
const MOST_GAPS: usize = 32;
/// What a connection may be sent at first, in bytes; the window grows from there.
pub(super) const FIRST_WINDOW: u32 = 64 * 1024 - 1;

/// When an acknowledgement is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Never,
    At(Instant),
    Now,
}

/// What was received and not read yet, and what is to be told about it.
pub(super) struct Receiver {
    ring: Ring,
    /// The first byte that is missing.
    next: Sequence,
    /// The end of what the peer may send.
    edge: Sequence,
    /// Bytes to hold now, and at most.
    limit: u32,
    most: u32,
    /// How windows are shifted in headers.
    shift: u8,
    segment: u32,
    /// What was received behind gaps, in order.
    islands: Vec<Range>,
    /// Where the newest of it is.
    newest: Sequence,
    /// What was received twice, until the peer is told.
    duplicate: Option<Range>,
    /// Where the peer has ended its side.
    fin: Option<Sequence>,
    due: Due,
    /// Bytes received since the last acknowledgement.
    unacknowledged: u32,
    /// Bytes read since the limit was raised.
    read: u32,
    /// The most bytes that were held since there were none.
    peak: usize,
    /// The same of the time before: as many may come again, and memory for them at once
    /// spares moving them.
    expected: usize,
    /// Whether nobody will read: what is received counts, but is not stored.
    discards: bool,
}

impl Receiver {
    /// `next` is what follows the peer's SYN. At most `most` bytes are held.
    pub(super) fn new(next: Sequence, window: u32, most: u32, shift: u8, segment: u32) -> Self {
        Self {
            ring: Ring::default(),
            next,
            edge: next + window,
            limit: FIRST_WINDOW.min(most),
            // More cannot be told. A limit beyond would never be seen to be nearly reached.
            most: most.min(u32::from(u16::MAX) << shift),
            shift,
            segment,
            islands: Vec::new(),
            newest: next,
            duplicate: None,
            fin: None,
            due: Due::Never,
            unacknowledged: 0,
            read: 0,
            peak: 0,
            expected: 0,
            discards: false,
        }
    }

    pub(super) fn next(&self) -> Sequence {
        self.next
    }

    /// Whether everything was received that will ever come.
    pub(super) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.next > fin)
    }

    /// Bytes that can be read.
    pub(super) fn readable(&self) -> usize {
        self.ring.len()
    }

    /// Whether a segment lies in the window (RFC 9293, section 3.10.7.4). One without data
    /// that begins right behind it does: what came before it may be lost.
    pub(super) fn accepts(&self, segment: &Segment<'_>) -> bool {
        segment.end() >= self.next && segment.sequence <= self.edge
    }

    /// Takes a segment's data in. Returns whether there is something new to read.
    pub(super) fn receive(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) -> bool {
        let mut fin = segment.flags.has(Flags::FIN);
        if segment.payload.is_empty() && !fin {
            return false;
        }
        let skipped = self.next.since(segment.sequence) as usize;
        if skipped > 0 {
            self.note_duplicate(segment);
        }
        let payload = segment.payload.get(skipped..).unwrap_or_default();
        let start = segment.sequence.max(self.next);
        let edge = self.fin.map_or(self.edge, |fin| fin.min(self.edge));
        let room = edge.since(start) as usize;
        // What lies beyond the window, the end included, has to come again.
        fin &= payload.len() <= room;
        let payload = &payload[..payload.len().min(room)];
        if fin {
            self.note_end(start + payload.len() as u32);
        }
        let before = self.next;
        self.take(start, payload, pool);
        if self.fin == Some(self.next) {
            self.next = self.next + 1;
        }
        self.acknowledge_later(before, now);
        self.next != before
    }

    /// Notes a segment of which bytes were received before.
    pub(super) fn note_duplicate(&mut self, segment: &Segment<'_>) {
        let end = segment.sequence + segment.payload.len() as u32;
        let end = end.min(self.next);
        if segment.sequence < end {
            self.duplicate = Some((segment.sequence, end));
            self.due = Due::Now;
        }
    }

    /// Notes where the peer's side ends, unless it has sent more already.
    fn note_end(&mut self, end: Sequence) {
        let is_last = self.islands.last().is_none_or(|(_, last)| *last <= end);
        if self.fin.is_none() && is_last {
            self.fin = Some(end);
        }
    }

    /// Stores bytes, and takes in what they connect.
    fn take(&mut self, start: Sequence, payload: &[u8], pool: &mut Pool) {
        if payload.is_empty() || !self.fits(start) {
            return;
        }
        let offset = self.ring.len() + start.since(self.next) as usize;
        let taken = self.store(offset, payload, pool);
        if taken == 0 {
            return;
        }
        let end = start + taken as u32;
        if start > self.next {
            self.add_island(start, end);
            return;
        }
        let (mut reached, mut connected) = (end, 0);
        for (start, end) in &self.islands {
            if *start > reached {
                break;
            }
            reached = reached.max(*end);
            connected += 1;
        }
        self.islands.drain(..connected);
        if !self.discards {
            self.ring.extend(reached.since(self.next) as usize);
            self.peak = self.peak.max(self.ring.len());
        }
        self.next = reached;
        if connected > 0 {
            self.due = Due::Now;
        }
    }

    /// Puts bytes in store. Returns how many: the others are as good as lost, and come again.
    fn store(&mut self, offset: usize, payload: &[u8], pool: &mut Pool) -> usize {
        if self.discards {
            return payload.len();
        }
        let room = self.reserve(offset, payload.len(), pool);
        if room > 0 {
            self.ring.store(offset, &payload[..room]);
        }
        room
    }

    /// Gets memory for `size` bytes in store. Returns for how many of them there is some.
    fn reserve(&mut self, offset: usize, size: usize, pool: &mut Pool) -> usize {
        let needed = offset + size;
        if needed > self.ring.capacity() {
            let is_new = self.ring.capacity() == 0;
            let wanted = if is_new {
                needed.max(self.expected)
            } else {
                needed
            };
            if offset == self.ring.len() {
                let _ = self.ring.reserve(wanted, pool)
                    || self.ring.reserve(needed, pool)
                    || self.ring.reserve(1, pool);
            } else if pool.is_ample(wanted) {
                // Memory in front of a gap stays taken as long as the peer likes, however
                // little it has sent: all of them together get a part of it only.
                self.ring.reserve(wanted, pool);
            }
        }
        self.ring.capacity().saturating_sub(offset).min(size)
    }

    /// Whether there is a place for one more range that begins at `start`.
    fn fits(&self, start: Sequence) -> bool {
        start <= self.next
            || self.islands.len() < MOST_GAPS
            || self
                .islands
                .iter()
                .any(|(from, until)| *from <= start && start <= *until)
    }

    fn add_island(&mut self, start: Sequence, end: Sequence) {
        let first = self.islands.partition_point(|(_, until)| *until < start);
        let last = self.islands.partition_point(|(from, _)| *from <= end);
        let mut island = (start, end);
        if first < last {
            island.0 = start.min(self.islands[first].0);
            island.1 = end.max(self.islands[last - 1].1);
        }
        self.islands.splice(first..last, [island]);
        self.newest = start;
    }

    fn acknowledge_later(&mut self, before: Sequence, now: Instant) {
        let received = self.next.since(before);
        self.unacknowledged = self.unacknowledged.saturating_add(received);
        let at_once = received == 0
            || !self.islands.is_empty()
            || self.is_finished()
            || self.unacknowledged >= 2 * self.segment;
        self.due = match self.due {
            _ if at_once => Due::Now,
            Due::Never => Due::At(now + ACK_DELAY),
            due => due,
        };
    }

    /// Sees to it that an acknowledgement is sent.
    pub(super) fn acknowledge_now(&mut self) {
        self.due = Due::Now;
    }

    pub(super) fn must_acknowledge(&self, now: Instant) -> bool {
        match self.due {
            Due::Never => false,
            Due::At(due) => due <= now,
            Due::Now => true,
        }
    }

    /// When an acknowledgement is to be sent by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.due {
            Due::At(due) => Some(due),
            Due::Never | Due::Now => None,
        }
    }

    /// The window that a header is to tell, moved as far as may be.
    pub(super) fn window(&mut self) -> u16 {
        let edge = self.possible_edge();
        // Small steps would invite small segments (RFC 9293, section 3.8.6.2.2).
        if edge.since(self.edge) >= self.segment.min(self.limit / 2) {
            self.edge = edge;
        }
        let window = self.edge.since(self.next) >> self.shift;
        // What the shift cuts off, the peer may send only later.
        window.min(u32::from(u16::MAX)) as u16
    }

    /// A segment with data has told where this side is. Where there are gaps, that is not
    /// all.
    pub(super) fn announced(&mut self) {
        if self.islands.is_empty() && self.duplicate.is_none() {
            self.acknowledged();
        }
    }

    /// A segment has told where this side is.
    pub(super) fn acknowledged(&mut self) {
        self.duplicate = None;
        self.due = Due::Never;
        self.unacknowledged = 0;
    }

    fn possible_edge(&self) -> Sequence {
        let room = self.limit.saturating_sub(self.ring.len() as u32);
        self.edge.max(self.next + room)
    }

    /// What came twice (RFC 2883), then what is behind gaps, the newest of it first (RFC 2018,
    /// section 4).
    pub(super) fn blocks(&self) -> Options {
        if self.islands.is_empty() && self.duplicate.is_none() {
            return Options::None;
        }
        let mut blocks = [None; MOST_BLOCKS];
        let newest = self.islands.iter().find(|(_, end)| *end > self.newest);
        let others = self.islands.iter().filter(|island| newest != Some(island));
        let told = self.duplicate.iter().chain(newest).chain(others);
        for (block, range) in blocks.iter_mut().zip(told) {
            *block = Some(*range);
        }
        Options::Sack(blocks)
    }

    /// Moves bytes to `buffer`. Returns how many, and whether the peer should hear that
    /// there is room again.
    pub(super) fn read(&mut self, buffer: &mut [u8], pool: &mut Pool) -> (usize, bool) {
        let count = self.ring.read(buffer);
        self.read = self.read.saturating_add(count as u32);
        if self.ring.len() == 0 {
            self.note_empty();
            if self.islands.is_empty() {
                self.ring.release(pool);
            }
        }
        (count, self.has_opened())
    }

    /// Hands over the memory of what can be read; where bytes lie in it that came too early, a
    /// copy of the first KiB. None if there is nothing, or no memory for a copy. Otherwise as
    /// [`read`](Self::read).
    pub(super) fn lend(&mut self, pool: &mut Pool) -> Option<(Lent, bool)> {
        if self.ring.len() == 0 {
            return None;
        }
        if !self.islands.is_empty() {
            let mut memory = pool.take(1)?;
            let (left, opened) = self.read(&mut memory, pool);
            return Some((Lent::new(memory, left), opened));
        }
        let count = self.ring.len() as u32;
        let lent = self.ring.take();
        self.read = self.read.saturating_add(count);
        self.note_empty();
        Some((lent, self.has_opened()))
    }

    /// Drops what was received, and from now on what is. Returns whether the peer should hear
    /// that there is room again.
    pub(super) fn discard(&mut self, pool: &mut Pool) -> bool {
        self.discards = true;
        self.ring.release(pool);
        self.has_opened()
    }

    /// Whether the window was so small that the peer may wait, and is not any more.
    fn has_opened(&self) -> bool {
        let told = self.edge.since(self.next);
        let gain = self.possible_edge().since(self.edge);
        !self.is_finished() && gain >= (self.limit / 4).max(1) && told < self.limit / 2
    }

    fn note_empty(&mut self) {
        self.expected = core::mem::take(&mut self.peak);
        self.grow();
    }

    /// Lets a peer send more at a time whose data was always read as it came.
    fn grow(&mut self) {
        if self.read >= self.limit && self.limit < self.most {
            self.limit = self.limit.saturating_mul(2).min(self.most);
            self.read = 0;
        }
    }

    /// Gives all memory back.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        self.islands = Vec::new();
        self.ring.release(pool);
    }
}
