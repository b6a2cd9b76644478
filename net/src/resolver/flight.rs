use super::ResolveError;
use super::cache::Known;
use super::message::Question;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// A question that is being asked, for any number of tasks.
pub(super) struct Flight {
    pub(super) question: Question,
    result: RefCell<Option<Result<Known, ResolveError>>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Flight {
    pub(super) fn new(question: Question) -> Self {
        Self {
            question,
            result: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// Hands the result to all who wait.
    pub(super) fn land(&self, result: Result<Known, ResolveError>) {
        *self.result.borrow_mut() = Some(result);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Waits for the result.
    pub(super) async fn result(&self) -> Result<Known, ResolveError> {
        poll_fn(|context| {
            if let Some(result) = &*self.result.borrow() {
                return Poll::Ready(result.clone());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
