//! TCP (RFC 9293) without I/O: a [`Connection`] takes in segments, calls of the application and
//! the time, and says which segments to send.
//!
//! Nothing here knows devices, tasks or other connections, so all of it runs under a fake
//! clock. States and variables have the names of the RFCs:
//!
//! - RFC 9293: [`State`], SND.UNA as `snd_una`, RCV.NXT as `rcv_nxt` and so on; the segments of
//!   section 3.10.7 in `connection/receive.rs`, the persist timer in `sender/timer.rs`.
//! - RFC 6298: `srtt`, `rttvar` and the RTO in `rto.rs`, but with a least RTO of 200 ms instead of
//!   a second, as Linux has it.
//! - RFC 2018, RFC 2883: SACK and DSACK, in `receiver.rs` and `scoreboard.rs`.
//! - RFC 8985: RACK in `rack.rs`, tail loss probes (TLP) in `sender/tlp.rs`.
//! - RFC 5681, RFC 6582: duplicate ACKs and recovery where a peer has no SACK, in
//!   `sender/acknowledge.rs`.
//! - RFC 9438: CUBIC, with `cwnd` and `ssthresh`, in `cubic.rs`.
//! - RFC 7323: window scale. There are no timestamps.
//! - RFC 4821, RFC 8899: PLPMTUD, the search for a path's MTU where routers do not tell it, in
//!   `sender/plpmtud.rs` and `sender/black_hole.rs`.
//! - RFC 5961: challenge ACKs to blind resets, SYNs and data, in `connection/receive.rs`.
//! - RFC 6528, RFC 4987: initial sequence numbers that strangers cannot guess, and SYN cookies,
//!   in `isn.rs`.
//!
//! LISTEN and TIME-WAIT's 2 MSL belong to the stack around it, as do ports and checksums.
//!
//! # Example
//!
//! Two connections shake hands and exchange bytes. Their wire is a `Vec` of segments; anything
//! else that carries bytes may take its place.
//!
//! ```
//! use fata_tcp::{
//!     Connection, Header, Pool, Secret, Segment, Settings, State, SynReceived, Transmit,
//!     Unlimited, Verdict,
//! };
//! use fata_time::Instant;
//! use std::time::Duration;
//!
//! const MAXIMUM_SEGMENT_SIZE: u16 = 1_460;
//!
//! /// Segments on their way, from the TCP header to the end of the payload.
//! #[derive(Default)]
//! struct Wire(Vec<Vec<u8>>);
//!
//! impl Transmit for Wire {
//!     fn max_payload(&self, mss: u32) -> u32 {
//!         mss // Nothing cuts longer segments.
//!     }
//!
//!     fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), _mss: u32) -> bool {
//!         let mut segment = vec![0; header.length()];
//!         header.encode(49_152, 80, &mut segment); // A network needs a checksum here.
//!         segment.extend(payload.0);
//!         segment.extend(payload.1);
//!         self.0.push(segment);
//!         true
//!     }
//! }
//!
//! /// Has all that is on the wire arrive.
//! fn deliver(wire: &mut Wire, to: &mut Connection, pool: &mut Pool, now: Instant) {
//!     for bytes in wire.0.drain(..) {
//!         to.receive(&Segment::parse(&bytes).expect("a segment"), pool, now);
//!     }
//! }
//!
//! let settings = Settings {
//!     receive_buffer: 256 * 1024,
//!     send_buffer: 256 * 1024,
//!     keep_alive: Duration::from_secs(60),
//!     user_timeout: Duration::from_secs(180),
//! };
//! let mut pool = Pool::new(Unlimited, 1 << 20);
//! let secret = Secret::new((1, 2)); // Of a stack, random.
//! let now = Instant::from_nanos(0);
//! let (mut up, mut down) = (Wire::default(), Wire::default());
//!
//! // SYN, the answer of a stack that listens, and what completes the handshake.
//! let iss = secret.iss(&"the client's addresses and ports", now);
//! let mut client = Connection::connecting(iss, MAXIMUM_SEGMENT_SIZE, settings, now);
//! assert!(client.transmit(&mut up, now));
//! let syn = up.0.remove(0);
//! let syn = Segment::parse(&syn).expect("a segment");
//! let iss = secret.iss(&"the server's addresses and ports", now);
//! let half_open = SynReceived::new(&syn, iss, now);
//! let syn_ack = half_open.syn_ack(MAXIMUM_SEGMENT_SIZE, settings.receive_buffer);
//! assert!(down.send(&syn_ack, (&[], &[]), 0));
//! deliver(&mut down, &mut client, &mut pool, now);
//! assert_eq!(client.state(), State::Established);
//! assert!(client.transmit(&mut up, now));
//! let ack = up.0.remove(0);
//! let ack = Segment::parse(&ack).expect("a segment");
//! assert_eq!(half_open.judge(&ack), Verdict::Establish);
//! let negotiated = half_open.negotiated(now);
//! let mut server =
//!     Connection::accepted(negotiated, MAXIMUM_SEGMENT_SIZE, ack.window, settings, now);
//! server.receive(&ack, &mut pool, now);
//!
//! // Bytes, and the end of the client's side.
//! assert_eq!(client.write(b"hello", &mut pool), 5);
//! client.close();
//! assert!(client.transmit(&mut up, now));
//! assert_eq!(client.state(), State::FinWait1);
//! deliver(&mut up, &mut server, &mut pool, now);
//! assert_eq!(server.state(), State::CloseWait);
//! let mut buffer = [0; 16];
//! assert_eq!(server.read(&mut buffer, &mut pool).0, 5);
//! assert_eq!(&buffer[..5], b"hello");
//!
//! // The end of the server's side, with the acknowledgement of all that.
//! server.close();
//! assert!(server.transmit(&mut down, now));
//! deliver(&mut down, &mut client, &mut pool, now);
//! assert_eq!(client.state(), State::TimeWait);
//! assert!(client.transmit(&mut up, now));
//! deliver(&mut up, &mut server, &mut pool, now);
//! assert_eq!(server.state(), State::Closed);
//! assert_eq!(server.error(), None);
//! ```
//!
//! Between such steps a stack calls [`Connection::expire`] when [`Connection::deadline`] has come.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod connection;
mod cubic;
mod error;
mod handshake;
mod header;
mod isn;
mod pool;
mod quota;
mod rack;
mod receiver;
mod ring;
mod rto;
mod scoreboard;
mod segment;
mod sender;
mod sequence;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Counts, Settings, State};
pub use error::Error;
pub use handshake::{Negotiated, PeerOptions, SynReceived, Verdict, syn_ack};
pub use header::{Header, MAX_SACK_BLOCKS, Options};
pub use isn::Secret;
pub use pool::{LARGEST_BUFFER, Pool};
pub use quota::{Quota, Unlimited};
pub use ring::Lent;
pub use segment::{Flags, Range, Segment, SynOptions};
pub use sender::Transmit;
pub use sequence::Sequence;
