//! How many ICMP errors are sent (RFC 4443, section 2.4(f); RFC 1812, section 4.3.2.8).

use super::ports::Random;
use core::time::Duration;
use fata_time::Instant;

/// Tokens at most, for the answers to a burst, as a trace of the route is.
const MOST: u32 = 150;
/// A token comes back in this time.
const PAUSE: Duration = Duration::from_millis(5);
/// Tokens of an error: one to so many, two on average. With a fixed number, strangers could count
/// how many errors others have got, and tell by that which ports are open (CVE-2020-25705).
const DEAREST: u32 = 3;

/// A token bucket: some 75 errors at once, and 100 a second.
pub(super) struct Allowance {
    tokens: u32,
    /// Until when tokens have come back.
    filled: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            tokens: MOST,
            filled: now,
        }
    }

    /// Tells whether one more error may be sent, and counts it then.
    pub(super) fn take(&mut self, now: Instant, random: &mut Random) -> bool {
        let new = (now - self.filled).as_nanos() / PAUSE.as_nanos();
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        match self.tokens.saturating_add(new) {
            MOST.. => (self.tokens, self.filled) = (MOST, now),
            tokens => {
                self.tokens = tokens;
                self.filled = self.filled + PAUSE * new;
            }
        }
        let may_send = self.tokens >= DEAREST;
        if may_send {
            self.tokens -= 1 + (random.next() % u64::from(DEAREST)) as u32;
        }
        may_send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(allowance: &mut Allowance, now: Instant, random: &mut Random) -> usize {
        (0..1_000).filter(|_| allowance.take(now, random)).count()
    }

    #[test]
    fn a_burst_and_then_a_rate() {
        let (mut now, mut random) = (Instant::default(), Random::new(1));
        let mut allowance = Allowance::new(now);
        let burst = count(&mut allowance, now, &mut random);
        assert!((60..90).contains(&burst), "{burst}");
        let mut later = 0;
        for _ in 0..10_000 {
            now = now + Duration::from_millis(1);
            later += count(&mut allowance, now, &mut random);
        }
        assert!((950..1_050).contains(&later), "{later}");
        now = now + Duration::from_secs(1 << 40);
        assert!((60..90).contains(&count(&mut allowance, now, &mut random)));
    }
}
