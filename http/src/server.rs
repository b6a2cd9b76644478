use crate::access::Access;
use crate::admission::{Crowd, PAUSE};
use crate::connection::{Connection, End};
use crate::handler::Handler;
use crate::room::Room;
use crate::service::Service;
use crate::stop::StopSignal;
use crate::{Limits, wire::Wire};
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use embedded_io_async::{Read, Write};
use fata_memory::tally::scoped;
use fata_memory::{Lease, Part};
use fata_net::{TcpListener, TcpStream};
use fata_task::Handle;

/// How long to wait after a failure to accept that may pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An HTTP/1.1 server (RFC 9110 and RFC 9112), which serves HTTP/1.0 clients too.
///
/// ```no_run
/// use fata_http::{Response, Server, handler};
/// # async fn example<S: fata_net::Stack>(stack: S, tasks: fata_task::Handle) -> Result<(), fata_net::Error> {
/// let listener = stack.listen(([0, 0, 0, 0], 80).into()).await?;
/// let hello = handler(async |_| Ok(Response::text("Hello, World!")));
/// Server::new(tasks).serve(listener, hello).await
/// # }
/// ```
pub struct Server {
    service: Service,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server with the default limits and no log, whose connections are tasks of
    /// `tasks`.
    pub fn new(tasks: Handle) -> Self {
        Self {
            service: Service::new(tasks),
        }
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        /// Room for the head of a usual answer, and for a chunk.
        const LEAST_BUFFER: usize = 512;
        /// A window of no time would be over before anything can be sent.
        const LEAST_WINDOW: Duration = Duration::from_secs(1);
        self.service.limits = Limits {
            body_buffer: limits.body_buffer.max(LEAST_BUFFER),
            write_buffer: limits.write_buffer.max(LEAST_BUFFER),
            rate_window: limits.rate_window.max(LEAST_WINDOW),
            ..limits
        };
        self
    }

