//! An HTTP server whose client sends the input, beside httparse. The first byte says in what
//! pieces.
#![no_main]

#[path = "../../../http/tests/common/mod.rs"]
mod common;
#[path = "../../../http/tests/torture/server.rs"]
mod torture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [step, input @ ..] = bytes {
        torture::server(input, usize::from(*step) + 1);
    }
});
