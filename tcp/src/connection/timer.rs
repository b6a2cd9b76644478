//! What has to be done when time has passed.

use super::{CONNECT_TIMEOUT, Connection, Phase};
use crate::Error;
use crate::sender::Probe;
use core::time::Duration;
use fata_time::Instant;

/// An answer that takes longer is missed.
const PATIENCE: Duration = Duration::from_secs(1);

impl Connection {
    /// When something has to be done even if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed | Phase::TimeWait => None,
            Phase::SynSent | Phase::SynReceived => {
                let end = self.heard + CONNECT_TIMEOUT;
                Some(self.sender.deadline().map_or(end, |due| due.min(end)))
            }
            Phase::Open => {
                let quiet = self
                    .keep_alive_due()
                    .min(self.heard + self.settings.timeout);
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
        self.heard.max(self.probed) + self.settings.keep_alive
    }

    /// Whether the peer owes an answer for so long that it seems not to be reached.
    pub fn is_unanswered(&self, now: Instant) -> bool {
        let owed = self.sender.waiting_since();
        let waits = owed.is_some_and(|since| now - since >= PATIENCE);
        // Not even a probe was answered.
        waits || now - self.heard >= self.settings.keep_alive * 2
    }

    /// Does what is due. What there is to send then is sent by [`transmit`](Self::transmit).
    pub fn expire(&mut self, now: Instant) {
        let timeout = match self.phase {
            Phase::Closed | Phase::TimeWait => return,
            Phase::SynSent | Phase::SynReceived => CONNECT_TIMEOUT,
            Phase::Open => self.settings.timeout,
        };
        if self.heard + timeout <= now {
            return self.abort(Error::TimedOut);
        }
        if let Some(probe) = self.sender.expire(now) {
            self.probe = Some(probe);
        }
        if self.phase == Phase::Open && self.keep_alive_due() <= now {
            self.probed = now;
            if self.sender.waiting_since().is_none() {
                self.probe = Some(Probe::Window);
            }
        }
    }
}
