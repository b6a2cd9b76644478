//! Statistics as a list of metrics, for whoever shows or collects them.
#![forbid(unsafe_code)]

use crate::Statistics;
use fata_memory::Part;
use fata_net::{Metric, MetricKind};

const FRAMES: &str = "Ethernet frames that the device has received or taken.";
const BYTES: &str = "Bytes of these frames.";
const CONNECTIONS: &str = "TCP connections, by what becomes of them.";
const SEGMENTS: &str = "TCP segments with data, by whether they were sent before.";
const LEASED: &str = "Bytes of the memory budget that parts of the program have taken.";
const ALLOCATED: &str = "Bytes that parts of the program hold.";
const DROPS: &str = "What was dropped, by why.";

impl Statistics {
    /// All figures, those of one name in a row.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        use MetricKind::{Counter, Gauge};
        let (device, totals) = (&self.device, &self.totals);
        let frames = |direction, value| {
            Metric::new("net_frames_total", Counter, FRAMES, value).labelled("direction", direction)
        };
        let bytes = |direction, value| {
            Metric::new("net_bytes_total", Counter, BYTES, value).labelled("direction", direction)
        };
        let connections = |state, value: usize| {
            Metric::new("tcp_connections", Gauge, CONNECTIONS, value as u64)
                .labelled("state", state)
        };
        let segments = |kind, value| {
            Metric::new("tcp_segments_sent_total", Counter, SEGMENTS, value).labelled("kind", kind)
        };
        let drops = |reason, value| {
            Metric::new("net_drops_total", Counter, DROPS, value).labelled("reason", reason)
        };
        let counter = |name, help, value| Metric::new(name, Counter, help, value);
        let gauge = |name, help, value: usize| Metric::new(name, Gauge, help, value as u64);
        [
            frames("in", device.received_frames),
            frames("out", device.transmitted_frames),
            bytes("in", device.received_bytes),
            bytes("out", device.transmitted_bytes),
            counter(
                "net_notifications_total",
                "Times that the device was told of frames.",
                device.notifications,
            ),
            counter(
                "net_batches_total",
                "Times that frames were taken in, one or many together.",
                totals.batches,
            ),
            drops("frame", totals.dropped_frames),
            drops("syn", totals.dropped_syns),
            drops("unreachable", totals.unreachable),
            counter(
                "net_withheld_errors_total",
                "ICMP errors that were not sent, as too many were.",
                totals.withheld_errors,
            ),
            connections("half_open", self.half_open),
            connections("waiting", self.waiting),
            connections("connecting", self.connecting),
            connections("open", self.open),
            connections("closing", self.closing),
            connections("time_wait", self.time_wait),
            counter(
                "tcp_accepted_total",
                "Connections from peers.",
                totals.accepted,
            ),
            counter(
                "tcp_connected_total",
                "Connections to peers.",
                totals.connected,
            ),
            counter(
                "tcp_cookies_total",
                "SYNs that were answered with a cookie.",
                totals.cookies,
            ),
            counter(
                "tcp_expired_half_open_total",
                "Handshakes that the peer never completed.",
                totals.expired_half_open,
            ),
            counter(
                "tcp_evicted_time_wait_total",
                "Connections that were forgotten early in TIME-WAIT.",
                totals.evicted_time_wait,
            ),
            counter(
                "tcp_evicted_orphans_total",
                "Connections that closed in the background and made room for new ones.",
                totals.evicted_orphans,
            ),
            counter(
                "tcp_refused_segments_total",
                "Segments of no connection, answered with RST.",
                totals.refused_segments,
            ),
            counter(
                "tcp_challenged_segments_total",
                "Segments out of place.",
                totals.challenged_segments,
            ),
            segments(
                "first",
                totals.sent_segments - totals.retransmitted_segments,
            ),
            segments("again", totals.retransmitted_segments),
            gauge("net_listeners", "Listeners.", self.listeners),
            gauge("udp_sockets", "UDP sockets.", self.udp_sockets),
            gauge(
                "net_buffer_bytes",
                "Bytes in the buffers of sockets.",
                self.buffer_bytes,
            ),
        ]
        .into_iter()
        .chain(memory_metrics(&self.memory))
    }
}

/// Bytes that each part of the program may hold, and those that it holds if they are counted.
fn memory_metrics(memory: &fata_memory::Statistics) -> impl Iterator<Item = Metric> + use<> {
    let by_part = |name, help, bytes: [usize; Part::ALL.len()]| {
        let parts = Part::ALL.into_iter().zip(bytes);
        parts.map(move |(part, bytes)| {
            Metric::new(name, MetricKind::Gauge, help, bytes as u64).labelled("part", part.name())
        })
    };
    let leased = by_part("memory_leased_bytes", LEASED, memory.leased);
    let allocated = memory
        .allocated
        .map(|bytes| by_part("memory_allocated_bytes", ALLOCATED, bytes));
    leased.chain(allocated.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn names_are_good_and_stand_together() {
        let metrics: Vec<Metric> = Statistics::default().metrics().collect();
        let is_good = |name: &str| {
            let mut bytes = name.bytes();
            bytes.all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        for (index, metric) in metrics.iter().enumerate() {
            assert!(is_good(metric.name), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{}",
                metric.name
            );
            let before = &metrics[..index];
            if before.last().is_some_and(|last| last.name != metric.name) {
                assert!(before.iter().all(|other| other.name != metric.name));
            }
        }
    }
}
