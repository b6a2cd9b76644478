//! TCP (RFC 9293) without I/O: what a connection does with a segment, a call of the
//! application or a moment that has come, and which segments it sends.
//!
//! Nothing here knows devices, tasks or other connections, so all of it runs under a fake
//! clock. Beside the RFC: SACK (RFC 2018) with loss detection by time and tail loss probes
//! (RFC 8985), CUBIC (RFC 9438), window scaling (RFC 7323), retransmission time-outs (RFC
//! 6298, but not under 200 ms instead of a second, as Linux has it), the search for a path's MTU
//! where routers do not tell it (RFC 4821), challenges to blind
//! resets and data (RFC 5961), sequence numbers that strangers cannot guess (RFC 6528), SYN cookies
//! (RFC 4987).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod congestion;
mod connection;
mod error;
mod flight;
mod handshake;
mod header;
mod isn;
mod pool;
mod quota;
mod receiver;
mod ring;
mod round_trip;
mod segment;
mod sender;
mod sequence;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Counts, Phase, Settings};
pub use error::Error;
pub use handshake::{Agreement, Embryo, Offer, Verdict, answer};
pub use header::{Header, MOST_BLOCKS, Options};
pub use isn::Secret;
pub use pool::{LARGEST, Pool};
pub use quota::{Quota, Unlimited};
pub use ring::Lent;
pub use segment::{Flags, Offered, Range, Segment};
pub use sender::Transmit;
pub use sequence::Sequence;
