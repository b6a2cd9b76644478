//! The queue's format: an image changed as the input says, with checksums made right.
#![no_main]

#[path = "../../../queue/tests/forgery/mod.rs"]
mod forgery;
#[path = "../../../queue/tests/support/mod.rs"]
mod support;

use std::sync::OnceLock;

static SOUND: OnceLock<Vec<u8>> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut image = SOUND.get_or_init(forgery::image).clone();
    forgery::forge(&mut image, &bytes[..bytes.len().min(500)]);
    forgery::run(image);
});
