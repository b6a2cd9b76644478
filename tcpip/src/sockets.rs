//! Checks before a socket is opened or a packet is sent, and listening.

use super::Error;
use super::backlog::Backlog;
use super::engine::Engine;
use super::ports::Scope;
use alloc::vec::Vec;
use core::mem;
use core::net::{IpAddr, SocketAddr};
use smoltcp::wire::IpAddress;

impl Engine {
    /// Makes a listener. Returns its key and its port.
    pub(super) fn listen(&mut self, local: SocketAddr) -> Result<(usize, u16), Error> {
        self.check_local(local)?;
        self.check_sockets()?;
        let port = self.tcp_ports.choose(local, &mut self.random)?;
        let key = self.listeners.insert(Backlog::default());
        self.tcp_ports.insert(port, Scope::new(local.ip()), key);
        Ok((key, port))
    }

    /// Removes a listener. Returns the connections that were reset for that; they have to
    /// be made ready.
    pub(super) fn unlisten(&mut self, key: usize, local: SocketAddr) -> Vec<usize> {
        self.tcp_ports.remove(local.port(), Scope::new(local.ip()));
        let backlog = self.listeners.remove(key);
        self.forget_half_open(key);
        for key in &backlog.waiting {
            self.reject(*key);
        }
        backlog.waiting.into()
    }

    /// Has those who accept look whether there is room, if somebody has found none: a place for a
    /// connection, or memory for what a peer has sent.
    pub(super) fn tell_of_shortage(&mut self) {
        let has_refused = self.pool.take_refusal();
        if mem::take(&mut self.is_short) || has_refused {
            for (_, backlog) in &mut self.listeners {
                backlog.wake();
            }
        }
    }

    /// Checks that packets could be sent to this address.
    pub(super) fn check_route(&self, remote: IpAddr) -> Result<(), Error> {
        let remote = IpAddress::from(remote.to_canonical());
        let addresses = self.interface.ip_addrs();
        let version = remote.version();
        if !addresses
            .iter()
            .any(|own| own.address().version() == version)
        {
            return Err(Error::NotConfigured);
        }
        let is_reachable =
            self.next_hop(remote).is_some() || remote.is_multicast() || remote.is_broadcast();
        // Nothing loops back: this host's own addresses are out of reach for itself.
        let is_own = self.interface.has_ip_addr(remote) || IpAddr::from(remote).is_loopback();
        (!remote.is_unspecified() && !is_own && is_reachable)
            .then_some(())
            .ok_or(Error::Unreachable)
    }

    /// Checks that a socket may be bound to this address.
    pub(super) fn check_local(&self, local: SocketAddr) -> Result<(), Error> {
        let address = IpAddress::from(local.ip().to_canonical());
        (address.is_unspecified() || self.interface.has_ip_addr(address))
            .then_some(())
            .ok_or(Error::AddressNotAvailable)
    }

    /// Checks that one more listener or UDP socket may be opened.
    pub(super) fn check_sockets(&self) -> Result<(), Error> {
        let sockets = self.listeners.len() + self.flows.udp_sockets();
        (sockets < self.config.max_sockets)
            .then_some(())
            .ok_or(Error::LimitReached)
    }
}
