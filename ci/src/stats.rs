use crate::Client;
use std::net::IpAddr;
use std::time::Duration;

/// The numbers of bench-guest at `/stats`.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Bytes of the heap that are in use.
    pub heap_used: usize,
    /// For how long its processor, or its process, was not idle. Under `-icount shift=0` each
    /// nanosecond is an instruction.
    pub busy: Duration,
}

impl Stats {
    /// Asks for them on a connection of its own. The client closes first, so that the guest keeps
    /// nothing of the connection.
    ///
    /// # Panics
    /// If nobody answers, or otherwise than bench-guest does.
    #[track_caller]
    pub fn of(address: IpAddr, port: u16) -> Self {
        let mut client = Client::connect(address, port).expect("the server accepts");
        let body = client.get("/stats").expect("the server answers").body;
        let text = String::from_utf8(body).expect("statistics are text");
        let number = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|number| number.trim().parse().ok());
            number.unwrap_or_else(|| panic!("no {name} in {text:?}"))
        };
        Self {
            heap_used: number("heap-used") as usize,
            busy: Duration::from_nanos(number("busy-ns")),
        }
    }
}
