//! Entropy: the processor's generator, else a virtio device, and always timing.

use super::lock::InterruptLock;
use super::virtio;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const SEED_WORDS: usize = 4;
/// RDSEED may be exhausted for a moment, RDRAND hardly ever (Intel's guide to the digital
/// random number generator, 5.2.1).
const TRIES: usize = 100;

/// The machine's generator, from the first call of [`fill`] on.
static GENERATOR: InterruptLock<Option<ChaCha20Rng>> = InterruptLock::new(None);

/// Fills `buffer` from a generator that is seeded once.
pub(crate) fn fill(buffer: &mut [u8]) {
    let known = GENERATOR.lock().take();
    // The lock is not held meanwhile: a device may have to be waited for.
    let mut generator = known.unwrap_or_else(|| ChaCha20Rng::from_seed(seed()));
    generator.fill_bytes(buffer);
    *GENERATOR.lock() = Some(generator);
}

fn seed() -> [u8; SEED_WORDS * 8] {
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
    bytes
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

/// The source of crates that ask `getrandom`, versions 0.3 and 0.4: their custom backend.
///
/// # Safety
/// `start` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    start: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: as the caller promises. They are initialised before they are seen as bytes.
    let buffer = unsafe {
        start.write_bytes(0, length);
        core::slice::from_raw_parts_mut(start, length)
    };
    fill(buffer);
    Ok(())
}
