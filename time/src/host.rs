use crate::{Clock, Instant};
use core::time::Duration;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The host's clock, for a process. Its monotonic time starts at the first question.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock;

static START: OnceLock<std::time::Instant> = OnceLock::new();

impl Clock for HostClock {
    fn now(&self) -> Instant {
        let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
        Instant::default() + elapsed
    }

    fn wall(&self) -> Option<Duration> {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_and_wall_time() {
        let first = HostClock.now();
        assert!(HostClock.now() >= first);
        assert!(HostClock.wall() > Some(Duration::from_secs(1_700_000_000)));
    }
}
