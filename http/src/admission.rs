//! The admission of connections and requests, which take memory of the program's budget before
//! they begin, and what becomes of those that find no room.
//!
//! Each kind of work leaves some room for those that take less. Long requests leave enough for
//! new connections, these enough for short requests. So a short request is served however many
//! long ones wait for their peers, or for their turn. A request that finds no room for a long one
//! is admitted on trial: it may write a short answer, but not read a body or write more. When it
//! tries to, it waits for room or is refused, which is possible as nothing of its answer was sent.

use crate::Limits;
use crate::exchange::SHORT;
use crate::service::Service;
use core::cell::Cell;
use core::future::poll_fn;
use core::time::Duration;
use fata_memory::{Lease, Part};

/// How often to look for connections that can make room while there is none.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How many times longer than others a request waits that may be short: it holds hardly anything.
const SHORT_PATIENCE: u32 = 5;
/// One of so many places is left for connections without a long request.
const PLACES: usize = 8;

/// A request's place.
pub(crate) struct Admission<'s> {
    service: &'s Service,
    lease: Lease,
    /// Bytes that the request holds at most if it takes long.
    bytes: usize,
    is_long: bool,
}

impl Admission<'_> {
    /// True while the request may not take long.
    pub(crate) fn is_trial(&self) -> bool {
        !self.is_long
    }

    /// Waits until the request may take long. Returns whether it may.
    pub(crate) async fn extend(&mut self) -> bool {
        if self.try_extend() {
            return true;
        }
        let service = self.service;
        let extended = || self.try_extend().then_some(());
        service.aspire(extended).await.is_some()
    }

    /// Lets the request take long, if there is room.
    fn try_extend(&mut self) -> bool {
        if self.is_long {
            return true;
        }
        let room = &self.service.room;
        let more = self.bytes.saturating_sub(self.lease.bytes());
        let has_room = room.budget.room(Part::Http) >= room.spare_of_long() + more;
        if has_room && self.service.take_long_place() {
            self.is_long = self.lease.try_resize(self.bytes);
            if !self.is_long {
                self.service.leave_long_place();
            }
        }
        self.is_long
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.is_long {
            self.service.leave_long_place();
        }
    }
}

impl Service {
    /// Bytes that a request may hold: if it takes long, and on trial.
    fn request_bytes(&self, has_body: bool) -> (usize, usize) {
        let Limits {
            write_buffer,
            body_buffer,
            request_memory,
            ..
        } = self.limits;
        let body = if has_body { body_buffer } else { 0 };
        let long = write_buffer + request_memory + body;
        (long, write_buffer.min(SHORT) + request_memory)
    }

    /// Counts one more request that may take long, unless there are as many as may be.
    fn take_long_place(&self) -> bool {
        let (places, long) = (self.places(), &self.room.long);
        let has_place = long.get() < places - places / PLACES;
        long.set(long.get() + usize::from(has_place));
        has_place
    }

    /// Gives such a place back.
    fn leave_long_place(&self) {
        self.room.long.set(self.room.long.get() - 1);
    }

