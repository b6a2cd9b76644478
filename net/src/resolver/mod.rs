//! Names of hosts and their addresses: a stub resolver (RFC 1034, section 5.3.1) over any
//! [`Stack`].
//!
//! It asks DNS servers that look further by themselves. A question goes to one server after
//! the other, three times in all, which is waited for 1 s, then 2 s, then 4 s, and 10 s
//! altogether; the server that has answered last comes first. Questions go by UDP with room
//! for answers of 1,232 bytes (EDNS), and by TCP where the answer is longer, or where too
//! many wrong answers come. Each has a number, a port and capital letters that nobody can
//! guess, and an answer has to repeat them (RFC 5452). There is no DNSSEC: answers are as
//! true as the servers and the way to them.
//!
//! A server that does not understand this is asked in the plain form, without EDNS and capital
//! letters: at once if it says so, for which it need not repeat the question, otherwise the
//! second time. Where only the plain form was answered two times in a row, it comes first for
//! ten minutes.
//!
//! Addresses, and the lack of them (RFC 2308), are kept as long as their TTL says, a day and
//! five minutes at most. Of an answer 16 addresses are taken; eight aliases may lead to them,
//! and eight from answer to answer where servers do not follow them.
//! Tasks that ask the same at the same time share the answer. `localhost` and addresses in
//! place of names are not asked for, nor are names below `invalid` (RFC 6761).
#![forbid(unsafe_code)]

mod addresses;
mod cache;
mod error;
mod exchange;
mod flight;
mod limits;
mod message;
mod nal;
mod name;
mod preferred;
#[cfg(test)]
mod tests;

pub use addresses::Addresses;
pub use error::ResolveError;
pub use limits::Limits;

use crate::Stack;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use cache::{Cache, Known};
use core::cell::{Cell, RefCell};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use fata_task::{Handle, join};
use flight::Flight;
use message::{Kind, Question, Records};
use name::Host;
use preferred::Preferred;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: records of type A.
    Ipv4,
    /// IPv6: records of type AAAA.
    Ipv6,
}

/// Finds the addresses of hosts. Clones are handles to one resolver, with one cache.
pub struct Resolver<S> {
    shared: Rc<Shared<S>>,
}

impl<S> Clone for Resolver<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

struct Shared<S> {
    tasks: Handle,
    stack: S,
    servers: Servers,
    limits: Limits,
    random: RefCell<ChaCha20Rng>,
    /// The server that has answered last.
    preferred: Cell<Option<Preferred>>,
    cache: RefCell<Cache>,
    flights: RefCell<Vec<Rc<Flight>>>,
}

/// Tells which servers there are.
type Servers = alloc::boxed::Box<dyn Fn() -> Vec<IpAddr>>;

impl<S: Stack> Resolver<S> {
    /// A resolver over `stack`. `servers` tells the DNS servers, at their port 53, whenever
    /// a question is asked; the first four are used.
    ///
    /// `seed` has to be different and unpredictable at each start: nobody must guess the
    /// numbers of the questions.
    pub fn new(
        tasks: &Handle,
        stack: S,
        servers: impl Fn() -> Vec<IpAddr> + 'static,
        limits: Limits,
        seed: [u8; 32],
    ) -> Self {
        Self {
            shared: Rc::new(Shared {
                tasks: tasks.clone(),
                stack,
                servers: alloc::boxed::Box::new(servers),
                limits,
                random: RefCell::new(ChaCha20Rng::from_seed(seed)),
                preferred: Cell::default(),
                cache: RefCell::default(),
                flights: RefCell::default(),
            }),
        }
    }

    /// The addresses of a host, of both families. They are asked for side by side.
    ///
    /// # Errors
    /// [`ResolveError`] if there is none.
    pub async fn lookup(&self, host: &str) -> Result<Addresses, ResolveError> {
        let v6 = self.lookup_family(host, Family::Ipv6);
        let v4 = self.lookup_family(host, Family::Ipv4);
        match join(v6, v4).await {
            (Ok(v6), Ok(v4)) => Ok(v6.merged(v4)),
            (Ok(addresses), Err(_)) | (Err(_), Ok(addresses)) => Ok(addresses),
            // A failure counts more than a record that is known not to be there.
            (Err(ResolveError::NoRecord), Err(error)) | (Err(error), Err(_)) => Err(error),
        }
    }

