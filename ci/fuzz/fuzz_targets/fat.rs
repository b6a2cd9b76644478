//! A FAT volume, changed as the input says: read, changed and emptied.
#![no_main]

#[path = "../../../fat/tests/forgery/mod.rs"]
mod forgery;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    forgery::run(&bytes[..bytes.len().min(300)]);
});
