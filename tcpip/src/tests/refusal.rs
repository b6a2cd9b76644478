//! Answers to strangers, and how often they are sent.

use super::packets::{PORT, Peer};
use super::*;
use smoltcp::wire::*;

/// More than are answered at once.
const FLOOD: usize = 400;
/// How many errors go out at once (see `allowance.rs`).
const BURST: core::ops::Range<usize> = 50..150;

fn start(tasks: &Handle) -> (TcpIp, Peer) {
    let (device, link) = Link::pair(1_024);
    let stack = TcpIp::start(tasks, device, server_config(), 1);
    (stack, Peer::new(link))
}

/// The protocols and ICMP types of what the stack has sent, but for neighbor discovery.
async fn answers(tasks: &Handle, peer: &mut Peer) -> Vec<(IpProtocol, u8)> {
    peer.flush();
    tasks.sleep(Duration::from_millis(100)).await;
    let mut answers = Vec::new();
    while let Some(frame) = peer.link.receive() {
        let ethernet = EthernetFrame::new_checked(&frame[..]).expect("a frame");
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 => {
                let packet = Ipv4Packet::new_checked(ethernet.payload()).expect("a packet");
                answers.push((packet.next_header(), packet.payload()[0]));
            }
            EthernetProtocol::Ipv6 => {
                let packet = Ipv6Packet::new_checked(ethernet.payload()).expect("a packet");
                let kind = packet.payload()[0];
                if packet.next_header() == IpProtocol::Icmpv6 && kind < 128 {
                    answers.push((IpProtocol::Icmpv6, kind));
                }
            }
            _ => {}
        }
        peer.link.recycle(frame);
    }
    answers
}

/// Sends an IPv6 packet, whose sender the stack has heard of.
fn send_ipv6(peer: &mut Peer, destination: Ipv6Addr, protocol: u8, payload: &[u8]) {
    let header = Ipv6Repr {
        src_addr: CLIENT_V6,
        dst_addr: destination,
        next_header: protocol.into(),
        payload_len: payload.len(),
        hop_limit: 255,
    };
    let mut message = payload.to_vec();
    if protocol == 58 {
        Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&CLIENT_V6, &destination);
    }
    peer.send(EthernetProtocol::Ipv6, 40 + payload.len(), |bytes| {
        let mut packet = Ipv6Packet::new_unchecked(bytes);
        header.emit(&mut packet);
        packet.payload_mut().copy_from_slice(&message);
    });
}

/// Asks for the stack's IPv6 address, which tells it where the peer is.
fn introduce_ipv6(peer: &mut Peer) {
    let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
    solicitation.extend(SERVER_V6.octets());
    solicitation.extend([1, 1]);
    solicitation.extend(peer.mac().0);
    send_ipv6(peer, SERVER_V6, 58, &solicitation);
}

/// The answer that the stack would give, and the packet that it answers.
type Flood = ((IpProtocol, u8), fn(&mut Peer));

/// Floods the stack with what `send` sends. Returns how many answers of that kind came at once,
/// and in the ten seconds after.
async fn flood(
    tasks: &Handle,
    peer: &mut Peer,
    answer: (IpProtocol, u8),
    send: impl Fn(&mut Peer),
) -> (usize, usize) {
    let (mut first, mut later) = (0, 0);
    for round in 0..101 {
        (0..FLOOD).for_each(|_| send(peer));
        let answers = answers(tasks, peer).await;
        assert!(answers.iter().all(|given| *given == answer), "{answers:?}");
        *if round == 0 { &mut first } else { &mut later } += answers.len();
    }
    (first, later)
}

#[test]
fn errors_are_sent_at_a_rate() {
    simulate(|tasks| async move {
        let kinds: [Flood; 5] = [
            ((IpProtocol::Icmp, 3), |peer| peer.datagram(PORT, 9, b"hi")),
            // A protocol that nobody has.
            ((IpProtocol::Icmp, 3), |peer| {
                peer.ipv4(IpProtocol::Unknown(0xfd), 8, |bytes| bytes.fill(0));
            }),
            ((IpProtocol::Icmpv6, 4), |peer| {
                send_ipv6(peer, SERVER_V6, 0xfd, &[0; 8]);
            }),
            // An option that must be known, before an echo request.
            ((IpProtocol::Icmpv6, 4), |peer| {
                send_ipv6(
                    peer,
                    SERVER_V6,
                    0,
                    &[58, 0, 0x9e, 4, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0],
                );
            }),
            // A routing header.
            ((IpProtocol::Icmpv6, 4), |peer| {
                send_ipv6(peer, SERVER_V6, 43, &[59, 0, 0, 0, 0, 0, 0, 0]);
            }),
        ];
        for (answer, send) in kinds {
            let (stack, mut peer) = start(&tasks);
            peer.introduce(SERVER).await;
            introduce_ipv6(&mut peer);
            answers(&tasks, &mut peer).await;
            let (first, later) = flood(&tasks, &mut peer, answer, send).await;
            assert!(BURST.contains(&first), "{answer:?}: {first}");
            assert!((900..1_100).contains(&later), "{answer:?}: {later}");
            let totals = stack.statistics().totals;
            assert_eq!(totals.withheld_errors as usize, 101 * FLOOD - first - later);
        }
    });
}

#[test]
fn resets_are_sent_for_each_segment() {
    simulate(|tasks| async move {
        let (_stack, mut peer) = start(&tasks);
        peer.introduce(SERVER).await;
        answers(&tasks, &mut peer).await;
        (0..FLOOD).for_each(|_| peer.syn(PORT, 81));
        let answers = answers(&tasks, &mut peer).await;
        assert_eq!(answers.len(), FLOOD);
        assert!(
            answers
                .iter()
                .all(|(protocol, _)| *protocol == IpProtocol::Tcp)
        );
    });
}

#[test]
fn nothing_is_said_of_what_went_to_many() {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks);
        introduce_ipv6(&mut peer);
        answers(&tasks, &mut peer).await;
        send_ipv6(&mut peer, ALL_NODES, 0xfd, &[0; 8]);
        // And nothing follows here.
        send_ipv6(&mut peer, SERVER_V6, 59, &[]);
        assert_eq!(answers(&tasks, &mut peer).await, []);
        assert_eq!(stack.statistics().totals.withheld_errors, 0);
        send_ipv6(&mut peer, SERVER_V6, 0xfd, &[0; 8]);
        assert_eq!(answers(&tasks, &mut peer).await.len(), 1);
    });
}
