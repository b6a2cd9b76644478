//! A wall clock that follows a reference (RFC 5905, section 11.3 and appendix A.5.5).

use crate::Instant;
use core::time::Duration;

/// The most that the wall clock is slewed by, in nanoseconds a second (500 ppm).
pub const MAX_SLEW: i32 = 500_000;
/// The largest error of the monotonic clock's frequency that is made up for, in
/// nanoseconds a second (500 ppm).
pub const MAX_FREQUENCY: i32 = 500_000;
/// A larger offset is not slewed, as that would take too long, but set at once.
pub const STEP_THRESHOLD: Duration = Duration::from_millis(128);

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

/// Wall-clock time as a line over monotonic time, which follows a reference.
///
/// It adds to the monotonic time and leaves that as it is, so sleeps and time-outs never
/// notice. A small [`correct`](Self::correct)ion is slewed: the wall clock then runs up to
/// 500 ppm faster or slower, and never back. A large one is a step, and only a step can
/// take the wall clock back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// The line's start.
    since: Instant,
    /// The wall-clock time there.
    wall: Duration,
    /// The loss of the monotonic clock, in nanoseconds a second.
    frequency: i32,
    /// The rest to slew from the start on, in nanoseconds.
    slew: i64,
}

/// The outcome of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The reference's time minus the wall clock's, in nanoseconds; stops at 292 years.
    pub offset: i64,
    /// True if the wall clock was set at once, rather than slewed.
    pub stepped: bool,
}

impl Discipline {
    /// A wall clock that shows `wall` since the Unix epoch at `now`, and keeps the
    /// monotonic clock's pace.
    pub const fn new(now: Instant, wall: Duration) -> Self {
        Self {
            since: now,
            wall,
            frequency: 0,
            slew: 0,
        }
    }

    /// The wall-clock time since the Unix epoch at `now`. Before the last change, the
    /// time of that change.
    ///
    /// Of two calls, that with the later instant never gives less, unless a step came
    /// between them.
    pub fn wall(&self, now: Instant) -> Duration {
        let elapsed = now.since(self.since);
        let nanoseconds = elapsed.as_nanos() as i128;
        let most = nanoseconds * i128::from(MAX_SLEW);
        let slewed = (i128::from(self.slew) * NANOSECONDS_PER_SECOND).clamp(-most, most);
        // One division for both: rounded apart, they could take back two nanoseconds in one.
        let gained =
            (nanoseconds * i128::from(self.frequency) + slewed).div_euclid(NANOSECONDS_PER_SECOND);
        shifted(self.wall.saturating_add(elapsed), gained)
    }

    /// The loss of the monotonic clock against the reference, in nanoseconds a second
    /// (parts per billion), as far as that was told.
    pub const fn frequency(&self) -> i32 {
        self.frequency
    }

    /// Takes in that the monotonic clock loses `frequency` nanoseconds a second. More than
    /// [`MAX_FREQUENCY`] either way counts as that.
    pub fn set_frequency(&mut self, now: Instant, frequency: i32) {
        let elapsed = now.since(self.since).as_nanos() as i128;
        let most = (elapsed * i128::from(MAX_SLEW) / NANOSECONDS_PER_SECOND)
            .min(i128::from(u32::MAX)) as i64;
        *self = Self {
            since: now,
            wall: self.wall(now),
            frequency: frequency.clamp(-MAX_FREQUENCY, MAX_FREQUENCY),
            slew: self.slew - self.slew.clamp(-most, most),
        };
    }

    /// Takes in that the reference shows `reference` since the Unix epoch at `now`. The
    /// wall clock is slewed to that, or set at once if it is off by more than
    /// [`STEP_THRESHOLD`]. The rest of an earlier slew is dropped.
    pub fn correct(&mut self, now: Instant, reference: Duration) -> Correction {
        let wall = self.wall(now);
        let offset = difference(reference, wall);
        let stepped = offset.unsigned_abs() > STEP_THRESHOLD.as_nanos() as u64;
        *self = Self {
            since: now,
            wall: if stepped { reference } else { wall },
            frequency: self.frequency,
            slew: if stepped { 0 } else { offset },
        };
        Correction { offset, stepped }
    }
}

/// `minuend` minus `subtrahend` in nanoseconds, or the nearest number there is.
fn difference(minuend: Duration, subtrahend: Duration) -> i64 {
    let magnitude = minuend.abs_diff(subtrahend).as_nanos();
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
    if minuend < subtrahend {
        -magnitude
    } else {
        magnitude
    }
}

