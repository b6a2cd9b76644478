//! An HTTP client whose server sends the input, beside httparse. The first byte says in what
//! pieces.
#![no_main]

#[path = "../../../http/tests/common/mod.rs"]
mod common;
#[path = "../../../http/tests/torture/client.rs"]
mod torture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [step, input @ ..] = bytes {
        torture::client(input, usize::from(*step) + 1);
    }
});
