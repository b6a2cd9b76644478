//! Peers and routers whose hardware address changes.

use super::packets::{PORT, Peer, SEQUENCE, accepted, segment};
use super::*;
use crate::arp::Message;
use fata_net::Error;
use smoltcp::wire::*;

const ELSEWHERE: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 0x77]);

fn is_question(frame: &[u8]) -> Option<()> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    (frame.ethertype() == EthernetProtocol::Arp).then_some(())
}

/// The ports and the numbers of a segment to a hardware address.
fn heard_at(frame: &[u8], place: EthernetAddress) -> Option<(u16, TcpSeqNumber, TcpSeqNumber)> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 || frame.dst_addr() != place {
        return None;
    }
    let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
    let segment = TcpPacket::new_checked(packet.payload()).ok()?;
    Some((
        segment.src_port(),
        segment.seq_number(),
        segment.ack_number(),
    ))
}

/// Answers the question for an address, then a SYN that comes to that.
async fn answer(tasks: &Handle, peer: &mut Peer, control: TcpControl) {
    let question = peer.receive(tasks, is_question).await;
    question.expect("the neighbor is asked for");
    peer.reply();
    let place = peer.mac();
    let syn = peer.receive(tasks, |frame| heard_at(frame, place)).await;
    let (port, sequence, _) = syn.expect("a SYN comes");
    let answer = TcpRepr {
        control,
        ..segment(SEQUENCE, Some(sequence + 1))
    };
    peer.segment(80, port, answer);
    peer.flush();
}

fn data(place: TcpSeqNumber, next: TcpSeqNumber) -> TcpRepr<'static> {
    TcpRepr {
        payload: b"data",
        ..segment(place, Some(next))
    }
}

#[test]
fn a_neighbor_that_has_moved_is_connected_to() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        let connect = |stack: TcpIp| async move {
            let connected = Stack::connect(&stack, (CLIENT, 80).into()).await;
            connected.err()
        };
        let refused = tasks.spawn(connect(stack.clone()));
        answer(&tasks, &mut peer, TcpControl::Rst).await;
        assert_eq!(refused.await, Ok(Some(Error::ConnectionRefused)));
        tasks.sleep(Duration::from_secs(61)).await;
        peer.hardware = ELSEWHERE;
        let connected = tasks.spawn(connect(stack));
        answer(&tasks, &mut peer, TcpControl::Syn).await;
        assert_eq!(connected.await, Ok(None));
    });
}

#[test]
fn answers_go_where_the_peer_was_last_heard() {
    simulate(|tasks| async move {
        let (_stack, _stream, mut peer, next) = accepted(&tasks).await;
        peer.hardware = ELSEWHERE;
        peer.segment(PORT, 80, data(SEQUENCE + 1, next));
        peer.flush();
        let read = |frame: &[u8]| heard_at(frame, ELSEWHERE);
        let answer = peer.receive(&tasks, read).await;
        assert_eq!(answer, Some((80, next, SEQUENCE + 5)));
        // Somebody else, who does not know the numbers.
        peer.hardware = EthernetAddress([2, 0, 0, 0, 0, 0x88]);
        peer.segment(PORT, 80, data(SEQUENCE + 1_000_000, next));
        peer.flush();
        let answer = peer.receive(&tasks, read).await;
        assert_eq!(answer, Some((80, next, SEQUENCE + 5)));
    });
}

#[test]
fn a_connection_outlives_its_router() {
    simulate(|tasks| async move {
        let (_stack, mut stream, mut peer, next) = accepted(&tasks).await;
        stream.write_all(b"hello").await.expect("written");
        peer.hardware = ELSEWHERE;
        peer.introduce(SERVER).await;
        let read = |frame: &[u8]| heard_at(frame, ELSEWHERE);
        let again = peer.receive(&tasks, read).await;
        assert_eq!(again, Some((80, next, SEQUENCE + 1)));
    });
}

#[test]
fn datagrams_follow_a_neighbor_that_says_nothing_of_its_move() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        let socket = stack.bind(everywhere(9)).await.expect("it is free");
        let pausing = tasks.clone();
        tasks.spawn_detached(async move {
            while socket.send_to(b"hi", (CLIENT, 9).into()).await.is_ok() {
                pausing.sleep(Duration::from_secs(1)).await;
            }
        });
        let asks = |frame: &[u8]| (Message::read(frame)?.asks_for()? == CLIENT).then_some(());
        peer.receive(&tasks, asks).await.expect("a question");
        peer.reply();
        let start = tasks.now();
        // It is known for a while, then it is asked for again.
        assert_eq!(peer.receive(&tasks, asks).await, None);
        peer.hardware = ELSEWHERE;
        peer.receive(&tasks, asks).await.expect("another");
        peer.reply();
        let arrives = |frame: &[u8]| frame.starts_with(&ELSEWHERE.0).then_some(());
        peer.receive(&tasks, arrives).await.expect("a datagram");
        assert!(tasks.now() - start < Duration::from_secs(33));
    });
}
