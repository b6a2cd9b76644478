use super::limit::Shared;
use super::socket::{bound, canonical};
use super::watch::{Watch, readable, writable};
use crate::{Error, UdpSocket};
use alloc::rc::Rc;
use core::net::{IpAddr, SocketAddr};
use rustix::net::SocketType;
use std::io;

/// A UDP socket of the host.
pub struct HostSocket {
    watch: Watch,
    socket: std::net::UdpSocket,
    shared: Rc<Shared>,
    local: SocketAddr,
}

impl HostSocket {
    pub(super) fn open(shared: &Rc<Shared>, local: SocketAddr) -> Result<Self, Error> {
        let socket = std::net::UdpSocket::from(bound(local, SocketType::DGRAM)?);
        Ok(Self {
            local: socket.local_addr()?,
            watch: Watch::default(),
            socket,
            shared: Rc::clone(shared),
        })
    }

    /// A peer's address in the form that this socket's family wants.
    fn mapped(&self, remote: SocketAddr) -> SocketAddr {
        match remote.ip() {
            IpAddr::V4(ip) if self.local.is_ipv6() => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), remote.port())
            }
            _ => remote,
        }
    }
}

impl UdpSocket for HostSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error> {
        self.shared.pace().await;
        let remote = self.mapped(remote);
        let reactor = &self.shared.reactor;
        let send = || self.socket.send_to(payload, remote);
        let sent = self.watch.when_ready(reactor, &self.socket, writable, send);
        sent.await?;
        Ok(())
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        self.shared.pace().await;
        loop {
            let reactor = &self.shared.reactor;
            let receive = || self.socket.recv_from(buffer);
            let received = self
                .watch
                .when_ready(reactor, &self.socket, readable, receive);
            match received.await {
                Ok((length, sender)) => return Ok((length, canonical(sender))),
                // An ICMP message about a datagram that was sent before.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
