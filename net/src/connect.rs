//! Happy eyeballs (RFC 8305): connects to a host by whichever of its addresses answers.
#![forbid(unsafe_code)]

use crate::resolver::{Addresses, Family, ResolveError, Resolver};
use crate::{Error, Stack};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::future::{pending, poll_fn};
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use fata_task::{Either3, Handle, select3};
use fata_time::Instant;

/// How long an attempt goes on alone before the next one begins beside it (RFC 8305,
/// section 8, Connection Attempt Delay).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long IPv4 addresses wait for those of IPv6 (RFC 8305, section 8, Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Why there is no connection to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host's name has led to no address.
    Resolve(ResolveError),
    /// None of its addresses has answered.
    Connect {
        /// One of them.
        address: SocketAddr,
        /// The error of that address.
        error: Error,
    },
    /// The list of addresses was empty.
    NoAddress,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => error.fmt(f),
            Self::Connect { address, error } => write!(f, "{address}: {error}"),
            Self::NoAddress => f.write_str("there is no address to connect to; give one"),
        }
    }
}

impl core::error::Error for ConnectError {}

impl<S: Stack> Resolver<S> {
    /// Connects to a host by its name, or an address in its place.
    ///
    /// Its addresses are tried in turn, one of IPv6 first and then one of each family, and
    /// the next one a quarter of a second after the one before or when that has failed. The
    /// first connection counts, the others are dropped.
    ///
    /// # Errors
    /// [`ConnectError`]. How long that takes depends on the stack: wrap it into
    /// [`Handle::timeout`] for an end of your own.
    pub async fn connect(&self, host: &str, port: u16) -> Result<S::Stream, ConnectError> {
        let lookups = [Family::Ipv6, Family::Ipv4].map(|family| Lookup {
            family,
            answer: Box::pin(self.lookup_family(host, family)),
        });
        let mut race = Race::new(self.stack(), lookups.into());
        race.port = port;
        race.run(self.tasks()).await
    }
}

/// Connects to one of the `addresses` of a server, as [`Resolver::connect`] does. The family
/// of the first one begins.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect_addresses<S: Stack>(
    tasks: &Handle,
    stack: &S,
    addresses: &[SocketAddr],
) -> Result<S::Stream, ConnectError> {
    let mut race = Race::new(stack, Vec::new());
    race.v4_is_next = addresses.first().is_some_and(SocketAddr::is_ipv4);
    addresses.iter().for_each(|address| race.add(*address));
    race.run(tasks).await
}

/// The addresses of one family, on their way.
struct Lookup<'a> {
    family: Family,
    answer: Pin<Box<dyn Future<Output = Result<Addresses, ResolveError>> + 'a>>,
}

/// A connection that may come about.
struct Attempt<'a, T> {
    address: SocketAddr,
    outcome: Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>,
}

/// The attempts to connect to one host.
struct Race<'a, S: Stack> {
    stack: &'a S,
    port: u16,
    lookups: Vec<Lookup<'a>>,
    v6: VecDeque<SocketAddr>,
    v4: VecDeque<SocketAddr>,
    v4_is_next: bool,
    attempts: Vec<Attempt<'a, S::Stream>>,
    /// No attempt begins before.
    next: Instant,
    error: ConnectError,
}

impl<'a, S: Stack> Race<'a, S> {
    fn new(stack: &'a S, lookups: Vec<Lookup<'a>>) -> Self {
        Self {
            stack,
            port: 0,
            lookups,
            v6: VecDeque::new(),
            v4: VecDeque::new(),
            v4_is_next: false,
            attempts: Vec::new(),
            next: Instant::default(),
            error: ConnectError::NoAddress,
        }
    }

    async fn run(mut self, tasks: &Handle) -> Result<S::Stream, ConnectError> {
        loop {
            let now = tasks.now();
            if now >= self.next && self.begin() {
                self.next = now + ATTEMPT_DELAY;
            }
            let is_waiting = !self.v4.is_empty() || !self.v6.is_empty();
            if !is_waiting && self.attempts.is_empty() && self.lookups.is_empty() {
                return Err(self.error);
            }
            let next = self.next;
            let pause = async {
                if is_waiting {
                    tasks.sleep_until(next).await;
                } else {
                    pending::<()>().await;
                }
            };
            let attempts = finished(&mut self.attempts);
            let lookups = answered(&mut self.lookups);
            match select3(attempts, lookups, pause).await {
                Either3::First((_, Ok(stream))) => return Ok(stream),
                Either3::First((address, Err(error))) => self.fail(address, error, tasks.now()),
                Either3::Second((family, answer)) => self.take(family, answer, tasks.now()),
                Either3::Third(()) => {}
            }
        }
    }

    fn add(&mut self, address: SocketAddr) {
        match address {
            SocketAddr::V4(_) => self.v4.push_back(address),
            SocketAddr::V6(_) => self.v6.push_back(address),
        }
    }

    /// Begins with the next address, if there is one.
    fn begin(&mut self) -> bool {
        let (first, second) = match self.v4_is_next {
            true => (&mut self.v4, &mut self.v6),
            false => (&mut self.v6, &mut self.v4),
        };
        let Some(address) = first.pop_front().or_else(|| second.pop_front()) else {
            return false;
        };
        self.v4_is_next = address.is_ipv6();
        self.attempts.push(Attempt {
            address,
            outcome: Box::pin(self.stack.connect(address)),
        });
        true
    }

    fn fail(&mut self, address: SocketAddr, error: Error, now: Instant) {
        let says_little = matches!(error, Error::Unreachable | Error::NotConfigured);
        if !says_little || !matches!(self.error, ConnectError::Connect { .. }) {
            self.error = ConnectError::Connect { address, error };
        }
        self.next = now;
    }

    /// Takes in what is known of one family.
    fn take(&mut self, family: Family, answer: Result<Addresses, ResolveError>, now: Instant) {
        match answer {
            Ok(found) => {
                let addresses = found.as_slice().iter();
                let port = self.port;
                addresses.for_each(|address: &IpAddr| self.add((*address, port).into()));
            }
            Err(ResolveError::NoRecord) if self.error != ConnectError::NoAddress => {}
            Err(_) if matches!(self.error, ConnectError::Connect { .. }) => {}
            Err(error) => self.error = ConnectError::Resolve(error),
        }
        let waits_for_v6 = family == Family::Ipv4 && !self.lookups.is_empty();
        if waits_for_v6 {
            self.next = now + RESOLUTION_DELAY;
        } else if family == Family::Ipv6 && self.attempts.is_empty() {
            self.next = now;
        }
    }
}

/// The next attempt that ends.
async fn finished<T>(attempts: &mut Vec<Attempt<'_, T>>) -> (SocketAddr, Result<T, Error>) {
    poll_fn(|context| {
        for (index, attempt) in attempts.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = attempt.outcome.as_mut().poll(context) {
                let attempt = attempts.remove(index);
                return Poll::Ready((attempt.address, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

/// The next family whose addresses are known, or known not to exist.
async fn answered(lookups: &mut Vec<Lookup<'_>>) -> (Family, Result<Addresses, ResolveError>) {
    poll_fn(|context| {
        for (index, lookup) in lookups.iter_mut().enumerate() {
            if let Poll::Ready(answer) = lookup.answer.as_mut().poll(context) {
                let lookup = lookups.remove(index);
                return Poll::Ready((lookup.family, answer));
            }
        }
        Poll::Pending
    })
    .await
}
