//! The virtio network card's driver against a device that writes what the input says.
#![no_main]

#[path = "../../../net/tests/torture/mod.rs"]
mod torture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::card(bytes));
