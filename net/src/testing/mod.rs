//! Test code that other crates use, too.

extern crate std;

pub mod dns;
mod script;

pub use script::Script;
