mod mtu;

use super::arp::messages;
use super::packets::Peer;
use super::*;
use crate::arp::Message;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

fn dhcp_config() -> Config {
    Config {
        ipv6: Ipv6Config::Off,
        ..Config::default()
    }
}

/// Message of a client.
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

/// Lease that a server gives.
#[derive(Clone, Copy)]
struct Lent<'a> {
    address: Ipv4Addr,
    mask: Ipv4Addr,
    options: &'a [DhcpOption<'a>],
    /// True if its answers go to the address that is still to be lent.
    to_one: bool,
}

const ROUTERS: DhcpOption<'_> = DhcpOption {
    kind: 3,
    data: &ROUTER.octets(),
};

impl Lent<'_> {
    fn new(address: Ipv4Addr) -> Self {
        Self {
            address,
            mask: Ipv4Addr::new(255, 255, 255, 0),
            options: &[ROUTERS],
            to_one: false,
        }
    }
}

/// Answers the next request with a lease of `offered` for an hour.
async fn answer(tasks: &Handle, peer: &mut Peer, offered: Ipv4Addr) -> Option<DhcpMessageType> {
    answer_with(tasks, peer, Lent::new(offered)).await
}

/// The same with more to it.
async fn answer_with(tasks: &Handle, peer: &mut Peer, lent: Lent<'_>) -> Option<DhcpMessageType> {
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
        your_ip: lent.address,
        server_ip: ROUTER,
        router: None,
        subnet_mask: Some(lent.mask),
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
        additional_options: lent.options,
    };
    let destination = match lent.to_one {
        true => lent.address,
        false => Ipv4Addr::BROADCAST,
    };
    let udp = UdpRepr {
        src_port: 67,
        dst_port: 68,
    };
    let header = Ipv4Repr {
        src_addr: ROUTER,
        dst_addr: destination,
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
            &destination.into(),
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
        assert_eq!(unreachable, Some(fata_net::Error::NotConfigured));
    });
}

/// A stack that a server has lent an address.
async fn leased(tasks: &Handle, lent: Lent<'_>) -> (TcpIp, Peer) {
    let (device, link) = Link::pair(8_192);
    let stack = TcpIp::start(tasks, device, dhcp_config(), 1);
    let mut peer = Peer::new(link);
    for _ in 0..2 {
        let answered = answer_with(tasks, &mut peer, lent).await;
        assert!(answered.is_some());
    }
    stack.configured().await;
    (stack, peer)
}

/// Lets half of the lease pass, and renews it.
async fn renew(tasks: &Handle, peer: &mut Peer, lent: Lent<'_>) {
    tasks.sleep(Duration::from_secs(1_800)).await;
    peer.source = ROUTER;
    peer.introduce(lent.address).await;
    let renewed = answer_with(tasks, peer, lent).await;
    assert_eq!(renewed, Some(DhcpMessageType::Request));
    tasks.sleep(Duration::from_secs(1)).await;
}

fn hop(stack: &TcpIp, address: [u8; 4]) -> Option<IpAddress> {
    let engine = stack.shared.engine.borrow();
    engine.next_hop(Ipv4Addr::from_octets(address).into())
}

#[test]
fn the_first_of_several_routers_is_taken() {
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
    simulate(|tasks| async move {
        let lent = Lent::new(Ipv4Addr::new(10, 0, 0, 50));
        let both = [ROUTER.octets(), OTHER.octets()].concat();
        let routers = |data| [DhcpOption { kind: 3, data }];
        let options = &routers(&both);
        let (stack, mut peer) = leased(&tasks, Lent { options, ..lent }).await;
        assert_eq!(hop(&stack, [1, 1, 1, 1]), Some(ROUTER.into()));

        // The server prefers the other one when the lease is renewed.
        let both = [OTHER.octets(), ROUTER.octets()].concat();
        let options = &routers(&both);
        renew(&tasks, &mut peer, Lent { options, ..lent }).await;
        assert_eq!(hop(&stack, [1, 1, 1, 1]), Some(OTHER.into()));
    });
}

