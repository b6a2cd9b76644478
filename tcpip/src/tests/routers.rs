//! Routers that fall silent, and others beside them.

use super::packets::Peer;
use super::*;
use smoltcp::wire::*;

const FIRST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x11);
const SECOND: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x22);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1);

/// A router's hardware address ends as its IPv6 address does.
fn hardware(router: Ipv6Addr) -> EthernetAddress {
    EthernetAddress([2, 0, 0, 0, 0, router.octets()[15]])
}

/// Some routers, and the peer that speaks for them.
struct Routers {
    peer: Peer,
    /// Those that are alive.
    alive: Vec<Ipv6Addr>,
}

impl Routers {
    fn send(&mut self, source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) {
        let mut message = message.to_vec();
        Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&source, &destination);
        let header = Ipv6Repr {
            src_addr: source,
            dst_addr: destination,
            next_header: IpProtocol::Icmpv6,
            payload_len: message.len(),
            hop_limit: 255,
        };
        self.peer.hardware = hardware(source);
        self.peer
            .send(EthernetProtocol::Ipv6, 40 + message.len(), |bytes| {
                let mut packet = Ipv6Packet::new_unchecked(bytes);
                header.emit(&mut packet);
                packet.payload_mut().copy_from_slice(&message);
            });
        self.peer.flush();
    }

    /// Announces a router and a network; `preference` is what RFC 4191 has for it.
    fn advertise(&mut self, router: Ipv6Addr, preference: u8) {
        let mut message = vec![134, 0, 0, 0, 64, preference << 3, 0x07, 0x08];
        message.extend([0; 8]);
        message.extend([3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0).octets());
        self.send(router, ALL_NODES, &message);
    }

    /// Answers for the routers that are alive. Returns which one was asked for, or where a SYN
    /// went.
    fn take(&mut self) -> Option<Heard> {
        let frame = self.peer.link.receive()?;
        let ethernet = EthernetFrame::new_checked(&frame[..]).expect("a frame");
        let heard = Ipv6Packet::new_checked(ethernet.payload())
            .ok()
            .and_then(|packet| {
                let payload = packet.payload();
                match packet.next_header() {
                    IpProtocol::Tcp => Some(Heard::Syn(ethernet.dst_addr())),
                    IpProtocol::Icmpv6
                        if payload[0] == 135 && !packet.src_addr().is_unspecified() =>
                    {
                        let target: [u8; 16] = payload[8..24].try_into().expect("it is whole");
                        Some(Heard::Question(target.into(), packet.src_addr()))
                    }
                    _ => None,
                }
            });
        self.peer.link.recycle(frame);
        if let Some(Heard::Question(router, asker)) = heard
            && self.alive.contains(&router)
        {
            let mut answer = vec![136, 0, 0, 0, 0xe0, 0, 0, 0];
            answer.extend(router.octets());
            answer.extend([2, 1]);
            answer.extend(hardware(router).0);
            self.send(router, asker, &answer);
        }
        Some(heard.unwrap_or(Heard::Other))
    }

    /// Goes on until a SYN goes to `router`. Returns how many seconds that took.
    async fn until_syn(&mut self, tasks: &Handle, router: Ipv6Addr) -> u64 {
        for tenth in 0..3_000 {
            while let Some(heard) = self.take() {
                if heard == Heard::Syn(hardware(router)) {
                    return tenth / 10;
                }
            }
            tasks.sleep(Duration::from_millis(100)).await;
        }
        panic!("no SYN goes to {router}");
    }

    /// Goes on for so many seconds. Returns which routers were asked for.
    async fn questions(&mut self, tasks: &Handle, seconds: u64) -> Vec<Ipv6Addr> {
        let mut asked = Vec::new();
        for _ in 0..seconds * 10 {
            while let Some(heard) = self.take() {
                if let Heard::Question(router, _) = heard {
                    asked.push(router);
                }
            }
            tasks.sleep(Duration::from_millis(100)).await;
        }
        asked
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Syn(EthernetAddress),
    Question(Ipv6Addr, Ipv6Addr),
    Other,
}

/// A stack that has heard of both routers, of which the first is preferred.
async fn start(tasks: &Handle) -> (TcpIp, Routers) {
    let (device, link) = Link::pair(64);
    let config = Config {
        ipv4: Ipv4Config::Off,
        ..Config::default()
    };
    let stack = TcpIp::start(tasks, device, config, 1);
    let mut routers = Routers {
        peer: Peer::new(link),
        alive: vec![FIRST, SECOND],
    };
    tasks.sleep(Duration::from_secs(3)).await;
    routers.advertise(FIRST, 1);
    routers.advertise(SECOND, 0);
    stack.configured().await;
    (stack, routers)
}

/// Connects to a host behind the routers, until it is given up.
fn connect(tasks: &Handle, stack: &TcpIp) {
    let stack = stack.clone();
    tasks.spawn_detached(async move {
        let _ = Stack::connect(&stack, (FAR, 80).into()).await;
    });
}

#[test]
fn a_router_that_does_not_answer_is_passed_over_until_it_does() {
    simulate(|tasks| async move {
        let (stack, mut routers) = start(&tasks).await;
        connect(&tasks, &stack);
        assert_eq!(routers.until_syn(&tasks, FIRST).await, 0);
        routers.alive = vec![SECOND];
        let seconds = routers.until_syn(&tasks, SECOND).await;
        assert!(seconds < 10, "{seconds} s");
        connect(&tasks, &stack);
        assert_eq!(routers.until_syn(&tasks, SECOND).await, 0);
        // Nobody answers the connection, so the router is doubted, too.
        routers.questions(&tasks, 40).await;
        let asked = routers.questions(&tasks, 150).await;
        assert!((2..=3).contains(&asked.len()), "{asked:?}");
        assert!(asked.iter().all(|router| *router == FIRST));
        routers.alive = vec![FIRST, SECOND];
        routers.questions(&tasks, 61).await;
        connect(&tasks, &stack);
        assert_eq!(routers.until_syn(&tasks, FIRST).await, 0);
    });
}

#[test]
fn a_router_that_was_never_reached_is_passed_over_too() {
    simulate(|tasks| async move {
        let (stack, mut routers) = start(&tasks).await;
        routers.alive = vec![SECOND];
        connect(&tasks, &stack);
        let seconds = routers.until_syn(&tasks, SECOND).await;
        assert!(seconds < 5, "{seconds} s");
    });
}

#[test]
fn the_only_router_is_used_again_as_soon_as_it_answers() {
    simulate(|tasks| async move {
        let (stack, mut routers) = start(&tasks).await;
        routers.alive.clear();
        connect(&tasks, &stack);
        routers.questions(&tasks, 20).await;
        routers.alive = vec![FIRST];
        let seconds = routers.until_syn(&tasks, FIRST).await;
        assert!(seconds < 10, "{seconds} s");
    });
}
