//! Congestion control: CUBIC (RFC 9438).

use core::time::Duration;
use fata_time::Instant;

/// IW: segments that a connection begins with (RFC 6928).
const INITIAL_WINDOW: u32 = 10;
/// beta_cubic: after a loss cwnd is this many tenths of its former size.
const BETA: u32 = 7;
/// A window that nobody would want to exceed, in bytes.
const MAX_CWND: u32 = 1 << 30;

/// The congestion window of one connection, and its growth. Variables are those of section 4.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cubic {
    /// cwnd: bytes that may be in flight.
    cwnd: u32,
    /// ssthresh: below this, cwnd grows with each acknowledgement (slow start).
    ssthresh: u32,
    /// W_max: cwnd before the last reduction, in bytes.
    w_max: u32,
    /// epoch_start: the beginning of this congestion avoidance stage. `None` until the first
    /// acknowledgement.
    epoch_start: Option<Instant>,
    /// K: milliseconds from then until cwnd is back at W_max.
    k: u32,
    /// W_est: the window that Reno would have (section 4.3), in bytes.
    w_est: u32,
    /// The remainder of the growth of cwnd that is no whole byte yet.
    cwnd_remainder: u64,
}

impl Cubic {
    pub(super) fn new(mss: u32) -> Self {
        Self {
            cwnd: INITIAL_WINDOW * mss,
            ssthresh: u32::MAX,
            w_max: 0,
            epoch_start: None,
            k: 0,
            w_est: 0,
            cwnd_remainder: 0,
        }
    }

    pub(super) fn cwnd(&self) -> u32 {
        self.cwnd
    }

    /// Segments have `mss` bytes from now on, and cwnd at least as many.
    pub(super) fn set_mss(&mut self, mss: u32) {
        self.cwnd = self.cwnd.max(mss);
    }

    /// `bytes` were acknowledged while cwnd was the limit.
    pub(super) fn on_ack(&mut self, bytes: u32, mss: u32, rtt: Duration, now: Instant) {
        if self.cwnd < self.ssthresh {
            // Appropriate byte counting (RFC 3465), with no more than the acknowledged bytes.
            self.cwnd = (self.cwnd + bytes).min(MAX_CWND);
            return;
        }
        let epoch = match self.epoch_start {
            Some(epoch) => epoch,
            None => self.begin_epoch(mss, now),
        };
        // Where the curve will be a round trip from now.
        let elapsed = (now - epoch) + rtt;
        let target = self.w_cubic(elapsed.as_millis() as u64, mss);
        // Reno gains 9/17 of a segment a window (section 4.3).
        let gain = u64::from(bytes) * u64::from(mss) * 9 / 17 / u64::from(self.cwnd);
        self.w_est = self.w_est.saturating_add(gain as u32);
        let target = target.max(self.w_est).min(self.cwnd + self.cwnd / 2);
        if target > self.cwnd {
            let grown = u64::from(target - self.cwnd) * u64::from(bytes) + self.cwnd_remainder;
            self.cwnd = (self.cwnd + (grown / u64::from(self.cwnd)) as u32).min(MAX_CWND);
            self.cwnd_remainder = grown % u64::from(self.cwnd);
        }
    }

    fn begin_epoch(&mut self, mss: u32, now: Instant) -> Instant {
        self.epoch_start = Some(now);
        self.w_max = self.w_max.max(self.cwnd);
        self.w_est = self.cwnd;
        self.cwnd_remainder = 0;
        // K of section 4.2: the cube root of the distance in segments over 0.4.
        let distance = u64::from(self.w_max - self.cwnd) / u64::from(mss);
        self.k = cube_root(distance * 10 / 4 * 1_000_000_000);
        now
    }

    /// W_cubic(t) of section 4.2, `milliseconds` into the epoch, in bytes.
    fn w_cubic(&self, milliseconds: u64, mss: u32) -> u32 {
        // Later than this it is beyond any window.
        let offset = milliseconds.min(1 << 20) as i64 - i64::from(self.k);
        let segments = i128::from(offset).pow(3) * 4 / 10_000_000_000;
        let bytes = segments * i128::from(mss) + i128::from(self.w_max);
        bytes.clamp(0, i128::from(MAX_CWND)) as u32
    }

