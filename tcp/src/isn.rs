//! Initial sequence numbers and SYN cookies: what strangers cannot guess.

use super::sequence::Sequence;
use core::hash::{Hash, Hasher};
use fata_time::Instant;
use siphasher::sip::SipHasher24;

/// Initial sequence numbers move on by one in this many nanoseconds (RFC 9293, section 3.4.1).
const NANOSECONDS_PER_NUMBER: u64 = 4_000;
/// A cookie is made with the number of its period and good for one more.
const COOKIE_PERIOD: u64 = 64_000_000_000;
/// Values of MSS that a cookie can tell.
const MSS_TABLE: [u16; 4] = [536, 1_220, 1_440, 1_460];

/// A key that a stack knows and nobody else.
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

    /// ISS, the number that a connection begins with (RFC 6528): for the same addresses and
    /// ports it grows with time, for others it tells nothing.
    pub fn iss(&self, tuple: &impl Hash, now: Instant) -> Sequence {
        let clock = now.as_nanos() / NANOSECONDS_PER_NUMBER;
        Sequence((clock as u32).wrapping_add(self.hash(tuple, 0) as u32))
    }

    /// The SYN cookie: the ISS of the SYN-ACK to a SYN of which nothing is kept (RFC 4987, section
    /// 3.6). The handshake's last segment brings it back. `mss` is the peer's.
    pub fn syn_cookie(&self, tuple: &impl Hash, irs: Sequence, mss: u16, now: Instant) -> Sequence {
        let index = MSS_TABLE
            .iter()
            .rposition(|known| *known <= mss)
            .unwrap_or(0);
        let period = now.as_nanos() / COOKIE_PERIOD;
        // Two bits for the size, one for the period, 29 that cannot be forged.
        let low = (index as u32) << 1 | (period & 1) as u32;
        Sequence(self.seal(tuple, irs, period) << 3 | low)
    }

    /// The MSS that was in a SYN cookie, if it is one of ours and not too old.
    pub fn open_syn_cookie(
        &self,
        tuple: &impl Hash,
        irs: Sequence,
        cookie: Sequence,
        now: Instant,
    ) -> Option<u16> {
        let current = now.as_nanos() / COOKIE_PERIOD;
        let is_current = (current & 1) as u32 == cookie.0 & 1;
        let period = if is_current {
            current
        } else {
            current.checked_sub(1)?
        };
        let mss = MSS_TABLE[(cookie.0 >> 1 & 3) as usize];
        (self.seal(tuple, irs, period) << 3 == cookie.0 & !7).then_some(mss)
    }

    fn seal(&self, tuple: &impl Hash, irs: Sequence, period: u64) -> u32 {
        let salt = period << 32 | u64::from(irs.0);
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
        let (first, second) = (secret.iss(&1, start), secret.iss(&1, later));
        assert_eq!(second.since(first), 250_000);
        assert_ne!(first, secret.iss(&2, start));
        assert_ne!(first, Secret::new((1, 3)).iss(&1, start));
    }

    #[test]
    fn a_cookie_comes_back_and_grows_old() {
        let secret = Secret::new((1, 2));
        let start = Instant::from_nanos(63 * 1_000_000_000);
        let irs = Sequence(9);
        for (mss, told) in [(100, 536), (1_300, 1_220), (1_460, 1_460), (9_000, 1_460)] {
            let cookie = secret.syn_cookie(&1, irs, mss, start);
            let open = |now| secret.open_syn_cookie(&1, irs, cookie, now);
            assert_eq!(open(start), Some(told));
            assert_eq!(open(start + Duration::from_secs(60)), Some(told));
            assert_eq!(open(start + Duration::from_secs(66)), None);
            let wrong = cookie + 8;
            assert_eq!(secret.open_syn_cookie(&1, irs, wrong, start), None);
            assert_eq!(secret.open_syn_cookie(&2, irs, cookie, start), None);
            assert_eq!(secret.open_syn_cookie(&1, irs + 1, cookie, start), None);
        }
    }
}
