//! Initial sequence numbers and SYN cookies: what strangers cannot guess.

use super::sequence::Sequence;
use core::hash::{Hash, Hasher};
use fata_time::Instant;
use siphasher::sip::SipHasher24;

/// The numbers move on by one in this many nanoseconds (RFC 9293, section 3.4.1).
const TICK: u64 = 4_000;
/// A cookie is made with the number of its period and good for one more.
const PERIOD: u64 = 64_000_000_000;
/// Segment sizes that a cookie can tell.
const SIZES: [u16; 4] = [536, 1_220, 1_440, 1_460];

/// What a stack knows and nobody else.
#[derive(Clone, Copy)]
pub struct Secret {
    keys: (u64, u64),
}

impl Secret {
    /// A secret made of random keys.
    pub fn new(keys: (u64, u64)) -> Self {
        Self { keys }
    }

    fn hash(&self, what: &impl Hash, salt: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.keys.0, self.keys.1);
        what.hash(&mut hasher);
        hasher.write_u64(salt);
        hasher.finish()
    }

    /// The number that a connection begins with (RFC 6528): for the same addresses and
    /// ports it grows with time, for others it tells nothing.
    pub fn initial(&self, tuple: &impl Hash, now: Instant) -> Sequence {
        let clock = now.as_nanos() / TICK;
        Sequence((clock as u32).wrapping_add(self.hash(tuple, 0) as u32))
    }

    /// The number with which a SYN is answered of which nothing is kept (RFC 4987, section
    /// 3.6): the handshake's last segment brings it back. `size` is what the peer takes.
    pub fn cookie(&self, tuple: &impl Hash, theirs: Sequence, size: u16, now: Instant) -> Sequence {
        let index = SIZES.iter().rposition(|known| *known <= size).unwrap_or(0);
        let period = now.as_nanos() / PERIOD;
        // Two bits for the size, one for the period, 29 that cannot be forged.
        let low = (index as u32) << 1 | (period & 1) as u32;
        Sequence(self.seal(tuple, theirs, period) << 3 | low)
    }

    /// The segment size that was in a cookie, if it is one of ours and not too old.
    pub fn open_cookie(
        &self,
        tuple: &impl Hash,
        theirs: Sequence,
        cookie: Sequence,
        now: Instant,
    ) -> Option<u16> {
        let current = now.as_nanos() / PERIOD;
        let is_current = (current & 1) as u32 == cookie.0 & 1;
        let period = if is_current {
            current
        } else {
            current.checked_sub(1)?
        };
        let size = SIZES[(cookie.0 >> 1 & 3) as usize];
        (self.seal(tuple, theirs, period) << 3 == cookie.0 & !7).then_some(size)
    }

    fn seal(&self, tuple: &impl Hash, theirs: Sequence, period: u64) -> u32 {
        let salt = period << 32 | u64::from(theirs.0);
        // Never 0, the salt of initial numbers.
        self.hash(tuple, salt | 1 << 63) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn numbers_grow_with_time_and_differ_between_connections() {
        let secret = Secret::new((1, 2));
        let start = Instant::from_nanos(1);
        let later = start + Duration::from_secs(1);
        let (first, second) = (secret.initial(&1, start), secret.initial(&1, later));
        assert_eq!(second.since(first), 250_000);
        assert_ne!(first, secret.initial(&2, start));
        assert_ne!(first, Secret::new((1, 3)).initial(&1, start));
    }

    #[test]
    fn a_cookie_comes_back_and_grows_old() {
        let secret = Secret::new((1, 2));
        let start = Instant::from_nanos(63 * 1_000_000_000);
        let theirs = Sequence(9);
        for (size, told) in [(100, 536), (1_300, 1_220), (1_460, 1_460), (9_000, 1_460)] {
            let cookie = secret.cookie(&1, theirs, size, start);
            let open = |now| secret.open_cookie(&1, theirs, cookie, now);
            assert_eq!(open(start), Some(told));
            assert_eq!(open(start + Duration::from_secs(60)), Some(told));
            assert_eq!(open(start + Duration::from_secs(66)), None);
            let wrong = cookie + 8;
            assert_eq!(secret.open_cookie(&1, theirs, wrong, start), None);
            assert_eq!(secret.open_cookie(&2, theirs, cookie, start), None);
            assert_eq!(secret.open_cookie(&1, theirs + 1, cookie, start), None);
        }
    }
}
