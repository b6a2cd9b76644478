use super::packets::{Peer, SEQUENCE, segment};
use super::*;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::*;

/// Sends a ping and waits for its answer.
async fn ping(tasks: &Handle, peer: &mut Peer) -> bool {
    let request = Icmpv4Repr::EchoRequest {
        ident: 7,
        seq_no: 1,
        data: b"are you there?",
    };
    peer.ipv4(IpProtocol::Icmp, request.buffer_len(), |bytes| {
        request.emit(
            &mut Icmpv4Packet::new_unchecked(bytes),
            &ChecksumCapabilities::default(),
        );
    });
    peer.flush();
    let answer = peer.receive(tasks, |frame| {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
        let is_icmp =
            frame.ethertype() == EthernetProtocol::Ipv4 && packet.next_header() == IpProtocol::Icmp;
        let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
        let fits = is_icmp && message.msg_type() == Icmpv4Message::EchoReply;
        (fits && message.data() == b"are you there?").then_some(())
    });
    answer.await.is_some()
}

#[test]
fn a_ping_is_answered() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(16);
        let _stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        assert!(ping(&tasks, &mut peer).await);
    });
}

#[test]
fn a_ping_over_ipv6_is_answered() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(16);
        let _stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        let target: Ipv6Addr = "fe80::ff:fe00:1".parse().expect("an address");
        let source: Ipv6Addr = "fe80::ff:fe00:2".parse().expect("an address");
        let checksums = ChecksumCapabilities::default();
        let solicitation = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
            target_addr: target,
            lladdr: Some(peer.mac().into()),
        });
        let request = Icmpv6Repr::EchoRequest {
            ident: 7,
            seq_no: 1,
            data: b"six",
        };
        for message in [solicitation, request] {
            let header = Ipv6Repr {
                src_addr: source,
                dst_addr: target,
                next_header: IpProtocol::Icmpv6,
                payload_len: message.buffer_len(),
                hop_limit: 255,
            };
            let length = header.buffer_len() + message.buffer_len();
            peer.send(EthernetProtocol::Ipv6, length, |bytes| {
                let mut packet = Ipv6Packet::new_unchecked(bytes);
                header.emit(&mut packet);
                let mut icmp = Icmpv6Packet::new_unchecked(packet.payload_mut());
                message.emit(&source, &target, &mut icmp, &checksums);
            });
        }
        peer.flush();
        let answer = peer.receive(&tasks, |frame| {
            let frame = EthernetFrame::new_checked(frame).ok()?;
            let packet = Ipv6Packet::new_checked(frame.payload()).ok()?;
            let is_icmp = frame.ethertype() == EthernetProtocol::Ipv6
                && packet.next_header() == IpProtocol::Icmpv6;
            let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
            (is_icmp && message.msg_type() == Icmpv6Message::EchoReply).then_some(())
        });
        assert_eq!(answer.await, Some(()));
    });
}

#[test]
fn a_port_without_a_listener_is_answered_with_reset() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(16);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        peer.syn(40_000, 81);
        peer.flush();
        let answer = peer.wait_for(&tasks, 40_000, |_| true).await;
        assert_eq!(answer.control, TcpControl::Rst);
        assert_eq!(stack.statistics().connections, 0);
    });
}

/// A stack that serves, a peer with an open connection, and a UDP socket.
fn survive(frames: Vec<Vec<u8>>) {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(512);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        spawn_echo(&tasks, &stack);
        let socket = stack.bind(everywhere(9)).await.expect("the port is free");
        let answering = tasks.spawn(async move {
            let mut buffer = [0; 100];
            loop {
                let received = socket.receive_from(&mut buffer).await;
                let (count, sender) = received.expect("receiving goes on");
                // The sender may be out of reach: that is its own affair.
                let _ = socket.send_to(&buffer[..count], sender).await;
            }
        });
        tasks.sleep(Duration::from_millis(1)).await;
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        peer.handshake(&tasks, 40_000, 7).await;
        for frame in frames {
            let sent = peer
                .link
                .transmit(frame.len(), |bytes| bytes.copy_from_slice(&frame));
            assert_eq!(sent, Ok(()));
            peer.flush();
            tasks.sleep(Duration::from_millis(100)).await;
            while let Some(frame) = peer.link.receive() {
                peer.link.recycle(frame);
            }
        }
        peer.introduce(SERVER).await;
        assert!(ping(&tasks, &mut peer).await);
        assert!(!answering.is_finished());
        assert!(stack.statistics().connections <= 40);
    });
}

