//! How much may be under way: CUBIC (RFC 9438).

use core::time::Duration;
use fata_time::Instant;

/// Segments that a connection begins with (RFC 6928).
const INITIAL: u32 = 10;
/// After a loss the window is this many tenths of what it was.
const BETA: u32 = 7;
/// A window that nobody would want to exceed, in bytes.
const LARGEST: u32 = 1 << 30;

/// The congestion window of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Congestion {
    /// Bytes that may be in flight.
    window: u32,
    /// Below this, the window grows with each acknowledgement (slow start).
    threshold: u32,
    /// The window before the last reduction, in bytes.
    ceiling: u32,
    /// When the current phase of growth began. `None` until the first acknowledgement.
    epoch: Option<Instant>,
    /// Milliseconds from then until the window is back at the ceiling.
    plateau: u32,
    /// What Reno's window would be (section 4.3), in bytes.
    reno: u32,
    /// Bytes acknowledged that have not made the window grow yet.
    credit: u64,
}

impl Congestion {
    pub(super) fn new(segment: u32) -> Self {
        Self {
            window: INITIAL * segment,
            threshold: u32::MAX,
            ceiling: 0,
            epoch: None,
            plateau: 0,
            reno: 0,
            credit: 0,
        }
    }

    pub(super) fn window(&self) -> u32 {
        self.window
    }

    /// Segments of `segment` bytes can be no longer than that now.
    pub(super) fn set_segment(&mut self, segment: u32) {
        self.window = self.window.max(segment);
    }

    /// `bytes` were acknowledged while the window was the limit.
    pub(super) fn acknowledged(&mut self, bytes: u32, segment: u32, trip: Duration, now: Instant) {
        if self.window < self.threshold {
            // RFC 3465 with no more than what was acknowledged.
            self.window = (self.window + bytes).min(LARGEST);
            return;
        }
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None => self.begin_epoch(segment, now),
        };
        // Where the curve will be a round trip from now.
        let elapsed = (now - epoch) + trip;
        let target = self.curve(elapsed.as_millis() as u64, segment);
        // Reno gains 9/17 of a segment a window (section 4.3).
        let gain = u64::from(bytes) * u64::from(segment) * 9 / 17 / u64::from(self.window);
        self.reno = self.reno.saturating_add(gain as u32);
        let target = target.max(self.reno).min(self.window + self.window / 2);
        if target > self.window {
            let grown = u64::from(target - self.window) * u64::from(bytes) + self.credit;
            self.window = (self.window + (grown / u64::from(self.window)) as u32).min(LARGEST);
            self.credit = grown % u64::from(self.window);
        }
    }

    fn begin_epoch(&mut self, segment: u32, now: Instant) -> Instant {
        self.epoch = Some(now);
        self.ceiling = self.ceiling.max(self.window);
        self.reno = self.window;
        self.credit = 0;
        // K of section 4.2: the cube root of the distance in segments over 0.4.
        let distance = u64::from(self.ceiling - self.window) / u64::from(segment);
        self.plateau = cube_root(distance * 10 / 4 * 1_000_000_000);
        now
    }

    /// The cubic function of section 4.2, `milliseconds` into the epoch, in bytes.
    fn curve(&self, milliseconds: u64, segment: u32) -> u32 {
        // Later than this it is beyond any window.
        let offset = milliseconds.min(1 << 20) as i64 - i64::from(self.plateau);
        let segments = i128::from(offset).pow(3) * 4 / 10_000_000_000;
        let bytes = segments * i128::from(segment) + i128::from(self.ceiling);
        bytes.clamp(0, i128::from(LARGEST)) as u32
    }

    /// A segment was lost.
    pub(super) fn lost(&mut self, segment: u32) {
        // Fast convergence (section 4.7).
        self.ceiling = if self.window < self.ceiling {
            self.window / 20 * (10 + BETA)
        } else {
            self.window
        };
        self.threshold = (self.window / 10 * BETA).max(2 * segment);
        self.window = self.threshold;
        self.epoch = None;
    }

    /// Nothing was acknowledged for a whole time-out, which happened before if `again`.
    pub(super) fn timed_out(&mut self, segment: u32, again: bool) {
        if !again {
            self.lost(segment);
        }
        self.window = segment;
        self.epoch = None;
    }

    /// What held before a reduction that was not called for, but for growth since.
    pub(super) fn or_wider(self, other: &Self) -> Self {
        Self {
            window: self.window.max(other.window),
            ..self
        }
    }

    /// Nothing was sent for more than a time-out: what the window has learned is old
    /// (RFC 5681, section 4.1).
    pub(super) fn restart(&mut self, segment: u32) {
        self.window = self.window.min(INITIAL * segment);
        self.epoch = None;
    }
}

