//! The routers that have announced themselves, and whether they answer (RFC 4861, sections 6.3.6
//! and 7.3).

use super::advertisement::Preference;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;
use fata_time::Instant;

/// Routers that are kept. Others are passed over until one expires.
const MOST: usize = 4;
/// Questions without an answer after which a router is silent, and the time between them
/// (MAX_UNICAST_SOLICIT and RETRANS_TIMER of RFC 4861, section 10).
const PATIENCE: u8 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// A silent router is asked that often (RFC 4191, section 3.2).
const SILENT_PAUSE: Duration = Duration::from_secs(60);

/// Routers, those that have been known for longest first.
#[derive(Default)]
pub(super) struct Routers(Vec<Router>);

struct Router {
    address: Ipv6Addr,
    preference: Preference,
    until: Instant,
    /// Since when it has not answered, if it does not.
    silent_since: Option<Instant>,
    /// When it is asked next, if it is to be asked, and how often it was without an answer.
    ask_at: Option<Instant>,
    asked: u8,
}

impl Routers {
    /// Takes in what a router says of itself. That does not show that it would hear.
    pub(super) fn update(&mut self, address: Ipv6Addr, preference: Preference, until: Instant) {
        if let Some(known) = self.find(address) {
            (known.preference, known.until) = (preference, until);
        } else if self.0.len() < MOST {
            self.0.push(Router {
                address,
                preference,
                until,
                silent_since: None,
                ask_at: None,
                asked: 0,
            });
        }
    }

    fn find(&mut self, address: Ipv6Addr) -> Option<&mut Router> {
        self.0.iter_mut().find(|router| router.address == address)
    }

    /// Forgets those whose lifetime is over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.0.retain(|router| router.until > now);
    }

    /// The one to be used: of those that answer the one with the highest preference, then the one
    /// that has been known for longest. If none answers, the one that was tried least recently.
    pub(super) fn best(&self) -> Option<Ipv6Addr> {
        let answering = self.0.iter().rev();
        let answering = answering.filter(|router| router.silent_since.is_none());
        let best = answering.max_by_key(|router| router.preference);
        let best = best.or_else(|| self.0.iter().min_by_key(|router| router.silent_since));
        best.map(|router| router.address)
    }

    /// Tells whether there is one that is not known to be silent.
    pub(super) fn has_answering(&self) -> bool {
        self.0.iter().any(|router| router.silent_since.is_none())
    }

    /// Has a router asked whether it is there. Returns whether it is one of these.
    pub(super) fn doubt(&mut self, address: Ipv6Addr, now: Instant) -> bool {
        let Some(router) = self.find(address) else {
            return false;
        };
        if router.ask_at.is_none_or(|at| at > now + PAUSE) {
            (router.ask_at, router.asked) = (Some(now), 0);
        }
        true
    }

    /// A router has answered.
    pub(super) fn hear(&mut self, address: Ipv6Addr) {
        if let Some(router) = self.find(address) {
            if router.silent_since.take().is_some() {
                log::info!(target: "net", "the router {address} answers again");
            }
            (router.ask_at, router.asked) = (None, 0);
        }
    }

    /// The next router that is to be asked now.
    pub(super) fn next_question(&mut self, now: Instant) -> Option<Ipv6Addr> {
        let mut due = self.0.iter_mut().filter(|router| router.is_due(now));
        due.find_map(|router| router.ask(now))
    }

    /// When a router expires or is to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let expiry = self.0.iter().map(|router| router.until);
        expiry
            .chain(self.0.iter().filter_map(|router| router.ask_at))
            .min()
    }
}

impl Router {
    fn is_due(&self, now: Instant) -> bool {
        self.ask_at.is_some_and(|at| at <= now)
    }

    /// Counts one more question, or notes that the last ones were in vain.
    fn ask(&mut self, now: Instant) -> Option<Ipv6Addr> {
        if self.asked < PATIENCE {
            self.asked += 1;
            self.ask_at = Some(now + PAUSE);
            return Some(self.address);
        }
        if self.silent_since.replace(now).is_none() {
            let address = self.address;
            log::warn!(target: "net", "the router {address} does not answer; others are used if there are any");
        }
        // One question at a time from now on.
        self.asked = PATIENCE - 1;
        self.ask_at = Some(now + SILENT_PAUSE);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn address(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
    }

    fn at(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    /// Routers 1 to `count`, of which the last is preferred.
    fn routers(count: u16) -> Routers {
        let mut routers = Routers::default();
        for number in 1..=count {
            let preference = match number == count {
                true => Preference::High,
                false => Preference::Medium,
            };
            routers.update(address(number), preference, at(1_800));
        }
        routers
    }

    /// Asks what is due each second. Returns when which router was asked.
    fn ask(routers: &mut Routers, seconds: core::ops::Range<u64>) -> Vec<(u64, u16)> {
        let mut asked = Vec::new();
        for second in seconds {
            while let Some(router) = routers.next_question(at(second)) {
                asked.push((second, router.segments()[7]));
            }
        }
        asked
    }

    #[test]
    fn a_silent_router_is_passed_over_and_asked_each_minute() {
        let mut routers = routers(3);
        assert_eq!(routers.best(), Some(address(3)));
        assert!(routers.doubt(address(3), at(0)));
        assert!(!routers.doubt(address(9), at(0)));
        assert_eq!(ask(&mut routers, 0..3), [(0, 3), (1, 3), (2, 3)]);
        assert_eq!(routers.best(), Some(address(3)));
        assert_eq!(ask(&mut routers, 3..130), [(63, 3), (124, 3)]);
        assert_eq!(routers.best(), Some(address(1)));
        // That it says something does not mean that it hears something.
        routers.update(address(3), Preference::High, at(2_000));
        assert_eq!(routers.best(), Some(address(1)));
        routers.hear(address(3));
        assert_eq!(routers.best(), Some(address(3)));
        assert_eq!(ask(&mut routers, 130..300), []);
    }

    #[test]
    fn doubts_do_not_ask_more_often() {
        let mut routers = routers(1);
        for tenth in 0..25 {
            let now = at(0) + Duration::from_millis(100 * tenth);
            routers.doubt(address(1), now);
            assert_eq!(routers.next_question(now).is_some(), tenth % 10 == 0);
        }
        routers.hear(address(1));
        assert_eq!(ask(&mut routers, 3..300), []);
    }

    #[test]
    fn if_all_are_silent_they_take_turns() {
        let mut routers = routers(2);
        let mut used = Vec::new();
        for second in 0..16 {
            let best = routers.best().expect("there is one");
            used.push(best.segments()[7]);
            routers.doubt(best, at(second));
            ask(&mut routers, second..second + 1);
        }
        assert!(!routers.has_answering());
        used.dedup();
        assert_eq!(used, [2, 1, 2, 1]);
        routers.expire(at(1_800));
        assert_eq!((routers.best(), routers.deadline()), (None, None));
    }
}
