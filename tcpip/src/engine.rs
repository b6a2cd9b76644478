mod arp;
mod handshakes;
mod orphans;
mod statistics;

use super::Config;
use super::allowance::Allowance;
use super::arp::Arp;
use super::backlog::Backlog;
use super::cookie::Cookie;
use super::dhcp;
use super::flow::Kind as FlowKind;
use super::flows::Flows;
use super::frame::{self, Kind};
use super::handshakes::{Handshakes, MOST_HALF_OPEN};
use super::ipv6::Ipv6;
use super::neighbors::Neighbors;
use super::orphans::Orphans;
use super::phy::{Adapter, Transmitter};
use super::ports::{Ports, Random};
use super::quota::Network;
use super::route::Route;
use super::statistics::Totals;
use super::table::Table;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fata_net::{Counters, MacAddress, Net};
use fata_task::{Handle, Waiters};
use fata_tcp::{LARGEST_BUFFER, Pool, Secret, Settings};
use fata_time::Instant;
use slab::Slab;
use smoltcp::iface::{Config as InterfaceConfig, Interface};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress};

/// How many frames are taken in at least, and at most, before answers go out, if there are
/// as many.
const LEAST_BATCH: usize = 4;
const MOST_BATCH: usize = 16;
/// Bytes after which no more frames are taken in before acknowledgements go out. With one for
/// a whole window the sender would wait while the machine works, and then the other way round.
const BATCH_BYTES: usize = 128 * 1024;

/// Everything of a stack but the device.
pub(super) struct Engine {
    pub(super) interface: Interface,
    /// The address of the device.
    pub(super) hardware: EthernetAddress,
    pub(super) table: Table,
    pub(super) pool: Pool,
    pub(super) settings: Settings,
    pub(super) secret: Secret,
    pub(super) arp: Arp,
    /// ICMP errors that may be sent.
    pub(super) errors: Allowance,
    pub(super) neighbors: Neighbors,
    /// Connections that wait for a neighbor's hardware address.
    pub(super) stalled: Vec<usize>,
    pub(super) flows: Flows,
    /// The key of the flow that DHCP, ARP and ICMP belong to.
    pub(super) interface_flow: usize,
    pub(super) listeners: Slab<Backlog>,
    /// Handshakes that are done and wait for a place.
    pub(super) handshakes: Handshakes,
    /// True once somebody has found no place.
    pub(super) is_short: bool,
    pub(super) tcp_ports: Ports,
    pub(super) udp_ports: Ports,
    /// Connections in TIME-WAIT, oldest first. Some may be gone.
    pub(super) time_wait: VecDeque<(usize, Instant)>,
    /// Answers to SYNs that wait until there is room for them.
    pub(super) cookies: VecDeque<Cookie>,
    /// Connections that the application is done with.
    pub(super) orphans: Orphans,
    /// Until when cookies may come back.
    pub(super) cookies_until: Instant,
    pub(super) config: Config,
    /// The longest packet, in bytes, that the device carries, and that the network does.
    pub(super) device_mtu: usize,
    pub(super) mtu: usize,
    pub(super) random: Random,
    pub(super) ipv6: Ipv6,
    /// The client, if IPv4 is to be configured by DHCP.
    pub(super) dhcp: Option<dhcp::Client>,
    /// The ways to IPv4 networks, first to the own one.
    pub(super) routes: Vec<Route>,
    /// True once no DHCP server has answered for long.
    pub(super) ipv4_is_optional: bool,
    pub(super) totals: Totals,
    /// Counters of the device after the last batch.
    pub(super) device_counters: Counters,
    /// Tasks that wait for an address.
    pub(super) address_waiters: Rc<Waiters>,
    pub(super) tasks: Handle,
}

