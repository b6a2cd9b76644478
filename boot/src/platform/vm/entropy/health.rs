//! Health tests of raw entropy (NIST SP 800-90B, section 4.4).
//!
//! They find sources that have failed altogether: stuck, all ones, repeating themselves.
//! No test of the output can tell a good source from a good imitation.

use core::fmt;

/// Bytes that are tested when a source is used (section 4.3, item 4, for the first time; here for
/// every seed).
pub const SAMPLE: usize = 1024;

/// Equal bytes in a row that a healthy source gives with a probability of 2^-40: 1 + 40 / 8,
/// as each source claims eight bits of entropy a byte (section 4.4.1).
const MOST_REPETITIONS: usize = 6;

/// Bytes among which the first one is counted (section 4.4.2).
const WINDOW: usize = 512;
/// How many of them are the same with a probability of 2^-40: 1 + the critical value of
/// the binomial distribution of 512 bytes, each equal with probability 1/256.
const MOST_IN_WINDOW: usize = 19;

/// Why a source is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The repetition count test: the source is stuck.
    Stuck,
    /// The adaptive proportion test: the source prefers some values.
    Biased,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stuck => "it is stuck at one value",
            Self::Biased => "some values come too often",
        })
    }
}

/// Tests what a source gave first.
pub(super) fn check(sample: &[u8; SAMPLE]) -> Result<(), Failure> {
    if sample
        .chunk_by(|one, next| one == next)
        .any(|run| run.len() >= MOST_REPETITIONS)
    {
        return Err(Failure::Stuck);
    }
    let is_biased = |window: &[u8]| {
        let equal = window.iter().filter(|byte| **byte == window[0]);
        equal.count() >= MOST_IN_WINDOW
    };
    match sample.chunks_exact(WINDOW).any(is_biased) {
        true => Err(Failure::Biased),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    /// A sample of words of eight bytes, as a source gives them.
    fn words(word: impl Fn(u64) -> u64) -> [u8; SAMPLE] {
        let mut sample = [0; SAMPLE];
        for (index, chunk) in sample.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&word(index as u64).to_le_bytes());
        }
        sample
    }

    #[test]
    fn failed_sources_are_found() {
        // RDRAND of some AMD processors after a resume: success, and all ones.
        assert_eq!(check(&words(|_| u64::MAX)), Err(Failure::Stuck));
        assert_eq!(check(&words(|_| 0)), Err(Failure::Stuck));
        assert_eq!(
            check(&words(|_| 0x0123_4567_89ab_cdef)),
            Err(Failure::Biased)
        );
        assert_eq!(check(&words(|index| index)), Err(Failure::Stuck));
        assert_eq!(
            check(&words(|index| [
                0x0123_4567_89ab_cdef,
                0xfedc_ba98_7654_3210
            ][index as usize % 2])),
            Err(Failure::Biased)
        );
    }

    /// The bounds follow from the standard's formulas.
    #[test]
    fn the_bounds_are_those_of_the_standard() {
        let rare = 2f64.powi(-40);
        assert_eq!(MOST_REPETITIONS, 1 + (40f64 / 8.0).ceil() as usize);
        // The probability that more than `most` of the window's bytes have a given value.
        let more_than = |most: usize| -> f64 {
            let probability = 1.0 / 256.0;
            let mut exactly = (1f64 - probability).powi(WINDOW as i32);
            let mut total = 0.0;
            for count in 0..=WINDOW {
                if count > most {
                    total += exactly;
                }
                exactly *= (WINDOW - count) as f64 / (count + 1) as f64;
                exactly *= probability / (1.0 - probability);
            }
            total
        };
        assert!(more_than(MOST_IN_WINDOW - 1) <= rare && more_than(MOST_IN_WINDOW - 2) > rare);
    }

    proptest! {
        #[test]
        fn a_good_source_passes(seed: [u8; 32]) {
            let mut sample = [0; SAMPLE];
            ChaCha20Rng::from_seed(seed).fill_bytes(&mut sample);
            prop_assert_eq!(check(&sample), Ok(()));
        }

        #[test]
        fn a_source_that_gets_stuck_is_found(seed: [u8; 32], at in 0..SAMPLE - MOST_REPETITIONS) {
            let mut sample = [0; SAMPLE];
            ChaCha20Rng::from_seed(seed).fill_bytes(&mut sample);
            let value = sample[at];
            sample[at..at + MOST_REPETITIONS].fill(value);
            prop_assert_eq!(check(&sample), Err(Failure::Stuck));
        }
    }
}