    /// A segment was lost (section 4.6).
    pub(super) fn on_loss(&mut self, mss: u32) {
        // Fast convergence (section 4.7).
        self.w_max = if self.cwnd < self.w_max {
            self.cwnd / 20 * (10 + BETA)
        } else {
            self.cwnd
        };
        self.ssthresh = (self.cwnd / 10 * BETA).max(2 * mss);
        self.cwnd = self.ssthresh;
        self.epoch_start = None;
    }

    /// A retransmission timeout (section 4.8), which is not the first in a row if `is_repeated`.
    pub(super) fn on_rto(&mut self, mss: u32, is_repeated: bool) {
        if !is_repeated {
            self.on_loss(mss);
        }
        self.cwnd = mss;
        self.epoch_start = None;
    }

    /// The state before a spurious reduction (section 4.9), but for growth since.
    pub(super) fn or_wider(self, other: &Self) -> Self {
        Self {
            cwnd: self.cwnd.max(other.cwnd),
            ..self
        }
    }

    /// Nothing was sent for more than an RTO: cwnd is out of date (RFC 5681, section 4.1).
    pub(super) fn restart_after_idle(&mut self, mss: u32) {
        self.cwnd = self.cwnd.min(INITIAL_WINDOW * mss);
        self.epoch_start = None;
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

    const MSS: u32 = 1_460;
    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn roots() {
        for (value, root) in [(0, 0), (7, 1), (8, 2), (26, 2), (27, 3), (999_999_999, 999)] {
            assert_eq!(cube_root(value), root);
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }

    /// Acknowledges whole windows, one each round trip.
    fn grow(cubic: &mut Cubic, start: Instant, trips: u32) -> Instant {
        let mut now = start;
        for _ in 0..trips {
            now = now + RTT;
            for _ in 0..cubic.cwnd() / MSS {
                cubic.on_ack(MSS, MSS, RTT, now);
            }
        }
        now
    }

    #[test]
    fn slow_start_doubles() {
        let mut cubic = Cubic::new(MSS);
        grow(&mut cubic, Instant::default(), 3);
        assert_eq!(cubic.cwnd(), 80 * MSS);
    }

    #[test]
    fn the_window_comes_back_to_where_it_was_slows_down_there_and_goes_on() {
        let mut cubic = Cubic::new(MSS);
        let now = grow(&mut cubic, Instant::default(), 4);
        let before = cubic.cwnd();
        cubic.on_loss(MSS);
        assert_eq!(cubic.cwnd(), before / 10 * 7);
        // K is the cube root of 48 / 0.4: almost five seconds.
        let now = grow(&mut cubic, now, 46);
        let near = cubic.cwnd();
        assert!(
            near > before / 100 * 95 && near <= before + 2 * MSS,
            "{near} {before}"
        );
        grow(&mut cubic, now, 60);
        assert!(cubic.cwnd() > before * 5 / 4);
    }

    #[test]
    fn a_small_window_grows_like_renos() {
        let mut cubic = Cubic::new(MSS);
        cubic.on_loss(MSS);
        let before = cubic.cwnd();
        // With short round trips the curve is flat, and Reno is quicker.
        let mut now = Instant::default();
        for _ in 0..200 {
            now = now + Duration::from_millis(1);
            for _ in 0..cubic.cwnd() / MSS {
                cubic.on_ack(MSS, MSS, Duration::from_millis(1), now);
            }
        }
        assert!(cubic.cwnd() > before + 80 * MSS);
    }

    #[test]
    fn timeouts_and_pauses_shrink_the_window() {
        let mut cubic = Cubic::new(MSS);
        cubic.on_rto(MSS, false);
        assert_eq!((cubic.cwnd(), cubic.ssthresh), (MSS, 7 * MSS));
        cubic.on_rto(MSS, true);
        assert_eq!(cubic.ssthresh, 7 * MSS);
        grow(&mut cubic, Instant::default(), 100);
        cubic.restart_after_idle(MSS);
        assert_eq!(cubic.cwnd(), INITIAL_WINDOW * MSS);
    }
}
