//! The network stack of the process's host: its own sockets, without any privileges.
#![deny(unsafe_code)]

mod ahead;
mod error;
mod limit;
mod listener;
#[allow(unsafe_code, reason = "an option that no safe function sets")]
mod option;
mod socket;
mod stream;
mod udp;
mod watch;

pub use limit::Limits;
pub use listener::HostListener;
pub use stream::{HostReadHalf, HostStream, HostWriteHalf};
pub use udp::HostSocket;

use crate::{Error, Stack};
use alloc::rc::Rc;
use core::net::SocketAddr;
use embedded_nal_async::TcpConnect;
use fata_task::{Handle, Reactor};
use limit::Shared;

/// The host's network stack, over its non-blocking sockets. Clones are handles to it.
///
/// The host configures addresses and routes. Nagle's algorithm is off. Of a stream, one
/// task at a time can wait to read and one to write; of a listener or a UDP socket, one
/// task at a time can wait for each of its methods.
#[derive(Clone)]
pub struct HostStack {
    shared: Rc<Shared>,
}

impl HostStack {
    /// A stack whose sockets `reactor` watches, and whose background work are `tasks`.
    pub fn new(tasks: &Handle, reactor: Rc<dyn Reactor>, limits: Limits) -> Self {
        Self {
            shared: Rc::new(Shared::new(tasks.clone(), reactor, limits)),
        }
    }

    /// How many TCP connections there are.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }
}

impl Stack for HostStack {
    type Listener = HostListener;
    type Stream = HostStream;
    type Socket = HostSocket;

    async fn listen(&self, local: SocketAddr) -> Result<HostListener, Error> {
        HostListener::open(&self.shared, local)
    }

    async fn connect(&self, remote: SocketAddr) -> Result<HostStream, Error> {
        HostStream::connect(&self.shared, remote).await
    }

    async fn bind(&self, local: SocketAddr) -> Result<HostSocket, Error> {
        HostSocket::open(&self.shared, local)
    }
}

impl TcpConnect for HostStack {
    type Error = Error;
    type Connection<'a> = HostStream;

    async fn connect(&self, remote: SocketAddr) -> Result<HostStream, Error> {
        Stack::connect(self, remote).await
    }
}
