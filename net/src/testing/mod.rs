//! Test code that other crates use, too.

extern crate std;

pub mod dns;
#[cfg(feature = "resolver")]
mod resolver;
mod script;
#[cfg(feature = "virtio")]
mod virtio_net;

#[cfg(feature = "resolver")]
pub use resolver::resolver;
pub use script::Script;
#[cfg(feature = "virtio")]
pub use virtio_net::nic;
