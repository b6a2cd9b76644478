//! Streams that are shut down, aborted and dropped at every step of a connection's end, before
//! and after the stack has sent its answers: what the peer gets, and what is remembered.

use super::packets::{Peer, SEQUENCE, Segment, segment};
use super::*;
use fata_task::yield_now;
use proptest::prelude::*;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

/// Segments that a peer sends in one batch of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Nothing,
    Data,
    /// An acknowledgement of all that it has got.
    Acknowledgement,
    /// A FIN that crosses what the stack has sent.
    Fin,
    FinWithAcknowledgement,
    DataAndFin,
    Reset,
}

const SENDS: [Sends; 7] = [
    Sends::Nothing,
    Sends::Data,
    Sends::Acknowledgement,
    Sends::Fin,
    Sends::FinWithAcknowledgement,
    Sends::DataAndFin,
    Sends::Reset,
];

/// Action of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    Write,
    ShutDown,
    Abort,
    Drop,
}

const DOES: [Does; 5] = [
    Does::Nothing,
    Does::Write,
    Does::ShutDown,
    Does::Abort,
    Does::Drop,
];

#[derive(Clone, Copy, Debug)]
struct Step {
    sends: Sends,
    does: Does,
    /// True if the application acts between the frames and the stack's answers to them.
    at_once: bool,
}

fn steps() -> impl Iterator<Item = Step> {
    SENDS.into_iter().flat_map(|sends| {
        DOES.into_iter().flat_map(move |does| {
            [true, false].map(|at_once| Step {
                sends,
                does,
                at_once,
            })
        })
    })
}

/// A peer's view of a connection, and what has to become of that.
struct Case {
    port: u16,
    stream: Option<TcpStream>,
    /// The number of the next byte that the peer sends, and up to where it acknowledges.
    next: TcpSeqNumber,
    acknowledges: TcpSeqNumber,
    /// The sequence number behind all that the stack has sent, and the one that it acknowledges.
    seen: TcpSeqNumber,
    acknowledged: TcpSeqNumber,
    /// Where the stack's side ends, and whether it had heard of the peer's end by then.
    end: Option<(TcpSeqNumber, bool)>,
    resets: usize,
    has_finished: bool,
    was_aborted: bool,
    was_reset: bool,
}

impl Case {
    /// Tells whether both sides are closed.
    fn is_closed(&self) -> bool {
        self.has_finished && self.end.is_some_and(|(end, _)| self.acknowledges > end)
    }

    /// Tells whether both sides are closed, the stack's first.
    fn is_in_time_wait(&self) -> bool {
        self.is_closed() && self.end.is_some_and(|(_, was_second)| !was_second)
    }

    fn is_gone(&self) -> bool {
        self.was_aborted || self.was_reset || self.is_closed()
    }

    fn send(&mut self, peer: &mut Peer, control: TcpControl, payload: &'static [u8]) {
        let message = TcpRepr {
            control,
            payload,
            ..segment(self.next, Some(self.acknowledges))
        };
        peer.segment(self.port, 80, message);
        self.next += payload.len() + control.len();
    }

    /// Sends a batch. Nothing follows a FIN, and nobody answers when the connection is gone.
    fn send_batch(&mut self, peer: &mut Peer, sends: Sends) {
        let is_after_end = self.has_finished
            && !matches!(
                sends,
                Sends::Acknowledgement | Sends::Reset | Sends::Nothing
            );
        if is_after_end || self.is_gone() {
            return;
        }
        if matches!(
            sends,
            Sends::Acknowledgement | Sends::FinWithAcknowledgement
        ) {
            self.acknowledges = self.seen;
        }
        match sends {
            Sends::Nothing => {}
            Sends::Data => self.send(peer, TcpControl::None, b"data"),
            Sends::Acknowledgement => self.send(peer, TcpControl::None, &[]),
            Sends::Fin | Sends::FinWithAcknowledgement => self.finish(peer),
            Sends::DataAndFin => {
                self.send(peer, TcpControl::None, b"data");
                self.finish(peer);
            }
            Sends::Reset => {
                self.was_reset = true;
                self.send(peer, TcpControl::Rst, &[]);
            }
        }
        peer.flush();
    }

    fn finish(&mut self, peer: &mut Peer) {
        self.has_finished = true;
        self.send(peer, TcpControl::Fin, &[]);
    }

