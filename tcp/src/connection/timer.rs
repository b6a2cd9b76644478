//! Timers: their deadlines, and the actions when one has come.

use super::{CONNECT_TIMEOUT, Connection, Stage};
use crate::Error;
use crate::sender::Probe;
use core::time::Duration;
use fata_time::Instant;

/// An answer that takes longer is missed (RFC 9293, section 3.8.3: R1).
const PATIENCE: Duration = Duration::from_secs(1);

impl Connection {
    /// The time when something has to be done even if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Closed | Stage::TimeWait => None,
            Stage::SynSent | Stage::SynReceived => {
                let end = self.last_received + CONNECT_TIMEOUT;
                Some(self.sender.deadline().map_or(end, |due| due.min(end)))
            }
            Stage::Synchronized => {
                let quiet = self
                    .keep_alive_due()
                    .min(self.last_received + self.settings.user_timeout);
                let due = self
                    .sender
                    .deadline()
                    .into_iter()
                    .chain(self.receiver.deadline());
                Some(due.fold(quiet, Instant::min))
            }
        }
    }

    fn keep_alive_due(&self) -> Instant {
        self.last_received.max(self.last_keep_alive) + self.settings.keep_alive
    }

    /// Returns whether the peer owes an answer for so long that it seems not to be reached.
    pub fn is_unanswered(&self, now: Instant) -> bool {
        let owed = self.sender.waiting_since();
        let waits = owed.is_some_and(|since| now - since >= PATIENCE);
        // Not even a probe was answered.
        waits || now - self.last_received >= self.settings.keep_alive * 2
    }

    /// Acts on timers that are due. [`transmit`](Self::transmit) sends the segments of that.
    pub fn expire(&mut self, now: Instant) {
        let timeout = match self.stage {
            Stage::Closed | Stage::TimeWait => return,
            Stage::SynSent | Stage::SynReceived => CONNECT_TIMEOUT,
            Stage::Synchronized => self.settings.user_timeout,
        };
        if self.last_received + timeout <= now {
            return self.abort(Error::TimedOut);
        }
        if let Some(probe) = self.sender.expire(now) {
            self.probe = Some(probe);
        }
        if self.stage == Stage::Synchronized && self.keep_alive_due() <= now {
            self.last_keep_alive = now;
            if self.sender.waiting_since().is_none() {
                self.probe = Some(Probe::ZeroWindow);
            }
        }
    }
}
