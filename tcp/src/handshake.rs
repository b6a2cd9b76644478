//! Connections that are only asked for: what is kept of a SYN until its answer is answered.

use super::header::{Header, Options};
use super::segment::{Flags, MOST_SHIFT, Offered, Segment};
use super::sequence::Sequence;
use core::time::Duration;
use fata_time::Instant;

/// What a peer takes that does not say so (RFC 9293, section 3.7.1).
const DEFAULT_SEGMENT: u16 = 536;
/// The answer to a SYN is sent again after so long, then after twice as long and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// So often in all.
const TRIES: u8 = 4;

/// What both sides agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The largest payload of a segment that the peer takes.
    pub segment: u16,
    /// How the peer shifts its windows. `None` if windows are not shifted, by neither side.
    pub shift: Option<u8>,
    /// Whether the peer takes SACK (RFC 2018).
    pub sack: bool,
}

impl Offer {
    /// The offer of a SYN.
    pub fn new(syn: &Segment<'_>) -> Self {
        let Offered {
            maximum_segment,
            shift,
            sack,
        } = syn.offered();
        Self {
            // Less than this would be mere overhead; RFC 9293 has no least size.
            segment: maximum_segment.unwrap_or(DEFAULT_SEGMENT).max(64),
            shift,
            sack,
        }
    }

    /// What is agreed on with a peer of which nothing was kept but its segment size.
    pub fn plain(segment: u16) -> Self {
        Self {
            segment,
            shift: None,
            sack: false,
        }
    }
}

/// The shift that lets a header tell of a window of `bytes`.
pub(crate) fn shift_for(bytes: u32) -> u8 {
    let bits = 32 - (bytes >> 16).leading_zeros();
    // At most 16.
    (bits as u8).min(MOST_SHIFT)
}

/// What a handshake has led to.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// The numbers of both SYNs.
    pub ours: Sequence,
    /// The peer's (RFC 9293: IRS).
    pub theirs: Sequence,
    /// What the peer takes.
    pub offer: Offer,
    /// How long the peer took to answer, if that is known.
    pub trip: Option<Duration>,
}

/// A half-open connection.
#[derive(Clone, Copy, Debug)]
pub struct Embryo {
    ours: Sequence,
    theirs: Sequence,
    offer: Offer,
    /// When it was first answered, and how often.
    since: Instant,
    tries: u8,
    due: Instant,
}

/// What a segment means to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handshake is done.
    Establish,
    /// The SYN came again: it is to be answered again.
    Answer,
    /// The peer does not want the connection any more.
    Forget,
    /// It belongs to another connection: it is to be refused.
    Refuse,
    /// It means nothing.
    Ignore,
}

impl Embryo {
    /// A connection that `syn` asks for, answered with the number `ours` at `now`.
    pub fn new(syn: &Segment<'_>, ours: Sequence, now: Instant) -> Self {
        Self {
            ours,
            theirs: syn.sequence,
            offer: Offer::new(syn),
            since: now,
            tries: 1,
            due: now + FIRST_PAUSE,
        }
    }

    /// SYN and ACK. `segment` is the payload that this side takes, `window` its buffer.
    pub fn answer(&self, segment: u16, window: u32) -> Header {
        let shift = self.offer.shift.map(|_| shift_for(window));
        answer(
            self.ours,
            self.theirs,
            segment,
            window,
            shift,
            self.offer.sack,
        )
    }

    /// What a segment of the peer means.
    pub fn judge(&self, segment: &Segment<'_>) -> Verdict {
        let flags = segment.flags;
        let fits = segment.sequence == self.theirs + 1;
        if flags.has(Flags::RST) {
            // Only the exact number counts (RFC 5961, section 3).
            return if fits {
                Verdict::Forget
            } else {
                Verdict::Ignore
            };
        }
        if flags.has(Flags::SYN) {
            let is_same = segment.sequence == self.theirs && !flags.has(Flags::ACK);
            return if is_same {
                Verdict::Answer
            } else {
                Verdict::Ignore
            };
        }
        if !flags.has(Flags::ACK) {
            return Verdict::Ignore;
        }
        if segment.acknowledged != self.ours + 1 {
            return Verdict::Refuse;
        }
        // Data may come before the acknowledgement that it follows.
        let window = u32::from(u16::MAX);
        let is_near = segment.sequence > self.theirs && segment.sequence <= self.theirs + window;
        if is_near {
            Verdict::Establish
        } else {
            Verdict::Answer
        }
    }

    /// What the handshake has led to, now that it is done.
    pub fn agreement(&self, now: Instant) -> Agreement {
        Agreement {
            ours: self.ours,
            theirs: self.theirs,
            offer: self.offer,
            // Of several answers nobody knows which one was acknowledged (RFC 6298,
            // section 3).
            trip: (self.tries == 1).then(|| now - self.since),
        }
    }

    /// When something is to be done by itself.
    pub fn deadline(&self) -> Instant {
        self.due
    }

    /// Called when that time has come. Returns whether the SYN is to be answered again; if
    /// not, the connection is to be forgotten.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.due = now + FIRST_PAUSE * (1 << self.tries);
        self.tries += 1;
        self.tries <= TRIES
    }
}

/// SYN and ACK.
pub fn answer(
    ours: Sequence,
    theirs: Sequence,
    segment: u16,
    window: u32,
    shift: Option<u8>,
    sack: bool,
) -> Header {
    Header {
        sequence: ours,
        acknowledged: theirs + 1,
        flags: Flags::SYN.with(Flags::ACK),
        window: window.min(super::receiver::FIRST_WINDOW) as u16,
        options: Options::Syn {
            maximum_segment: segment,
            shift,
            sack,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_just_large_enough() {
        for (bytes, shift) in [
            (0, 0),
            (65_535, 0),
            (65_536, 1),
            (1 << 18, 3),
            (u32::MAX, 14),
        ] {
            assert_eq!(shift_for(bytes), shift, "{bytes}");
        }
    }
}
