use alloc::rc::Rc;
use async_unsync::semaphore;
use core::fmt;

/// Permits for a bounded number of tasks at a time, given in the order in which they are asked
/// for. Clones are handles to one semaphore.
#[derive(Clone)]
pub struct Semaphore {
    permits: Rc<semaphore::Semaphore>,
}

/// A permit, which goes back to its semaphore when it is dropped. It has no lifetime, so a task
/// of its own can hold it.
pub struct Permit {
    permits: Rc<semaphore::Semaphore>,
}

impl Semaphore {
    /// A semaphore with so many permits.
    pub fn new(permits: usize) -> Self {
        Self {
            permits: Rc::new(semaphore::Semaphore::new(permits)),
        }
    }

    /// Waits for a permit. A future that is dropped leaves the line.
    pub async fn acquire(&self) -> Permit {
        // Nobody can close the semaphore, so there is no error. [`Permit`] gives it back;
        // async-unsync's borrows the semaphore, so it is forgotten.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        Permit {
            permits: Rc::clone(&self.permits),
        }
    }

    /// How many tasks wait for a permit.
    pub fn waiting(&self) -> usize {
        self.permits.waiters()
    }
}

impl Permit {
    /// True while a task waits for a permit of the same semaphore.
    pub fn is_awaited(&self) -> bool {
        self.permits.waiters() > 0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.add_permits(1);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Semaphore");
        debug.field("free", &self.permits.available_permits());
        debug.field("waiting", &self.waiting()).finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{simulate, yield_now};
    use core::cell::RefCell;
    use core::time::Duration;
    use std::vec::Vec;

    #[test]
    fn permits_go_to_who_has_waited_longest() {
        simulate(|tasks| async move {
            let semaphore = Semaphore::new(2);
            let order = Rc::new(RefCell::new(Vec::new()));
            let users = [0, 1, 2, 3].map(|number| {
                let (semaphore, order) = (semaphore.clone(), Rc::clone(&order));
                let clock = tasks.clone();
                tasks.spawn(async move {
                    let permit = semaphore.acquire().await;
                    order.borrow_mut().push(number);
                    clock.sleep(Duration::from_secs(1)).await;
                    permit.is_awaited()
                })
            });
            yield_now().await;
            assert_eq!((semaphore.waiting(), order.borrow().len()), (2, 2));
            // Who gives up is passed over.
            users[2].cancel();
            let mut awaited = Vec::new();
            for (number, user) in users.into_iter().enumerate() {
                if number != 2 {
                    awaited.push(user.await.expect("it was not cancelled"));
                }
            }
            assert_eq!(*order.borrow(), [0, 1, 3]);
            assert_eq!(awaited, [true, false, false]);
            assert_eq!(tasks.now().as_millis(), 2_000);
        });
    }
}
