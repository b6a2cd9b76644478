//! Tells connections to end: all of them when the server stops, and those that wait when it has no
//! room for others.

use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fata_memory::can_grow;
use fata_time::Instant;
use slab::Slab;

/// How long a connection is idle, or the head of its request arrives, at least before it is
/// closed to make room.
const LEAST_IDLE: Duration = Duration::from_millis(250);
/// The same for one whose peer sends nothing of a body or takes nothing of an answer.
const LEAST_STALL: Duration = Duration::from_millis(500);
/// The same for one whose request waits for something else, such as its turn.
const LEAST_WAIT: Duration = Duration::from_secs(5);
/// Most connections that are told at once to make room.
const MOST_EVICTED: usize = 64;

#[derive(Default)]
pub(crate) struct StopSignal {
    set: Cell<bool>,
    waiting: RefCell<Slab<Waiting>>,
}

struct Waiting {
    waker: Waker,
    state: State,
}

/// The wait of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For nothing, or something that comes soon.
    Busy,
    /// For its peer: for a request, or the rest of its head, since then.
    Idle(Instant),
    /// For its peer: for the rest of a body, or to take more of an answer, since then.
    Stalled(Instant),
    /// For something else that its request needs, since then.
    Waiting(Instant),
    /// It was told to end.
    Evicted,
}

impl StopSignal {
    pub(crate) fn is_set(&self) -> bool {
        self.set.get()
    }

    pub(crate) fn set(&self) {
        self.set.set(true);
        for (_, waiting) in self.waiting.borrow().iter() {
            waiting.waker.wake_by_ref();
        }
    }

    /// Sees to it that there is memory for more than so many connections, which wait sooner or
    /// later. Returns whether there is.
    pub(crate) fn make_room(&self, connections: usize) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        // Whoever accepts waits, too.
        let places = connections + 1;
        let can_grow = can_grow::<Waiting>(places, waiting.capacity());
        if can_grow {
            let count = waiting.len();
            // Now, as it is known that there is memory.
            waiting.reserve((places + 1).saturating_sub(count));
        }
        can_grow
    }

    /// Tells connections to end, `most` at most: those that have waited longest for a request or the
    /// rest of its head; if there are none, for anything else of their peers; if there are none,
    /// those whose requests wait for something else, the latest first, and not half of them: others
    /// are nearer to what they wait for. Returns how many.
    pub(crate) fn evict(&self, now: Instant, most: usize, spares_idle: bool) -> usize {
        let has_waited = |since, least| now.since(since) >= least;
        let oldest = |since: Instant| since.as_micros();
        let idle = |state| match state {
            State::Idle(since) if !spares_idle && has_waited(since, LEAST_IDLE) => {
                Some(oldest(since))
            }
            _ => None,
        };
        let stalled = |state| match state {
            State::Stalled(since) if has_waited(since, LEAST_STALL) => Some(oldest(since)),
            _ => None,
        };
        match self.evict_first(most, idle) {
            0 => {}
            count => return count,
        }
        match self.evict_first(most, stalled) {
            0 => self.evict_waiting(now, most),
            count => count,
        }
    }

    /// Tells those to end whose requests wait for something else than their peers.
    fn evict_waiting(&self, now: Instant, most: usize) -> usize {
        let since = |state| match state {
            State::Waiting(since) => Some(since),
            _ => None,
        };
        let has_waited = |since: &Instant| now.since(*since) >= LEAST_WAIT;
        let waiting = self.waiting.borrow();
        let all = waiting.iter().filter_map(|(_, place)| since(place.state));
        let (count, long) = all.fold((0, 0), |(count, long), since| {
            (count + 1, long + usize::from(has_waited(&since)))
        });
        drop(waiting);
        match most.min(long.saturating_sub(count / 2)) {
            0 => 0,
            most => self.evict_first(most, |state| {
                since(state)
                    .filter(has_waited)
                    .map(|since| !since.as_micros())
            }),
        }
    }

    /// Evicts the first connections in the order of `rank`, of those that it ranks. Returns how
    /// many.
    fn evict_first(&self, most: usize, rank: impl Fn(State) -> Option<u64>) -> usize {
        let mut waiting = self.waiting.borrow_mut();
        let mut first = [(0, 0); MOST_EVICTED];
        let first = &mut first[..most.min(MOST_EVICTED)];
        let mut count = 0;
        for (key, waiting) in waiting.iter() {
            let Some(rank) = rank(waiting.state) else {
                continue;
            };
            if count == first.len() && first[count - 1].0 <= rank {
                continue;
            }
            let place = first[..count].partition_point(|(other, _)| *other <= rank);
            count = (count + 1).min(first.len());
            first[place..count].rotate_right(1);
            first[place] = (rank, key);
        }
        for (_, key) in &first[..count] {
            waiting[*key].state = State::Evicted;
            waiting[*key].waker.wake_by_ref();
        }
        count
    }

    /// A place to wait at; it is given up when it is dropped.
    pub(crate) fn listen(&self) -> StopListener<'_> {
        StopListener {
            signal: self,
            key: Cell::new(None),
        }
    }
}

