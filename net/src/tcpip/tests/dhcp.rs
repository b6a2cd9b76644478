use super::arp::messages;
use super::packets::Peer;
use super::*;
use crate::tcpip::arp::Message;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

fn dhcp_config() -> Config {
    Config {
        ipv6: Ipv6Config::Off,
        ..Config::default()
    }
}

/// What a client asks for.
struct Request {
    kind: DhcpMessageType,
    transaction: u32,
    mac: EthernetAddress,
}

fn parse(frame: &[u8]) -> Option<Request> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
    let datagram = UdpPacket::new_checked(packet.payload()).ok()?;
    if datagram.dst_port() != 67 {
        return None;
    }
    let message = DhcpPacket::new_checked(datagram.payload()).ok()?;
    let message = DhcpRepr::parse(&message).ok()?;
    Some(Request {
        kind: message.message_type,
        transaction: message.transaction_id,
        mac: message.client_hardware_address,
    })
}

/// Answers the next request with a lease of `offered` for an hour.
async fn answer(tasks: &Handle, peer: &mut Peer, offered: Ipv4Addr) -> Option<DhcpMessageType> {
    answer_with(tasks, peer, offered, &[ROUTER]).await
}

/// The same, with these routers.
async fn answer_with(
    tasks: &Handle,
    peer: &mut Peer,
    offered: Ipv4Addr,
    routers: &[Ipv4Addr],
) -> Option<DhcpMessageType> {
    let routers: Vec<u8> = routers.iter().flat_map(Ipv4Addr::octets).collect();
    let request = peer.receive(tasks, parse).await?;
    let kind = match request.kind {
        DhcpMessageType::Discover => DhcpMessageType::Offer,
        _ => DhcpMessageType::Ack,
    };
    let message = DhcpRepr {
        message_type: kind,
        transaction_id: request.transaction,
        secs: 0,
        client_hardware_address: request.mac,
        client_ip: Ipv4Addr::UNSPECIFIED,
        your_ip: offered,
        server_ip: ROUTER,
        router: None,
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(ROUTER),
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: Some(3_600),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[DhcpOption {
            kind: 3,
            data: &routers,
        }],
    };
    let udp = UdpRepr {
        src_port: 67,
        dst_port: 68,
    };
    let header = Ipv4Repr {
        src_addr: ROUTER,
        dst_addr: Ipv4Addr::BROADCAST,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + message.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    let length = header.buffer_len() + header.payload_len;
    peer.send(EthernetProtocol::Ipv4, length, |bytes| {
        let mut packet = Ipv4Packet::new_unchecked(bytes);
        header.emit(&mut packet, &checksums);
        udp.emit(
            &mut UdpPacket::new_unchecked(packet.payload_mut()),
            &ROUTER.into(),
            &Ipv4Addr::BROADCAST.into(),
            message.buffer_len(),
            |bytes| {
                let emitted = message.emit(&mut DhcpPacket::new_unchecked(bytes));
                emitted.expect("there is room");
            },
            &checksums,
        );
    });
    peer.flush();
    Some(request.kind)
}

#[test]
fn a_lease_is_taken_renewed_changed_and_lost() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(8_192);
        let stack = TcpIp::start(&tasks, device, dhcp_config(), 1);
        let mut peer = Peer::new(link);
        let first = Ipv4Addr::new(10, 0, 0, 50);
        assert!(stack.addresses().is_empty());
        let discovered = answer(&tasks, &mut peer, first).await;
        assert_eq!(discovered, Some(DhcpMessageType::Discover));
        let requested = answer(&tasks, &mut peer, first).await;
        assert_eq!(requested, Some(DhcpMessageType::Request));
        stack.configured().await;
        assert_eq!(stack.addresses(), [(first.into(), 24)]);
        assert!(
            stack
                .shared
                .engine
                .borrow()
                .check_route(Ipv4Addr::new(1, 1, 1, 1).into())
                .is_ok()
        );

        // Half way through the lease it is renewed; the server has changed its mind.
        let listener = stack.listen((first, 80).into()).await;
        assert!(listener.is_ok());
        tasks.sleep(Duration::from_secs(1_800)).await;
        peer.source = ROUTER;
        peer.introduce(first).await;
        let second = Ipv4Addr::new(10, 0, 0, 51);
        let renewed = answer(&tasks, &mut peer, second).await;
        assert_eq!(renewed, Some(DhcpMessageType::Request));
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(stack.addresses(), [(second.into(), 24)]);

        // Nobody renews it any more.
        tasks.sleep(Duration::from_secs(3_600)).await;
        assert!(stack.addresses().is_empty());
        let unreachable = Stack::connect(&stack, (CLIENT, 80).into()).await.err();
        assert_eq!(unreachable, Some(crate::Error::NotConfigured));
    });
}

