//! How many transfers go on at once.

use alloc::rc::Rc;
use fata_task::channel::semaphore::Semaphore;

/// Leave for a number of transfers, given in the order in which it was asked for.
#[derive(Clone)]
pub(crate) struct Permits {
    free: Rc<Semaphore>,
}

/// Leave for one of them until this is dropped.
pub(crate) struct Permit {
    free: Rc<Semaphore>,
}

impl Permits {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            free: Rc::new(Semaphore::new(count)),
        }
    }

    /// How many wait for leave.
    pub(crate) fn waiting(&self) -> usize {
        self.free.waiters()
    }

    /// Waits for leave.
    pub(crate) async fn acquire(&self) -> Permit {
        if let Ok(permit) = self.free.acquire().await {
            // The semaphore is never closed, and the guard outlives its lifetime.
            permit.forget();
        }
        Permit {
            free: Rc::clone(&self.free),
        }
    }
}

impl Permit {
    /// Whether somebody waits for leave.
    pub(crate) fn is_awaited(&self) -> bool {
        self.free.waiters() > 0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.free.add_permits(1);
    }
}