/// The cube root, rounded down.
fn cube_root(value: u64) -> u32 {
    let mut root = 0u64;
    for bit in (0..22).rev() {
        let candidate = root | 1 << bit;
        if candidate.checked_pow(3).is_some_and(|cube| cube <= value) {
            root = candidate;
        }
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u32 = 1_460;
    const TRIP: Duration = Duration::from_millis(100);

    #[test]
    fn roots() {
        for (value, root) in [(0, 0), (7, 1), (8, 2), (26, 2), (27, 3), (999_999_999, 999)] {
            assert_eq!(cube_root(value), root);
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }

    /// Acknowledges whole windows, one each round trip.
    fn grow(congestion: &mut Congestion, start: Instant, trips: u32) -> Instant {
        let mut now = start;
        for _ in 0..trips {
            now = now + TRIP;
            for _ in 0..congestion.window() / SEGMENT {
                congestion.acknowledged(SEGMENT, SEGMENT, TRIP, now);
            }
        }
        now
    }

    #[test]
    fn slow_start_doubles() {
        let mut congestion = Congestion::new(SEGMENT);
        grow(&mut congestion, Instant::default(), 3);
        assert_eq!(congestion.window(), 80 * SEGMENT);
    }

    #[test]
    fn the_window_comes_back_to_where_it_was_slows_down_there_and_goes_on() {
        let mut congestion = Congestion::new(SEGMENT);
        let now = grow(&mut congestion, Instant::default(), 4);
        let before = congestion.window();
        congestion.lost(SEGMENT);
        assert_eq!(congestion.window(), before / 10 * 7);
        // K is the cube root of 48 / 0.4: almost five seconds.
        let now = grow(&mut congestion, now, 46);
        let near = congestion.window();
        assert!(
            near > before / 100 * 95 && near <= before + 2 * SEGMENT,
            "{near} {before}"
        );
        grow(&mut congestion, now, 60);
        assert!(congestion.window() > before * 5 / 4);
    }

    #[test]
    fn a_small_window_grows_like_renos() {
        let mut congestion = Congestion::new(SEGMENT);
        congestion.lost(SEGMENT);
        let before = congestion.window();
        // With short round trips the curve is flat, and Reno is quicker.
        let mut now = Instant::default();
        for _ in 0..200 {
            now = now + Duration::from_millis(1);
            for _ in 0..congestion.window() / SEGMENT {
                congestion.acknowledged(SEGMENT, SEGMENT, Duration::from_millis(1), now);
            }
        }
        assert!(congestion.window() > before + 80 * SEGMENT);
    }

    #[test]
    fn timeouts_and_pauses_shrink_the_window() {
        let mut congestion = Congestion::new(SEGMENT);
        congestion.timed_out(SEGMENT, false);
        assert_eq!(
            (congestion.window(), congestion.threshold),
            (SEGMENT, 7 * SEGMENT)
        );
        congestion.timed_out(SEGMENT, true);
        assert_eq!(congestion.threshold, 7 * SEGMENT);
        grow(&mut congestion, Instant::default(), 100);
        congestion.restart(SEGMENT);
        assert_eq!(congestion.window(), INITIAL * SEGMENT);
    }
}