pub(crate) struct StopListener<'s> {
    signal: &'s StopSignal,
    /// Its place, once it has waited.
    key: Cell<Option<usize>>,
}

impl StopListener<'_> {
    /// Ready if the server stops.
    pub(crate) fn poll_stopped(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.signal.is_set() {
            return Poll::Ready(());
        }
        self.poll(context, State::Busy)
    }

    /// Ready if a connection is to end that is idle since then.
    pub(crate) fn poll_idle(&self, context: &mut Context<'_>, since: Instant) -> Poll<()> {
        if self.signal.is_set() {
            return Poll::Ready(());
        }
        self.poll(context, State::Idle(since))
    }

    /// Ready if the connection is to make room. The head of a request arrives since then, and is
    /// still answered when the server stops.
    pub(crate) fn poll_head(&self, context: &mut Context<'_>, since: Instant) -> Poll<()> {
        self.poll(context, State::Idle(since))
    }

    /// Ready if the connection is to make room. Its peer sends or takes nothing since then.
    pub(crate) fn poll_stalled(&self, context: &mut Context<'_>, since: Instant) -> Poll<()> {
        self.poll(context, State::Stalled(since))
    }

    /// Ready if the connection is to make room. Its request waits for something else since then.
    pub(crate) fn poll_waiting(&self, context: &mut Context<'_>, since: Instant) -> Poll<()> {
        self.poll(context, State::Waiting(since))
    }

    fn poll(&self, context: &mut Context<'_>, state: State) -> Poll<()> {
        let mut waiting = self.signal.waiting.borrow_mut();
        match self.key.get().and_then(|key| waiting.get_mut(key)) {
            Some(waiting) if waiting.state == State::Evicted => return Poll::Ready(()),
            Some(waiting) => {
                waiting.waker.clone_from(context.waker());
                waiting.state = state;
            }
            None => {
                let waker = context.waker().clone();
                self.key.set(Some(waiting.insert(Waiting { waker, state })));
            }
        }
        Poll::Pending
    }

    /// True once the connection was told to make room.
    pub(crate) fn is_evicted(&self) -> bool {
        let waiting = self.signal.waiting.borrow();
        let place = self.key.get().and_then(|key| waiting.get(key));
        place.is_some_and(|waiting| waiting.state == State::Evicted)
    }

    /// The connection does not wait any more.
    pub(crate) fn set_busy(&self) {
        let mut waiting = self.signal.waiting.borrow_mut();
        if let Some(waiting) = self.key.get().and_then(|key| waiting.get_mut(key))
            && waiting.state != State::Evicted
        {
            waiting.state = State::Busy;
        }
    }
}

impl Drop for StopListener<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.signal.waiting.borrow_mut().remove(key);
        }
    }
}