/// A stack that a server has lent an address.
async fn leased(tasks: &Handle, offered: Ipv4Addr, routers: &[Ipv4Addr]) -> (TcpIp, Peer) {
    let (device, link) = Link::pair(8_192);
    let stack = TcpIp::start(tasks, device, dhcp_config(), 1);
    let mut peer = Peer::new(link);
    for _ in 0..2 {
        let answered = answer_with(tasks, &mut peer, offered, routers).await;
        assert!(answered.is_some());
    }
    stack.configured().await;
    (stack, peer)
}

#[test]
fn the_first_of_several_routers_is_taken() {
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
    simulate(|tasks| async move {
        let offered = Ipv4Addr::new(10, 0, 0, 50);
        let (stack, mut peer) = leased(&tasks, offered, &[ROUTER, OTHER]).await;
        let far = Ipv4Addr::new(1, 1, 1, 1).into();
        let router = || stack.shared.engine.borrow().next_hop(far);
        assert_eq!(router(), Some(ROUTER.into()));

        // The server prefers the other one when the lease is renewed.
        tasks.sleep(Duration::from_secs(1_800)).await;
        peer.source = ROUTER;
        peer.introduce(offered).await;
        let renewed = answer_with(&tasks, &mut peer, offered, &[OTHER, ROUTER]).await;
        assert_eq!(renewed, Some(DhcpMessageType::Request));
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(router(), Some(OTHER.into()));
    });
}

#[test]
fn an_address_is_announced_when_it_is_new() {
    simulate(|tasks| async move {
        let offered = Ipv4Addr::new(10, 0, 0, 50);
        let (stack, mut peer) = leased(&tasks, offered, &[ROUTER]).await;
        let own = stack.shared.engine.borrow().hardware;
        let announcement = Message::request((own, offered), offered);
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(messages(&mut peer), [announcement]);

        // That it goes on is no news.
        tasks.sleep(Duration::from_secs(1_800)).await;
        peer.source = ROUTER;
        peer.introduce(offered).await;
        let renewed = answer(&tasks, &mut peer, offered).await;
        assert_eq!(renewed, Some(DhcpMessageType::Request));
        tasks.sleep(Duration::from_secs(1)).await;
        assert!(!messages(&mut peer).contains(&announcement));
    });
}

#[test]
fn the_port_of_the_client_is_in_use() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, dhcp_config(), client_config());
        for all in [everywhere(68), (Ipv4Addr::UNSPECIFIED, 68).into()] {
            assert_eq!(one.bind(all).await.err(), Some(crate::Error::AddressInUse));
            assert!(other.bind(all).await.is_ok());
        }
    });
}

#[test]
fn without_a_server_it_goes_on_asking() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(8_192);
        let stack = TcpIp::start(&tasks, device, dhcp_config(), 1);
        let mut peer = Peer::new(link);
        for _ in 0..5 {
            let request = peer.receive(&tasks, parse).await.expect("it asks again");
            assert_eq!(request.kind, DhcpMessageType::Discover);
        }
        let configured = tasks.timeout(Duration::from_secs(60), stack.configured());
        assert!(configured.await.is_err());
        assert!(stack.addresses().is_empty());
    });
}

#[test]
fn a_lease_of_nonsense_is_refused() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(8_192);
        let stack = TcpIp::start(&tasks, device, dhcp_config(), 1);
        let mut peer = Peer::new(link);
        for _ in 0..4 {
            answer(&tasks, &mut peer, Ipv4Addr::BROADCAST).await;
        }
        assert!(stack.addresses().is_empty());
    });
}
