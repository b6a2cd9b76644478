//! The resolver, whose servers and others answer what the input says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fata_net::testing::resolver(bytes));
