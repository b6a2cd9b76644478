//! A split virtqueue against a device that writes what the input says, at any time.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fata_virtio::fake::torture::queue(bytes));