    async fn act(&mut self, does: Does) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        match does {
            Does::Nothing => {}
            // Those that are closed say so.
            Does::Write => drop(stream.write(b"words").await),
            Does::ShutDown => drop(stream.shutdown().await),
            Does::Abort => {
                stream.abort();
                stream.abort();
                self.was_aborted |= !self.is_gone();
            }
            Does::Drop => self.stream = None,
        }
    }

    /// Looks at what the stack has sent.
    fn look(&mut self, peer: &mut Peer) {
        while let Some(sent) = peer.take(self.port) {
            self.note(sent);
        }
    }

    fn note(&mut self, sent: Segment) {
        if sent.control == TcpControl::Rst {
            self.resets += 1;
            return;
        }
        let end = sent.sequence + sent.length;
        let acknowledged = sent.acknowledged.expect("all of these acknowledge");
        self.acknowledged = self.acknowledged.max(acknowledged);
        if sent.control == TcpControl::Fin {
            let knows = self.has_finished && acknowledged == self.next;
            self.end.get_or_insert((end, knows));
        }
        self.seen = self.seen.max(end + sent.control.len());
    }

    /// Compares what was sent and what is left with RFC 9293.
    fn check(&self, left: &Statistics) {
        assert_eq!(self.resets > 0, self.was_aborted, "who asked for a reset?");
        let is_held = usize::from(self.stream.is_some());
        let goes_on = usize::from(self.stream.is_none() && !self.is_gone());
        let waits = usize::from(self.is_in_time_wait() && !self.was_reset);
        let found = (left.open, left.closing, left.time_wait, left.half_open);
        assert_eq!(found, (is_held, goes_on, waits, 0));
        if self.was_aborted || self.was_reset {
            return;
        }
        assert_eq!(self.acknowledged, self.next, "all is acknowledged");
        assert!(goes_on == 0 || self.end.is_some(), "a FIN was sent");
    }
}

/// A stack that cases are tried on, one after another.
struct Place {
    tasks: Handle,
    stack: TcpIp,
    listener: TcpListener,
    peer: Peer,
    port: u16,
}

impl Place {
    async fn new(tasks: Handle) -> Self {
        let (device, link) = Link::pair(256);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let listener = stack.listen(everywhere(80)).await;
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        Self {
            tasks,
            stack,
            listener: listener.expect("the port is free"),
            peer,
            port: 1_024,
        }
    }

    async fn pause(&self, milliseconds: u64) {
        self.tasks.sleep(Duration::from_millis(milliseconds)).await;
    }

    async fn open(&mut self) -> Case {
        self.port = self.port.checked_add(1).unwrap_or(1_024);
        let next = self.peer.handshake(&self.tasks, self.port, 80).await;
        let stream = self.listener.accept().await.expect("accepted");
        Case {
            port: self.port,
            stream: Some(stream),
            next: SEQUENCE + 1,
            acknowledges: next,
            seen: next,
            acknowledged: SEQUENCE + 1,
            end: None,
            resets: 0,
            has_finished: false,
            was_aborted: false,
            was_reset: false,
        }
    }

    async fn play(&mut self, case: &mut Case, step: Step) {
        case.send_batch(&mut self.peer, step.sends);
        if step.at_once {
            // Now the stack takes the frames in, and then it is this task's turn.
            yield_now().await;
        } else {
            self.pause(1).await;
        }
        case.act(step.does).await;
        self.pause(1).await;
        case.look(&mut self.peer);
    }

    /// Plays steps, checks what they lead to, and removes all that is left.
    async fn try_steps(&mut self, steps: &[Step]) {
        let mut case = self.open().await;
        for step in steps {
            self.play(&mut case, *step).await;
        }
        // Longer than acknowledgements are delayed, shorter than anything is sent again.
        self.pause(20).await;
        case.look(&mut self.peer);
        case.check(&self.stack.statistics());
        self.repeat_fin(&mut case).await;
        drop(case.stream.take());
        case.was_aborted = false;
        case.was_reset = false;
        case.send(&mut self.peer, TcpControl::Rst, &[]);
        self.peer.flush();
        self.pause(1).await;
        case.look(&mut self.peer);
        assert_eq!(self.stack.statistics().connections, 0);
    }

    /// The acknowledgement of a FIN may be lost, so it is given again.
    async fn repeat_fin(&mut self, case: &mut Case) {
        let may_repeat = case.has_finished
            && !case.was_aborted
            && !case.was_reset
            && (!case.is_closed() || case.is_in_time_wait());
        if !may_repeat {
            return;
        }
        let fin = TcpRepr {
            control: TcpControl::Fin,
            ..segment(case.next - 1, Some(case.acknowledges))
        };
        self.peer.segment(case.port, 80, fin);
        self.peer.flush();
        self.pause(1).await;
        let answer = self.peer.take(case.port).expect("it is answered");
        assert_eq!(answer.control, TcpControl::None);
        assert_eq!(answer.acknowledged, Some(case.next));
    }
}

