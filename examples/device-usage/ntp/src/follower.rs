//! Following a server: when to ask, which answers to trust, what to do with them.

use crate::client::{Client, Failure, Sample};
use core::cmp::Reverse;
use core::time::Duration;
use fata_net::UdpSocket;
use fata_task::Handle;
use fata_time::{Correction, DateTime, Instant, MAX_FREQUENCY, STEP_THRESHOLD};

/// After a failure the next question waits this long, then twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest wait between questions, unless a longer one is wanted (RFC 5905: 1024 s).
const LONGEST_RETRY: Duration = Duration::from_secs(1_024);
/// How many questions `--once` asks at most.
const TRIES: u32 = 4;
/// Of so many samples the one with the shortest delay is the best (clock filter, section 10).
const SAMPLES: usize = 8;
/// A frequency that is known less well, in nanoseconds a second, is not used (20 ppm).
const WORST_FREQUENCY_ERROR: u64 = 20_000;
/// The frequency is measured anew after this long, as it changes with the temperature.
const LONGEST_BASELINE: Duration = Duration::from_secs(6 * 3_600);

/// The last samples, and when the last one came that was used.
#[derive(Default)]
struct Filter {
    samples: [Option<Sample>; SAMPLES],
    next: usize,
    used: Option<Instant>,
}

impl Filter {
    /// Takes a sample in. Returns the best of the last ones, the newest of equals, unless it
    /// or a later one was used.
    fn add(&mut self, sample: Sample) -> Option<Sample> {
        self.samples[self.next] = Some(sample);
        self.next = (self.next + 1) % SAMPLES;
        let samples = self.samples.iter().flatten();
        let best = *samples.min_by_key(|sample| (sample.delay, Reverse(sample.at)))?;
        if self.used.is_some_and(|used| best.at <= used) {
            return None;
        }
        self.used = Some(best.at);
        Some(best)
    }
}

/// Outcome of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The sample that it gave.
    pub sample: Sample,
    /// Outcome of the best sample, if it was not used before.
    pub correction: Option<Correction>,
}

/// Follows a server.
pub struct Follower<S, R> {
    tasks: Handle,
    client: Client<S, R>,
    filter: Filter,
    /// Where the measurement of the frequency began.
    baseline: Option<Sample>,
    /// Time that the monotonic clock loses, in nanoseconds a second.
    frequency: i32,
}

impl<S: UdpSocket, R: FnMut() -> u64> Follower<S, R> {
    /// Follows the server of `client`.
    pub fn new(tasks: &Handle, client: Client<S, R>) -> Self {
        Self {
            tasks: tasks.clone(),
            client,
            filter: Filter::default(),
            baseline: None,
            frequency: 0,
        }
    }

    /// Asks every `interval`, and corrects the wall clock. Ends only if the server denies
    /// its service.
    pub async fn follow(&mut self, mut interval: Duration) -> Result<(), Failure> {
        let mut retry = FIRST_RETRY;
        loop {
            let pause = match self.poll().await {
                Ok(poll) => {
                    self.report(&poll);
                    retry = FIRST_RETRY;
                    interval
                }
                Err(Failure::Denied) => return Err(Failure::Denied),
                Err(failure) => {
                    if failure == Failure::TooOften {
                        interval = interval.saturating_mul(2);
                        retry = retry.max(interval);
                    }
                    let pause = retry;
                    retry = retry.saturating_mul(2).min(LONGEST_RETRY.max(interval));
                    log::warn!("{failure}; next try in {} s", pause.as_secs());
                    pause
                }
            };
            self.tasks.sleep(pause).await;
        }
    }

    /// Asks once, a few times if need be, and prints how far off the wall clock is.
    pub async fn print_offset(&mut self) -> Result<(), Failure> {
        let mut tries = 1;
        let sample = loop {
            match self.client.ask().await {
                Err(Failure::Silence | Failure::Network(_)) if tries < TRIES => tries += 1,
                result => break result?,
            }
            self.tasks.sleep(FIRST_RETRY).await;
        };
        let server = self.server_time(&sample).as_micros() as i128;
        let wall = self.tasks.wall().unwrap_or_default().as_micros() as i128;
        let delay = sample.delay.as_micros();
        log::info!("offset {:+} µs, delay {delay} µs", server - wall);
        Ok(())
    }

    /// Asks once, and corrects the wall clock by the best sample if that is new.
    pub async fn poll(&mut self) -> Result<Poll, Failure> {
        let sample = self.client.ask().await?;
        let best = self.filter.add(sample);
        let correction = best.map(|best| {
            self.measure_frequency(&best);
            let correction = self.tasks.correct_wall(self.server_time(&best));
            self.tasks.set_wall_frequency(self.frequency);
            correction
        });
        Ok(Poll { sample, correction })
    }

    fn report(&self, poll: &Poll) {
        let delay = poll.sample.delay.as_micros();
        let frequency = self.frequency;
        match poll.correction {
            Some(correction) => {
                let offset = correction.offset / 1_000;
                let how = if correction.stepped { "set" } else { "slewed" };
                log::info!(
                    "offset {offset:+} µs, delay {delay} µs, frequency {frequency:+} ppb: {how}"
                );
            }
            None => log::info!("delay {delay} µs: there is a better sample"),
        }
        let wall = self.tasks.wall().unwrap_or_default();
        log::info!("it is {}", DateTime::from_unix(wall.as_secs()));
    }

    /// The server's time now, if the sample is right.
    fn server_time(&self, sample: &Sample) -> Duration {
        let now = self.tasks.now();
        let drift =
            (now - sample.at).as_nanos() as i128 * i128::from(self.frequency) / 1_000_000_000;
        let drift = Duration::from_nanos(drift.unsigned_abs() as u64);
        let time = sample.origin + now.since(Instant::default());
        if self.frequency < 0 {
            time.saturating_sub(drift)
        } else {
            time + drift
        }
    }

    /// Learns what the monotonic clock loses from the first sample and this one.
    fn measure_frequency(&mut self, sample: &Sample) {
        let baseline = *self.baseline.get_or_insert(*sample);
        let elapsed = (sample.at - baseline.at).as_nanos().max(1) as i128;
        let lost = sample.origin.as_nanos() as i128 - baseline.origin.as_nanos() as i128;
        let frequency = lost * 1_000_000_000 / elapsed;
        // Each of the two is off by half of its delay at most.
        let error = (sample.delay + baseline.delay).as_nanos() as i128 * 500_000_000 / elapsed;
        if lost.unsigned_abs() > STEP_THRESHOLD.as_nanos() && frequency.abs() > MAX_FREQUENCY.into()
        {
            // It was the server that was set.
            self.baseline = Some(*sample);
            return;
        }
        if error > WORST_FREQUENCY_ERROR.into() {
            return;
        }
        self.frequency = frequency.clamp((-MAX_FREQUENCY).into(), MAX_FREQUENCY.into()) as i32;
        if sample.at - baseline.at >= LONGEST_BASELINE {
            self.baseline = Some(*sample);
        }
    }
}
