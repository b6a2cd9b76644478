//! Decides whether to busy-poll for changes before the event loop sleeps.
//!
//! To sleep and be woken takes longer than a peer that waits for each answer takes to send again,
//! unless the two share a processor: then the peer sends only once this process sleeps. Nothing
//! tells beforehand which it is, so both are tried in turn, and polling has to be clearly quicker.

use core::time::Duration;
use fata_time::Instant;

/// For how long a wait polls.
pub(crate) const POLL_TIME: Duration = Duration::from_micros(20);
/// Waits that are judged together.
const WINDOW: u32 = 256;
/// Waits that take longer on average end just as well by being woken.
const LONG: Duration = Duration::from_micros(100);
/// Polls in vain of one window that decide against polling at once.
const MOST_VAIN: u32 = WINDOW / 2;
/// Windows for which a verdict for polling holds.
const KEEP: u32 = 64;
/// The same of the first verdict against it. The host moves a peer to another processor within some
/// such windows, and a window of polls in vain ends early.
const LEAST_KEEP: u32 = 4;
/// The same of verdicts against it again and again.
const MOST_KEEP: u32 = 256;

/// The judge of an event loop's waits.
pub(crate) struct BusyPoll {
    polls: bool,
    plan: Plan,
    /// Windows for which the next verdict against polling holds.
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
    /// This one shows how quick it is to poll; the other had so many changes in that time.
    Poll(u64, Duration),
    /// The verdict holds for so many windows.
    Keep(u32),
}

impl Default for BusyPoll {
    fn default() -> Self {
        Self {
            polls: false,
            plan: Plan::Sleep,
            keep: LEAST_KEEP,
            begin: Instant::default(),
            waits: 0,
            changes: 0,
            vain: 0,
        }
    }
}

impl BusyPoll {
    /// The next wait polls before it sleeps.
    pub(crate) fn polls(&self) -> bool {
        self.polls
    }

    /// A wait has ended at `now` with so many changes, after polls that were `in_vain` or not.
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

    /// Polls from now on, or does not, for some windows.
    fn decide(&mut self, polls: bool) {
        let (keep, next) = match polls {
            true => (KEEP, LEAST_KEEP),
            false => (self.keep, (2 * self.keep).min(MOST_KEEP)),
        };
        self.keep = next;
        (self.polls, self.plan) = (polls, Plan::Keep(keep));
    }

    fn judge(&mut self, changes: u64, elapsed: Duration) {
        if elapsed > LONG * WINDOW {
            // Nobody waits for answers; another window will show whether somebody does then.
            (self.polls, self.plan) = (false, Plan::Sleep);
            return;
        }
        (self.polls, self.plan) = match self.plan {
            Plan::Sleep => (true, Plan::Poll(changes, elapsed)),
            Plan::Poll(slept_changes, slept) => {
                // By a tenth, so that chance seldom decides.
                let polled = u128::from(changes) * slept.as_nanos() * 10;
                return self.decide(polled > u128::from(slept_changes) * elapsed.as_nanos() * 11);
            }
            Plan::Keep(0) => (false, Plan::Sleep),
            Plan::Keep(left) => (self.polls, Plan::Keep(left - 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes waits, which take so long if they poll and if they sleep, and have one change each.
    /// Returns how many of a hundred polled.
    fn pass(busy_poll: &mut BusyPoll, polling: Duration, sleeping: Duration) -> usize {
        const WAITS: usize = 400_000;
        let mut now = Instant::default();
        let polls = (0..WAITS).filter(|_| {
            let polls = busy_poll.polls();
            now = now + if polls { polling } else { sleeping };
            busy_poll.end_wait(now, 1, polls && polling >= POLL_TIME);
            polls
        });
        polls.count() * 100 / WAITS
    }

    const SHORT: Duration = Duration::from_micros(15);

    #[test]
    fn the_quicker_way_is_taken_nearly_always() {
        let mut busy_poll = BusyPoll::default();
        assert!(pass(&mut busy_poll, SHORT, 2 * SHORT) >= 90, "percent");
        assert!(pass(&mut busy_poll, SHORT, SHORT) <= 5, "percent");
        assert!(
            pass(&mut busy_poll, SHORT, 2 * SHORT) >= 25,
            "it is tried again"
        );
    }

    #[test]
    fn polls_in_vain_are_few() {
        let mut busy_poll = BusyPoll::default();
        assert!(pass(&mut busy_poll, SHORT, 2 * SHORT) >= 90, "percent");
        assert_eq!(
            pass(&mut busy_poll, 2 * POLL_TIME, 2 * POLL_TIME),
            0,
            "percent"
        );
    }

    #[test]
    fn long_waits_are_not_polled_for() {
        let mut busy_poll = BusyPoll::default();
        assert_eq!(pass(&mut busy_poll, SHORT, 2 * LONG), 0, "percent");
        assert!(!busy_poll.polls());
    }
}
