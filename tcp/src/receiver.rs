//! The receiving half of a connection.

#[cfg(test)]
mod tests;

use super::header::{MAX_SACK_BLOCKS, Options};
use super::pool::Pool;
use super::ring::{Lent, Ring};
use super::segment::{Flags, Range, Segment};
use super::sequence::Sequence;
use alloc::vec::Vec;
use core::time::Duration;
use fata_time::Instant;

/// A delayed ACK (RFC 9293, section 3.8.6.3) waits that long for data to travel with, but two
/// segments never do.
const DELAYED_ACK_TIMEOUT: Duration = Duration::from_millis(5);
/// Ranges that are held behind gaps. The segment that would be one more is dropped.
const MAX_OUT_OF_ORDER: usize = 32;
/// RCV.WND at first, in bytes; the window grows from there.
pub(super) const INITIAL_RCV_WND: u32 = 64 * 1024 - 1;

/// The time when an acknowledgement is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckDue {
    Never,
    At(Instant),
    Now,
}

/// The bytes that were received and not read yet, and the acknowledgement that is due for them.
/// Variables are those of RFC 9293, section 3.3.1.
pub(super) struct Receiver {
    ring: Ring,
    /// RCV.NXT: the first byte that is missing.
    rcv_nxt: Sequence,
    /// RCV.NXT + RCV.WND: the right edge of the window that the peer was told.
    rcv_wnd_edge: Sequence,
    /// Bytes to hold now, and at most.
    limit: u32,
    max_limit: u32,
    /// Rcv.Wind.Shift of RFC 7323: how windows are shifted in headers.
    window_scale: u8,
    mss: u32,
    /// The ranges that were received behind gaps, in order.
    out_of_order: Vec<Range>,
    /// The place of the newest of them.
    newest_out_of_order: Sequence,
    /// The range that was received twice, until the peer is told (DSACK, RFC 2883).
    dsack: Option<Range>,
    /// The number of the peer's FIN, once it was received.
    fin: Option<Sequence>,
    ack_due: AckDue,
    /// Bytes received since the last acknowledgement.
    bytes_since_ack: u32,
    /// Bytes read since the limit was raised.
    read: u32,
    /// The most bytes that were held since there were none.
    peak: usize,
    /// The same of the time before: as many may come again, and memory for them at once
    /// spares moving them.
    expected: usize,
    /// Nobody will read: bytes that are received count, but are not stored.
    discards: bool,
}

impl Receiver {
    /// `rcv_nxt` follows the peer's SYN. At most `most` bytes are held.
    pub(super) fn new(
        rcv_nxt: Sequence,
        window: u32,
        most: u32,
        window_scale: u8,
        mss: u32,
    ) -> Self {
        Self {
            ring: Ring::default(),
            rcv_nxt,
            rcv_wnd_edge: rcv_nxt + window,
            limit: INITIAL_RCV_WND.min(most),
            // More cannot be told. A limit beyond would never be seen to be nearly reached.
            max_limit: most.min(u32::from(u16::MAX) << window_scale),
            window_scale,
            mss,
            out_of_order: Vec::new(),
            newest_out_of_order: rcv_nxt,
            dsack: None,
            fin: None,
            ack_due: AckDue::Never,
            bytes_since_ack: 0,
            read: 0,
            peak: 0,
            expected: 0,
            discards: false,
        }
    }

    pub(super) fn rcv_nxt(&self) -> Sequence {
        self.rcv_nxt
    }

    /// RCV.WND: the window that the peer was told last.
    pub(super) fn rcv_wnd(&self) -> u32 {
        self.rcv_wnd_edge.since(self.rcv_nxt)
    }

