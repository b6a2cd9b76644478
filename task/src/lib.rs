//! The executor of a Fata program: cooperative tasks on one core.
//!
//! A program has one [`Executor`]. Everything that wants to spawn tasks or to sleep gets
//! a [`Handle`] to it; there is no hidden global, so tests run as many executors side by
//! side as they like, each under its own clock.
//!
//! A task is polled once when it is spawned and afterwards only when its waker was
//! called. When no task is ready, the executor asks its platform, through [`Idle`], to wait
//! for the next device event or the next timer; a virtual machine halts its processor
//! there. Dropping a future cancels it and every wait inside it.
//!
//! ```
//! use core::time::Duration;
//!
//! let answer = fata_task::simulate(|tasks| async move {
//!     let nested = tasks.clone();
//!     let task = tasks.spawn(async move {
//!         nested.sleep(Duration::from_secs(3600)).await;
//!         42
//!     });
//!     task.await
//! });
//! assert_eq!(answer, Ok(42));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(not(fata_vm))]
extern crate std;

mod all;
mod deadlines;
mod event;
mod executor;
mod handle;
mod idle;
mod inner;
#[cfg(not(fata_vm))]
mod parked;
#[cfg(not(fata_vm))]
mod reactor;
mod semaphore;
mod simulate;
mod sleep;
mod sync;
mod waiters;

/// Channels between tasks of one executor: bounded, unbounded and one-shot.
pub use async_unsync as channel;
pub use embassy_futures::join::{join, join_array, join3, join4};
pub use embassy_futures::select::{
    Either, Either3, Either4, select, select_array, select_slice, select3, select4,
};
pub use embassy_futures::yield_now;

pub use all::all;
pub use deadlines::{DeadlineKey, Deadlines};
pub use event::Event;
pub use executor::Executor;
pub use handle::{Cancelled, Elapsed, Handle, JoinHandle};
pub use idle::{Idle, Unparker};
#[cfg(not(fata_vm))]
pub use parked::block_on;
#[cfg(not(fata_vm))]
pub use reactor::{Reactor, Readiness, Registration};
pub use semaphore::{Permit, Semaphore};
pub use simulate::simulate;
pub use sleep::Sleep;
pub use waiters::Waiters;