impl Engine {
    pub(super) fn new<N: Net>(
        adapter: &mut Adapter<N>,
        config: Config,
        tasks: Handle,
        seed: u64,
    ) -> Self {
        let mac = unicast(adapter.device().mac());
        let mut random = Random::new(seed);
        let mut interface_config = InterfaceConfig::new(HardwareAddress::Ethernet(mac));
        interface_config.random_seed = random.next();
        let (flows, interface_flow) = Flows::new();
        let mtu = adapter.device().mtu();
        let ipv6 = Ipv6::new(MacAddress(mac.0), &config.ipv6, mtu, tasks.now());
        let half_open = config.backlog.min(MOST_HALF_OPEN);
        let entries = config.max_connections + config.max_time_wait + half_open;
        let mut engine = Self {
            interface: Interface::new(interface_config, adapter, smoltcp_time(tasks.now())),
            hardware: mac,
            table: Table::new(random.next(), entries),
            pool: Pool::new(Network::new(&config.memory), config.buffer_memory),
            settings: Settings {
                // No peer may be promised more than a buffer can hold.
                receive_buffer: config.receive_buffer.clamp(1, LARGEST_BUFFER) as u32,
                send_buffer: config.transmit_buffer.clamp(1, LARGEST_BUFFER),
                keep_alive: config.keep_alive,
                user_timeout: config.timeout,
            },
            secret: Secret::new((random.next(), random.next())),
            arp: Arp::default(),
            errors: Allowance::new(tasks.now()),
            neighbors: Neighbors::default(),
            stalled: Vec::new(),
            flows,
            interface_flow,
            listeners: Slab::new(),
            handshakes: Handshakes::default(),
            is_short: false,
            tcp_ports: Ports::default(),
            udp_ports: Ports::default(),
            time_wait: VecDeque::with_capacity(2 * config.max_time_wait + 2),
            cookies: VecDeque::new(),
            orphans: Orphans::default(),
            cookies_until: Instant::default(),
            device_mtu: mtu,
            mtu,
            ipv6,
            dhcp: None,
            routes: Vec::new(),
            ipv4_is_optional: false,
            config,
            random,
            totals: Totals::default(),
            device_counters: Counters::default(),
            address_waiters: Rc::default(),
            tasks,
        };
        engine.set_addresses();
        engine
    }

    pub(super) fn now(&self) -> Instant {
        self.tasks.now()
    }

    /// Takes in the next frames: half of those that wait, so that the device and the peers
    /// have the answers to them to work on meanwhile.
    pub(super) fn ingress<N: Net>(&mut self, adapter: &mut Adapter<N>) {
        let now = self.now();
        let waiting = adapter.device().waiting();
        let batch = waiting.map_or(MOST_BATCH, |count| {
            (count / 2).clamp(LEAST_BATCH, MOST_BATCH)
        });
        let (mut count, mut size) = (0, 0);
        while count < batch && size < BATCH_BYTES {
            let Some(mut frame) = adapter.device().receive() else {
                break;
            };
            self.totals.batches += u64::from(count == 0);
            count += 1;
            size += frame.as_ref().len();
            if !adapter.transmitter.vlan.admits(&mut frame) {
                self.discard(adapter, frame);
                continue;
            }
            let bytes = frame.as_ref();
            match frame::classify(bytes, fata_net::Frame::is_verified(&frame)) {
                Kind::Tcp { tuple, start, end } => {
                    self.receive_segment(&mut adapter.transmitter, bytes, (start, end), tuple, now);
                    adapter.device().recycle(frame);
                }
                Kind::Udp { local } => match self.udp_ports.lookup(local) {
                    Some(key) if key == self.interface_flow => {
                        self.receive_dhcp(bytes, now);
                        adapter.device().recycle(frame);
                    }
                    Some(key) => self.deliver(adapter, frame, key, now),
                    None => self.refuse(adapter, frame, local.addr, now),
                },
                Kind::Unknown { destination } => self.refuse(adapter, frame, destination, now),
                Kind::Neighbor => {
                    self.receive_icmp_error(bytes);
                    self.receive_ipv6(bytes);
                    if self.receive_arp(&mut adapter.transmitter, bytes, now) {
                        self.learn_neighbor(bytes, now);
                        self.deliver(adapter, frame, self.interface_flow, now);
                        self.flows.make_stalled_ready();
                    } else {
                        self.discard(adapter, frame);
                    }
                }
                Kind::Interface => {
                    self.receive_icmp_error(bytes);
                    self.receive_ipv6(bytes);
                    if adapter.device().is_crowded() {
                        self.discard(adapter, frame);
                    } else {
                        self.deliver(adapter, frame, self.interface_flow, now);
                    }
                }
                Kind::Nowhere => self.discard(adapter, frame),
            }
        }
    }

