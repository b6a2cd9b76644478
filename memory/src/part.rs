/// A part of a program that holds memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The buffers of connections and sockets.
    Network,
    /// Connections of HTTP servers, and the requests on them.
    Http,
    /// Stores, queues, file systems and caches.
    Storage,
    /// The program's own.
    Program,
    /// Everything else: the executor, drivers, the log. It takes no leases.
    System,
}

impl Part {
    /// All parts, in the order of their indices.
    pub const ALL: [Self; 5] = [
        Self::Network,
        Self::Http,
        Self::Storage,
        Self::Program,
        Self::System,
    ];

    /// The name in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Http => "http",
            Self::Storage => "storage",
            Self::Program => "program",
            Self::System => "system",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A value for each part.
pub(crate) type PerPart<T> = [T; Part::ALL.len()];
