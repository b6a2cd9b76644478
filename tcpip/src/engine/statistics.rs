//! The stack is counted.

use super::Engine;
use crate::flow::Kind;
use crate::statistics::Statistics;
use crate::table::{Owner, State};
use smoltcp::socket::udp;

impl Engine {
    pub(crate) fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            listeners: self.listeners.len(),
            device: self.device_counters,
            memory: self.config.memory.statistics(),
            totals: self.totals,
            ..Statistics::default()
        };
        statistics.half_open = self.table.half_open();
        statistics.time_wait = self.table.time_wait();
        statistics.buffer_bytes = self.pool.used();
        for flow in self.flows.iter() {
            if let Kind::Udp(outbox) = &flow.kind {
                let socket: &udp::Socket = flow.sockets.get(flow.handle);
                statistics.udp_sockets += 1;
                statistics.buffer_bytes += socket.payload_recv_capacity() + outbox.capacity();
            }
        }
        for (_, entry) in self.table.iter() {
            if let State::Flow(flow) = &entry.state {
                *match flow.owner {
                    Owner::Waiting(_) => &mut statistics.waiting,
                    Owner::Stream if flow.connection.is_opening() => &mut statistics.connecting,
                    Owner::Stream => &mut statistics.open,
                    Owner::Nobody => &mut statistics.closing,
                } += 1;
                let counts = &flow.connection.counts;
                statistics.totals.sent_segments += counts.sent;
                statistics.totals.retransmitted_segments += counts.retransmitted;
                statistics.totals.challenged_segments += counts.challenged;
            }
        }
        statistics.connections =
            self.table.connections() + statistics.half_open + statistics.time_wait;
        statistics
    }
}
