//! Multiboot 2: any memory.
#![no_main]

mod protocol;

use libfuzzer_sys::fuzz_target;

const MAGIC: u32 = 0x36d7_6289;

fuzz_target!(|data: &[u8]| protocol::take_in(MAGIC, data));
