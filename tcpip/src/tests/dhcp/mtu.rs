//! Networks that carry shorter packets than Ethernet.

use super::super::packets::{SEQUENCE, segment};
use super::*;

const MTU: u8 = 26;

fn mtu(data: &[u8]) -> [DhcpOption<'_>; 1] {
    [DhcpOption { kind: MTU, data }]
}

/// The largest segment that an answer to a SYN tells.
fn told_segment(frame: &[u8]) -> Option<u16> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    let ends = (packet.src_addr().into(), packet.dst_addr().into());
    let segment = TcpPacket::new_checked(packet.payload()).ok()?;
    let checksums = ChecksumCapabilities::default();
    let segment = TcpRepr::parse(&segment, &ends.0, &ends.1, &checksums).ok()?;
    segment.max_seg_size
}

/// Sends a ping with so many bytes of data.
fn ping(peer: &mut Peer, length: usize) {
    let data = vec![7; length];
    let echo = Icmpv4Repr::EchoRequest {
        ident: 1,
        seq_no: 1,
        data: &data,
    };
    peer.ipv4(IpProtocol::Icmp, echo.buffer_len(), |bytes| {
        let mut message = Icmpv4Packet::new_unchecked(bytes);
        echo.emit(&mut message, &ChecksumCapabilities::default());
    });
    peer.flush();
}

/// The length of the packet that answers a ping.
fn answered_ping(frame: &[u8]) -> Option<usize> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    let is_ping = packet.next_header() == IpProtocol::Icmp;
    is_ping.then(|| packet.total_len().into())
}

#[test]
fn packets_are_no_longer_than_the_network_carries() {
    simulate(|tasks| async move {
        let lent = Lent {
            options: &mtu(&[5, 120]),
            ..Lent::new(SERVER)
        };
        let (stack, mut peer) = leased(&tasks, lent).await;
        let listener = stack.listen(everywhere(80)).await;
        assert!(listener.is_ok());
        peer.introduce(SERVER).await;
        peer.syn(40_000, 80);
        peer.flush();
        assert_eq!(peer.receive(&tasks, told_segment).await, Some(1_360));

        let socket = stack.bind((SERVER, 5_000).into()).await.expect("bound");
        let to = (CLIENT, 5_000).into();
        assert_eq!(socket.send_to(&[0; 1_372], to).await, Ok(()));
        let too_long = socket.send_to(&[0; 1_373], to).await;
        assert_eq!(too_long, Err(fata_net::Error::TooLong));

        ping(&mut peer, 1_373);
        ping(&mut peer, 1_372);
        let answered = peer.receive(&tasks, answered_ping).await;
        assert_eq!(answered, Some(1_400));
    });
}

#[test]
fn a_network_that_carries_too_little_or_too_much_is_not_believed() {
    for (told, expected) in [
        ([0, 68], 1_500),
        ([2, 0x3f], 1_500),
        ([2, 0x40], 576),
        ([0x23, 0x28], 1_500),
    ] {
        simulate(|tasks| async move {
            let lent = Lent {
                options: &mtu(&told),
                ..Lent::new(SERVER)
            };
            let (stack, mut peer) = leased(&tasks, lent).await;
            let longest = || stack.shared.engine.borrow().longest_packet(SERVER.into());
            assert_eq!(longest(), expected);
            let far: IpAddress = SERVER_V6.into();
            let ipv6 = stack.shared.engine.borrow().longest_packet(far);
            assert_eq!(ipv6, expected.max(1_280));
            // It holds for the lease that tells it.
            renew(&tasks, &mut peer, Lent::new(SERVER)).await;
            assert_eq!(longest(), 1_500);
        });
    }
}

#[test]
fn open_connections_follow_the_network() {
    simulate(|tasks| async move {
        let (stack, mut peer) = leased(&tasks, Lent::new(SERVER)).await;
        let listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        peer.introduce(SERVER).await;
        let syn = TcpRepr {
            control: TcpControl::Syn,
            max_seg_size: Some(1_460),
            ..segment(SEQUENCE, None)
        };
        peer.segment(40_000, 80, syn);
        peer.flush();
        let next = peer.wait_for(&tasks, 40_000, |_| true).await.sequence + 1;
        peer.segment(40_000, 80, segment(SEQUENCE + 1, Some(next)));
        peer.flush();
        let mut stream = listener.accept().await.expect("accepted");
        stream.write_all(&pattern(1_460)).await.expect("written");
        let long = peer.wait_for(&tasks, 40_000, |sent| sent.length > 0).await;
        assert_eq!(long.length, 1_460);
        let next = next + 1_460;
        peer.segment(40_000, 80, segment(SEQUENCE + 1, Some(next)));
        peer.flush();

        stack.shared.engine.borrow_mut().set_mtu(Some(1_400));
        stream.write_all(&pattern(1_460)).await.expect("written");
        let short = peer.wait_for(&tasks, 40_000, |sent| sent.length > 0).await;
        assert_eq!(short.length, 1_360);
    });
}
