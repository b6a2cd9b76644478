//! A server and a client whose peers send anything, beside another parser.

mod client;
mod server;

pub use client::client;
pub use server::server;
