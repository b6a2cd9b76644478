//! The states of a connection (RFC 9293, section 3.3.2).

use super::{Connection, Stage};
use core::fmt;

/// A state of RFC 9293, section 3.3.2. LISTEN is missing: it belongs to a stack, which holds no
/// connection then.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A SYN was sent, none was received.
    SynSent,
    /// SYNs were sent and received, and the own one is not acknowledged: after a simultaneous
    /// open, or in a [`SynReceived`](crate::SynReceived).
    SynReceived,
    /// Data may come and go.
    Established,
    /// The own FIN was sent.
    FinWait1,
    /// The own FIN was acknowledged, the peer may still send.
    FinWait2,
    /// The peer's FIN was received, this side may still send.
    CloseWait,
    /// Both sides have sent a FIN before they had the other's, and the own one is not
    /// acknowledged.
    Closing,
    /// The own FIN was sent after the peer's.
    LastAck,
    /// Both FINs are acknowledged, and this side's was the first.
    TimeWait,
    /// There is no connection any more.
    Closed,
}

impl State {
    /// The name as RFC 9293 spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
            Self::Closed => "CLOSED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Connection {
    /// The state of the connection. After [`close`](Self::close) it stays ESTABLISHED or CLOSE-WAIT
    /// until the FIN is sent, which follows the data that was written before.
    #[inline]
    pub fn state(&self) -> State {
        match self.stage {
            Stage::SynSent => State::SynSent,
            Stage::SynReceived => State::SynReceived,
            Stage::Synchronized => self.synchronized_state(),
            Stage::TimeWait => State::TimeWait,
            Stage::Closed => State::Closed,
        }
    }

    #[inline]
    fn synchronized_state(&self) -> State {
        match (self.sender.is_fin_sent(), self.has_peer_finished()) {
            (false, false) => State::Established,
            (false, true) => State::CloseWait,
            (true, false) if self.sender.is_fin_acknowledged() => State::FinWait2,
            (true, false) => State::FinWait1,
            (true, true) if self.is_passive_close => State::LastAck,
            (true, true) => State::Closing,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state())
            .field("snd_una", &self.snd_una().0)
            .field("snd_nxt", &self.snd_nxt().0)
            .field("snd_wnd", &self.snd_wnd())
            .field("rcv_nxt", &self.rcv_nxt().0)
            .field("rcv_wnd", &self.rcv_wnd())
            .field("cwnd", &self.sender.cwnd())
            .finish_non_exhaustive()
    }
}