/// Frames as a peer would send them, to be damaged.
fn templates() -> Vec<Vec<u8>> {
    let (mut sink, link) = Link::pair(64);
    let mut peer = Peer::new(link);
    peer.syn(40_001, 7);
    peer.syn(40_000, 7);
    for payload in [&b""[..], b"datagram"] {
        let header = UdpRepr {
            src_port: 5_000,
            dst_port: 9,
        };
        let source = peer.source;
        peer.ipv4(
            IpProtocol::Udp,
            header.header_len() + payload.len(),
            |bytes| {
                header.emit(
                    &mut UdpPacket::new_unchecked(bytes),
                    &source.into(),
                    &SERVER.into(),
                    payload.len(),
                    |room| room.copy_from_slice(payload),
                    &ChecksumCapabilities::default(),
                );
            },
        );
    }
    peer.flush();
    core::iter::from_fn(|| sink.receive())
        .map(|frame| frame.to_vec())
        .collect()
}

/// Makes the checksums of an IPv4 packet right again, so that damage gets further.
fn repair(frame: &mut [u8]) {
    let Ok(mut frame) = EthernetFrame::new_checked(frame) else {
        return;
    };
    let Ok(mut packet) = Ipv4Packet::new_checked(frame.payload_mut()) else {
        return;
    };
    packet.fill_checksum();
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    match packet.next_header() {
        IpProtocol::Tcp => {
            if let Ok(mut segment) = TcpPacket::new_checked(packet.payload_mut()) {
                segment.fill_checksum(&source, &destination);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut datagram) = UdpPacket::new_checked(packet.payload_mut()) {
                datagram.fill_checksum(&source, &destination);
            }
        }
        _ => {}
    }
}

/// A segment of a peer that does not keep to the rules: offsets from the right sequence
/// and acknowledgement numbers, flags, window, length of the payload.
type Rude = (i32, Option<i32>, usize, u16, usize);

fn rude() -> impl Strategy<Value = Rude> {
    let offset = || prop_oneof![4 => -3i32..20, 2 => -3_000i32..9_000, 1 => any::<i32>()];
    let window = prop_oneof![Just(0u16), 0u16..4, any::<u16>()];
    let acknowledged = proptest::option::weighted(0.9, offset());
    (offset(), acknowledged, 0usize..10, window, 0usize..1_400)
}

/// Speaks rudely to an echo server, which then has to serve a polite client.
fn endure(segments: Vec<Rude>) {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(8_192);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        spawn_echo(&tasks, &stack);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        let next = peer.handshake(&tasks, 40_000, 7).await;
        let payload = pattern(1_400);
        for (offset, acknowledged, flags, window, length) in segments {
            let control = match flags {
                0 => TcpControl::Syn,
                1 => TcpControl::Fin,
                2 if offset > 5_000 => TcpControl::Rst,
                3..5 => TcpControl::Psh,
                _ => TcpControl::None,
            };
            let add = |number: TcpSeqNumber, offset| TcpSeqNumber(number.0.wrapping_add(offset));
            let acknowledged = acknowledged.map(|offset| add(next, offset));
            let segment = TcpRepr {
                control,
                window_len: window,
                payload: &payload[..length],
                ..segment(add(SEQUENCE + 1, offset), acknowledged)
            };
            peer.segment(40_000, 7, segment);
            peer.flush();
            tasks.sleep(Duration::from_millis(300)).await;
            while let Some(frame) = peer.link.receive() {
                peer.link.recycle(frame);
            }
        }
        peer.handshake(&tasks, 40_001, 7).await;
        assert!(ping(&tasks, &mut peer).await);
        drop(peer);
        tasks.sleep(Duration::from_secs(600)).await;
        assert_eq!(stack.statistics().connections, 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_do_no_harm(
        kinds in proptest::collection::vec(0usize..4, 20),
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 20),
    ) {
        let kinds = kinds.into_iter().zip(bodies);
        survive(kinds.map(|(kind, body)| {
            let header = [[8, 0], [8, 6], [0x86, 0xdd], [1, 2]][kind];
            let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
            frame.extend(header);
            frame.extend(body);
            frame
        }).collect());
    }

    #[test]
    fn a_rude_peer_does_no_harm(segments in proptest::collection::vec(rude(), 1..40)) {
        endure(segments);
    }

    #[test]
    fn damaged_packets_do_no_harm(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..60, any::<u8>()), 30),
    ) {
        let templates = templates();
        survive(damage.into_iter().map(|(template, place, value)| {
            let mut frame = template.get(&templates).clone();
            let place = 14 + place % (frame.len() - 14);
            frame[place] = value;
            repair(&mut frame);
            frame
        }).collect());
    }
}
