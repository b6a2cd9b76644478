//! NET, and what programs see of a network stack.
//!
//! - [`Net`] is the device trait: Ethernet frames in and out, in place, in batches.
//! - [`Stack`] with [`TcpListener`], [`TcpStream`] and [`UdpSocket`] is what applications
//!   and protocols see. Streams implement the traits of `embedded-io-async`.
//!
//! Drivers and the larger parts are behind features: `virtio`, `tap`, `host` (the stack over
//! the host's sockets), `resolver`, `impairment`. The stack over any [`Net`] is the crate
//! `fata-tcpip`.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod capture;
#[cfg(feature = "resolver")]
mod connect;
mod device;
mod error;
pub mod ethernet;
#[cfg(all(feature = "host", not(fata_vm)))]
pub mod host;
#[cfg(feature = "impairment")]
mod impairment;
mod link;
mod metric;
#[cfg(feature = "resolver")]
pub mod resolver;
mod segmentation;
#[cfg(all(feature = "tap", not(fata_vm)))]
mod tap;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod traits;
#[cfg(feature = "virtio")]
mod virtio;
#[cfg(any(feature = "virtio", all(feature = "tap", not(fata_vm))))]
mod virtio_net_header;

pub use capture::{Capture, CaptureSink};
#[cfg(feature = "resolver")]
pub use connect::{ConnectError, connect_addresses};
pub use device::{Counters, Frame, Net, Offload, Offloads, PartialChecksum, TransmitError};
pub use error::Error;
pub use ethernet::{LARGEST_FRAME, MacAddress};
#[cfg(feature = "impairment")]
pub use impairment::{ImpairedFrame, ImpairedNet, Impairment, ImpairmentCounts, ImpairmentHandle};
pub use link::{Link, LinkFrame};
pub use metric::{Metric, MetricKind};
#[cfg(feature = "resolver")]
pub use resolver::{ResolveError, Resolver};
#[cfg(all(feature = "tap", not(fata_vm)))]
pub use tap::{Tap, TapError, TapFrame};
pub use traits::{Stack, TcpListener, TcpStream, UdpSocket};
#[cfg(feature = "virtio")]
pub use virtio::{ReceivedFrame, VirtioNet};
