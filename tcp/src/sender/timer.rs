//! Time-outs and tail loss probes.

use super::{LEAST_PROBE, LONGEST_ACK_DELAY, Next, Probe, Recovery, Sender, Timer};
use core::time::Duration;
use fata_time::Instant;

impl Sender {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(due, _)| due)
    }

    /// Sets the timer by what is in flight.
    pub(crate) fn arm(&mut self, now: Instant) {
        let timeout = self.armed + self.round_trip.timeout(self.backoff);
        self.timer = if self.flight.is_empty() {
            // Whatever the window is, it keeps something from being sent.
            let waits = self.ring.len() > 0 || (self.closed && !self.fin_sent);
            waits.then_some((timeout, Timer::Window))
        } else if let Some(late) = self.late {
            Some((late, Timer::Late))
        } else {
            let probe = self.probe_time(now).filter(|due| *due < timeout);
            Some(probe.map_or((timeout, Timer::Timeout), |due| (due, Timer::Probe)))
        };
    }

    /// When to probe whether the last segments were lost, if at all.
    fn probe_time(&self, now: Instant) -> Option<Instant> {
        let may_probe = self.sack
            && !self.probed
            && self.backoff == 0
            && self.recovery.is_none()
            && !self.flight.is_disturbed();
        let smoothed = self.round_trip.smoothed().filter(|_| may_probe)?;
        let is_lone = self.flight.bytes() <= self.segment;
        let delay = if is_lone {
            LONGEST_ACK_DELAY
        } else {
            Duration::ZERO
        };
        Some(now.max(self.armed) + (smoothed * 2 + delay).max(LEAST_PROBE))
    }

    /// Acts if the timer is due. Returns what to send by way of probing.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Probe> {
        let (due, timer) = self.timer?;
        if due > now {
            return None;
        }
        self.timer = None;
        match timer {
            Timer::Timeout => {
                self.time_out(now);
                self.armed = now;
                None
            }
            Timer::Late => {
                if self.find_lost(now) {
                    self.react_to_loss(now);
                }
                None
            }
            Timer::Probe => {
                self.probed = true;
                self.armed = now;
                Some(Probe::Tail)
            }
            Timer::Window => {
                self.backoff = self.backoff.saturating_add(1);
                self.armed = now;
                Some(Probe::Window)
            }
        }
    }

    fn time_out(&mut self, now: Instant) {
        self.flight.lose_all();
        self.suspect_size(now);
        if self.recovery.is_none() {
            self.prepare_undo();
        }
        self.congestion.timed_out(self.segment, self.backoff > 0);
        self.recovery = Some(Recovery {
            point: self.next,
            slow: true,
        });
        (self.late, self.duplicates) = (None, 0);
        self.backoff = self.backoff.saturating_add(1);
    }

    /// What a tail loss probe sends: something new, or the last segment again.
    pub(crate) fn tail(&self) -> Option<Next> {
        self.plan_new(self.segment, self.segment, 0)
            .or_else(|| Some(self.next_of(self.flight.last(self.segment)?, true)))
    }
}
