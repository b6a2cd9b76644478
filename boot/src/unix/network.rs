//! The network of a process.
