//! Whether to look for changes for a moment before the event loop sleeps.
//!
//! To sleep and be woken takes longer than a peer that waits for each answer takes to send again,
//! unless the two share a processor: then the peer sends only once this process sleeps. Nothing
//! tells beforehand which it is, so both are tried in turn, and looking has to be clearly quicker.

use core::time::Duration;
use fata_time::Instant;

/// For how long a wait looks.
pub(crate) const LOOK: Duration = Duration::from_micros(20);
/// Waits that are judged together.
const WINDOW: u32 = 256;
/// Waits that take longer on average end just as well by being woken.
const LONG: Duration = Duration::from_micros(100);
/// Looks in vain of one window that decide against looking at once.
const MOST_VAIN: u32 = WINDOW / 2;
/// Windows for which a verdict for looking holds.
const KEEP: u32 = 64;
/// The same of the first verdict against it. The host moves a peer to another processor within some
/// such windows, and a window of looks in vain ends early.
const LEAST_KEEP: u32 = 4;
/// The same of verdicts against it again and again.
const MOST_KEEP: u32 = 256;

/// The judge of an event loop's waits.
pub(crate) struct Lookout {
    looks: bool,
    plan: Plan,
    /// Windows for which the next verdict against looking holds.
    keep: u32,
    begin: Instant,
    waits: u32,
    changes: u64,
    vain: u32,
}

#[derive(Clone, Copy)]
enum Plan {
    /// This window shows how quick it is to sleep.
    Sleep,
    /// This one shows how quick it is to look; the other had so many changes in that time.
    Look(u64, Duration),
    /// The verdict holds for so many windows.
    Keep(u32),
}

impl Default for Lookout {
    fn default() -> Self {
        Self {
            looks: false,
            plan: Plan::Sleep,
            keep: LEAST_KEEP,
            begin: Instant::default(),
            waits: 0,
            changes: 0,
            vain: 0,
        }
    }
}

impl Lookout {
    /// Whether the next wait looks before it sleeps.
    pub(crate) fn looks(&self) -> bool {
        self.looks
    }

    /// A wait has ended at `now` with so many changes, after a look that was `in_vain` or not.
    pub(crate) fn end_wait(&mut self, now: Instant, changes: usize, in_vain: bool) {
        self.waits += 1;
        self.changes += changes as u64;
        self.vain += u32::from(in_vain);
        if self.vain > MOST_VAIN {
            self.decide(false);
        } else if self.waits >= WINDOW {
            self.judge(self.changes, now - self.begin);
        } else {
            return;
        }
        (self.begin, self.waits, self.changes, self.vain) = (now, 0, 0, 0);
    }

    /// Looks from now on, or does not, for some windows.
    fn decide(&mut self, looks: bool) {
        let (keep, next) = match looks {
            true => (KEEP, LEAST_KEEP),
            false => (self.keep, (2 * self.keep).min(MOST_KEEP)),
        };
        self.keep = next;
        (self.looks, self.plan) = (looks, Plan::Keep(keep));
    }

    fn judge(&mut self, changes: u64, elapsed: Duration) {
        if elapsed > LONG * WINDOW {
            // Nobody waits for answers; another window will show whether somebody does then.
            (self.looks, self.plan) = (false, Plan::Sleep);
            return;
        }
        (self.looks, self.plan) = match self.plan {
            Plan::Sleep => (true, Plan::Look(changes, elapsed)),
            Plan::Look(slept_changes, slept) => {
                // By a tenth, so that chance seldom decides.
                let looked = u128::from(changes) * slept.as_nanos() * 10;
                return self.decide(looked > u128::from(slept_changes) * elapsed.as_nanos() * 11);
            }
            Plan::Keep(0) => (false, Plan::Sleep),
            Plan::Keep(left) => (self.looks, Plan::Keep(left - 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes waits, which take so long if they look and if they sleep, and have one change each.
    /// Returns how many of a hundred looked.
    fn pass(lookout: &mut Lookout, looking: Duration, sleeping: Duration) -> usize {
        const WAITS: usize = 400_000;
        let mut now = Instant::default();
        let looks = (0..WAITS).filter(|_| {
            let looks = lookout.looks();
            now = now + if looks { looking } else { sleeping };
            lookout.end_wait(now, 1, looks && looking >= LOOK);
            looks
        });
        looks.count() * 100 / WAITS
    }

    const SHORT: Duration = Duration::from_micros(15);

    #[test]
    fn the_quicker_way_is_taken_nearly_always() {
        let mut lookout = Lookout::default();
        assert!(pass(&mut lookout, SHORT, 2 * SHORT) >= 90, "percent");
        assert!(pass(&mut lookout, SHORT, SHORT) <= 5, "percent");
        assert!(
            pass(&mut lookout, SHORT, 2 * SHORT) >= 25,
            "it is tried again"
        );
    }

    #[test]
    fn looks_in_vain_are_few() {
        let mut lookout = Lookout::default();
        assert!(pass(&mut lookout, SHORT, 2 * SHORT) >= 90, "percent");
        assert_eq!(pass(&mut lookout, 2 * LOOK, 2 * LOOK), 0, "percent");
    }

    #[test]
    fn long_waits_are_not_looked_into() {
        let mut lookout = Lookout::default();
        assert_eq!(pass(&mut lookout, SHORT, 2 * LONG), 0, "percent");
        assert!(!lookout.looks());
    }
}
