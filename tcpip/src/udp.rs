use super::Error;
use super::flow::Flow;
use super::outbox::{Ends, Outbox};
use super::ports::{Scope, listen_endpoint};
use super::shared::Shared;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use smoltcp::socket::udp;
use smoltcp::wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpAddress, IpEndpoint, UDP_HEADER_LEN};

/// A UDP socket of a [`TcpIp`](super::TcpIp) stack.
///
/// Its buffers are bounded: datagrams that arrive while they are full are lost, and
/// sending waits for room. One task at a time can wait to receive, and one to send.
/// Datagrams that were sent go out even if the socket is dropped at once.
/// Datagrams without a source port, and fragments, are not received. To multicast groups
/// datagrams are sent with a hop limit of 1: they stay in the local network.
pub struct UdpSocket {
    stack: Rc<Shared>,
    key: usize,
    local: SocketAddr,
}

impl UdpSocket {
    pub(super) fn new(stack: &Rc<Shared>, local: SocketAddr) -> Result<Self, Error> {
        let mut engine = stack.engine.borrow_mut();
        let engine = &mut *engine;
        engine.check_local(local)?;
        engine.check_sockets()?;
        let scope = Scope::new(local.ip());
        let port = engine.udp_ports.choose(local, &mut engine.random)?;
        let flow =
            Flow::udp(listen_endpoint(port, scope), &engine.config).ok_or(Error::Unsupported)?;
        let key = engine.flows.insert(flow);
        engine.udp_ports.insert(port, scope, key);
        Ok(Self {
            stack: Rc::clone(stack),
            key,
            local: SocketAddr::new(local.ip(), port),
        })
    }

    fn with<R>(&self, operation: impl FnOnce(&mut udp::Socket<'static>) -> R) -> Result<R, Error> {
        let mut engine = self.stack.engine.borrow_mut();
        let flow = engine.flows.get(self.key).and_then(Flow::udp_socket);
        // The flow lives as long as the socket.
        Ok(operation(flow.ok_or(Error::Other)?))
    }

    /// Where a datagram goes and comes from, if it can be sent at all.
    fn check(&self, length: usize, remote: IpEndpoint) -> Result<Ends, Error> {
        let engine = self.stack.engine.borrow();
        let header = match remote.addr {
            IpAddress::Ipv4(_) => IPV4_HEADER_LEN,
            IpAddress::Ipv6(_) => IPV6_HEADER_LEN,
        };
        let longest = engine.longest_packet(remote.addr);
        let longest = longest.saturating_sub(header + UDP_HEADER_LEN);
        if length > longest.min(engine.config.udp_buffer) {
            return Err(Error::TooLong);
        }
        if remote.port == 0 || remote.addr.is_unspecified() {
            return Err(Error::Unreachable);
        }
        let own = Scope::new(self.local.ip()).address();
        if own.is_some_and(|own| own.version() != remote.addr.version()) {
            return Err(Error::Unreachable);
        }
        engine.check_route(remote.addr.into())?;
        let source = own.or_else(|| engine.source_address(remote.addr));
        let source = source.ok_or(Error::NotConfigured)?;
        Ok(Ends {
            local: IpEndpoint::new(source, self.local.port()),
            remote,
        })
    }

    fn poll_send(
        &self,
        context: &mut Context<'_>,
        payload: &[u8],
        ends: Ends,
    ) -> Poll<Result<(), Error>> {
        let pushed = {
            let mut engine = self.stack.engine.borrow_mut();
            let outbox: Option<&mut Outbox> = engine.flows.get(self.key).and_then(Flow::outbox);
            let outbox = outbox.ok_or(Error::Other)?;
            outbox.poll_push(context, payload, ends)
        };
        if pushed.is_ready() {
            self.stack.kick_flow(self.key);
        }
        pushed.map(Ok)
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<(usize, SocketAddr), Error>> {
        self.with(|socket| {
            if !socket.can_recv() {
                socket.register_recv_waker(context.waker());
                return Poll::Pending;
            }
            let (payload, metadata) = socket.recv().map_err(|_| Error::Other)?;
            let length = payload.len().min(buffer.len());
            buffer[..length].copy_from_slice(&payload[..length]);
            Poll::Ready(Ok((length, metadata.endpoint.into())))
        })?
    }
}

impl fata_net::UdpSocket for UdpSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error> {
        let remote = IpEndpoint::new(remote.ip().to_canonical().into(), remote.port());
        let ends = self.check(payload.len(), remote)?;
        poll_fn(|context| self.poll_send(context, payload, ends)).await
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        poll_fn(|context| self.poll_receive(context, buffer)).await
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        let mut engine = self.stack.engine.borrow_mut();
        engine
            .udp_ports
            .remove(self.local.port(), Scope::new(self.local.ip()));
        engine.flows.release(self.key);
    }
}
