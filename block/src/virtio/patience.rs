//! How long to look for the end of a request before the processor halts.
//!
//! To halt and be woken takes longer than most requests do. So the driver looks again for a
//! while, in turn with the other tasks, and lets that be for ever more requests if it was in
//! vain: a disk that is slow costs next to nothing.

/// Rounds of the executor in which the driver looks: some 100 µs.
const LOOKS: u32 = 500;
/// Bytes of a request for each of which it looks once more.
const BYTES_PER_LOOK: usize = 256;
/// The most rounds, for requests of a mebibyte and more: some 900 µs.
const MOST_LOOKS: u32 = LOOKS + 4096;
/// Requests without a look after looks that were in vain again and again.
const MOST_SKIPS: u16 = 63;

#[derive(Default)]
pub(super) struct Patience {
    /// Looks that are left.
    looks: u32,
    /// Waits that go without a look.
    skips: u16,
    /// How many there were the last time.
    last_skips: u16,
}

impl Patience {
    /// A wait for a request of so many bytes begins, or goes on for another one.
    pub(super) fn renew(&mut self, bytes: usize) {
        let more = u32::try_from(bytes / BYTES_PER_LOOK).unwrap_or(MOST_LOOKS);
        self.looks = match self.skips {
            0 => LOOKS.saturating_add(more).min(MOST_LOOKS),
            _ => 0,
        };
        self.skips = self.skips.saturating_sub(1);
    }

    /// A request has ended while the driver was looking, if it was.
    pub(super) fn succeed(&mut self) {
        if self.looks > 0 {
            self.last_skips = 0;
        }
    }

    /// Whether to look once more.
    pub(super) fn has_more(&mut self) -> bool {
        match self.looks {
            0 => return false,
            1 => {
                self.last_skips = (2 * self.last_skips + 1).min(MOST_SKIPS);
                self.skips = self.last_skips;
            }
            _ => {}
        }
        self.looks -= 1;
        self.looks > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks a wait takes that ends only by an interrupt.
    fn look_in_vain(patience: &mut Patience) -> usize {
        patience.renew(0);
        core::iter::repeat_with(|| patience.has_more())
            .take_while(|more| *more)
            .count()
    }

    #[test]
    fn large_requests_are_waited_for_longer() {
        let mut patience = Patience::default();
        patience.renew(1 << 30);
        let looks = core::iter::repeat_with(|| patience.has_more());
        let looks = looks.take_while(|more| *more).count();
        assert_eq!(looks, MOST_LOOKS as usize - 1);
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let mut patience = Patience::default();
        let most = LOOKS as usize - 1;
        let looks: usize = (0..1000).map(|_| look_in_vain(&mut patience)).sum();
        assert!(looks / most <= 6 + 1000 / 64, "{} times", looks / most);
        while look_in_vain(&mut patience) == 0 {}
        patience.renew(0);
        while !patience.has_more() {
            patience.renew(0);
        }
        patience.succeed();
        assert_eq!(
            look_in_vain(&mut patience),
            most,
            "a success counts for the next wait"
        );
    }
}
