use super::limits::Limits;
use super::message::{Question, Records};
use alloc::vec::Vec;
use core::time::Duration;
use fata_time::Instant;

/// The longest time that records are kept, whatever their TTL says: a day.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The longest time that the lack of records is kept (RFC 2308, section 5, allows up to
/// three hours): five minutes, as what is missing is often about to be added.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(300);

/// An answer, and until when it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) records: Records,
    pub(super) until: Instant,
}

impl Known {
    /// Records that have come now, and are good for `seconds`, within bounds.
    pub(super) fn new(records: Records, seconds: u32, now: Instant) -> Self {
        let longest = match records {
            Records::Addresses(_) | Records::Name(_) => LONGEST,
            Records::NoSuchName | Records::NoRecord => LONGEST_NEGATIVE,
        };
        let until = now + Duration::from_secs(seconds.into()).min(longest);
        Self { records, until }
    }
}

/// Recent answers.
#[derive(Default)]
pub(super) struct Cache {
    entries: Vec<(Question, Known)>,
    bytes: usize,
}

impl Cache {
    /// The answer to a question, unless it is too old.
    pub(super) fn get(&self, question: &Question, now: Instant) -> Option<Known> {
        let (_, known) = self.entries.iter().find(|(other, _)| other == question)?;
        (known.until > now).then(|| known.clone())
    }

    /// Keeps what was answered, in place of what was. At a bound, what would expire first
    /// makes room.
    pub(super) fn insert(
        &mut self,
        question: &Question,
        known: &Known,
        limits: &Limits,
        now: Instant,
    ) {
        self.retain(|other, known| other != question && known.until > now);
        let size = size(question, known);
        if known.until <= now || limits.entries == 0 || size > limits.bytes {
            return;
        }
        while self.entries.len() >= limits.entries || self.bytes + size > limits.bytes {
            self.drop_first_to_expire();
        }
        self.entries.push((question.clone(), known.clone()));
        self.bytes += size;
    }

    fn drop_first_to_expire(&mut self) {
        let entries = self.entries.iter().enumerate();
        let first = entries.min_by_key(|(_, (_, known))| known.until);
        if let Some((index, _)) = first {
            let (question, known) = self.entries.swap_remove(index);
            self.bytes -= size(&question, &known);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Question, &Known) -> bool) {
        self.entries
            .retain(|(question, known)| keep(question, known));
        let sizes = self
            .entries
            .iter()
            .map(|(question, known)| size(question, known));
        self.bytes = sizes.sum();
    }
}

/// Bytes that an entry takes, about.
fn size(question: &Question, known: &Known) -> usize {
    let data = match &known.records {
        Records::Addresses(addresses) => size_of_val(&addresses[..]),
        Records::Name(name) => name.len(),
        Records::NoSuchName | Records::NoRecord => 0,
    };
    size_of::<(Question, Known)>() + question.name.len() + data
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::message::Kind;
    use super::super::name::Host;
    use super::*;
    use std::format;

    fn question(number: u32) -> Question {
        let Ok(Host::Name(name)) = Host::parse(&format!("host{number}.example")) else {
            panic!("it is a name");
        };
        Question {
            name,
            kind: Kind::Ipv4,
        }
    }

    fn known(seconds: u32) -> Known {
        let address = core::net::Ipv4Addr::LOCALHOST.into();
        Known::new(
            Records::Addresses([address].into()),
            seconds,
            Instant::default(),
        )
    }

    fn after(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn entries_expire_and_are_replaced() {
        let (mut cache, limits) = (Cache::default(), Limits::default());
        cache.insert(&question(1), &known(10), &limits, after(0));
        assert_eq!(cache.get(&question(1), after(9)), Some(known(10)));
        assert_eq!(cache.get(&question(1), after(10)), None);
        assert_eq!(cache.get(&question(2), after(0)), None);
        let other = Question {
            kind: Kind::Ipv6,
            ..question(1)
        };
        assert_eq!(cache.get(&other, after(0)), None);
        cache.insert(&question(1), &known(20), &limits, after(5));
        assert_eq!(
            (cache.entries.len(), cache.get(&question(1), after(19))),
            (1, Some(known(20)))
        );
        cache.insert(&question(2), &known(60), &limits, after(30));
        assert_eq!(cache.entries.len(), 1, "what has expired is dropped");
        cache.insert(&question(3), &known(0), &limits, after(0));
        assert_eq!(cache.get(&question(3), after(0)), None);
    }

    #[test]
    fn times_are_bounded() {
        assert_eq!(known(u32::MAX).until, after(86_400));
        let negative = Known::new(Records::NoSuchName, 100_000, after(0));
        assert_eq!(negative.until, after(300));
    }

    #[test]
    fn the_first_to_expire_makes_room() {
        for limits in [
            Limits {
                entries: 10,
                ..Limits::default()
            },
            Limits {
                bytes: 10 * size(&question(10), &known(1)),
                ..Limits::default()
            },
        ] {
            let mut cache = Cache::default();
            for number in 0..100 {
                // Names of one length.
                cache.insert(
                    &question(100 + number),
                    &known(1_000 - number),
                    &limits,
                    after(0),
                );
                assert!(cache.bytes <= limits.bytes && cache.entries.len() <= limits.entries);
            }
            assert!(cache.entries.len() >= 9);
            assert!(cache.get(&question(100), after(0)).is_some());
            assert!(cache.get(&question(150), after(0)).is_none());
            let none = Limits {
                bytes: 10,
                ..limits
            };
            cache.insert(&question(1), &known(9), &none, after(0));
            assert!(
                cache.get(&question(1), after(0)).is_none(),
                "larger than all there is"
            );
        }
    }
}