/// A time moved by a signed number of nanoseconds, no further than either end of time.
fn shifted(time: Duration, nanoseconds: i128) -> Duration {
    let magnitude = u64::try_from(nanoseconds.unsigned_abs()).unwrap_or(u64::MAX);
    let magnitude = Duration::from_nanos(magnitude);
    if nanoseconds < 0 {
        time.saturating_sub(magnitude)
    } else {
        time.saturating_add(magnitude)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    const START: Instant = Instant::from_nanos(5_000_000_000);
    const WALL: Duration = Duration::from_secs(1_767_225_600);

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn small_offsets_are_slewed_at_500_ppm() {
        for ahead in [true, false] {
            let mut clock = Discipline::new(START, WALL);
            let offset = milliseconds(50);
            let reference = if ahead { WALL + offset } else { WALL - offset };
            let correction = clock.correct(START, reference);
            assert_eq!(correction.offset.unsigned_abs(), 50_000_000);
            assert_eq!((correction.offset > 0, correction.stepped), (ahead, false));
            assert_eq!(clock.wall(START), WALL, "no jump");
            let after = |seconds| {
                let passed = Duration::from_secs(seconds);
                difference(clock.wall(START + passed), WALL + passed).abs()
            };
            assert_eq!(after(1), 500_000);
            assert_eq!(after(99), 49_500_000);
            assert_eq!(after(100), 50_000_000);
            assert_eq!(after(10_000), 50_000_000, "and no further");
        }
    }

    #[test]
    fn large_offsets_are_a_step_either_way() {
        for reference in [WALL + milliseconds(129), WALL - Duration::from_secs(10)] {
            let mut clock = Discipline::new(START, WALL);
            assert!(clock.correct(START, reference).stepped);
            assert_eq!(clock.wall(START), reference);
        }
        let mut clock = Discipline::new(START, WALL);
        assert!(!clock.correct(START, WALL + STEP_THRESHOLD).stepped);
        // A clock that knew nothing starts in 1970.
        let mut clock = Discipline::new(START, Duration::ZERO);
        assert!(clock.correct(START, WALL).stepped);
        assert_eq!(clock.correct(START, Duration::MAX).offset, i64::MAX);
    }

    #[test]
    fn a_frequency_lasts_and_keeps_the_rest_of_a_slew() {
        let mut clock = Discipline::new(START, WALL);
        clock.correct(START, WALL + milliseconds(50));
        // Half of it is slewed by then.
        clock.set_frequency(START + Duration::from_secs(50), 100_000);
        assert_eq!(clock.frequency(), 100_000);
        let passed = Duration::from_secs(1_050);
        assert_eq!(
            clock.wall(START + passed),
            WALL + passed + milliseconds(50 + 100)
        );
        clock.set_frequency(START + passed, i32::MIN);
        assert_eq!(clock.frequency(), -MAX_FREQUENCY);
        assert_eq!(
            clock.wall(START + passed),
            WALL + passed + milliseconds(150)
        );
    }

    #[derive(Clone, Debug)]
    enum Event {
        Pass(u64),
        Correct(i64),
        Frequency(i32),
    }

    fn event() -> impl Strategy<Value = Event> {
        let step = STEP_THRESHOLD.as_nanos() as i64;
        prop_oneof![
            (0..3u64).prop_map(Event::Pass),
            (0..4_000_000_000_000u64).prop_map(Event::Pass),
            (-step..=step).prop_map(Event::Correct),
            any::<i32>().prop_map(Event::Frequency),
        ]
    }

    proptest! {
        #[test]
        fn slewing_never_runs_back_and_never_over_a_thousand_ppm(
            events in prop::collection::vec(event(), 1..60),
        ) {
            let (mut now, mut clock) = (START, Discipline::new(START, WALL));
            let mut last = WALL;
            for event in events {
                let before = now;
                match event {
                    Event::Pass(nanoseconds) => now = now + Duration::from_nanos(nanoseconds),
                    Event::Correct(offset) => {
                        let reference = shifted(clock.wall(now), offset.into());
                        prop_assert!(!clock.correct(now, reference).stepped);
                    }
                    Event::Frequency(frequency) => clock.set_frequency(now, frequency),
                }
                let wall = clock.wall(now);
                prop_assert!(wall >= last);
                let (passed, shown) = ((now - before).as_nanos(), (wall - last).as_nanos());
                prop_assert!(shown.abs_diff(passed) <= passed / 1_000 + 1);
                last = wall;
            }
        }

        #[test]
        fn any_reference_is_reached(wall in any::<u64>(), reference in any::<u64>()) {
            let mut clock = Discipline::new(START, Duration::from_nanos(wall));
            clock.correct(START, Duration::from_nanos(reference));
            let passed = Duration::from_secs(256);
            prop_assert_eq!(
                clock.wall(START + passed),
                Duration::from_nanos(reference) + passed
            );
        }
    }
}
