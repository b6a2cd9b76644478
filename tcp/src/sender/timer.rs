//! The timer of a sender: retransmission timeout, reordering timeout, probe timeout, persist timer.

use super::{Probe, Recovery, Sender, Timer};
use fata_time::Instant;

impl Sender {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(due, _)| due)
    }

    /// Sets the timer by what is in flight.
    pub(crate) fn arm(&mut self, now: Instant) {
        let timeout = self.rto_started + self.rtt.rto(self.rto_backoff);
        self.timer = if self.scoreboard.is_empty() {
            // The peer's window keeps something from being sent: the persist timer (RFC 9293,
            // section 3.8.6.1).
            let waits = self.ring.len() > 0 || (self.closed && !self.fin_sent);
            waits.then_some((timeout, Timer::Persist))
        } else if let Some(late) = self.reordering_deadline {
            Some((late, Timer::Reordering))
        } else {
            let probe = self.probe_timeout(now).filter(|due| *due < timeout);
            Some(probe.map_or((timeout, Timer::Retransmission), |due| {
                (due, Timer::TailLossProbe)
            }))
        };
    }

    /// Acts if the timer is due. Returns the probe that is to be sent.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Probe> {
        let (due, timer) = self.timer?;
        if due > now {
            return None;
        }
        self.timer = None;
        match timer {
            Timer::Retransmission => {
                self.on_rto(now);
                self.rto_started = now;
                None
            }
            Timer::Reordering => {
                if self.rack_detect_loss(now) {
                    self.enter_recovery(now);
                }
                None
            }
            Timer::TailLossProbe => {
                self.is_tlp_sent = true;
                self.rto_started = now;
                Some(Probe::TailLoss)
            }
            Timer::Persist => {
                self.rto_backoff = self.rto_backoff.saturating_add(1);
                self.rto_started = now;
                Some(Probe::ZeroWindow)
            }
        }
    }

    /// A retransmission timeout (RFC 6298, section 5.4).
    fn on_rto(&mut self, now: Instant) {
        self.scoreboard.lose_all();
        self.suspect_black_hole(now);
        if self.recovery.is_none() {
            self.prepare_undo();
        }
        self.cubic.on_rto(self.mss, self.rto_backoff > 0);
        self.recovery = Some(Recovery {
            recovery_point: self.snd_nxt,
            after_rto: true,
        });
        (self.reordering_deadline, self.duplicate_acks) = (None, 0);
        self.rto_backoff = self.rto_backoff.saturating_add(1);
    }
}
