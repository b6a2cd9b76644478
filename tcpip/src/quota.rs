//! The network's part of the program's memory, for the buffers of connections.

use fata_memory::{Budget, Lease, Part};
use fata_tcp::Quota;

/// A lease that grows and shrinks with the buffers.
pub(crate) struct Network(Lease);

impl Network {
    /// An empty lease.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self(budget.empty(Part::Network))
    }
}

impl Quota for Network {
    fn room(&self) -> usize {
        self.0.room()
    }

    fn try_resize(&mut self, bytes: usize) -> bool {
        self.0.try_resize(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use fata_memory::Share;
    use fata_tcp::Pool;

    #[test]
    fn what_others_hold_lowers_the_bound() {
        let share = Share {
            floor: 16 * 1024,
            most: usize::MAX,
        };
        let budget = Budget::new(128 * 1024).with_share(Part::Network, share);
        let mut pool = Pool::new(Network::new(&budget), 64 * 1024);
        let others = budget.try_take(Part::Http, 112 * 1024).expect("it fits");
        assert!(
            pool.take(16 * 1024).is_none(),
            "a quarter is for small ones"
        );
        let small: Vec<_> = core::iter::from_fn(|| pool.take(1)).collect();
        assert_eq!(small.len(), 8, "the network's floor");
        assert!(pool.is_scarce());
        drop(others);
        assert!(!pool.is_scarce());
        let large = pool.take(16 * 1024).expect("there is room again");
        pool.put(large);
        small.into_iter().for_each(|buffer| pool.put(buffer));
        pool.trim();
        assert!(budget.used(Part::Network) <= 8 * 1024, "a little is spare");
        drop(pool);
        assert_eq!(budget.used(Part::Network), 0);
    }
}
