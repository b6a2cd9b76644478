//! The virtio NIC's driver against a device that writes what the input says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fata_net::testing::nic(bytes));
