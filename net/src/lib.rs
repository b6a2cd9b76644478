//! NET and the network stacks of a Fata program.
//!
//! - [`Net`] is the device trait: Ethernet frames in and out, in place, in batches.
//! - [`Stack`] with [`TcpListener`], [`TcpStream`] and [`UdpSocket`] is what applications
//!   and protocols see. Streams implement the traits of `embedded-io-async`.
#![no_std]

extern crate alloc;

mod device;
mod error;
mod traits;

pub use device::{Counters, MacAddress, Net, TransmitError};
pub use error::Error;
pub use traits::{Stack, TcpListener, TcpStream, UdpSocket};
