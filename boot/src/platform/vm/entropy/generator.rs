//! The machine's random number generator.

use core::time::Duration;
use fata_time::Instant;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const KEY: usize = 32;
/// How long a seed is good for, as with Linux. An attacker's knowledge of the key is worth nothing
/// after that, and machines resumed from one snapshot go apart.
const SEED_LIFETIME: Duration = Duration::from_secs(60);

/// ChaCha20 with fast key erasure: each output also replaces the key, so that whoever
/// reads the memory later cannot compute what was given out before.
pub(super) struct Generator {
    key: [u8; KEY],
    /// When the last seed was taken.
    seeded: Instant,
}

impl Generator {
    /// A generator that everybody can predict, until it has absorbed something.
    pub(super) fn new() -> Self {
        Self {
            key: [0; KEY],
            seeded: Instant::from_nanos(0),
        }
    }

    /// Notes that a seed is being taken, whether anything comes of it or not.
    pub(super) fn begin_seed(&mut self, now: Instant) {
        self.seeded = now;
    }

    /// Returns whether it is time for a new seed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.since(self.seeded) >= SEED_LIFETIME
    }

    /// Mixes `input` into the key. Knowledge of the input takes nothing away from
    /// what was unknown of the key before, or the other way round.
    pub(super) fn absorb(&mut self, input: &[u8]) {
        for block in input.chunks(KEY) {
            for (key, byte) in self.key.iter_mut().zip(block) {
                *key ^= byte;
            }
            self.fill(&mut []);
        }
    }

    /// Fills `buffer` from the key, and replaces the key.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        let mut stream = ChaCha20Rng::from_seed(self.key);
        stream.fill_bytes(&mut self.key);
        stream.fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn output(inputs: &[&[u8]]) -> [u8; 64] {
        let mut generator = Generator::new();
        for input in inputs {
            generator.absorb(input);
        }
        let mut output = [0; 64];
        generator.fill(&mut output);
        output
    }

    #[test]
    fn every_filling_is_another_one() {
        let mut generator = Generator::new();
        generator.absorb(b"seed");
        let mut fill = || {
            let mut output = [0; 48];
            generator.fill(&mut output);
            output
        };
        assert_ne!(fill(), fill());
    }

    #[test]
    fn a_seed_is_due_each_minute() {
        let at = |seconds: u64| Instant::from_nanos(seconds * 1_000_000_000);
        let mut generator = Generator::new();
        generator.begin_seed(at(5));
        assert!(!generator.is_due(at(5)) && !generator.is_due(at(64)));
        assert!(generator.is_due(at(65)) && generator.is_due(at(1_000_000)));
        generator.begin_seed(at(1_000_000));
        assert!(!generator.is_due(at(1_000_001)));
    }

    /// RFC 8439's ChaCha20 with a key of zeros, appendix A.1, vector 1: the first half of
    /// the block becomes the key, the second half is given out.
    #[test]
    fn the_stream_is_chacha20() {
        let mut generator = Generator::new();
        let mut output = [0; 4];
        generator.fill(&mut output);
        assert_eq!(generator.key[..4], [0x76, 0xb8, 0xe0, 0xad]);
        assert_eq!(output, [0xda, 0x41, 0x59, 0x7c]);
    }

    proptest! {
        #[test]
        fn every_bit_of_every_input_counts(
            input in prop::collection::vec(any::<u8>(), 1..100),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut other = input.clone();
            let bit = bit.index(input.len() * 8);
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(output(&[&input, b"later"]), output(&[&other, b"later"]));
        }
    }
}
