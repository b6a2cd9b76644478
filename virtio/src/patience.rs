use core::mem;

/// Waits without a look after looks that were in vain again and again.
const MOST_SKIPS: u16 = 63;
/// How many successes make up for one look in vain, which costs several times what a success
/// saves.
const SUCCESSES: u16 = 8;

/// How long a driver looks for what it waits for before the processor halts.
///
/// To halt and be woken may take longer than the device does. So the driver looks again for a
/// while, in turn with the other tasks, and lets that be for ever more waits if it was in
/// vain: a device that is slow costs next to nothing.
#[derive(Default)]
pub struct Patience {
    /// Looks that are left.
    looks: u32,
    /// Whether there was a look in this wait, and it may still succeed.
    looked: bool,
    /// Waits that go without a look.
    skips: u16,
    /// Successes that are missing for what was in vain.
    debt: u16,
}

impl Patience {
    /// Looks for what is mostly there soon, where each is a round of the executor.
    pub const LOOKS: u32 = 500;

    /// A wait begins that is worth so many looks.
    pub fn renew(&mut self, looks: u32) {
        self.looks = match self.skips {
            0 => looks,
            _ => 0,
        };
        self.skips = self.skips.saturating_sub(1);
        self.looked = false;
    }

    /// What was waited for has come while the driver was looking, if it was.
    pub fn succeed(&mut self) {
        if mem::take(&mut self.looked) {
            self.debt = self.debt.saturating_sub(1);
        }
    }

    /// Whether to look once more.
    pub fn has_more(&mut self) -> bool {
        match self.looks {
            0 => return false,
            1 => {
                self.debt = (2 * self.debt + SUCCESSES).min(MOST_SKIPS * SUCCESSES);
                self.skips = self.debt / SUCCESSES;
            }
            _ => {}
        }
        self.looks -= 1;
        self.looked = self.looks > 0;
        self.looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks a wait takes that ends only by an interrupt.
    fn look_in_vain(patience: &mut Patience) -> usize {
        patience.renew(Patience::LOOKS);
        core::iter::repeat_with(|| patience.has_more())
            .take_while(|more| *more)
            .count()
    }

    #[test]
    fn a_wait_takes_as_many_looks_as_it_is_worth() {
        let mut patience = Patience::default();
        patience.renew(1_000);
        let looks = core::iter::repeat_with(|| patience.has_more());
        assert_eq!(looks.take_while(|more| *more).count(), 999);
        assert!(!patience.has_more());
    }

    #[test]
    fn a_few_successes_do_not_make_up_for_looks_in_vain() {
        let mut patience = Patience::default();
        let mut in_vain = 0;
        for _ in 0..1_000 {
            for _ in 1..SUCCESSES / 2 {
                patience.renew(Patience::LOOKS);
                patience.has_more();
                patience.succeed();
            }
            in_vain += usize::from(look_in_vain(&mut patience) > 0);
        }
        assert!(in_vain < 100, "{in_vain} times");
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let mut patience = Patience::default();
        let most = Patience::LOOKS as usize - 1;
        let looks: usize = (0..1000).map(|_| look_in_vain(&mut patience)).sum();
        assert!(looks / most <= 6 + 1000 / 64, "{} times", looks / most);
        while look_in_vain(&mut patience) == 0 {}
        patience.renew(Patience::LOOKS);
        while !patience.has_more() {
            patience.renew(Patience::LOOKS);
        }
        patience.succeed();
        assert_eq!(
            look_in_vain(&mut patience),
            most,
            "a success counts for the next wait"
        );
    }
}
