//! SYN-RECEIVED after a passive open: little is kept of a SYN until its SYN-ACK is acknowledged, as
//! a flood of SYNs may come (RFC 4987).

use super::header::{Header, Options};
use super::segment::{Flags, MAX_WINDOW_SCALE, Segment, SynOptions};
use super::sequence::Sequence;
use core::time::Duration;
use fata_time::Instant;

/// The MSS of a peer that does not tell it (RFC 9293, section 3.7.1).
const DEFAULT_MSS: u16 = 536;
/// A SYN-ACK is sent again after so long, then after twice as long and so on (RFC 6298).
const INITIAL_RTO: Duration = Duration::from_secs(1);
/// SYN-ACKs that are sent in all.
const MAX_SYN_ACKS: u8 = 4;

/// The options of the peer's SYN, as they hold for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerOptions {
    /// MSS: the largest payload of a segment that the peer takes.
    pub maximum_segment_size: u16,
    /// How the peer shifts its windows (RFC 7323). `None` if neither side scales windows.
    pub window_scale: Option<u8>,
    /// The peer takes SACK (RFC 2018).
    pub sack_permitted: bool,
}

impl PeerOptions {
    /// The options of a SYN.
    pub fn new(syn: &Segment<'_>) -> Self {
        let SynOptions {
            maximum_segment_size,
            window_scale,
            sack_permitted,
        } = syn.syn_options();
        Self {
            // Less than this would be mere overhead; RFC 9293 has no least size.
            maximum_segment_size: maximum_segment_size.unwrap_or(DEFAULT_MSS).max(64),
            window_scale,
            sack_permitted,
        }
    }

    /// The options of a peer of which nothing was kept but its MSS, as a SYN cookie does.
    pub fn mss_only(maximum_segment_size: u16) -> Self {
        Self {
            maximum_segment_size,
            window_scale: None,
            sack_permitted: false,
        }
    }
}

/// The window scale that lets a header tell a window of `bytes`.
pub(crate) fn window_scale_for(bytes: u32) -> u8 {
    let bits = 32 - (bytes >> 16).leading_zeros();
    // At most 16.
    (bits as u8).min(MAX_WINDOW_SCALE)
}

/// The result of a handshake.
#[derive(Clone, Copy, Debug)]
pub struct Negotiated {
    /// ISS: the number of this side's SYN.
    pub iss: Sequence,
    /// IRS: the number of the peer's SYN.
    pub irs: Sequence,
    /// The options of the peer's SYN.
    pub peer: PeerOptions,
    /// The time that the peer took to answer, if that is known.
    pub rtt: Option<Duration>,
}

/// A connection in SYN-RECEIVED that the peer opens: half-open, as RFC 4987 has it.
#[derive(Clone, Copy, Debug)]
pub struct SynReceived {
    iss: Sequence,
    irs: Sequence,
    peer: PeerOptions,
    /// The time of the first SYN-ACK, and how many were sent.
    first_sent: Instant,
    syn_acks_sent: u8,
    due: Instant,
}

/// The meaning of a segment to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handshake is done.
    Establish,
    /// The SYN came again, or a segment beyond the window: the SYN-ACK is to be sent again.
    SendSynAck,
    /// The peer does not want the connection any more.
    Forget,
    /// It belongs to another connection: it is to be [reset](Header::reset_for).
    SendReset,
    /// It means nothing.
    Ignore,
}

impl SynReceived {
    /// A connection that `syn` asks for, answered with the number `iss` at `now`.
    pub fn new(syn: &Segment<'_>, iss: Sequence, now: Instant) -> Self {
        Self {
            iss,
            irs: syn.sequence_number,
            peer: PeerOptions::new(syn),
            first_sent: now,
            syn_acks_sent: 1,
            due: now + INITIAL_RTO,
        }
    }

    /// The SYN-ACK. `maximum_segment_size` is the largest payload that this side takes, `window`
    /// its buffer.
    pub fn syn_ack(&self, maximum_segment_size: u16, window: u32) -> Header {
        let window_scale = self.peer.window_scale.map(|_| window_scale_for(window));
        syn_ack(
            self.iss,
            self.irs,
            maximum_segment_size,
            window,
            window_scale,
            self.peer.sack_permitted,
        )
    }

    /// The meaning of a segment of the peer (RFC 9293, section 3.10.7.4).
    pub fn judge(&self, segment: &Segment<'_>) -> Verdict {
        let flags = segment.flags;
        let fits = segment.sequence_number == self.irs + 1;
        if flags.has(Flags::RST) {
            // Only the exact number counts (RFC 5961, section 3).
            return if fits {
                Verdict::Forget
            } else {
                Verdict::Ignore
            };
        }
        if flags.has(Flags::SYN) {
            let is_same = segment.sequence_number == self.irs && !flags.has(Flags::ACK);
            return if is_same {
                Verdict::SendSynAck
            } else {
                Verdict::Ignore
            };
        }
        if !flags.has(Flags::ACK) {
            return Verdict::Ignore;
        }
        if segment.acknowledgment_number != self.iss + 1 {
            return Verdict::SendReset;
        }
        // Data may come before the acknowledgement that it follows.
        let window = u32::from(u16::MAX);
        let is_near =
            segment.sequence_number > self.irs && segment.sequence_number <= self.irs + window;
        if is_near {
            Verdict::Establish
        } else {
            Verdict::SendSynAck
        }
    }

    /// The result of the handshake, now that it is done.
    pub fn negotiated(&self, now: Instant) -> Negotiated {
        Negotiated {
            iss: self.iss,
            irs: self.irs,
            peer: self.peer,
            // Of several SYN-ACKs nobody knows which one was acknowledged (Karn's algorithm: RFC
            // 6298, section 3).
            rtt: (self.syn_acks_sent == 1).then(|| now - self.first_sent),
        }
    }

    /// The time of the next call of [`expire`](Self::expire).
    pub fn deadline(&self) -> Instant {
        self.due
    }

    /// Acts on the [deadline](Self::deadline) that has come. Returns whether the SYN-ACK is to be
    /// sent again; if not, the connection is to be forgotten.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.due = now + INITIAL_RTO * (1 << self.syn_acks_sent);
        self.syn_acks_sent += 1;
        self.syn_acks_sent <= MAX_SYN_ACKS
    }
}

/// The SYN-ACK of a connection, of which nothing needs to be kept (RFC 4987, section 3.6: SYN
/// cookies).
pub fn syn_ack(
    iss: Sequence,
    irs: Sequence,
    maximum_segment_size: u16,
    window: u32,
    window_scale: Option<u8>,
    sack_permitted: bool,
) -> Header {
    Header {
        sequence_number: iss,
        acknowledgment_number: irs + 1,
        flags: Flags::SYN.with(Flags::ACK),
        window: window.min(super::receiver::INITIAL_RCV_WND) as u16,
        options: Options::Syn {
            maximum_segment_size,
            window_scale,
            sack_permitted,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_just_large_enough() {
        for (bytes, window_scale) in [
            (0, 0),
            (65_535, 0),
            (65_536, 1),
            (1 << 18, 3),
            (u32::MAX, 14),
        ] {
            assert_eq!(window_scale_for(bytes), window_scale, "{bytes}");
        }
    }
}
