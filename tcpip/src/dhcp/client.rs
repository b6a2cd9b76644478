//! The states of the client (RFC 2131, section 4.4, figure 5).

use super::lease::{Lease, Times};
use super::message::{Kind, Message, code};
use super::request::{Content, Kind as RequestKind, LONGEST_NAME, Request};
use super::trouble::{Fault, Trouble};
use crate::ports::Random;
use core::net::Ipv4Addr;
use core::time::Duration;
use fata_net::MacAddress;
use fata_time::Instant;

/// The first and the longest time between two messages of one kind while there is no lease, each
/// longer or shorter by up to [`JITTER`] (RFC 2131, section 4.1).
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const DOUBLINGS: u32 = 4;
const JITTER: Duration = Duration::from_secs(1);
/// How often a server is asked to confirm its offer before others get a chance.
const MOST_REQUESTS: u32 = 3;
/// After a first refusal it starts over so much later, then after twice the time, and so on.
const REFUSAL_PAUSE: Duration = Duration::from_secs(2);
/// The least time between two messages about a lease (RFC 2131, section 4.4.5).
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);
/// After a conflict it starts over so much later (RFC 2131, section 3.1).
const CONFLICT_PAUSE: Duration = Duration::from_secs(10);
/// For so long after it is lent, another host may answer that it has the address (RFC 5227,
/// section 1.1, with one probe in place of three).
const CHECK_TIME: Duration = Duration::from_secs(3);
/// Every host takes messages in packets of so many bytes (RFC 2131, section 2).
const LEAST_MTU: usize = 576;
/// More than an Ethernet carries is of no use.
const MOST_MTU: usize = 1_500;

/// A server and an address that it offers or lends.
type Offer = (Ipv4Addr, Ipv4Addr);

/// The states, by the RFC's names. INIT-REBOOT and REBOOTING are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Init,
    Selecting,
    Requesting(Offer),
    Bound,
    Renewing,
    Rebinding,
    /// The offer is to be declined; INIT follows.
    Declining(Offer),
}

/// A lease that is in force.
#[derive(Debug)]
struct Lent {
    lease: Lease,
    server: Ipv4Addr,
    /// When it was asked for, and its times from then on, if it ends.
    since: Instant,
    times: Option<Times>,
}

/// The check that no other host has an address.
#[derive(Clone, Copy, Debug)]
struct Check {
    address: Ipv4Addr,
    until: Instant,
    /// True once another host is known to have it.
    is_lost: bool,
}

impl Check {
    fn new(address: Ipv4Addr, now: Instant) -> Self {
        Self {
            address,
            until: now + CHECK_TIME,
            is_lost: false,
        }
    }
}

/// A message that is due.
pub(in super::super) struct Outgoing {
    pub(in super::super) message: Request,
    pub(in super::super) source: Ipv4Addr,
    /// Where it goes if not to all.
    pub(in super::super) server: Option<Ipv4Addr>,
    /// The address that is to be probed for at the same time.
    pub(in super::super) probes: Option<Ipv4Addr>,
}

/// The client of one interface. Messages go in, messages come out.
pub(in super::super) struct Client {
    mac: MacAddress,
    host_name: Option<&'static str>,
    /// The longest packet that the device carries, in bytes, within what can be told.
    mtu: u16,
    state: State,
    transaction: u32,
    /// When the transaction began.
    began: Instant,
    /// The seconds since then that its messages tell.
    seconds: u16,
    /// How many messages were sent in this state, and when the last one.
    sent: u32,
    sent_at: Instant,
    /// When there is something to do.
    due: Option<Instant>,
    /// How often servers have refused since there was a lease.
    refusals: u32,
    lent: Option<Lent>,
    check: Option<Check>,
    trouble: Trouble,
    /// True once trouble was logged since the last start.
    has_complained: bool,
    changed: bool,
}

impl Client {
    /// A client of a host with this hardware address, on a link that carries packets of up to
    /// `mtu` bytes.
    pub(in super::super) fn new(
        mac: MacAddress,
        host_name: Option<&'static str>,
        mtu: usize,
        now: Instant,
    ) -> Self {
        Self {
            mac,
            host_name: host_name.filter(|name| (1..=LONGEST_NAME).contains(&name.len())),
            mtu: mtu.clamp(LEAST_MTU, MOST_MTU) as u16,
            state: State::Init,
            transaction: 0,
            began: now,
            seconds: 0,
            sent: 0,
            sent_at: now,
            due: Some(now),
            refusals: 0,
            lent: None,
            check: None,
            trouble: Trouble::Silence,
            has_complained: false,
            changed: false,
        }
    }

