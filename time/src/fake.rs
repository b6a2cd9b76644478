use crate::{Clock, Instant};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

/// A clock that moves only when it is told to, for deterministic tests.
///
/// Share it by reference or in an `Rc`. The wall clock starts at a given Unix time and
/// moves with the monotonic one.
#[derive(Debug, Default)]
pub struct FakeClock {
    nanoseconds: AtomicU64,
    epoch: Option<Duration>,
}

impl FakeClock {
    /// A clock at zero that does not know the wall-clock time.
    pub const fn new() -> Self {
        Self {
            nanoseconds: AtomicU64::new(0),
            epoch: None,
        }
    }

    /// A clock at zero, when the wall clock shows `unix` since the Unix epoch.
    pub const fn at(unix: Duration) -> Self {
        Self {
            nanoseconds: AtomicU64::new(0),
            epoch: Some(unix),
        }
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Moves to `instant`, unless that lies in the past.
    pub fn advance_to(&self, instant: Instant) {
        self.nanoseconds
            .fetch_max(instant.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Option<Duration> {
        Some(self.epoch? + (self.now() - Instant::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_told() {
        let clock = FakeClock::at(Duration::from_secs(100));
        clock.advance(Duration::from_millis(1_500));
        clock.advance_to(Instant::from_nanos(1));
        assert_eq!(clock.now().as_millis(), 1_500);
        assert_eq!(clock.wall(), Some(Duration::from_millis(101_500)));
        assert_eq!(FakeClock::new().wall(), None);
    }
}
