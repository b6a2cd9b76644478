//! The store's format: an image changed as the input says, with checksums made right.
#![no_main]

#[path = "../../../store/tests/forgery/mod.rs"]
mod forgery;

use std::sync::OnceLock;

static SOUND: OnceLock<Vec<u8>> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let sound = SOUND.get_or_init(|| forgery::image().0);
    forgery::run(sound, &bytes[..bytes.len().min(500)]);
});