#[test]
fn packets_take_the_most_precise_route() {
    simulate(|tasks| async move {
        let options = &[
            ROUTERS,
            DhcpOption {
                kind: 121,
                data: &[
                    16, 192, 168, 10, 0, 0, 1, 24, 192, 168, 7, 10, 0, 0, 2, 32, 169, 254, 169,
                    254, 0, 0, 0, 0, 26, 10, 0, 0, 64, 10, 0, 0, 3,
                ],
            },
        ];
        let own = Ipv4Addr::new(10, 0, 0, 50);
        let lent = Lent {
            options,
            ..Lent::new(own)
        };
        let (stack, mut peer) = leased(&tasks, lent).await;
        for (address, expected) in [
            ([192, 168, 1, 1], Some([10, 0, 0, 1])),
            ([192, 168, 7, 1], Some([10, 0, 0, 2])),
            ([169, 254, 169, 254], Some([169, 254, 169, 254])),
            ([10, 0, 0, 9], Some([10, 0, 0, 9])),
            ([10, 0, 0, 100], Some([10, 0, 0, 3])),
            // The router does not count beside routes.
            ([1, 1, 1, 1], None),
        ] {
            let expected = expected.map(Ipv4Addr::from_octets).map(IpAddress::from);
            assert_eq!(hop(&stack, address), expected, "{address:?}");
            let engine = stack.shared.engine.borrow();
            let can_send = engine.check_route(IpAddr::from(address)).is_ok();
            assert_eq!(can_send, expected.is_some());
        }
        // They go with the lease's options.
        renew(&tasks, &mut peer, Lent::new(own)).await;
        assert_eq!(hop(&stack, [192, 168, 7, 1]), Some(ROUTER.into()));
    });
}

#[test]
fn an_address_is_announced_when_it_is_new() {
    simulate(|tasks| async move {
        let offered = Ipv4Addr::new(10, 0, 0, 50);
        let (stack, mut peer) = leased(&tasks, Lent::new(offered)).await;
        let own = stack.shared.engine.borrow().hardware;
        let probe = Message::request((own, Ipv4Addr::UNSPECIFIED), offered);
        let announcement = Message::request((own, offered), offered);
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(messages(&mut peer), [probe, announcement]);

        // That it goes on is no news.
        renew(&tasks, &mut peer, Lent::new(offered)).await;
        assert!(!messages(&mut peer).contains(&announcement));
    });
}

#[test]
fn the_port_of_the_client_is_in_use() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, dhcp_config(), client_config());
        for all in [everywhere(68), (Ipv4Addr::UNSPECIFIED, 68).into()] {
            assert_eq!(
                one.bind(all).await.err(),
                Some(fata_net::Error::AddressInUse)
            );
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
        for _ in 0..4 {
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

#[test]
fn an_answer_to_the_address_that_is_still_to_be_lent_is_received() {
    simulate(|tasks| async move {
        let own = Ipv4Addr::new(10, 0, 0, 50);
        let lent = Lent {
            to_one: true,
            ..Lent::new(own)
        };
        let (stack, _peer) = leased(&tasks, lent).await;
        assert_eq!(stack.addresses(), [(own.into(), 24)]);
    });
}

#[test]
fn a_lease_is_renewed_through_a_router_outside_of_the_network() {
    const FAR: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
    simulate(|tasks| async move {
        let own = Ipv4Addr::new(10, 7, 0, 50);
        let lent = Lent {
            mask: Ipv4Addr::BROADCAST,
            options: &[DhcpOption {
                kind: 3,
                data: &FAR.octets(),
            }],
            ..Lent::new(own)
        };
        let (stack, mut peer) = leased(&tasks, lent).await;
        assert_eq!(stack.addresses(), [(own.into(), 32)]);
        messages(&mut peer);
        tasks.sleep(Duration::from_secs(1_801)).await;
        let questions = messages(&mut peer);
        assert!(questions.iter().any(|asked| asked.asks_for() == Some(FAR)));
        peer.source = FAR;
        peer.introduce(own).await;
        let to_server = |frame: &[u8]| {
            let ethernet = EthernetFrame::new_checked(frame).ok()?;
            let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
            let is_request = parse(frame).is_some() && packet.src_addr() == own;
            is_request.then(|| (ethernet.dst_addr(), packet.dst_addr()))
        };
        let renewal = peer.receive(&tasks, to_server).await;
        assert_eq!(renewal, Some((peer.mac(), ROUTER)));
    });
}

#[test]
fn an_address_that_another_host_has_is_given_back() {
    simulate(|tasks| async move {
        let (stack, mut peer) = leased(&tasks, Lent::new(CLIENT)).await;
        // The answer to the probe.
        peer.source = CLIENT;
        peer.reply();
        let declined = peer.receive(&tasks, parse).await;
        let declined = declined.map(|request| request.kind);
        assert_eq!(declined, Some(DhcpMessageType::Decline));
        assert!(stack.addresses().is_empty());
        // The next one is free.
        for _ in 0..2 {
            let answered = answer(&tasks, &mut peer, Ipv4Addr::new(10, 0, 0, 51)).await;
            assert!(answered.is_some());
        }
        stack.configured().await;
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(stack.addresses().len(), 1);
    });
}
