//! A key-value store on a disk that loses nothing.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bitmap;
mod cache;
mod check;
mod layout;
mod node;
mod page;
mod parallel;
mod queue;
mod reader;
mod record;
mod room;
mod store;
mod superblock;
#[cfg(test)]
mod tests;
mod transaction;
mod tree;
mod volume;

pub use check::{Problem, Report, check};
pub use store::{Limits, Store, Usage};
pub use volume::format;
