use super::Config;
use super::connections::Found;
use super::flow::{Kind as FlowKind, Owner};
use super::frame::{self, Kind};
use super::listener::Backlog;
use super::phy::Adapter;
use super::ports::{Ports, Random};
use super::statistics::Totals;
use super::table::Table;
use crate::{MacAddress, Net};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;
use fata_task::Handle;
use slab::Slab;
use smoltcp::iface::{Config as InterfaceConfig, Interface, PollResult};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress};

/// Frames that are taken in before answers go out.
const BATCH: usize = 64;
/// smoltcp keeps a flow silent for so long after it has asked for a neighbor.
const NEIGHBOR_SILENCE: Duration = Duration::from_secs(1);
/// Datagrams wait that long for a neighbor's hardware address, then they are dropped, so
/// that those behind them go on. smoltcp asks for one neighbor a second, so that it may
/// take a second until this one is asked for.
const UDP_NEIGHBOR_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The least time between two looks at a flow that says it is due and then sends nothing.
const MIN_DELAY: Duration = Duration::from_millis(10);

/// Everything of a stack but the device.
pub(super) struct Engine {
    pub(super) interface: Interface,
    pub(super) table: Table,
    /// The key of the flow that DHCP, ARP and ICMP belong to.
    pub(super) interface_flow: usize,
    pub(super) listeners: Slab<Backlog>,
    /// Whether a listener may have kept SYNs for later.
    pub(super) syns_kept: bool,
    pub(super) tcp_ports: Ports,
    pub(super) udp_ports: Ports,
    /// Connections in TIME-WAIT that nobody owns, oldest first.
    pub(super) time_wait: VecDeque<usize>,
    pub(super) config: Config,
    pub(super) mtu: usize,
    pub(super) random: Random,
    pub(super) totals: Totals,
    /// Tasks that wait for an address.
    pub(super) address_waiters: Vec<Waker>,
    pub(super) tasks: Handle,
}

