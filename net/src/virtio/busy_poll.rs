//! Decides whether to busy-poll for the next frame before the processor halts.

use fata_virtio::BusyPoll;

/// After so many small batches in a row peers wait for the answers, and what they send next is
/// worth polling for.
const SMALL_BATCHES: u8 = 8;
/// Frames of a small batch. With more, others come while the processor halts and is woken, and
/// to be woken once for all of them is cheaper.
const FEW: u64 = 8;

#[derive(Default)]
pub(super) struct FrameBusyPoll {
    polls: BusyPoll,
    small_batches: u8,
    /// Frames that were received before this batch.
    received: u64,
}

impl FrameBusyPoll {
    /// A batch ends with which so many frames were received since the start.
    pub(super) fn end_batch(&mut self, received: u64) {
        let frames = received - self.received;
        if frames == 0 {
            return;
        }
        self.received = received;
        self.small_batches = if frames <= FEW {
            self.small_batches.saturating_add(1)
        } else {
            0
        };
        let is_worth_it = self.small_batches >= SMALL_BATCHES;
        self.polls
            .renew(if is_worth_it { BusyPoll::POLLS } else { 0 });
    }

    /// Nothing was found. Returns whether to poll once more.
    pub(super) fn has_more(&mut self) -> bool {
        self.polls.has_more()
    }

    /// Something was found.
    pub(super) fn succeed(&mut self) {
        self.polls.succeed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_in_a_row_are_worth_polling() {
        let mut busy_poll = FrameBusyPoll::default();
        let mut received = 0;
        let mut after = |frames| {
            received += frames;
            busy_poll.end_batch(received);
            busy_poll.has_more()
        };
        for _ in 1..SMALL_BATCHES {
            assert!(!after(1));
        }
        assert!(after(FEW));
        assert!(after(0), "what was no batch changes nothing");
        assert!(!after(FEW + 1));
        assert!(!after(1));
    }
}
