//! The server that has answered last, and the form of questions that it answers.

use core::net::IpAddr;
use core::time::Duration;
use fata_time::Instant;

/// After so many answers in a row to the plain form alone, that form comes first. One tells
/// little: the modern question may just have been lost.
const ENOUGH: u32 = 2;
/// For how long the plain form then comes first. Answers to the modern form are harder to
/// forge, so it is tried again.
const PLAIN_TIME: Duration = Duration::from_secs(600);

/// The state kept of a server that has answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preferred {
    pub(super) server: IpAddr,
    /// Answers in a row to the plain form, where the modern one had come first.
    plain: u32,
    /// Until when the plain form comes first.
    plain_until: Option<Instant>,
}

impl Preferred {
    /// A server of which nothing is known but its address.
    pub(super) fn new(server: IpAddr) -> Self {
        Self {
            server,
            plain: 0,
            plain_until: None,
        }
    }

    /// The state after one more answer, to the modern or the plain form.
    pub(super) fn answered(self, modern: bool, now: Instant) -> Self {
        if modern {
            return Self::new(self.server);
        }
        if !self.is_modern(now) {
            return self;
        }
        let plain = self.plain.saturating_add(1);
        Self {
            plain,
            plain_until: (plain >= ENOUGH).then(|| now + PLAIN_TIME),
            ..self
        }
    }

    /// Tells whether the modern form comes first.
    pub(super) fn is_modern(self, now: Instant) -> bool {
        self.plain_until.is_none_or(|until| now >= until)
    }
}
