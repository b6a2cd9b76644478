//! PVH: any memory behind a sound beginning of `hvm_start_info`.
#![no_main]

mod protocol;

use libfuzzer_sys::fuzz_target;

/// The magic number, and version 1.
const START: [u8; 8] = [0x78, 0xc5, 0x6e, 0x33, 1, 0, 0, 0];

fuzz_target!(|data: &[u8]| {
    protocol::take_in(0, &[&START, data].concat());
});
