//! Entropy: all of the processor's generators and a virtio device, and always timing.

mod generator;
mod health;

use super::lock::InterruptLock;
use super::virtio::{self, DeviceError};
use crate::EntropyError;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdrand64_step, _rdseed64_step, _rdtsc};
use core::time::Duration;
use fata_time::{Clock, MachineClock};
use generator::Generator;
pub(super) use health::SAMPLE;

/// RDSEED may be exhausted for a moment, RDRAND hardly ever (Intel's guide to the digital
/// random number generator, 5.2.1).
const TRIES: usize = 100;

/// How long the virtio device may take for the first seed. It may be rationed, or give a byte
/// at a time.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// How long it may take for a later one, which holds up whoever asked for random numbers.
/// Bytes that come later are part of the next seed.
const PATIENCE: Duration = Duration::from_millis(1);

/// The machine's sources, once the generator was asked for.
static MACHINE: InterruptLock<Option<Machine>> = InterruptLock::new(None);

struct Machine {
    generator: Generator,
    quality: Quality,
    device: Option<virtio::Entropy>,
}

/// The uses for which the generator's numbers are good.
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
    let known = MACHINE.lock().take();
    // The lock is not held meanwhile: a device may have to be waited for.
    let mut machine = known.unwrap_or_else(Machine::find);
    machine.seed_if_due();
    let result = action(&mut machine.generator, machine.quality);
    *MACHINE.lock() = Some(machine);
    result
}

impl Machine {
    fn find() -> Self {
        let mut machine = Self {
            generator: Generator::new(),
            quality: Quality::Guessable,
            device: virtio::Entropy::find(),
        };
        machine.seed(FIRST_PATIENCE);
        machine
    }

    #[inline]
    fn seed_if_due(&mut self) {
        if self.generator.is_due(MachineClock.now()) {
            self.seed(PATIENCE);
        }
    }

    /// Mixes all sources into the generator. Those that fail their test are mixed too, which does
    /// no harm, but do not count.
    #[cold]
    fn seed(&mut self, patience: Duration) {
        self.generator.begin_seed(MachineClock.now());
        if let Some(wall) = MachineClock.wall() {
            self.generator.absorb(&wall.as_nanos().to_le_bytes());
        }
        let mut sample = [0; SAMPLE];
        let is_there = from_rdseed(&mut sample);
        self.mix("RDSEED", is_there, &sample);
        let is_there = from_rdrand(&mut sample);
        self.mix("RDRAND", is_there, &sample);
        let is_there = self.ask_device(&mut sample, patience);
        self.mix("the virtio-rng device", is_there, &sample);
    }

    fn mix(&mut self, name: &str, is_there: bool, sample: &[u8; SAMPLE]) {
        self.generator.absorb(sample);
        // SAFETY: every x86_64 processor has the instruction.
        self.generator.absorb(&unsafe { _rdtsc() }.to_le_bytes());
        if !is_there {
            return;
        }
        match health::check(sample) {
            Ok(()) => {
                self.quality = Quality::Secure;
                log::debug!(target: "boot", "random numbers have a new seed from {name}");
            }
            Err(failure) => log::error!(
                target: "boot",
                "{name} is no source of random numbers: {failure}"
            ),
        }
    }

    /// False if the machine has no virtio device, or it gives nothing in time.
    fn ask_device(&mut self, sample: &mut [u8; SAMPLE], patience: Duration) -> bool {
        let Some(mut device) = self.device.take() else {
            return false;
        };
        match device.fill(sample, patience) {
            Ok(is_filled) => {
                if !is_filled && patience == FIRST_PATIENCE {
                    virtio::Entropy::tell(DeviceError::NoAnswer);
                }
                self.device = Some(device);
                is_filled
            }
            Err(error) => {
                device.forget(error);
                false
            }
        }
    }
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

/// The error of `getrandom` where there is no source: its errors have numbers only, so the
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