    /// Calls `log` after each answer.
    ///
    /// ```
    /// # fn example(server: fata_http::Server) -> fata_http::Server {
    /// server.access_log(|access| log::info!(target: "access", "{access}"))
    /// # }
    /// ```
    pub fn access_log(mut self, log: impl Fn(&Access<'_>) + 'static) -> Self {
        self.service.log = Some(Box::new(log));
        self
    }

    /// The handle that stops this server.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            signal: Rc::clone(&self.service.stop),
        }
    }

    /// Accepts connections and serves each in a task of its own, until the server is
    /// [stopped](Stopper::stop) and its last connection has ended.
    ///
    /// If the future is dropped, connections that are open go on.
    ///
    /// # Errors
    /// Those of the listener that do not pass; connections that are open go on.
    pub async fn serve<L, H>(self, listener: L, handler: H) -> Result<(), fata_net::Error>
    where
        L: TcpListener,
        H: Handler + 'static,
    {
        let service = Rc::new(Service {
            room: Room::new(listener.memory()),
            ..self.service
        });
        let handler = Rc::new(handler);
        listener.peers_send_first();
        while let Some(accepted) = accept(&service, &listener).await {
            match accepted {
                Ok((stream, lease)) => {
                    let slot = Slot::occupy(&service, lease);
                    let task = serve_stream(slot, stream, Rc::clone(&handler));
                    service.room.measure(&task);
                    service.tasks.spawn_detached(scoped(Part::Http, task));
                }
                Err(error @ (fata_net::Error::LimitReached | fata_net::Error::Other)) => {
                    log::warn!(target: "http", "cannot accept a connection: {error}");
                    service.tasks.sleep(ACCEPT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        drop(listener);
        poll_fn(|context| service.slots.poll_below(context, 1)).await;
        Ok(())
    }

    /// Serves one connection, over any stream, until it ends. The caller then closes the
    /// stream. For streams that `serve` cannot accept, such as a tunnel or a test.
    pub async fn serve_connection<S, H>(
        &self,
        stream: &mut S,
        peer: Option<SocketAddr>,
        handler: &H,
    ) where
        S: Read + Write,
        H: Handler,
    {
        let mut connection = Connection::new(stream, &self.service, peer, |_| {});
        if connection.run(handler).await == End::Linger {
            connection.into_wire().linger(&self.service).await;
        }
    }
}

/// Waits for a connection and for a free place. `None` if the server stops.
async fn accept<L: TcpListener>(
    service: &Service,
    listener: &L,
) -> Option<Result<(L::Stream, Lease), fata_net::Error>> {
    let stop = service.stop.listen();
    let mut accepted = pin!(async {
        let stream = accept_next(service, listener).await?;
        Ok((stream, service.place().await))
    });
    poll_fn(|context| {
        if stop.poll_stopped(context).is_ready() {
            return Poll::Ready(None);
        }
        accepted.as_mut().poll(context).map(Some)
    })
    .await
}

/// Waits for a connection. If the stack has no place for one, others have to make room.
async fn accept_next<L: TcpListener>(
    service: &Service,
    listener: &L,
) -> Result<L::Stream, fata_net::Error> {
    let mut accepted = pin!(listener.accept());
    let is_short = || service.room.is_network_short(service.tasks.coarse_now());
    let mut crowd = None;
    loop {
        if listener.has_room() && !is_short() {
            crowd = None;
            let mut was_woken = false;
            let next = poll_fn(|context| match accepted.as_mut().poll(context) {
                Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                Poll::Pending => {
                    // Woken for nothing: the stack may have turned somebody away.
                    let looks = core::mem::replace(&mut was_woken, true);
                    match looks && (!listener.has_room() || is_short()) {
                        true => Poll::Ready(None),
                        false => Poll::Pending,
                    }
                }
            });
            if let Some(accepted) = next.await {
                return accepted;
            }
        }
        let crowd = crowd.get_or_insert_with(|| Crowd::new(service));
        match listener.has_room() {
            true => crowd.thin_out_stalled(),
            false => crowd.thin_out(),
        }
        let soon = service.tasks.timeout(PAUSE, accepted.as_mut());
        if let Ok(accepted) = soon.await {
            return accepted;
        }
    }
}

async fn serve_stream<S: TcpStream, H: Handler>(slot: Slot, mut stream: S, handler: Rc<H>) {
    let service = &*slot.service;
    let peer = stream.peer_addr();
    let end = Connection::new(&mut stream, service, Some(peer), S::announce_end)
        .run(&*handler)
        .await;
    match end {
        End::Closed => {}
        // Who lingers keeps the place that others need.
        End::Linger if service.room.is_crowded() => {}
        End::Linger => {
            let mut wire = Wire::new(&mut stream, service);
            let shutdown = async { wire.stream.shutdown().await.map(|()| 0) };
            let limit = service.limits.write_timeout;
            match wire.guard.transfer(limit, shutdown).await {
                Some(Ok(_)) => wire.linger(service).await,
                Some(Err(_)) => {}
                None => wire.stream.abort(),
            }
        }
        End::Broken => stream.abort(),
    }
}

/// A connection's place among those that the server allows.
struct Slot {
    service: Rc<Service>,
    _lease: Lease,
}

impl Slot {
    fn occupy(service: &Rc<Service>, lease: Lease) -> Self {
        service.slots.occupy();
        Self {
            service: Rc::clone(service),
            _lease: lease,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.service.slots.release();
    }
}

/// Stops a server gracefully.
#[derive(Clone)]
pub struct Stopper {
    signal: Rc<StopSignal>,
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

impl Stopper {
    /// The server accepts no more connections and closes idle ones. Requests that are
    /// being handled, or whose head is arriving, get their answers, and their connections
    /// are closed then. [`Server::serve`] returns when the last one has ended.
    pub fn stop(&self) {
        self.signal.set();
    }
}
