//! A scripted router on the link.

use super::packets::{Peer, SEQUENCE, segment};
use super::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetFrame, Icmpv6Message, Icmpv6Packet, IpProtocol, Ipv6Packet, TcpControl, TcpPacket,
    TcpRepr, UdpPacket,
};

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const NETWORK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0);
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0xff, 0xfe00, 1);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);

fn ipv6_only() -> Config {
    Config {
        ipv4: Ipv4Config::Off,
        ..Config::default()
    }
}

fn send(link: &mut Link, source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, message: &[u8]) {
    let mut message = message.to_vec();
    Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&source, &destination);
    send_packet(link, (source, destination), [58, hop_limit], &message);
}

/// Sends a packet; `kind` is the protocol and the hop limit.
fn send_packet(
    link: &mut Link,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    kind: [u8; 2],
    payload: &[u8],
) {
    let mut bytes = vec![0x33, 0x33];
    bytes.extend(&destination.octets()[12..]);
    if !destination.is_multicast() {
        bytes = vec![2, 0, 0, 0, 0, 1];
    }
    bytes.extend([2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0]);
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(kind);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(payload);
    let sent = link.transmit(bytes.len(), |frame| frame.copy_from_slice(&bytes));
    assert_eq!(sent, Ok(()));
    link.flush();
}