    /// The lease in force.
    pub(in super::super) fn lease(&self) -> Option<&Lease> {
        self.lent.as_ref().map(|lent| &lent.lease)
    }

    /// Tells whether the lease has changed since this was last asked.
    pub(in super::super) fn take_change(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    /// Why there is no lease.
    pub(in super::super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(in super::super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Takes in a message that came from `source`.
    pub(in super::super) fn receive(
        &mut self,
        source: Ipv4Addr,
        bytes: &[u8],
        now: Instant,
        random: &mut Random,
    ) {
        let Some(message) = Message::parse(bytes, self.mac, self.transaction) else {
            return;
        };
        let server = message.address(code::SERVER);
        // One that does not say who it is, is who has sent the message.
        let server = server.filter(|server| !server.is_unspecified());
        let server = server.unwrap_or(source);
        let lender = self.lent.as_ref().map(|lent| lent.server);
        match (self.state, message.kind()) {
            (State::Selecting, Some(Kind::Offer)) => self.take_offer(server, &message, now),
            (State::Selecting, None) => self.complain(Trouble::Offer(server, Fault::Kind)),
            // Others than the chosen one have no say in it, whatever they know of the address.
            (State::Requesting((chosen, _)), Some(kind)) if server == chosen => match kind {
                Kind::Ack => self.bind(server, &message, now, random),
                Kind::Nak => self.refuse(Trouble::Refusal(server), now, random),
                Kind::Offer => {}
            },
            (State::Renewing | State::Rebinding, Some(Kind::Nak)) if lender == Some(server) => {
                self.refuse(Trouble::Refusal(server), now, random);
            }
            (State::Renewing, Some(Kind::Ack)) if lender == Some(server) => {
                self.bind(server, &message, now, random);
            }
            (State::Rebinding, Some(Kind::Ack)) => self.bind(server, &message, now, random),
            _ => {}
        }
    }

    fn take_offer(&mut self, server: Ipv4Addr, message: &Message<'_>, now: Instant) {
        match Lease::read(message) {
            Ok(lease) => {
                let address = lease.address.address();
                self.check = Some(Check::new(address, now));
                self.enter(State::Requesting((server, address)), Some(now));
            }
            Err(fault) => self.complain(Trouble::Offer(server, fault)),
        }
    }

    /// Takes over what a server lends. A lease is not given up because its renewal is nonsense.
    fn bind(&mut self, server: Ipv4Addr, message: &Message<'_>, now: Instant, random: &mut Random) {
        let lease = match Lease::read(message) {
            Ok(lease) => lease,
            Err(fault) if self.lent.is_some() => {
                return self.complain(Trouble::Offer(server, fault));
            }
            Err(fault) => return self.refuse(Trouble::Offer(server, fault), now, random),
        };
        let address = lease.address.address();
        let check = self.check.filter(|check| check.address == address);
        if check.is_some_and(|check| check.is_lost) {
            return self.decline((server, address), now, random);
        }
        if self.own() != Some(address) {
            self.check = Some(Check::new(address, now));
        }
        self.changed |= self.lease() != Some(&lease);
        let times = Times::read(message);
        self.lent = Some(Lent {
            lease,
            server,
            since: self.sent_at,
            times,
        });
        self.refusals = 0;
        self.trouble = Trouble::Silence;
        self.enter(
            State::Bound,
            times.map(|times| self.sent_at + times.renewal),
        );
    }

    /// Starts over, ever later.
    fn refuse(&mut self, trouble: Trouble, now: Instant, random: &mut Random) {
        self.complain(trouble);
        let pause = pause(REFUSAL_PAUSE, self.refusals, random);
        self.refusals += 1;
        self.start_over(now + pause);
    }

    /// Takes note that another host says that it has `address`. Returns whether it is given back
    /// for that.
    pub(in super::super) fn note_conflict(
        &mut self,
        address: Ipv4Addr,
        now: Instant,
        random: &mut Random,
    ) -> bool {
        let check = self.check.as_mut();
        let Some(check) = check.filter(|check| check.address == address && now < check.until)
        else {
            return false;
        };
        check.is_lost = true;
        let lent = self.lent.as_ref();
        let lender = lent.filter(|lent| lent.lease.address.address() == address);
        if let Some(server) = lender.map(|lent| lent.server) {
            self.decline((server, address), now, random);
        }
        true
    }

    fn decline(&mut self, offer: Offer, now: Instant, random: &mut Random) {
        self.complain(Trouble::Conflict(offer.1));
        self.start_over(now);
        self.begin(State::Declining(offer), now, random);
    }

    /// Does without a lease, and begins anew at `time`.
    fn start_over(&mut self, time: Instant) {
        self.changed |= self.lent.take().is_some();
        self.check = None;
        self.has_complained = false;
        self.enter(State::Init, Some(time));
    }

    /// Begins a transaction.
    fn begin(&mut self, state: State, now: Instant, random: &mut Random) {
        self.transaction = random.next() as u32;
        self.began = now;
        self.enter(state, Some(now));
    }

    fn enter(&mut self, state: State, due: Option<Instant>) {
        self.state = state;
        self.due = due;
        self.sent = 0;
    }

    /// Logs trouble once a start, as others decide how often there is some.
    fn complain(&mut self, trouble: Trouble) {
        if self.trouble != trouble && !self.has_complained {
            log::warn!(target: "net", "{trouble}");
            self.has_complained = true;
        }
        self.trouble = trouble;
    }

    /// Does what is due. Returns the message that is to be sent; when that was done,
    /// [`note_sent`](Self::note_sent) is to be called.
    pub(in super::super) fn poll(&mut self, now: Instant, random: &mut Random) -> Option<Outgoing> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.advance(now, random);
        let (kind, own, chosen) = match self.state {
            State::Init | State::Bound => return None,
            State::Selecting => (RequestKind::Discover, None, None),
            State::Requesting(offer) => (RequestKind::Request, None, Some(offer)),
            State::Renewing | State::Rebinding => (RequestKind::Request, self.own(), None),
            State::Declining(offer) => (RequestKind::Decline, None, Some(offer)),
        };
        // The request repeats what the discovery has said (RFC 2131, section 4.4.1).
        if !matches!(self.state, State::Requesting(_)) {
            self.seconds = (now - self.began).as_secs().min(u16::MAX.into()) as u16;
        }
        let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let content = Content {
            kind,
            transaction: self.transaction,
            seconds: self.seconds,
            mac: self.mac,
            own,
            chosen,
            mtu: self.mtu,
            host_name: self.host_name,
        };
        let lender = self.lent.as_ref().map(|lent| lent.server);
        Some(Outgoing {
            message: Request::new(&content),
            source: own,
            server: lender.filter(|_| self.state == State::Renewing),
            probes: match self.state {
                State::Requesting((_, address)) => Some(address),
                _ => None,
            },
        })
    }

    fn own(&self) -> Option<Ipv4Addr> {
        self.lease().map(|lease| lease.address.address())
    }

    /// Changes the state as time goes by.
    fn advance(&mut self, now: Instant, random: &mut Random) {
        if let Some(lent) = &self.lent
            && let Some(times) = lent.times
        {
            if lent.since + times.end <= now {
                self.start_over(now);
            } else if lent.since + times.rebinding <= now {
                if self.state != State::Rebinding {
                    self.begin(State::Rebinding, now, random);
                }
            } else if self.state == State::Bound {
                self.begin(State::Renewing, now, random);
            }
        }
        if let State::Requesting((server, _)) = self.state
            && self.sent == MOST_REQUESTS
        {
            self.complain(Trouble::NoAnswer(server));
            self.start_over(now);
        }
        if self.state == State::Init {
            self.begin(State::Selecting, now, random);
        }
    }

    /// The message that was due is sent.
    pub(in super::super) fn note_sent(&mut self, now: Instant, random: &mut Random) {
        let again = match self.state {
            State::Declining(_) => return self.start_over(now + CONFLICT_PAUSE),
            State::Renewing | State::Rebinding => self.renewal(now),
            _ => Some(now + pause(FIRST_PAUSE, self.sent, random)),
        };
        self.due = again;
        self.sent += 1;
        self.sent_at = now;
    }

    /// When to ask for the lease again: after half of the time that is left in this state.
    fn renewal(&self, now: Instant) -> Option<Instant> {
        let lent = self.lent.as_ref()?;
        let times = lent.times?;
        let end = lent.since
            + match self.state {
                State::Renewing => times.rebinding,
                _ => times.end,
            };
        Some(end.min(now + ((end - now) / 2).max(RENEWAL_PAUSE)))
    }
}

/// A time that doubles with each attempt, longer or shorter by up to [`JITTER`].
fn pause(first: Duration, attempt: u32, random: &mut Random) -> Duration {
    let jitter = random.next() % (2 * JITTER.as_millis() as u64 + 1);
    first * (1 << attempt.min(DOUBLINGS)) - JITTER + Duration::from_millis(jitter)
}