    /// The addresses of a host, of one family.
    ///
    /// # Errors
    /// [`ResolveError`] if there is none.
    pub async fn lookup_family(
        &self,
        host: &str,
        family: Family,
    ) -> Result<Addresses, ResolveError> {
        let name = match Host::parse(host)? {
            Host::Address(address) if address.is_ipv4() == (family == Family::Ipv4) => {
                return Ok(Addresses::lasting(address));
            }
            Host::Address(_) => return Err(ResolveError::NoRecord),
            Host::Loopback => return Ok(Addresses::lasting(loopback(family))),
            Host::Invalid => return Err(ResolveError::NoSuchName),
            Host::Name(name) => name,
        };
        let kind = match family {
            Family::Ipv4 => Kind::Ipv4,
            Family::Ipv6 => Kind::Ipv6,
        };
        let known = self.known(Question { name, kind }).await?;
        match known.records {
            Records::Addresses(found) => Ok(Addresses::new(
                &found,
                known.until - self.shared.tasks.now(),
            )),
            records => Err(absence(&records)),
        }
    }

    /// The name of the host that has an address (PTR).
    ///
    /// Whoever is delegated an address can give it any name: do not trust it.
    ///
    /// # Errors
    /// [`ResolveError`] if there is none.
    pub async fn reverse(&self, address: IpAddr) -> Result<String, ResolveError> {
        let question = Question {
            name: name::reverse(address.to_canonical())?,
            kind: Kind::Pointer,
        };
        match self.known(question).await?.records {
            Records::Name(name) => Ok((*name).into()),
            records => Err(absence(&records)),
        }
    }

    /// The answer of the cache, or else of a server.
    async fn known(&self, question: Question) -> Result<Known, ResolveError> {
        let now = self.shared.tasks.now();
        let cached = self.shared.cache.borrow().get(&question, now);
        match cached {
            Some(known) => Ok(known),
            None => self.flight(question)?.result().await,
        }
    }

    /// The question on its way: joined, or started in a task of its own, as whoever has
    /// started it may lose interest before others do.
    fn flight(&self, question: Question) -> Result<Rc<Flight>, ResolveError> {
        let shared = &self.shared;
        let mut flights = shared.flights.borrow_mut();
        if let Some(flight) = flights.iter().find(|flight| flight.question == question) {
            return Ok(Rc::clone(flight));
        }
        if flights.len() >= shared.limits.questions {
            return Err(ResolveError::LimitReached);
        }
        let flight = Rc::new(Flight::new(question));
        flights.push(Rc::clone(&flight));
        shared
            .tasks
            .spawn(fly(Rc::clone(shared), Rc::clone(&flight)));
        Ok(flight)
    }

    pub(crate) fn stack(&self) -> &S {
        &self.shared.stack
    }

    pub(crate) fn tasks(&self) -> &Handle {
        &self.shared.tasks
    }
}

/// Gets a question's answer and hands it out.
async fn fly<S: Stack>(shared: Rc<Shared<S>>, flight: Rc<Flight>) {
    let result = shared.resolve(&flight.question).await;
    if let Ok(known) = &result {
        let now = shared.tasks.now();
        let mut cache = shared.cache.borrow_mut();
        cache.insert(&flight.question, known, &shared.limits, now);
    }
    let mut flights = shared.flights.borrow_mut();
    flights.retain(|other| !Rc::ptr_eq(other, &flight));
    drop(flights);
    flight.land(result);
}

/// The error for an answer without records of the type asked for.
fn absence(records: &Records) -> ResolveError {
    match records {
        Records::NoSuchName => ResolveError::NoSuchName,
        Records::NoRecord => ResolveError::NoRecord,
        // Each kind of question has its own kind of record.
        Records::Addresses(_) | Records::Name(_) => ResolveError::BadAnswer,
    }
}

fn loopback(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::LOCALHOST.into(),
        Family::Ipv6 => Ipv6Addr::LOCALHOST.into(),
    }
}
