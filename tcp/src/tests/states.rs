//! The states of RFC 9293, section 3.3.2, in all ways through its figure 5.

use super::solo::{IRS, ISS, Solo, header};
use super::*;
use std::format;
use std::string::ToString;

const FIN_ACK: Flags = Flags::FIN.with(Flags::ACK);

/// An end and its peer have sent nothing but their SYNs.
fn established() -> Solo {
    let end = Solo::accepted(60_000);
    assert_eq!(end.connection.state(), State::Established);
    end
}

impl Solo {
    /// Has a segment without data arrive, `received` and `acknowledged` numbers behind the SYNs.
    /// The connection is to be in `state` then.
    fn receive_to(&mut self, flags: Flags, received: u32, acknowledged: u32, state: State) {
        let segment = header(flags, IRS + received, ISS + acknowledged, 60_000);
        self.receive(segment, &[]);
        assert_eq!(self.connection.state(), state);
    }

    /// Closes this side. The connection is to be in `state` once its FIN is sent.
    fn close_to(&mut self, state: State) {
        let before = self.connection.state();
        self.connection.close();
        assert_eq!(self.connection.state(), before, "the FIN is not sent yet");
        let sent = self.sent();
        assert!(sent.iter().any(|(header, _)| header.flags.has(Flags::FIN)));
        assert_eq!(self.connection.state(), state);
    }
}

#[test]
fn an_active_open() {
    let mut end = Solo::connecting();
    assert_eq!(end.connection.state(), State::SynSent);
    end.sent();
    assert_eq!(end.connection.state(), State::SynSent);
    end.receive_to(Flags::SYN.with(Flags::ACK), 0, 1, State::Established);
}

#[test]
fn a_simultaneous_open() {
    let mut end = Solo::connecting();
    end.sent();
    end.receive_to(Flags::SYN, 0, 0, State::SynReceived);
    end.sent();
    end.receive_to(Flags::ACK, 1, 1, State::Established);
}

#[test]
fn an_active_close() {
    let mut end = established();
    end.close_to(State::FinWait1);
    end.receive_to(Flags::ACK, 1, 2, State::FinWait2);
    end.receive_to(FIN_ACK, 1, 2, State::TimeWait);
    assert!(end.connection.has_ended() && !end.connection.is_over());
}

#[test]
fn a_fin_with_the_acknowledgement_of_the_own_one() {
    let mut end = established();
    end.close_to(State::FinWait1);
    end.receive_to(FIN_ACK, 1, 2, State::TimeWait);
}

#[test]
fn a_simultaneous_close() {
    let mut end = established();
    end.close_to(State::FinWait1);
    end.receive_to(FIN_ACK, 1, 1, State::Closing);
    end.receive_to(Flags::ACK, 2, 2, State::TimeWait);
}

#[test]
fn a_passive_close() {
    let mut end = established();
    end.receive_to(FIN_ACK, 1, 1, State::CloseWait);
    end.close_to(State::LastAck);
    end.receive_to(Flags::ACK, 2, 2, State::Closed);
    assert!(end.connection.is_over());
}

#[test]
fn data_before_the_fin_delays_it() {
    let mut end = established();
    end.receive(header(Flags::ACK, IRS + 1, ISS + 1, 500), &[]);
    end.write(1_000);
    end.connection.close();
    end.sent();
    assert_eq!(end.connection.state(), State::Established);
    end.receive(header(Flags::ACK, IRS + 1, ISS + 501, 60_000), &[]);
    end.sent();
    assert_eq!(end.connection.state(), State::FinWait1);
}

#[test]
fn resets() {
    let mut end = established();
    end.receive_to(Flags::RST, 1, 1, State::Closed);
    assert_eq!(end.connection.error(), Some(Error::ConnectionReset));
    let mut end = established();
    end.connection.abort(Error::Closed);
    assert_eq!(end.connection.state(), State::Closed);
    assert!(!end.connection.is_over(), "the reset is to be sent");
}

#[test]
fn names_are_those_of_the_rfc() {
    for (state, name) in [
        (State::SynSent, "SYN-SENT"),
        (State::SynReceived, "SYN-RECEIVED"),
        (State::Established, "ESTABLISHED"),
        (State::FinWait1, "FIN-WAIT-1"),
        (State::FinWait2, "FIN-WAIT-2"),
        (State::CloseWait, "CLOSE-WAIT"),
        (State::Closing, "CLOSING"),
        (State::LastAck, "LAST-ACK"),
        (State::TimeWait, "TIME-WAIT"),
        (State::Closed, "CLOSED"),
    ] {
        assert_eq!(
            (state.to_string(), format!("{state:?}")),
            (name.into(), name.into())
        );
    }
}

#[test]
fn debug_shows_state_and_variables() {
    let mut end = established();
    end.receive(header(Flags::ACK, IRS + 1, ISS + 1, 50_000), b"hello");
    end.write(10);
    end.sent();
    let shown = format!("{:?}", end.connection);
    for part in [
        "state: ESTABLISHED",
        "snd_una: 1001",
        "snd_nxt: 1011",
        "snd_wnd: 50000",
        "rcv_nxt: 4294967201",
        "rcv_wnd: 65530",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
