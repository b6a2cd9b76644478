use fata_net::Counters;

/// Figures of a stack: what it holds at the moment, and has counted since it was started.
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
    /// Bytes in the buffers of connections and UDP sockets.
    pub buffer_bytes: usize,
    /// Memory that the parts of the program hold.
    pub memory: fata_memory::Statistics,
    /// Counters of the device, up to the last batch.
    pub device: Counters,
    /// Counted since the start.
    pub totals: Totals,
}

/// Counters of a stack since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Times that frames were taken in, one or many together.
    pub batches: u64,
    /// Connections that peers opened completely.
    pub accepted: u64,
    /// Connections that were opened from here completely.
    pub connected: u64,
    /// SYNs that were dropped: too many connections, or too many wait to be accepted.
    pub dropped_syns: u64,
    /// SYNs that were answered with a cookie, as too many connections were half open.
    pub cookies: u64,
    /// Half-open connections whose peer never answered.
    pub expired_half_open: u64,
    /// Segments that belonged to no connection and were answered with RST.
    pub refused_segments: u64,
    /// Segments with data or FIN that connections, now gone, have sent.
    pub sent_segments: u64,
    /// Those of them that were sent again.
    pub retransmitted_segments: u64,
    /// Segments out of place that such connections have received.
    pub challenged_segments: u64,
    /// Connections that were forgotten early in TIME-WAIT.
    pub evicted_time_wait: u64,
    /// Connections that closed in the background and made room for new ones.
    pub evicted_orphans: u64,
    /// Frames that were dropped: damaged, fragmented, nobody's business, or of strangers while
    /// the device had no room for answers to them.
    pub dropped_frames: u64,
    /// Packets that nobody takes and of which the sender was not told, as too many errors were
    /// sent. They count as dropped frames, too.
    pub withheld_errors: u64,
    /// Datagrams that were dropped because no neighbor or no route was found.
    pub unreachable: u64,
}
