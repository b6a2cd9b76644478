//! Waits for a connection's peer, and for how long.

use crate::service::Service;
use crate::stop::StopListener;
use crate::watchdog::Watchdog;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use fata_time::Instant;

/// Ends waits for the peer: those that take too long, those of a peer that is too slow on
/// average, and those of a connection that has to make room for others.
pub(crate) struct Guard<'s> {
    service: &'s Service,
    pub(crate) watchdog: Watchdog,
    pub(crate) stop: StopListener<'s>,
    wait: Wait,
    pace: Pace,
    /// Since when the request waits for something else than the peer, if it does.
    suspended: Option<Instant>,
}

/// A wait for the peer.
#[derive(Clone, Copy)]
struct Wait {
    /// How long it may take.
    limit: Duration,
    /// Since when the peer is waited for, if it is.
    since: Option<Instant>,
}

/// How quickly the peer sends or takes while it is waited for.
#[derive(Clone, Copy, Default)]
struct Pace {
    /// When it was waited for first.
    began: Instant,
    /// How long it was waited for since then, all waits together.
    waited: Duration,
    /// Bytes since then.
    moved: u64,
}

impl<'s> Guard<'s> {
    pub(crate) fn new(service: &'s Service) -> Self {
        Self {
            service,
            watchdog: Watchdog::new(service.tasks.clone()),
            stop: service.stop.listen(),
            wait: Wait {
                limit: Duration::ZERO,
                since: None,
            },
            pace: Pace::default(),
            suspended: None,
        }
    }

    /// Waits until `future` has sent or received some bytes. `None` if the peer is given up.
    pub(crate) async fn transfer<E>(
        &mut self,
        limit: Duration,
        future: impl Future<Output = Result<usize, E>>,
    ) -> Option<Result<usize, E>> {
        let mut future = pin!(future);
        self.begin(limit);
        let result = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => self.poll_given_up(context).map(|()| None),
        })
        .await?;
        let length = *result.as_ref().unwrap_or(&0);
        self.end(length).then_some(result)
    }

    /// Begins a wait of at most `limit`. The clock is not looked at unless there is something to
    /// wait for.
    pub(crate) fn begin(&mut self, limit: Duration) {
        self.wait = Wait { limit, since: None };
    }

    /// Ready once the peer is to be given up; otherwise the task will be woken when it is.
    pub(crate) fn poll_given_up(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = self.since();
        if self
            .stop
            .poll_stalled(context, self.behind(since))
            .is_ready()
        {
            return Poll::Ready(());
        }
        while self.watchdog.poll_expired(context) {
            let waited = self.service.tasks.now().since(since);
            let window = self.service.limits.rate_window;
            if waited >= self.wait.limit || self.is_slow() {
                return Poll::Ready(());
            }
            // The peer was quick enough before this wait; it gets another window.
            self.pace = Pace {
                began: since,
                ..Pace::default()
            };
            self.watchdog.start((self.wait.limit - waited).min(window));
        }
        Poll::Pending
    }

    /// Ends a wait, after which `length` bytes were sent or received. Returns whether the peer is
    /// quick enough.
    pub(crate) fn end(&mut self, length: usize) -> bool {
        self.pace.moved += length as u64;
        let Some(since) = self.wait.since.take() else {
            return true;
        };
        self.stop.set_busy();
        self.pace.waited += self.service.tasks.coarse_now().since(since);
        if self.pace.waited < self.service.limits.rate_window {
            return true;
        }
        let is_slow = self.is_slow();
        self.pace = Pace::default();
        !is_slow
    }

    /// Ready once the request, which waits for something else than the peer, has to make room;
    /// otherwise the task will be woken when it has.
    pub(crate) fn poll_refused(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = || self.service.tasks.coarse_now();
        let since = *self.suspended.get_or_insert_with(now);
        self.stop.poll_waiting(context, since)
    }

    /// The request goes on.
    pub(crate) fn resume(&mut self) {
        if self.suspended.take().is_some() {
            self.stop.set_busy();
        }
    }

    /// The peer's pace is measured anew: it has something else to send or to take.
    pub(crate) fn reset_pace(&mut self) {
        self.pace = Pace::default();
    }

    /// Since when the peer is waited for.
    fn since(&mut self) -> Instant {
        if let Some(since) = self.wait.since {
            return since;
        }
        let left = self
            .service
            .limits
            .rate_window
            .saturating_sub(self.pace.waited);
        self.watchdog.start(self.wait.limit.min(left));
        let since = self.watchdog.started();
        self.wait.since = Some(since);
        if self.pace.waited.is_zero() {
            self.pace.began = since;
        }
        since
    }

    /// Since when the peer keeps the connection waiting: for longer than this time if it has not
    /// done much before.
    fn behind(&self, since: Instant) -> Instant {
        let Pace {
            began,
            waited,
            moved,
        } = self.pace;
        let is_behind = moved < bytes(self.service.limits.least_rate, waited);
        if is_behind { began } else { since }
    }

    fn is_slow(&self) -> bool {
        let limits = &self.service.limits;
        self.pace.moved < bytes(limits.least_rate, limits.rate_window)
    }
}

/// Bytes in that time, at `rate` bytes a second.
fn bytes(rate: u32, time: Duration) -> u64 {
    u64::from(rate) * time.as_millis() as u64 / 1_000
}
