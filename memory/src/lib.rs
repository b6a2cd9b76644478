//! One memory budget for a whole program.
//!
//! A machine has no memory but its own, and an allocation that fails ends it. So each part of a
//! program that holds memory on behalf of others (connections, requests, caches) asks the
//! [`Budget`] first, and turns work away that finds no room:
//!
//! ```
//! use fata_memory::{Budget, Part};
//!
//! let budget = Budget::new(1 << 20);
//! let lease = budget.try_take(Part::Http, 4096).expect("there is room");
//! assert_eq!(budget.used(Part::Http), 4096);
//! assert!(budget.try_take(Part::Network, 1 << 20).is_none());
//! drop(lease);
//! ```
//!
//! A lease is a promise, not a block of memory: its holder allocates no more than it says.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod block;
mod budget;
mod lease;
mod part;
mod shared;
pub mod tally;

#[cfg(test)]
mod tests;

pub use block::{can_grow, has_block};
pub use budget::{Budget, Statistics};
pub use lease::Lease;
pub use part::Part;
pub use shared::Share;
