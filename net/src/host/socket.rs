//! Sockets of the host: opening them.

use crate::Error;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::os::fd::OwnedFd;

/// Opens a socket of the family of `address`, which neither blocks nor is inherited.
pub(super) fn open(address: &SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(family, kind, flags, None)
}

/// Opens a socket that is bound to `local`. Where the host has no IPv6, the unspecified
/// IPv6 address becomes that of IPv4.
pub(super) fn bound(local: SocketAddr, kind: SocketType) -> Result<OwnedFd, Error> {
    let mut local = local;
    let mut socket = open(&local, kind);
    if local.ip().is_unspecified() && matches!(socket, Err(Errno::AFNOSUPPORT)) {
        local.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        socket = open(&local, kind);
    }
    let socket = socket?;
    if local.is_ipv6() {
        // The unspecified IPv6 address takes IPv4 peers too.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    if kind == SocketType::STREAM {
        // A server can be started anew while its old connections fade.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &local)?;
    Ok(socket)
}

/// The address with an IPv4 one in its own form: a socket of both families shows it as
/// an IPv6 address.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Placeholder for an address that the host does not tell.
pub(super) const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
