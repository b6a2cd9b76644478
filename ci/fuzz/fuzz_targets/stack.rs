//! A whole stack, whose peer sends what the input says: frames, TCP segments near and far from
//! what is right, datagrams, neighbor discovery, router advertisements.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fata_tcpip::testing::stack(bytes));