/// An advertisement of a router for half an hour, of a prefix and of a name server.
fn advertisement(network: Ipv6Addr, valid: u32, preferred: u32) -> Vec<u8> {
    let mut bytes = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([3, 4, 64, 0xc0]);
    bytes.extend(valid.to_be_bytes());
    bytes.extend(preferred.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(network.octets());
    bytes.extend([25, 3, 0, 0, 0, 0, 0, 60]);
    bytes.extend(ROUTER.octets());
    bytes
}

/// The ICMPv6 types of all frames that wait, behind a hop-by-hop header or not.
fn received(link: &mut Link) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some(frame) = link.receive() {
        let ethernet = EthernetFrame::new_checked(&frame[..]).expect("a frame");
        let packet = Ipv6Packet::new_checked(ethernet.payload()).expect("a packet");
        let message = match packet.hop_limit() {
            1 => &packet.payload()[8..],
            _ => packet.payload(),
        };
        let icmp = Icmpv6Packet::new_unchecked(message);
        assert!(icmp.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
        kinds.push(message[0]);
        link.recycle(frame);
    }
    kinds
}

#[test]
fn an_announced_address_is_taken_and_expires() {
    simulate(|tasks| async move {
        let (device, mut link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        tasks.sleep(Duration::from_millis(1)).await;
        // A report of the group, the question for its address, and one for routers.
        assert_eq!(received(&mut link), [143, 135, 133]);
        send(
            &mut link,
            ROUTER,
            ALL_NODES,
            255,
            &advertisement(NETWORK, 600, 300),
        );
        stack.configured().await;
        let both = [(LINK_LOCAL.into(), 64), (ADDRESS.into(), 64)];
        assert_eq!(stack.addresses(), both);
        assert_eq!(stack.dns_servers(), [IpAddr::V6(ROUTER)]);
        let far: IpAddr = "2001:4860::1".parse().expect("an address");
        assert!(stack.shared.engine.borrow().check_route(far).is_ok());
        tasks.sleep(Duration::from_secs(61)).await;
        assert!(stack.dns_servers().is_empty());
        tasks.sleep(Duration::from_secs(540)).await;
        assert_eq!(stack.addresses(), both[..1]);
    });
}

#[test]
fn forged_and_endless_advertisements_are_harmless() {
    simulate(|tasks| async move {
        let (device, mut link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        let good = advertisement(NETWORK, 86_400, 86_400);
        // Forwarded, or not from a router.
        send(&mut link, ROUTER, ALL_NODES, 254, &good);
        send(&mut link, NETWORK, ALL_NODES, 255, &good);
        tasks.sleep(Duration::from_millis(1)).await;
        assert_eq!(stack.addresses().len(), 1);
        for number in 0..40 {
            let network = Ipv6Addr::new(0x2001, 0xdb8, 0, 1 + number, 0, 0, 0, 0);
            send(
                &mut link,
                ROUTER,
                ALL_NODES,
                255,
                &advertisement(network, 86_400, 1),
            );
            tasks.sleep(Duration::from_millis(1)).await;
            received(&mut link);
        }
        assert_eq!(stack.addresses().len(), 5);
        // Nobody can take an address away within two hours.
        send(
            &mut link,
            ROUTER,
            ALL_NODES,
            255,
            &advertisement(NETWORK, 0, 0),
        );
        tasks.sleep(Duration::from_secs(7_000)).await;
        let addresses = stack.addresses();
        assert!(addresses.iter().any(|(address, _)| *address == ADDRESS));
        tasks.sleep(Duration::from_secs(300)).await;
        assert_eq!(stack.addresses().len(), 4);
    });
}

#[test]
fn an_address_of_another_host_is_given_up() {
    simulate(|tasks| async move {
        let (device, mut link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut claim = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
        claim.extend(LINK_LOCAL.octets());
        send(&mut link, LINK_LOCAL, ALL_NODES, 255, &claim);
        tasks.sleep(Duration::from_millis(1)).await;
        assert!(stack.addresses().is_empty());
    });
}

#[test]
fn an_address_is_defended_once_it_is_taken() {
    simulate(|tasks| async move {
        let (device, mut link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        tasks.sleep(Duration::from_secs(3)).await;
        received(&mut link);
        let mut probe = vec![135, 0, 0, 0, 0, 0, 0, 0];
        probe.extend(LINK_LOCAL.octets());
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1);
        send(&mut link, Ipv6Addr::UNSPECIFIED, group, 255, &probe);
        tasks.sleep(Duration::from_millis(1)).await;
        assert_eq!(received(&mut link), [136]);
        assert_eq!(stack.addresses(), [(LINK_LOCAL.into(), 64)]);
    });
}

/// Sends a segment from the router to port 80.
fn send_segment(link: &mut Link, segment: TcpRepr<'_>) {
    let segment = TcpRepr {
        src_port: 40_000,
        dst_port: 80,
        ..segment
    };
    let mut bytes = vec![0; segment.buffer_len()];
    segment.emit(
        &mut TcpPacket::new_unchecked(&mut bytes),
        &ROUTER.into(),
        &LINK_LOCAL.into(),
        &ChecksumCapabilities::default(),
    );
    send_packet(link, (ROUTER, LINK_LOCAL), [6, 64], &bytes);
}

/// The sequence number and length of the payload of a segment to the router.
fn segment_to_router(frame: &[u8]) -> Option<(u32, usize)> {
    let packet = Ipv6Packet::new_checked(frame.get(14..)?).ok()?;
    let is_segment = packet.dst_addr() == ROUTER && packet.next_header() == IpProtocol::Tcp;
    let segment = TcpPacket::new_checked(is_segment.then(|| packet.payload())?).ok()?;
    Some((segment.seq_number().0 as u32, segment.payload().len()))
}

#[test]
fn a_link_on_the_way_that_takes_as_much_as_the_first_changes_nothing() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        let mut peer = Peer::new(link);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut message = advertisement(NETWORK, 600, 300);
        // The router's address, and what packets may have: 1,280 bytes.
        message.extend([1, 1, 2, 0, 0, 0, 0, 2]);
        message.extend([5, 1, 0, 0, 0, 0, 5, 0]);
        send(&mut peer.link, ROUTER, ALL_NODES, 255, &message);
        stack.configured().await;
        let listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        let syn = TcpRepr {
            control: TcpControl::Syn,
            max_seg_size: Some(1_440),
            ..segment(SEQUENCE, None)
        };
        send_segment(&mut peer.link, syn);
        let answer = peer.receive(&tasks, segment_to_router).await;
        let next = answer.expect("an answer").0.wrapping_add(1);
        let number = smoltcp::wire::TcpSeqNumber(next as i32);
        send_segment(&mut peer.link, segment(SEQUENCE + 1, Some(number)));
        let mut stream = listener.accept().await.expect("accepted");
        stream.write_all(&pattern(1_220)).await.expect("written");
        let first = peer.receive(&tasks, segment_to_router).await;
        assert_eq!(first, Some((next, 1_220)));
        let mut message = vec![2, 0, 0, 0, 0, 0, 5, 0, 0x60, 0, 0, 0, 4, 200, 6, 64];
        message.extend(
            [LINK_LOCAL, ROUTER]
                .map(|address| address.octets())
                .concat(),
        );
        message.extend([80u16, 40_000].map(u16::to_be_bytes).concat());
        message.extend(next.to_be_bytes());
        send(&mut peer.link, ROUTER, LINK_LOCAL, 64, &message);
        // It comes again once the time is up, as long as before.
        let again = peer.receive(&tasks, segment_to_router).await;
        assert_eq!(again, Some((next, 1_220)));
    });
}

/// The datagram's destination port in an error message of ICMPv6 about a datagram.
fn unreachable_port(frame: &[u8]) -> Option<u16> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let packet = Ipv6Packet::new_checked(frame.payload()).ok()?;
    let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
    let is_error = packet.next_header() == IpProtocol::Icmpv6
        && message.msg_type() == Icmpv6Message::DstUnreachable;
    let datagram = packet.payload().get(48..)?;
    is_error.then(|| UdpPacket::new_unchecked(datagram).dst_port())
}

#[test]
fn a_port_where_nobody_listens_is_reported_to_one_host_but_not_for_a_group() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let _stack = TcpIp::start(&tasks, device, ipv6_only(), 1);
        let mut peer = Peer::new(link);
        tasks.sleep(Duration::from_secs(3)).await;
        // So the router's hardware address is known.
        let mut solicitation = vec![135, 0, 0, 0, 0, 0, 0, 0];
        solicitation.extend(LINK_LOCAL.octets());
        solicitation.extend([1, 1, 2, 0, 0, 0, 0, 2]);
        send(&mut peer.link, ROUTER, LINK_LOCAL, 255, &solicitation);
        for (destination, port) in [(ALL_NODES, 5_001), (LINK_LOCAL, 5_002)] {
            let mut bytes = [0; 9];
            let mut datagram = UdpPacket::new_unchecked(&mut bytes[..]);
            datagram.set_src_port(5_000);
            datagram.set_dst_port(port);
            datagram.set_len(9);
            datagram.fill_checksum(&ROUTER.into(), &destination.into());
            send_packet(&mut peer.link, (ROUTER, destination), [17, 64], &bytes);
        }
        let reported = peer.receive(&tasks, unreachable_port).await;
        assert_eq!(reported, Some(5_002));
    });
}
