//! kvmclock: the hypervisor tells how its time follows the time-stamp counter.
//!
//! Source: Linux's `Documentation/virt/kvm/x86/msr.rst` and `cpuid.rst`.

use core::sync::atomic::{AtomicU32, Ordering, fence};

/// `pvclock_vcpu_time_info`, which the hypervisor writes. An odd version means that it is
/// being written.
#[repr(C, align(32))]
pub(crate) struct Page {
    version: AtomicU32,
    padding: u32,
    content: Content,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Content {
    tsc_timestamp: u64,
    system_time: u64,
    multiplier: u32,
    shift: i8,
    flags: u8,
    padding: [u8; 2],
}

impl Page {
    pub(crate) const fn new() -> Self {
        Self {
            version: AtomicU32::new(0),
            padding: 0,
            content: Content {
                tsc_timestamp: 0,
                system_time: 0,
                multiplier: 0,
                shift: 0,
                flags: 0,
                padding: [0; 2],
            },
        }
    }

    /// The hypervisor's time in nanoseconds when the counter shows what `ticks` returns.
    pub(crate) fn nanoseconds(&self, ticks: impl Fn() -> u64) -> u64 {
        loop {
            let before = self.version.load(Ordering::Acquire);
            // SAFETY: the reference is valid; a torn read is thrown away below.
            let content = unsafe { (&raw const self.content).read_volatile() };
            let nanoseconds = content.at(ticks());
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.version.load(Ordering::Relaxed) == before {
                return nanoseconds;
            }
        }
    }
}

impl Page {
    /// Nanoseconds a tick, times 2^32, rounded down. The hypervisor changes it only while
    /// the processor is out of the guest, so what is read here belongs together.
    pub(crate) fn multiplier(&self) -> u64 {
        // SAFETY: the reference is valid.
        let content = unsafe { (&raw const self.content).read_volatile() };
        let multiplier = u64::from(content.multiplier);
        match content.shift {
            0.. => multiplier << (content.shift as u32).min(31),
            _ => multiplier >> content.shift.unsigned_abs().min(31),
        }
    }
}

impl Content {
    fn at(&self, ticks: u64) -> u64 {
        let passed = ticks.wrapping_sub(self.tsc_timestamp);
        let shifted = match self.shift {
            0.. => passed << (self.shift as u32).min(63),
            _ => passed >> self.shift.unsigned_abs().min(63),
        };
        let scaled = (u128::from(shifted) * u128::from(self.multiplier)) >> 32;
        self.system_time.wrapping_add(scaled as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_multiplier_and_shift() {
        let mut page = Page::new();
        page.content = Content {
            tsc_timestamp: 1_000,
            system_time: 5_000_000,
            // 2 GHz: half a nanosecond a tick.
            multiplier: 1 << 31,
            shift: 0,
            ..page.content
        };
        assert_eq!(page.nanoseconds(|| 1_000), 5_000_000);
        assert_eq!(page.nanoseconds(|| 3_000), 5_001_000);
        page.content.shift = -1;
        assert_eq!(page.nanoseconds(|| 3_000), 5_000_500);
        assert_eq!(page.multiplier(), 1 << 30);
        page.content.shift = 2;
        assert_eq!(page.nanoseconds(|| 3_000), 5_004_000);
        assert_eq!(page.multiplier(), 1 << 33);
    }
}