    /// Returns whether everything up to the peer's FIN was received.
    pub(super) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.rcv_nxt > fin)
    }

    /// Bytes that can be read.
    pub(super) fn readable(&self) -> usize {
        self.ring.len()
    }

    /// The acceptability test: returns whether a segment lies in the window (RFC 9293, section
    /// 3.10.7.4). One without data that begins right behind it does: those before it may be lost.
    pub(super) fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        segment.end() >= self.rcv_nxt && segment.sequence_number <= self.rcv_wnd_edge
    }

    /// Takes a segment's data in. Returns whether there is something new to read.
    pub(super) fn receive(&mut self, segment: &Segment<'_>, pool: &mut Pool, now: Instant) -> bool {
        let mut fin = segment.flags.has(Flags::FIN);
        if segment.payload.is_empty() && !fin {
            return false;
        }
        let skipped = self.rcv_nxt.since(segment.sequence_number) as usize;
        if skipped > 0 {
            self.note_dsack(segment);
        }
        let payload = segment.payload.get(skipped..).unwrap_or_default();
        let start = segment.sequence_number.max(self.rcv_nxt);
        let edge = self
            .fin
            .map_or(self.rcv_wnd_edge, |fin| fin.min(self.rcv_wnd_edge));
        let room = edge.since(start) as usize;
        // Bytes beyond the window, and a FIN behind them, have to come again.
        fin &= payload.len() <= room;
        let payload = &payload[..payload.len().min(room)];
        if fin {
            self.note_end(start + payload.len() as u32);
        }
        let before = self.rcv_nxt;
        self.take(start, payload, pool);
        if self.fin == Some(self.rcv_nxt) {
            self.rcv_nxt = self.rcv_nxt + 1;
        }
        self.schedule_ack(before, now);
        self.rcv_nxt != before
    }

    /// Notes a segment of which bytes were received before, for a DSACK.
    pub(super) fn note_dsack(&mut self, segment: &Segment<'_>) {
        let end = segment.sequence_number + segment.payload.len() as u32;
        let end = end.min(self.rcv_nxt);
        if segment.sequence_number < end {
            self.dsack = Some((segment.sequence_number, end));
            self.ack_due = AckDue::Now;
        }
    }

    /// Notes the peer's FIN, unless the peer has sent bytes behind it already.
    fn note_end(&mut self, end: Sequence) {
        let is_last = self
            .out_of_order
            .last()
            .is_none_or(|(_, last)| *last <= end);
        if self.fin.is_none() && is_last {
            self.fin = Some(end);
        }
    }

    /// Stores bytes, and takes in the ranges that they connect.
    fn take(&mut self, start: Sequence, payload: &[u8], pool: &mut Pool) {
        if payload.is_empty() || !self.fits(start) {
            return;
        }
        let offset = self.ring.len() + start.since(self.rcv_nxt) as usize;
        let taken = self.store(offset, payload, pool);
        if taken == 0 {
            return;
        }
        let end = start + taken as u32;
        if start > self.rcv_nxt {
            self.add_out_of_order(start, end);
            return;
        }
        let (mut reached, mut connected) = (end, 0);
        for (start, end) in &self.out_of_order {
            if *start > reached {
                break;
            }
            reached = reached.max(*end);
            connected += 1;
        }
        self.out_of_order.drain(..connected);
        if !self.discards {
            self.ring.extend(reached.since(self.rcv_nxt) as usize);
            self.peak = self.peak.max(self.ring.len());
        }
        self.rcv_nxt = reached;
        if connected > 0 {
            self.ack_due = AckDue::Now;
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

    /// Returns whether there is a place for one more range that begins at `start`.
    fn fits(&self, start: Sequence) -> bool {
        start <= self.rcv_nxt
            || self.out_of_order.len() < MAX_OUT_OF_ORDER
            || self
                .out_of_order
                .iter()
                .any(|(from, until)| *from <= start && start <= *until)
    }

    fn add_out_of_order(&mut self, start: Sequence, end: Sequence) {
        let first = self
            .out_of_order
            .partition_point(|(_, until)| *until < start);
        let last = self.out_of_order.partition_point(|(from, _)| *from <= end);
        let mut range = (start, end);
        if first < last {
            range.0 = start.min(self.out_of_order[first].0);
            range.1 = end.max(self.out_of_order[last - 1].1);
        }
        self.out_of_order.splice(first..last, [range]);
        self.newest_out_of_order = start;
    }

    fn schedule_ack(&mut self, before: Sequence, now: Instant) {
        let received = self.rcv_nxt.since(before);
        self.bytes_since_ack = self.bytes_since_ack.saturating_add(received);
        let at_once = received == 0
            || !self.out_of_order.is_empty()
            || self.is_finished()
            || self.bytes_since_ack >= 2 * self.mss;
        self.ack_due = match self.ack_due {
            _ if at_once => AckDue::Now,
            AckDue::Never => AckDue::At(now + DELAYED_ACK_TIMEOUT),
            due => due,
        };
    }

    /// Has an acknowledgement sent with the next [`transmit`](crate::Connection::transmit).
    pub(super) fn ack_now(&mut self) {
        self.ack_due = AckDue::Now;
    }

    pub(super) fn must_ack(&self, now: Instant) -> bool {
        match self.ack_due {
            AckDue::Never => false,
            AckDue::At(due) => due <= now,
            AckDue::Now => true,
        }
    }

    /// The time when a delayed ACK is to be sent by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.ack_due {
            AckDue::At(due) => Some(due),
            AckDue::Never | AckDue::Now => None,
        }
    }

    /// The window field of a header (SEG.WND). Its right edge moves as far as may be.
    pub(super) fn window_field(&mut self) -> u16 {
        let edge = self.possible_rcv_wnd_edge();
        // Small steps would invite small segments (silly window avoidance: RFC 9293, section
        // 3.8.6.2.2).
        if edge.since(self.rcv_wnd_edge) >= self.mss.min(self.limit / 2) {
            self.rcv_wnd_edge = edge;
        }
        let window = self.rcv_wnd_edge.since(self.rcv_nxt) >> self.window_scale;
        // The peer may send the bytes that the scale cuts off only later.
        window.min(u32::from(u16::MAX)) as u16
    }

    /// A segment with data has acknowledged. Where there are gaps, SACK blocks are still to be
    /// sent.
    pub(super) fn ack_piggybacked(&mut self) {
        if self.out_of_order.is_empty() && self.dsack.is_none() {
            self.ack_sent();
        }
    }

    /// An acknowledgement was sent.
    pub(super) fn ack_sent(&mut self) {
        self.dsack = None;
        self.ack_due = AckDue::Never;
        self.bytes_since_ack = 0;
    }

    fn possible_rcv_wnd_edge(&self) -> Sequence {
        let room = self.limit.saturating_sub(self.ring.len() as u32);
        self.rcv_wnd_edge.max(self.rcv_nxt + room)
    }

    /// SACK blocks: the range that came twice (DSACK, RFC 2883), then the ranges behind gaps, the
    /// newest of them first (RFC 2018, section 4).
    pub(super) fn sack_options(&self) -> Options {
        if self.out_of_order.is_empty() && self.dsack.is_none() {
            return Options::None;
        }
        let mut blocks = [None; MAX_SACK_BLOCKS];
        let newest = self
            .out_of_order
            .iter()
            .find(|(_, end)| *end > self.newest_out_of_order);
        let others = self
            .out_of_order
            .iter()
            .filter(|range| newest != Some(range));
        let told = self.dsack.iter().chain(newest).chain(others);
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
            if self.out_of_order.is_empty() {
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
        if !self.out_of_order.is_empty() {
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

    /// Returns whether the window was so small that the peer may wait, and is not any more.
    fn has_opened(&self) -> bool {
        let told = self.rcv_wnd_edge.since(self.rcv_nxt);
        let gain = self.possible_rcv_wnd_edge().since(self.rcv_wnd_edge);
        !self.is_finished() && gain >= (self.limit / 4).max(1) && told < self.limit / 2
    }

    fn note_empty(&mut self) {
        self.expected = core::mem::take(&mut self.peak);
        self.grow();
    }

    /// Lets a peer send more at a time whose data was always read as it came.
    fn grow(&mut self) {
        if self.read >= self.limit && self.limit < self.max_limit {
            self.limit = self.limit.saturating_mul(2).min(self.max_limit);
            self.read = 0;
        }
    }

    /// Gives all memory back.
    pub(super) fn release(&mut self, pool: &mut Pool) {
        self.out_of_order = Vec::new();
        self.ring.release(pool);
    }
}
