//! TCP listeners of the host.

use super::limit::Shared;
use super::option::set_tcp_defer_accept;
use super::socket::{UNKNOWN, bound};
use super::stream::HostStream;
use crate::{Error, TcpListener};
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;
use fata_task::{Registration, select};
use fata_time::Instant;
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, acceptfrom_with, sockopt};
use std::os::fd::OwnedFd;

/// How long accepting pauses when the host has no descriptor or memory left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the host keeps a connection that sends nothing to itself. It rounds to its times of
/// asking again, the first of which is a second.
const DEFER_SECONDS: i32 = 1;
/// That is logged at most this often.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// A socket of the host that accepts TCP connections.
pub struct HostListener {
    registration: Registration,
    socket: OwnedFd,
    shared: Rc<Shared>,
    local: SocketAddr,
    /// A connection that came while somebody asked whether there is room for it.
    early: RefCell<Option<HostStream>>,
    /// True if the host has said that no connection waits, and has reported none since.
    none_waits: Cell<bool>,
    /// True if somebody asked for room, and heard that there is some.
    promised: Cell<bool>,
    /// When it was logged last that the host has no descriptor or memory left.
    warned: Cell<Option<Instant>>,
}

impl HostListener {
    pub(super) fn open(shared: &Rc<Shared>, local: SocketAddr) -> Result<Self, Error> {
        let socket = bound(local, SocketType::STREAM)?;
        // Accepted sockets inherit this.
        sockopt::set_tcp_nodelay(&socket, true)?;
        rustix::net::listen(&socket, shared.limits.backlog.into())?;
        // Accepted sockets inherit this too, once the socket listens: the answer acknowledges the
        // request. A stream that reads on before it answers acknowledges at once.
        sockopt::set_tcp_quickack(&socket, false)?;
        Ok(Self {
            local: rustix::net::getsockname(&socket)?.try_into()?,
            registration: Registration::new(&shared.reactor, &socket)?,
            socket,
            shared: Rc::clone(shared),
            early: RefCell::new(None),
            none_waits: Cell::new(false),
            promised: Cell::new(false),
            warned: Cell::new(None),
        })
    }

    /// Accepts a connection that waits. There must be room for it.
    fn try_accept(&self) -> Result<HostStream, Errno> {
        self.registration.readable.clear();
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, peer) = acceptfrom_with(&self.socket, flags)?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        Ok(HostStream::accepted(
            self.shared.slot(),
            socket,
            peer.unwrap_or(UNKNOWN),
        ))
    }

    /// Waits until the host reports a connection.
    async fn reported(&self) {
        self.registration.readable.wait().await;
        self.none_waits.set(false);
    }

    /// Tells whether there is room, in the host as well.
    fn look_for_room(&self) -> bool {
        if self.early.borrow().is_some() {
            return true;
        }
        if !self.shared.has_room() {
            return false;
        }
        let accepted = self.try_accept();
        self.none_waits.set(matches!(accepted, Err(Errno::AGAIN)));
        if !self.none_waits.get() {
            // Somebody may wait for a report already, which this attempt has taken.
            self.registration.readable.signal();
        }
        match accepted {
            Ok(stream) => {
                self.early.replace(Some(stream));
                true
            }
            Err(reason) => !is_shortage(reason),
        }
    }

    /// Lets some time pass, as the host has no descriptor or memory left.
    async fn pause(&self, reason: Errno) {
        let now = self.shared.tasks.now();
        let last = self.warned.get();
        if last.is_none_or(|last| now - last >= WARN_INTERVAL) {
            self.warned.set(Some(now));
            log::warn!(
                target: "net",
                "{} accepts no connections for now: {reason}; raise the limit of open files",
                self.local
            );
        }
        select(self.shared.tasks.sleep(PAUSE), self.shared.closed()).await;
    }
}

impl TcpListener for HostListener {
    type Stream = HostStream;

    async fn accept(&self) -> Result<HostStream, Error> {
        loop {
            self.shared.pace().await;
            self.shared.room(|| self.early.borrow().is_some()).await;
            if let Some(stream) = self.early.take() {
                return Ok(stream);
            }
            if self.none_waits.get() {
                self.reported().await;
                continue;
            }
            match self.try_accept() {
                Ok(stream) => return Ok(stream),
                Err(Errno::AGAIN) => self.reported().await,
                // Others took the room since: who asked for it may make some.
                Err(reason) if is_shortage(reason) && self.promised.take() => {
                    return Err(reason.into());
                }
                Err(reason) if is_shortage(reason) => self.pause(reason).await,
                // The listener itself is broken.
                Err(reason @ (Errno::BADF | Errno::INVAL | Errno::NOTSOCK)) => {
                    return Err(reason.into());
                }
                // That connection failed before it was accepted, says accept(2).
                Err(reason) => {
                    log::debug!(target: "net", "{}: a connection failed: {reason}", self.local)
                }
            }
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The host reports a connection when its first bytes are there, or after a second or two.
    fn peers_send_first(&self) {
        if let Err(reason) = set_tcp_defer_accept(&self.socket, DEFER_SECONDS) {
            log::debug!(target: "net", "{}: cannot defer accepting: {reason}", self.local);
        }
    }

    /// Only the host knows whether it has a descriptor left, and tells whoever accepts: so this
    /// does. [`accept`](TcpListener::accept) need not ask once more.
    fn has_room(&self) -> bool {
        let has_room = self.look_for_room();
        self.promised.set(has_room);
        has_room
    }
}

/// Tells whether the host has no descriptor or memory left.
fn is_shortage(reason: Errno) -> bool {
    matches!(
        reason,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
    )
}
