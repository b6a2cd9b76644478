//! A split virtqueue against a device that writes what the input says, at any time.
#![no_main]

#[path = "../../../virtio/tests/torture/mod.rs"]
mod torture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::queue(bytes));
