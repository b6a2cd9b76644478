//! Entropy: the processor's generator, else a virtio device, and always timing.

use super::virtio;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const SEED_WORDS: usize = 4;
/// RDSEED may be exhausted for a moment, RDRAND hardly ever (Intel's guide to the digital
/// random number generator, 5.2.1).
const TRIES: usize = 100;

/// Fills `buffer` from a generator that is seeded anew for each call.
pub(crate) fn fill(buffer: &mut [u8]) {
    let mut seed = [0u64; SEED_WORDS];
    if !from_processor(&mut seed) && !virtio::entropy(&mut seed) {
        log::warn!(
            "weak randomness: the processor has no RDRAND; give the machine a virtio-rng device"
        );
    }
    // Timing adds a little to good sources, and is all that is left without one.
    for word in &mut seed {
        // SAFETY: every x86_64 processor has the instruction.
        *word ^= unsafe { _rdtsc() };
    }
    let mut bytes = [0; SEED_WORDS * 8];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(seed) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha20Rng::from_seed(bytes).fill_bytes(buffer);
}

/// Fills the seed by RDSEED, else by RDRAND. False if the processor has neither, or they
/// fail.
fn from_processor(seed: &mut [u64; SEED_WORDS]) -> bool {
    let has_rdseed = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & (1 << 18) != 0;
    let has_rdrand = __cpuid(1).ecx & (1 << 30) != 0;
    seed.iter_mut().all(|word| {
        (0..TRIES).any(|_| {
            // SAFETY: CPUID says that the processor has the instruction.
            has_rdseed && unsafe { rdseed(word) } || has_rdrand && unsafe { rdrand(word) }
        })
    })
}

#[target_feature(enable = "rdseed")]
fn rdseed(word: &mut u64) -> bool {
    _rdseed64_step(word) == 1
}

#[target_feature(enable = "rdrand")]
fn rdrand(word: &mut u64) -> bool {
    _rdrand64_step(word) == 1
}