    fn try_admit(&self, (bytes, trial): (usize, usize)) -> Option<Admission<'_>> {
        let room = &self.room;
        let long = room.take(bytes, room.spare_of_long());
        let (mut lease, has_room) = match long {
            Some(lease) => (lease, true),
            None => (room.take(trial, 0)?, false),
        };
        let is_long = has_room && self.take_long_place();
        if has_room && !is_long {
            lease.try_resize(trial);
        }
        Some(Admission {
            service: self,
            lease,
            bytes,
            is_long,
        })
    }

    /// Admits a request, on trial if there is little room. `None` if there is none for a while.
    pub(crate) async fn admit(&self, has_body: bool) -> Option<Admission<'_>> {
        let bytes = self.request_bytes(has_body);
        match self.try_admit(bytes) {
            Some(admission) => Some(admission),
            None => {
                let patience = SHORT_PATIENCE * self.limits.room_timeout;
                self.wait_for_room(patience, || self.try_admit(bytes)).await
            }
        }
    }

    /// How many requests may wait: half of what is left for short ones, which the others keep.
    fn most_aspiring(&self) -> usize {
        let requests = self.room.reserve() / self.request_bytes(false).1;
        requests.min(self.places() / PLACES) / 2
    }

    /// Takes memory for what the program holds for a request. `None` if there is none for a
    /// while.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Lease> {
        let spare = self.room.spare_of_long();
        let budget = &self.room.budget;
        let take = || budget.try_take_leaving(Part::Program, bytes, spare);
        match take() {
            Some(lease) => Some(lease),
            None => self.aspire(take).await,
        }
    }

    /// True if so much memory could be had if nobody else held any.
    pub(crate) fn could_reserve(&self, bytes: usize) -> bool {
        let most = self.room.budget.most(Part::Program);
        bytes <= most.saturating_sub(self.room.spare_of_long())
    }

    /// Waits for more room than a short request needs. `None` if there is none for long, or too
    /// many wait for it already.
    async fn aspire<T>(&self, attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let aspiring = &self.room.aspiring;
        if aspiring.get() >= self.most_aspiring() {
            return None;
        }
        let _aspiring = Counted::one_more(aspiring);
        self.wait_for_room(self.limits.room_timeout, attempt).await
    }

    /// Tries `attempt` again and again, while connections that wait for their peers make room.
    async fn wait_for_room<T>(
        &self,
        patience: Duration,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let deadline = self.tasks.now() + patience;
        let crowd = Crowd::new(self);
        loop {
            crowd.thin_out();
            self.tasks.sleep(PAUSE).await;
            if let Some(result) = attempt() {
                return Some(result);
            }
            if self.tasks.now() >= deadline {
                return None;
            }
        }
    }

    /// Waits for a place, and room, for one more connection.
    pub(crate) async fn place(&self) -> Lease {
        let mut crowd = None;
        loop {
            let used = self.slots.used();
            if used < self.places()
                && self.tasks.has_room()
                && self.stop.make_room(used)
                && let Some(lease) = self.room.connection()
            {
                return lease;
            }
            crowd.get_or_insert_with(|| Crowd::new(self)).thin_out();
            let ended = poll_fn(|context| self.slots.poll_below(context, used));
            // Looks again after a while, as other connections come to wait.
            let _ = self.tasks.timeout(PAUSE, ended).await;
        }
    }
}

/// Counts one more for as long as it lives.
struct Counted<'c>(&'c Cell<usize>);

impl<'c> Counted<'c> {
    fn one_more(counter: &'c Cell<usize>) -> Self {
        counter.set(counter.get() + 1);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The connections of a server while somebody waits for room or a place. Busy ones are closed
/// when they have answered.
pub(crate) struct Crowd<'s> {
    service: &'s Service,
    _waiting: Counted<'s>,
}

impl<'s> Crowd<'s> {
    pub(crate) fn new(service: &'s Service) -> Self {
        Self {
            service,
            _waiting: Counted::one_more(&service.room.waiting),
        }
    }

    /// Lets connections go that have waited for their peers for a while: one, and twice as many
    /// each time that it was not enough.
    pub(crate) fn thin_out(&self) {
        self.evict(false);
    }

    /// The same with those alone that may hold buffers of the network.
    pub(crate) fn thin_out_stalled(&self) {
        self.evict(true);
    }

    fn evict(&self, spares_idle: bool) {
        let now = self.service.tasks.now();
        let evicted = &self.service.room.evicted;
        let (last, count) = evicted.get();
        let since = now.since(last);
        // Others may have done so a moment ago.
        if since < PAUSE / 2 && count > 0 {
            return;
        }
        let again = since < 3 * PAUSE && count > 0;
        let most = if again { 2 * count } else { 1 };
        let count = self.service.stop.evict(now, most, spares_idle);
        evicted.set((now, count));
    }
}
