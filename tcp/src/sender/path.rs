//! How long segments may be on a path whose routers drop longer ones without a word: the search
//! for that (RFC 4821, RFC 8899).
//!
//! Nothing of it is held until there is a suspicion: a segment of full size that was lost twice in
//! a row, in time-outs. Then shorter ones are sent, and now and then one that is longer.

use super::{Next, Sender};
use crate::segment::Range;
use alloc::boxed::Box;
use core::time::Duration;
use fata_time::Instant;

/// Sizes that are fallen back to: with headers just below 1,280 bytes, which any link of IPv6 takes
/// (RFC 8899, section 5.1.2), and below 600.
const SHORTER: [u32; 2] = [1_200, 536];
/// The search ends so near to the limit.
const PRECISION: u32 = 16;
/// Then the longest segments are tried again after so long (RFC 8899, section 5.1.1): the path may
/// be another one.
const RAISE: Duration = Duration::from_secs(600);
/// Segments behind one that is tried, which show its loss without a time-out.
const FOLLOWING: u32 = 3;

/// What is known of a path.
pub(super) struct Search {
    /// The longest segments that both ends take.
    ceiling: u32,
    /// The shortest that did not arrive; beyond the ceiling if none is known.
    failed: u32,
    /// When to try a longer one.
    due: Instant,
    /// The segment that is tried.
    probe: Option<Range>,
}

impl Search {
    fn next_size(&self, segment: u32) -> u32 {
        if self.failed > self.ceiling {
            self.ceiling
        } else {
            segment + (self.failed - segment) / 2
        }
    }

    /// Decides when to go on, now that segments of `segment` bytes are known to arrive.
    fn go_on(&mut self, segment: u32, now: Instant) {
        self.due = now;
        if self.failed - segment <= PRECISION {
            self.failed = self.ceiling + 1;
            self.due = now + RAISE;
        }
    }
}

impl Sender {
    /// Shortens segments to `segment` bytes, and looks for the limit from there, or later if it is
    /// known.
    fn shorten(&mut self, segment: u32, is_known: bool, now: Instant) {
        let before = self.segment;
        let ceiling = self.search.as_ref().map_or(before, |it| it.ceiling);
        let mut search = Search {
            ceiling,
            failed: if is_known { segment + 1 } else { before },
            due: now,
            probe: None,
        };
        search.go_on(segment, now);
        self.search = Some(Box::new(search));
        self.set_segment(segment);
    }

    /// The path has turned out to take no longer segments than that: what is under way is
    /// sent again. It is no sign of congestion (RFC 8201, section 5.4).
    pub(crate) fn shorten_segments(&mut self, segment: u32, now: Instant) {
        self.shorten(segment, true, now);
        self.flight.lose_all();
        self.urgent = true;
        self.arm(now);
    }

    /// Nothing was acknowledged for a whole time-out: that may be for the size of segments.
    pub(super) fn suspect_size(&mut self, now: Instant) {
        if self.is_probe_lost(now) || self.backoff.is_multiple_of(2) {
            return;
        }
        let Some((start, end)) = self.flight.first_lost(self.segment) else {
            return;
        };
        let shorter = SHORTER.into_iter().find(|size| *size < end.since(start));
        if let Some(shorter) = shorter {
            self.shorten(shorter, false, now);
        }
    }

    /// A segment that is longer than the others, if one is to be tried now.
    pub(crate) fn plan_longer(&self, now: Instant) -> Option<Next> {
        let search = self.search.as_ref()?;
        let is_quiet = self.sack && self.recovery.is_none() && !self.flight.has_lost();
        if search.probe.is_some() || search.due > now || !is_quiet || self.flight.is_full() {
            return None;
        }
        let length = search.next_size(self.segment);
        let window = self.edge.since(self.next);
        let room = self.congestion.window().saturating_sub(self.in_flight());
        let possible = self.end().since(self.next).min(window).min(room);
        let range = (self.next, self.next + length);
        (possible >= length + FOLLOWING * self.segment).then_some(Next {
            range,
            again: false,
            fin: false,
            last: false,
        })
    }

    /// Notes that it was sent.
    pub(crate) fn sent_longer(&mut self, next: &Next) {
        if let Some(search) = &mut self.search {
            search.probe = Some(next.range);
        }
    }

    /// Draws the conclusion if a longer segment has arrived.
    pub(super) fn note_longer_arrived(&mut self, now: Instant) {
        let Some(search) = &mut self.search else {
            return;
        };
        let Some((start, end)) = search.probe.filter(|probe| probe.1 <= self.unacknowledged) else {
            return;
        };
        search.probe = None;
        let size = end.since(start);
        search.go_on(size, now);
        if size >= search.ceiling {
            self.search = None;
        }
        self.set_segment(size);
    }

    /// Whether a longer segment is lost, and nothing else: that tells nothing of congestion.
    pub(super) fn is_probe_lost(&mut self, now: Instant) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        let Some((start, end)) = search.probe.filter(|probe| self.flight.is_lost(probe.0)) else {
            return false;
        };
        search.probe = None;
        search.failed = end.since(start);
        search.go_on(self.segment, now);
        self.flight.lost() <= end.since(start)
    }
}
