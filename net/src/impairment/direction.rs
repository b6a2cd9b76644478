//! One way through the impairment: the frames that are held.

use super::handle::Way;
use super::parameters::{Impairment, ImpairmentCounts};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;
use fata_task::Deadlines;
use fata_time::Instant;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Buffers that are kept for reuse.
const POOL: usize = 64;

/// A frame that is held.
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// The device vouches for its checksum.
    pub(super) verified: bool,
}

/// The frames on their way in one direction.
pub(super) struct Direction {
    way: Rc<Way>,
    random: ChaCha20Rng,
    held: Deadlines<Instant, Held>,
    /// How many are held.
    count: usize,
    /// When the last frame has left the line.
    line_free: Instant,
    /// When the last frame that is not late arrives.
    last_due: Instant,
    /// Buffers to use again.
    pub(super) spare: Vec<Vec<u8>>,
}

impl Direction {
    /// A direction with its own random numbers: number `stream` of those that follow from
    /// `seed`, so that one direction's frames change nothing about the other's fate.
    pub(super) fn new(way: Rc<Way>, seed: u64, stream: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self {
            way,
            random,
            held: Deadlines::default(),
            count: 0,
            line_free: Instant::default(),
            last_due: Instant::default(),
            spare: Vec::new(),
        }
    }

    /// Takes in a frame that comes at `now`.
    pub(super) fn admit(&mut self, mut frame: Held, now: Instant) {
        let impairment = self.way.impairment.get();
        // The same numbers are drawn for each frame, whatever happens to it.
        let lost = self.happens(impairment.loss);
        let corrupted = self.happens(impairment.corruption);
        let twice = self.happens(impairment.duplication);
        let bit = self.random.next_u64();
        self.count_event(|counts| &mut counts.frames);
        if lost {
            self.count_event(|counts| &mut counts.lost);
            return self.recycle(frame.bytes);
        }
        if corrupted && turn_bit(&mut frame.bytes, bit) {
            self.count_event(|counts| &mut counts.corrupted);
            frame.verified = false;
        }
        let copy = twice.then(|| {
            self.count_event(|counts| &mut counts.duplicated);
            let mut bytes = self.buffer();
            bytes.clear();
            bytes.extend_from_slice(&frame.bytes);
            let verified = frame.verified;
            Held { bytes, verified }
        });
        self.hold(&impairment, frame, now);
        if let Some(copy) = copy {
            self.hold(&impairment, copy, now);
        }
    }

    /// Puts a frame on the line, and keeps it until it arrives at the other end.
    fn hold(&mut self, impairment: &Impairment, frame: Held, now: Instant) {
        let late = self.happens(impairment.reordering);
        let jitter = scale(self.random.next_u64(), impairment.jitter);
        if self.count >= impairment.queue {
            self.count_event(|counts| &mut counts.overflowed);
            return self.recycle(frame.bytes);
        }
        self.line_free = self.line_free.max(now) + impairment.time_on_line(frame.bytes.len());
        let mut due = self.line_free + impairment.delay + jitter;
        if late {
            self.count_event(|counts| &mut counts.reordered);
            due = due + impairment.lag;
        } else {
            due = due.max(self.last_due);
            self.last_due = due;
        }
        self.held.insert(due, frame);
        self.count += 1;
    }

    /// The next frame that has arrived at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Held> {
        let held = self.held.expire(now)?;
        self.count -= 1;
        Some(held)
    }

    /// When the next frame arrives.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.held.next()
    }

    /// Returns whether a frame has arrived at `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// A buffer with arbitrary content.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < POOL {
            self.spare.push(buffer);
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        const ALWAYS: f64 = (1_u64 << 32) as f64;
        // A cast of what is out of range gives the nearest number, and one of NaN zero.
        u64::from(self.random.next_u32()) < (share * ALWAYS) as u64
    }

    fn count_event(&self, counter: impl FnOnce(&mut ImpairmentCounts) -> &mut u64) {
        let mut counts = self.way.counts.get();
        *counter(&mut counts) += 1;
        self.way.counts.set(counts);
    }
}

/// A part of `whole`, evenly spread if `random` is.
fn scale(random: u64, whole: Duration) -> Duration {
    let nanos = whole.as_nanos().min(u64::MAX.into());
    Duration::from_nanos(((u128::from(random) * nanos) >> 64) as u64)
}

/// Turns one bit of `bytes` over, unless there is none.
fn turn_bit(bytes: &mut [u8], random: u64) -> bool {
    let length = bytes.len() as u64;
    let Some(bit) = random.checked_rem(length * 8) else {
        return false;
    };
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    true
}
