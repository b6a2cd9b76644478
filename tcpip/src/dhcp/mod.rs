//! The DHCP client (RFC 2131): a state machine without I/O, and what drives it.
//!
//! [`Client`] knows neither device nor sockets: messages go in, messages come out. It does not
//! wait before its first message, as RFC 2131, section 4.4.1 would have it: a machine that is
//! started is waited for. INIT-REBOOT is left out, as nothing outlives the machine. An address is
//! used at once, while the question whether another host has it is under way, and is given back
//! (DHCPDECLINE) if one answers.

mod client;
mod driver;
mod lease;
mod message;
mod request;
#[cfg(test)]
mod tests;
mod trouble;

pub(super) use client::Client;
