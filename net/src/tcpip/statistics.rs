use super::engine::Engine;
use super::flow::{Kind, Owner};
use smoltcp::socket::{tcp, udp};

/// What a stack holds at the moment, and what it has counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// TCP connections in all, in whatever state: the sum of the six below.
    pub connections: usize,
    /// Connections from peers that have not answered the SYN+ACK yet.
    pub half_open: usize,
    /// Established connections that wait to be accepted.
    pub waiting: usize,
    /// Connections that this side is opening.
    pub connecting: usize,
    /// Connections that the application holds.
    pub open: usize,
    /// Connections that the application is done with and that close in the background.
    pub closing: usize,
    /// Connections in TIME-WAIT.
    pub time_wait: usize,
    /// Listeners.
    pub listeners: usize,
    /// UDP sockets.
    pub udp_sockets: usize,
    /// Bytes in the buffers of connections and UDP sockets, used or not.
    pub buffer_bytes: usize,
    /// Counted since the start.
    pub totals: Totals,
}

/// What a stack has counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections that peers opened completely.
    pub accepted: u64,
    /// Connections that were opened from here completely.
    pub connected: u64,
    /// SYNs that were dropped: too many connections, or too many wait to be accepted.
    pub dropped_syns: u64,
    /// Half-open connections that were dropped to make room for newer ones.
    pub evicted_half_open: u64,
    /// Connections that were forgotten early in TIME-WAIT.
    pub evicted_time_wait: u64,
    /// Frames that were dropped: damaged, fragmented, or nobody's business.
    pub dropped_frames: u64,
    /// Times that datagrams were dropped because no neighbor or no route was found.
    pub unreachable: u64,
}

impl Engine {
    pub(super) fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            listeners: self.listeners.len(),
            totals: self.totals,
            ..Statistics::default()
        };
        for flow in self.table.iter() {
            match &flow.kind {
                Kind::Interface => {}
                Kind::Udp(_) => {
                    let socket: &udp::Socket = flow.sockets.get(flow.handle);
                    statistics.udp_sockets += 1;
                    statistics.buffer_bytes +=
                        socket.payload_recv_capacity() + socket.payload_send_capacity();
                }
                Kind::Tcp(connection) => {
                    let socket: &tcp::Socket = flow.sockets.get(flow.handle);
                    statistics.connections += 1;
                    statistics.buffer_bytes += socket.recv_capacity() + socket.send_capacity();
                    *match (connection.owner, connection.state) {
                        (_, tcp::State::TimeWait) => &mut statistics.time_wait,
                        (Owner::HalfOpen(_), _) => &mut statistics.half_open,
                        (Owner::Waiting(_), _) => &mut statistics.waiting,
                        (Owner::Stream, tcp::State::SynSent) => &mut statistics.connecting,
                        (Owner::Stream, _) => &mut statistics.open,
                        (Owner::Nobody, _) => &mut statistics.closing,
                    } += 1;
                }
            }
        }
        statistics
    }
}
