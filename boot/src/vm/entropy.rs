//! Entropy: all of the processor's generators and a virtio device, and always timing.

mod generator;
mod health;

use super::lock::InterruptLock;
use super::virtio;
use crate::EntropyError;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use fata_time::{Clock, MachineClock};
use generator::Generator;
use health::SAMPLE;

/// RDSEED may be exhausted for a moment, RDRAND hardly ever (Intel's guide to the digital
/// random number generator, 5.2.1).
const TRIES: usize = 100;

/// The machine's generator, once it was asked for, and what its numbers are good for.
static GENERATOR: InterruptLock<Option<(Generator, Quality)>> = InterruptLock::new(None);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quality {
    /// No source has passed its test: only the time is in it, which can be guessed.
    Guessable,
    /// Fit for key material.
    Secure,
}

/// Fills `buffer` with random bytes that are fit for key material.
///
/// # Errors
/// [`EntropyError::NoSource`] if the machine has no source that passes its test.
pub(crate) fn fill(buffer: &mut [u8]) -> Result<(), EntropyError> {
    with_generator(|generator, quality| match quality {
        Quality::Guessable => Err(EntropyError::NoSource),
        Quality::Secure => {
            generator.fill(buffer);
            Ok(())
        }
    })
}

/// Fills `buffer` with the best there is, for what must go on without secrets. Warns
/// where that can be guessed.
#[cfg(feature = "net")]
pub(crate) fn fill_or_warn(buffer: &mut [u8]) {
    let quality = with_generator(|generator, quality| {
        generator.fill(buffer);
        quality
    });
    if quality == Quality::Guessable {
        log::warn!(
            target: "boot",
            "weak randomness: port and sequence numbers can be guessed; give the machine a \
             virtio-rng device"
        );
    }
}

fn with_generator<T>(action: impl FnOnce(&mut Generator, Quality) -> T) -> T {
    let known = GENERATOR.lock().take();
    // The lock is not held meanwhile: a device may have to be waited for.
    let (mut generator, quality) = known.unwrap_or_else(seeded);
    let result = action(&mut generator, quality);
    *GENERATOR.lock() = Some((generator, quality));
    result
}

/// Mixes all sources. Those that fail their test are mixed too, which does no harm, but
/// do not count.
fn seeded() -> (Generator, Quality) {
    type Source = fn(&mut [u8; SAMPLE]) -> bool;
    const SOURCES: [(&str, Source); 3] = [
        ("RDSEED", from_rdseed),
        ("RDRAND", from_rdrand),
        ("the virtio-rng device", virtio::entropy),
    ];
    let mut generator = Generator::new();
    let mut quality = Quality::Guessable;
    if let Some(wall) = MachineClock.wall() {
        generator.absorb(&wall.as_nanos().to_le_bytes());
    }
    for (name, source) in SOURCES {
        let mut sample = [0; SAMPLE];
        let is_there = source(&mut sample);
        generator.absorb(&sample);
        // SAFETY: every x86_64 processor has the instruction.
        generator.absorb(&unsafe { _rdtsc() }.to_le_bytes());
        if is_there {
            match health::check(&sample) {
                Ok(()) => quality = Quality::Secure,
                Err(failure) => log::error!(
                    target: "boot",
                    "{name} is no source of random numbers: {failure}"
                ),
            }
        }
    }
    (generator, quality)
}

/// False if the processor has no RDSEED, or it fails.
fn from_rdseed(sample: &mut [u8; SAMPLE]) -> bool {
    let is_there = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & (1 << 18) != 0;
    // SAFETY: CPUID says that the processor has the instruction.
    is_there && by_words(sample, |word| unsafe { rdseed(word) })
}

/// False if the processor has no RDRAND, or it fails.
fn from_rdrand(sample: &mut [u8; SAMPLE]) -> bool {
    let is_there = __cpuid(1).ecx & (1 << 30) != 0;
    // SAFETY: CPUID says that the processor has the instruction.
    is_there && by_words(sample, |word| unsafe { rdrand(word) })
}

fn by_words(sample: &mut [u8; SAMPLE], step: impl Fn(&mut u64) -> bool) -> bool {
    sample.chunks_exact_mut(8).all(|chunk| {
        let mut word = 0;
        let filled = (0..TRIES).any(|_| step(&mut word));
        chunk.copy_from_slice(&word.to_le_bytes());
        filled
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

/// What `getrandom` gives where there is no source: its errors have numbers only, so the
/// log says what is missing.
const NO_SOURCE: u16 = 1;

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
    fill(buffer).map_err(|error| {
        log::error!(target: "boot", "{error}");
        getrandom::Error::new_custom(NO_SOURCE)
    })
}
