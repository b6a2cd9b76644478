//! The interface's addresses, and whether other hosts have them too (RFC 4862, section 5.4).
//!
//! An address is used from the first moment (RFC 4429), as it follows from a MAC address or
//! was given: that others have it, too, is a fault that hardly happens.

use super::super::ports::Random;
use super::message::Nonce;
use super::slaac::MAX_ADDRESSES;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;
use fata_time::Instant;

/// How long others may take to object to an address (RFC 4861, section 10, RETRANS_TIMER).
const OBJECTION_TIME: Duration = Duration::from_secs(1);

/// The addresses, at most [`MAX_ADDRESSES`].
#[derive(Default)]
pub(super) struct Addresses(Vec<Own>);

struct Own {
    address: Ipv6Addr,
    /// The length of the prefix that neighbors share.
    length: u8,
    state: State,
    /// True while somebody has to be told that it is taken.
    is_disputed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody was asked yet.
    New { since: Instant },
    /// Others have been asked. The nonce tells this question from theirs.
    Tentative { nonce: Nonce, until: Instant },
    /// It is this host's.
    Taken,
    /// Another host has it. It is kept here, so that it is not taken again.
    Duplicate,
}

/// Something to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// The question whether somebody has an address.
    Probe(Ipv6Addr, Nonce),
    /// The objection to another host's taking an address.
    Defence(Ipv6Addr),
}

impl Addresses {
    /// Takes over which addresses there are to be. Returns whether that was a change.
    pub(super) fn set(
        &mut self,
        wanted: impl Iterator<Item = (Ipv6Addr, u8)>,
        now: Instant,
    ) -> bool {
        let mut old = core::mem::take(&mut self.0);
        let mut changed = false;
        for (address, length) in wanted.take(MAX_ADDRESSES) {
            if let Some(place) = old.iter().position(|own| own.address == address) {
                let mut own = old.swap_remove(place);
                changed |= core::mem::replace(&mut own.length, length) != length;
                self.0.push(own);
            } else {
                changed = true;
                self.0.push(Own {
                    address,
                    length,
                    state: State::New { since: now },
                    is_disputed: false,
                });
            }
        }
        changed || !old.is_empty()
    }

    /// Those that can be used.
    pub(super) fn usable(&self) -> impl Iterator<Item = (Ipv6Addr, u8)> {
        let usable = self.0.iter().filter(|own| own.state != State::Duplicate);
        usable.map(|own| (own.address, own.length))
    }

    pub(super) fn contains(&self, address: Ipv6Addr) -> bool {
        self.usable().any(|(own, _)| own == address)
    }

    /// Another host asks whether somebody has `target`. Returns whether this one must do
    /// without it, as both have asked at the same time.
    pub(super) fn probed(&mut self, target: Ipv6Addr, nonce: Option<&[u8]>) -> bool {
        let Some(own) = self.0.iter_mut().find(|own| own.address == target) else {
            return false;
        };
        match own.state {
            // A bridge may have sent it back (RFC 7527).
            State::Tentative { nonce: sent, .. } if nonce == Some(&sent) => false,
            State::New { .. } | State::Tentative { .. } => {
                own.state = State::Duplicate;
                true
            }
            State::Taken => {
                own.is_disputed = true;
                false
            }
            State::Duplicate => false,
        }
    }

    /// Another host says that it has `target`. Returns whether this one must do without it.
    /// An address that nobody objected to in time stays.
    pub(super) fn claimed(&mut self, target: Ipv6Addr) -> bool {
        let own = self.0.iter_mut().find(|own| own.address == target);
        let tentative =
            own.filter(|own| matches!(own.state, State::New { .. } | State::Tentative { .. }));
        let Some(own) = tentative else {
            return false;
        };
        own.state = State::Duplicate;
        true
    }

    /// The next thing to be sent, if there is any.
    pub(super) fn next(&mut self, now: Instant, random: &mut Random) -> Option<Dispatch> {
        self.0.iter_mut().find_map(|own| match own.state {
            State::New { .. } => {
                let nonce = *random.next().to_ne_bytes().first_chunk()?;
                let until = now + OBJECTION_TIME;
                own.state = State::Tentative { nonce, until };
                Some(Dispatch::Probe(own.address, nonce))
            }
            State::Tentative { until, .. } => {
                if until <= now {
                    own.state = State::Taken;
                }
                None
            }
            State::Taken => {
                core::mem::take(&mut own.is_disputed).then_some(Dispatch::Defence(own.address))
            }
            State::Duplicate => None,
        })
    }

    /// When [`next`](Self::next) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.0.iter().filter_map(|own| match own.state {
            State::New { since } => Some(since),
            State::Tentative { until, .. } => Some(until),
            State::Taken => own.is_disputed.then_some(Instant::from_nanos(0)),
            State::Duplicate => None,
        });
        due.min()
    }
}
