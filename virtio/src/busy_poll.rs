use core::mem;

/// Waits without a poll after polls that were in vain again and again.
const MOST_SKIPS: u16 = 63;
/// How many successes make up for one wait of polls in vain. It costs several times as much as a
/// success saves.
const SUCCESSES: u16 = 8;

/// How long a driver polls for what it waits for before the processor halts (busy polling).
///
/// To halt and be woken may take longer than the device does. So the driver polls for a while,
/// in turn with the other tasks. After polls in vain ever more waits go without, so a slow device
/// costs next to nothing.
#[derive(Default)]
pub struct BusyPoll {
    /// Polls that are left.
    polls: u32,
    /// This wait had a poll, and one may still succeed.
    polled: bool,
    /// Waits that go without a poll.
    skips: u16,
    /// Successes that are missing for what was in vain.
    debt: u16,
}

impl BusyPoll {
    /// Polls for what is mostly there soon. Each is a round of the executor.
    pub const POLLS: u32 = 500;

    /// A wait begins that is worth so many polls.
    pub fn renew(&mut self, polls: u32) {
        self.polls = match self.skips {
            0 => polls,
            _ => 0,
        };
        self.skips = self.skips.saturating_sub(1);
        self.polled = false;
    }

    /// The wait has ended, while the driver polled or by an interrupt.
    pub fn succeed(&mut self) {
        if mem::take(&mut self.polled) {
            self.debt = self.debt.saturating_sub(1);
        }
    }

    /// Uses up one poll. Returns false if the driver is to wait for an interrupt instead.
    pub fn has_more(&mut self) -> bool {
        match self.polls {
            0 => return false,
            1 => {
                self.debt = (2 * self.debt + SUCCESSES).min(MOST_SKIPS * SUCCESSES);
                self.skips = self.debt / SUCCESSES;
            }
            _ => {}
        }
        self.polls -= 1;
        self.polled = self.polls > 0;
        self.polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many polls a wait takes that ends only by an interrupt.
    fn poll_in_vain(busy_poll: &mut BusyPoll) -> usize {
        busy_poll.renew(BusyPoll::POLLS);
        core::iter::repeat_with(|| busy_poll.has_more())
            .take_while(|more| *more)
            .count()
    }

    #[test]
    fn a_wait_takes_as_many_polls_as_it_is_worth() {
        let mut busy_poll = BusyPoll::default();
        busy_poll.renew(1_000);
        let polls = core::iter::repeat_with(|| busy_poll.has_more());
        assert_eq!(polls.take_while(|more| *more).count(), 999);
        assert!(!busy_poll.has_more());
    }

    #[test]
    fn a_few_successes_do_not_make_up_for_polls_in_vain() {
        let mut busy_poll = BusyPoll::default();
        let mut in_vain = 0;
        for _ in 0..1_000 {
            for _ in 1..SUCCESSES / 2 {
                busy_poll.renew(BusyPoll::POLLS);
                busy_poll.has_more();
                busy_poll.succeed();
            }
            in_vain += usize::from(poll_in_vain(&mut busy_poll) > 0);
        }
        assert!(in_vain < 100, "{in_vain} times");
    }

    #[test]
    fn polls_in_vain_become_rare() {
        let mut busy_poll = BusyPoll::default();
        let most = BusyPoll::POLLS as usize - 1;
        let polls: usize = (0..1000).map(|_| poll_in_vain(&mut busy_poll)).sum();
        assert!(polls / most <= 6 + 1000 / 64, "{} times", polls / most);
        while poll_in_vain(&mut busy_poll) == 0 {}
        busy_poll.renew(BusyPoll::POLLS);
        while !busy_poll.has_more() {
            busy_poll.renew(BusyPoll::POLLS);
        }
        busy_poll.succeed();
        assert_eq!(
            poll_in_vain(&mut busy_poll),
            most,
            "a success counts for the next wait"
        );
    }
}
