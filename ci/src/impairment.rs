use crate::bulk::pattern;
use std::time::Duration;

/// The fate of frames on a [`Relay`](crate::Relay), in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Impairment {
    /// How many of 10,000 frames are lost.
    pub loss: u32,
    /// How many of 10,000 frames are delivered twice.
    pub duplication: u32,
    /// How many of 10,000 frames are held back for longer than the others, up to `hold`.
    pub reordering: u32,
    /// How long every frame takes.
    pub delay: Duration,
    /// How much longer a frame takes that is held back, at most.
    pub hold: Duration,
}

impl Impairment {
    /// So many of 10,000 frames lost, 0.5 % doubled, 1 % overtaken by what the next three
    /// milliseconds bring, one millisecond each way.
    pub fn with_loss(loss: u32) -> Self {
        Self {
            loss,
            duplication: 50,
            reordering: 100,
            delay: Duration::from_millis(1),
            hold: Duration::from_millis(3),
        }
    }

    /// Draws the fate of the next frame.
    pub(crate) fn fate(&self, random: &mut Random) -> Fate {
        let is_lost = random.one_of(self.loss);
        let is_doubled = random.one_of(self.duplication);
        let is_held = random.one_of(self.reordering);
        let part = random.next() % 1000;
        let held = self.hold * u32::try_from(part).expect("less than a thousand") / 1000;
        Fate {
            copies: if is_lost {
                0
            } else {
                1 + usize::from(is_doubled)
            },
            is_held,
            delay: self.delay + if is_held { held } else { Duration::ZERO },
        }
    }
}

/// The fate of a frame.
pub(crate) struct Fate {
    pub copies: usize,
    pub is_held: bool,
    pub delay: Duration,
}

/// Numbers that repeat with the seed.
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed) << 32)
    }

    fn one_of(&mut self, in_ten_thousand: u32) -> bool {
        self.next() % 10_000 < u64::from(in_ten_thousand)
    }

    fn next(&mut self) -> u64 {
        self.0 += 1;
        pattern::word(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Impairment, Random};

    #[test]
    fn frames_are_lost_doubled_and_held_as_often_as_asked() {
        let impairment = Impairment::with_loss(500);
        let mut random = Random::new(1);
        let fates: Vec<_> = (0..100_000).map(|_| impairment.fate(&mut random)).collect();
        let count = |copies| fates.iter().filter(|fate| fate.copies == copies).count();
        let held = fates.iter().filter(|fate| fate.is_held).count();
        assert!((4_700..5_300).contains(&count(0)), "{}", count(0));
        assert!((400..600).contains(&count(2)), "{}", count(2));
        assert!((900..1_100).contains(&held), "{held}");
        let longest = impairment.delay + impairment.hold;
        assert!(
            fates
                .iter()
                .all(|fate| (impairment.delay..longest).contains(&fate.delay))
        );
    }

    #[test]
    fn the_same_seed_makes_the_same_fates() {
        let run = |seed| {
            let mut random = Random::new(seed);
            let fate = |_| Impairment::with_loss(100).fate(&mut random).copies;
            (0..1_000).map(fate).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