#[test]
fn every_end_in_two_steps_is_orderly() {
    simulate(|tasks| async move {
        let mut place = Place::new(tasks).await;
        for first in steps() {
            for second in steps() {
                let last = Step {
                    sends: Sends::Acknowledgement,
                    does: Does::Nothing,
                    at_once: false,
                };
                place.try_steps(&[first, second, last]).await;
            }
        }
    });
}

proptest! {
    #[test]
    fn every_end_is_orderly(choice in proptest::collection::vec(0usize..70, 1..7)) {
        simulate(|tasks| async move {
            let all: Vec<Step> = steps().collect();
            let chosen: Vec<Step> = choice.iter().map(|index| all[*index]).collect();
            Place::new(tasks).await.try_steps(&chosen).await;
        });
    }
}

#[test]
fn a_port_is_free_again_in_the_batch_that_resets_its_connection() {
    for at_once in [true, false] {
        simulate(|tasks| async move {
            let mut place = Place::new(tasks).await;
            let mut case = place.open().await;
            case.send(&mut place.peer, TcpControl::Rst, &[]);
            place.peer.sequence = SEQUENCE + 1_000;
            place.peer.syn(case.port, 80);
            place.peer.flush();
            if at_once {
                yield_now().await;
                case.stream = None;
            }
            place.pause(1).await;
            let answer = place.peer.take(case.port).expect("an answer");
            assert_eq!(answer.control, TcpControl::Syn);
            assert_eq!(place.stack.statistics().half_open, 1);
        });
    }
}

#[test]
fn a_listener_that_goes_resets_what_came_in_the_same_batch() {
    simulate(|tasks| async move {
        let Place {
            tasks,
            stack,
            listener,
            mut peer,
            ..
        } = Place::new(tasks).await;
        peer.syn(9_000, 80);
        peer.flush();
        tasks.sleep(Duration::from_millis(1)).await;
        let next = peer.take(9_000).expect("an answer").sequence + 1;
        let request = TcpRepr {
            payload: b"hello",
            ..segment(SEQUENCE + 1, Some(next))
        };
        peer.segment(9_000, 80, request);
        peer.flush();
        yield_now().await;
        assert_eq!(stack.statistics().waiting, 1);
        drop(listener);
        tasks.sleep(Duration::from_millis(1)).await;
        let answer = peer.take(9_000).expect("an answer");
        assert_eq!((answer.control, answer.sequence), (TcpControl::Rst, next));
        assert_eq!(stack.statistics().connections, 0);
    });
}

#[test]
fn a_wrong_answer_to_a_syn_is_refused_even_if_connecting_ends_there() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(256);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        tasks.sleep(Duration::from_millis(1)).await;
        let client = stack.clone();
        let connecting = tasks.spawn(async move {
            let remote = (CLIENT, 80).into();
            Stack::connect(&client, remote).await.map(|_| ())
        });
        tasks.sleep(Duration::from_millis(1)).await;
        let (port, syn) = peer.take_any().expect("a SYN");
        let wrong = TcpRepr {
            control: TcpControl::Syn,
            ..segment(SEQUENCE, Some(syn.sequence + 77))
        };
        peer.segment(80, port, wrong);
        peer.flush();
        yield_now().await;
        connecting.cancel();
        tasks.sleep(Duration::from_millis(1)).await;
        let (_, answer) = peer.take_any().expect("an answer");
        assert_eq!(
            (answer.control, answer.sequence, answer.acknowledged),
            (TcpControl::Rst, syn.sequence + 77, None)
        );
        assert_eq!(stack.statistics().connections, 0);
    });
}

#[test]
fn a_datagram_goes_out_even_if_its_socket_is_dropped_at_once() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let receiver = one.bind(everywhere(9)).await.expect("the port is free");
        // Its neighbor is still to be asked for the first time.
        for _ in 0..2 {
            let sender = other.bind(everywhere(0)).await.expect("a port is free");
            sender.send_to(b"hi", server(9)).await.expect("sent");
            drop(sender);
            let mut buffer = [0; 10];
            let received = receiver.receive_from(&mut buffer);
            let received = tasks.timeout(Duration::from_secs(1), received).await;
            let (length, _) = received.expect("it came").expect("received");
            assert_eq!(&buffer[..length], b"hi");
            assert_eq!(other.statistics().udp_sockets, 0);
        }
    });
}