/// What caused a change of a connection's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A frame from the peer.
    Peer,
    /// A timer, or what was done on this side.
    Local,
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
        let now = smoltcp_now(&tasks);
        let (table, interface_flow) = Table::new(random.next());
        let mut engine = Self {
            interface: Interface::new(interface_config, adapter, now),
            table,
            interface_flow,
            listeners: Slab::new(),
            syns_kept: false,
            tcp_ports: Ports::default(),
            udp_ports: Ports::default(),
            time_wait: VecDeque::new(),
            mtu: adapter.device().mtu(),
            config,
            random,
            totals: Totals::default(),
            address_waiters: Vec::new(),
            tasks,
        };
        engine.set_addresses(mac);
        engine
    }

    pub(super) fn now(&self) -> Instant {
        smoltcp_now(&self.tasks)
    }

    /// Takes in the next frames.
    pub(super) fn ingress<N: Net>(&mut self, adapter: &mut Adapter<N>) {
        let now = self.now();
        for _ in 0..BATCH {
            if !adapter.offer_received() {
                break;
            }
            let kind = frame::classify(adapter.offered(), adapter.is_verified());
            if let Some(key) = self.flow_for(kind, adapter.offered(), now) {
                self.deliver(adapter, key, now);
            }
            adapter.recycle();
            if kind == Kind::Neighbor {
                self.table.make_stalled_ready();
            }
        }
        self.admit_kept(adapter, now);
    }

    /// The flow that a frame is for; none if it is dropped, or kept for later.
    fn flow_for(&mut self, kind: Kind, frame: &[u8], now: Instant) -> Option<usize> {
        match kind {
            // smoltcp would answer to a group's address.
            Kind::Tcp { tuple, opens } if self.interface.has_ip_addr(tuple.local().addr) => {
                match self.connection_for(tuple, opens) {
                    Found::Flow(key) => Some(key),
                    Found::Listener(listener) => self.admit(tuple, listener, frame, now),
                }
            }
            Kind::Udp { local } => self.udp_ports.lookup(local).or(Some(self.interface_flow)),
            Kind::Neighbor | Kind::Interface => Some(self.interface_flow),
            Kind::Tcp { .. } | Kind::Nowhere => {
                self.totals.dropped_frames += 1;
                None
            }
        }
    }

    /// Gives the frame that was offered to a flow.
    pub(super) fn deliver<N: Net>(&mut self, adapter: &mut Adapter<N>, key: usize, now: Instant) {
        let Some(flow) = self.table.get(key) else {
            return;
        };
        self.interface
            .poll_ingress_single(now, adapter, &mut flow.sockets);
        self.settle(key, Cause::Peer, now);
        self.table.make_ready(key);
    }

    /// Sends what is to be sent, as far as the device has room, and sets the timers.
    pub(super) fn egress<N: Net>(&mut self, adapter: &mut Adapter<N>) {
        let now = self.now();
        self.table.expire(now);
        while let Some(key) = self.table.next_ready() {
            if !self.prepare(key, now) {
                continue;
            }
            let Some(flow) = self.table.get(key) else {
                continue;
            };
            let mut sent = false;
            while self.interface.poll_egress(now, adapter, &mut flow.sockets)
                == PollResult::SocketStateChanged
            {
                sent = true;
            }
            self.settle(key, Cause::Local, now);
            if adapter.take_full() {
                self.table.make_ready(key);
                return;
            }
            self.schedule(key, sent, now);
        }
    }

    /// When egress has to run again even if nothing happens.
    pub(super) fn deadline(&self) -> Option<fata_time::Instant> {
        let micros = self.table.next_timer()?.total_micros();
        let nanos = u64::try_from(micros).unwrap_or(0).saturating_mul(1_000);
        Some(fata_time::Instant::from_nanos(nanos))
    }

    /// What is due before a flow sends. Returns whether it may send.
    fn prepare(&mut self, key: usize, now: Instant) -> bool {
        let Some(flow) = self.table.get(key) else {
            return false;
        };
        if let Some((_, connection)) = flow.tcp() {
            // When TIME-WAIT ends, smoltcp drops data that was not read yet.
            let held = connection.owner == Owner::Stream && connection.time_wait_is_over(now);
            return !held && self.check_closing(key, now);
        }
        let overdue = flow.udp_socket().is_some_and(|(socket, binding)| {
            let overdue = binding
                .stalled_since
                .is_some_and(|since| since + UDP_NEIGHBOR_TIMEOUT <= now);
            if overdue {
                binding.stalled_since = None;
                // smoltcp has no way to drop just what is to be sent: what was received
                // and not read yet goes with it.
                socket.close();
                let bound = socket.bind(binding.local);
                debug_assert!(bound.is_ok(), "the socket was bound before");
            }
            overdue
        });
        if overdue {
            flow.forget_neighbor();
            self.totals.unreachable += 1;
        }
        true
    }

    /// Sets a flow's timer after it has sent what it could.
    fn schedule(&mut self, key: usize, sent: bool, now: Instant) {
        let Some(flow) = self.table.get(key) else {
            return;
        };
        let mut deadline = self.interface.poll_at(now, &flow.sockets);
        let mut stalled = !sent && deadline == Some(now + NEIGHBOR_SILENCE);
        if let Some((_, binding)) = flow.udp_socket() {
            // It is due again as long as anything is left to send.
            stalled = deadline.is_some();
            let before = binding.stalled_since.filter(|_| !sent);
            binding.stalled_since = stalled.then(|| before.unwrap_or(now));
            let overdue_at = binding
                .stalled_since
                .map(|since| since + UDP_NEIGHBOR_TIMEOUT);
            deadline = deadline.into_iter().chain(overdue_at).min();
        } else if let Some((_, connection)) = flow.tcp() {
            if connection.owner == Owner::Stream && connection.time_wait_is_over(now) {
                return;
            }
            deadline = deadline.into_iter().chain(connection.abort_at).min();
        }
        if let Some(deadline) = deadline {
            let is_later = deadline > now;
            let deadline = if is_later { deadline } else { now + MIN_DELAY };
            self.table.set_timer(key, deadline);
        }
        if stalled {
            self.table.stall(key);
        }
    }

    /// Takes note of what has changed in a flow.
    fn settle(&mut self, key: usize, cause: Cause, now: Instant) {
        match self.table.get(key).map(|flow| &flow.kind) {
            Some(FlowKind::Tcp(_)) => self.settle_connection(key, cause, now),
            Some(FlowKind::Interface) => self.settle_addresses(key),
            Some(FlowKind::Udp(_)) | None => {}
        }
    }

    /// Whether a TCP socket is in a state in which nothing is to be sent any more.
    pub(super) fn is_gone(socket: &tcp::Socket<'_>) -> bool {
        socket.state() == tcp::State::Closed && socket.remote_endpoint().is_none()
    }
}

fn smoltcp_now(tasks: &Handle) -> Instant {
    let micros = i64::try_from(tasks.now().as_micros()).unwrap_or(i64::MAX);
    Instant::from_micros(micros)
}

/// The address of the device. smoltcp insists that it is not a group's.
fn unicast(MacAddress(mut bytes): MacAddress) -> EthernetAddress {
    if bytes[0] & 1 != 0 {
        log::warn!(target: "net", "the device's address is a group's; using it as its own");
        bytes[0] &= !1;
    }
    EthernetAddress(bytes)
}
