//! The resolver, whose servers and others answer what the input says.
#![no_main]

#[path = "../../../net/tests/resolver/mod.rs"]
mod torture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::resolver(bytes));
