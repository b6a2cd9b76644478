extern crate std;
use crate::{Budget, Lease, Part, Share};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use proptest::prelude::*;

#[test]
fn a_floor_is_kept_for_its_part() {
    let floor = Share {
        floor: 300,
        most: 600,
    };
    let budget = Budget::new(1000).with_share(Part::Network, floor);
    let http = budget.try_take(Part::Http, 700).expect("it fits");
    assert!(budget.try_take(Part::Http, 1).is_none(), "300 are kept");
    let network = budget.try_take(Part::Network, 300).expect("they are");
    assert!(budget.try_take(Part::Network, 1).is_none());
    drop(http);
    assert_eq!(budget.room(Part::Network), 300, "not more than 600");
    drop(network);
    assert_eq!(budget.room(Part::Http), 700);
}

#[test]
fn floors_that_do_not_fit_are_lowered() {
    let share = Share {
        floor: 700,
        most: usize::MAX,
    };
    let budget = Budget::new(1000)
        .with_share(Part::Network, share)
        .with_share(Part::Http, share);
    assert_eq!(budget.room(Part::Network), 700);
    assert_eq!(budget.room(Part::Http), 300);
    assert_eq!(budget.room(Part::Program), 0);
}

#[test]
fn what_the_gauge_tells_counts_too() {
    static FREE: AtomicUsize = AtomicUsize::new(500);
    let budget = Budget::new(1000).with_gauge(100, |_| FREE.load(Ordering::Relaxed));
    assert_eq!(budget.room(Part::Http), 400);
    FREE.store(50, Ordering::Relaxed);
    assert!(budget.try_take(Part::Http, 1).is_none());
}

#[test]
fn spare_room_is_left() {
    let budget = Budget::new(1000);
    assert!(budget.try_take_leaving(Part::Http, 600, 500).is_none());
    let lease = budget.try_take_leaving(Part::Http, 600, 400);
    assert!(lease.is_some());
}

#[test]
fn a_lease_that_cannot_grow_stays() {
    let budget = Budget::new(100);
    let mut lease = budget.try_take(Part::Storage, 60).expect("it fits");
    assert!(!lease.try_resize(101));
    assert_eq!((lease.bytes(), budget.used(Part::Storage)), (60, 60));
    assert!(lease.try_resize(100));
    assert!(lease.try_resize(0));
    assert_eq!(budget.room(Part::Storage), 100);
}

proptest! {
    /// Whatever is taken and given back, sums agree, and no floor is broken into.
    #[test]
    fn sums_agree(
        floors in [0..400_usize, 0..400, 0..400, 0..400],
        steps in prop::collection::vec((0..4_usize, 0..300_usize, any::<bool>()), 1..200),
    ) {
        const LIMIT: usize = 1000;
        let mut budget = Budget::new(LIMIT);
        let mut left = LIMIT;
        let floors = floors.map(|floor| {
            let fits = floor.min(left);
            left -= fits;
            fits
        });
        for (part, floor) in Part::ALL.into_iter().zip(floors) {
            budget = budget.with_share(part, Share { floor, most: 800 });
        }
        let mut leases: Vec<Lease> = Vec::new();
        for (part, bytes, gives_back) in steps {
            if gives_back && !leases.is_empty() {
                drop(leases.swap_remove(bytes % leases.len()));
            }
            leases.extend(budget.try_take(Part::ALL[part], bytes));
            let used: usize = Part::ALL.into_iter().map(|part| budget.used(part)).sum();
            let held: usize = leases.iter().map(Lease::bytes).sum();
            prop_assert_eq!(used, held);
            prop_assert!(used <= LIMIT);
            for (part, floor) in Part::ALL.into_iter().zip(floors) {
                prop_assert!(budget.used(part) <= 800);
                prop_assert!(budget.used(part) + budget.room(part) >= floor);
            }
        }
        drop(leases);
        prop_assert_eq!(budget.statistics().leased, [0; Part::ALL.len()]);
    }
}
