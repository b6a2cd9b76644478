//! NET and the network stacks of a Fata program.
//!
//! - [`Net`] is the device trait: Ethernet frames in and out, in place, in batches.
//! - [`Stack`] with [`TcpListener`], [`TcpStream`] and [`UdpSocket`] is what applications
//!   and protocols see. Streams implement the traits of `embedded-io-async`.
#![no_std]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod capture;
mod connect;
mod device;
mod error;
#[cfg(not(fata_vm))]
pub mod host;
mod link;
mod metrics;
pub mod resolver;
mod segmentation;
#[cfg(not(fata_vm))]
mod tap;
mod tcp;
pub mod tcpip;
mod traits;
mod virtio;
mod weather;

pub use capture::{Capture, CaptureSink};
pub use connect::{ConnectError, connect_addresses};
pub use device::{
    Counters, Frame, LARGEST_FRAME, MacAddress, Net, Offload, Offloads, PartialChecksum,
    TransmitError,
};
pub use error::Error;
pub use link::{Link, LinkFrame};
pub use metrics::{Metric, MetricKind};
pub use resolver::{ResolveError, Resolver};
#[cfg(not(fata_vm))]
pub use tap::{Tap, TapError, TapFrame};
pub use tcpip::{
    AddressError, Config, Ipv4Config, Ipv6Config, TcpIp, VlanId, check_host, check_router,
};
pub use traits::{Stack, TcpListener, TcpStream, UdpSocket};
pub use virtio::{ReceivedFrame, VirtioNet};
pub use weather::{Climate, Weather, WeatherCounts, WeatherFrame, WeatherHandle};