    /// Has an error sent for a frame that nobody takes, if not too many are sent. Groups do not
    /// send any (RFC 4443, section 2.4(e)).
    #[cold]
    fn refuse<N: Net>(
        &mut self,
        adapter: &mut Adapter<N>,
        frame: N::Frame,
        destination: IpAddress,
        now: Instant,
    ) {
        let is_ours = self.interface.has_ip_addr(destination);
        let may_answer = is_ours && !adapter.device().is_crowded();
        if may_answer && self.errors.take(now, &mut self.random) {
            return self.deliver(adapter, frame, self.interface_flow, now);
        }
        self.totals.withheld_errors += u64::from(is_ours);
        self.discard(adapter, frame);
    }

    fn discard<N: Net>(&mut self, adapter: &mut Adapter<N>, frame: N::Frame) {
        self.totals.dropped_frames += 1;
        adapter.device().recycle(frame);
    }

    fn learn_neighbor(&mut self, frame: &[u8], now: Instant) {
        let interface = &self.interface;
        let is_own = |address: IpAddress| interface.has_ip_addr(address);
        if self.neighbors.learn(frame, is_own, now) {
            self.make_stalled_ready();
        }
    }

    /// Lets connections go on that wait for a neighbor.
    pub(super) fn make_stalled_ready(&mut self) {
        while let Some(key) = self.stalled.pop() {
            if let Some(flow) = self.table.flow(key) {
                flow.stalled = false;
            }
            self.table.make_ready(key);
        }
    }

    /// Gives a frame to one of smoltcp's sockets.
    fn deliver<N: Net>(
        &mut self,
        adapter: &mut Adapter<N>,
        frame: N::Frame,
        key: usize,
        now: Instant,
    ) {
        // An answer to a ping that the network does not carry would be as long.
        let is_too_long =
            self.mtu < self.device_mtu && frame.as_ref().len() > frame::ETHERNET + self.mtu;
        if is_too_long && key == self.interface_flow {
            return self.discard(adapter, frame);
        }
        adapter.offer(frame);
        if let Some(flow) = self.flows.get(key) {
            self.interface
                .poll_ingress_single(smoltcp_time(now), adapter, &mut flow.sockets);
            self.flows.make_ready(key);
        }
        adapter.recycle();
    }

    /// Sends what is to be sent, as far as the device has room, and sets the timers.
    pub(super) fn egress<N: Net>(&mut self, adapter: &mut Adapter<N>) {
        let now = self.now();
        self.announce(&mut adapter.transmitter);
        self.send_ipv6(adapter);
        self.establish_queued(now);
        self.transmit_connections(&mut adapter.transmitter, now);
        self.transmit_flows(&mut adapter.transmitter, now);
        self.transmit_cookies(&mut adapter.transmitter);
        self.tell_of_shortage();
    }

    fn transmit_flows<N: Net>(&mut self, transmitter: &mut Transmitter<N>, now: Instant) {
        self.flows.expire(now);
        while let Some(key) = self.flows.next_ready() {
            let Some(flow) = self.flows.get(key) else {
                continue;
            };
            let has_sent = match flow.kind {
                FlowKind::Udp(_) => self.transmit_datagrams(transmitter, key, now),
                FlowKind::Interface => self.transmit_dhcp(transmitter, now),
            };
            if has_sent {
                self.flows.remove_finished(key);
            } else {
                self.flows.make_ready(key);
                return;
            }
        }
    }

    /// When egress has to run again even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let timers = [
            self.table.schedule.next_timer(),
            self.flows.next_timer(),
            self.ipv6.deadline(),
        ];
        timers.into_iter().flatten().min()
    }
}

fn smoltcp_time(time: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// The address of the device. smoltcp insists that it is not a group's.
fn unicast(MacAddress(mut bytes): MacAddress) -> EthernetAddress {
    if bytes[0] & 1 != 0 {
        log::warn!(target: "net", "the device's address is a group's; using it as its own");
        bytes[0] &= !1;
    }
    EthernetAddress(bytes)
}
