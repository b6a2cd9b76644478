//! The command line: words, announcements of devices, and options.
#![no_main]

#[path = "../../../boot/src/platform/vm/virtio/announcement.rs"]
mod announcement;
#[path = "../../../boot/src/platform/vm/virtio/slot.rs"]
mod slot;

use fata_boot::{Args, ArgsError, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let mut words = match split(line) {
        Ok(words) => words,
        Err(error) => return assert_eq!(error, ArgsError::Unbalanced),
    };
    assert!(words.iter().map(String::len).sum::<usize>() <= line.len());
    words.retain(|word| match announcement::place(word) {
        Some(place) => {
            check(announcement::parse(place));
            false
        }
        None => true,
    });
    if let Err(error) = take_options(Args::new(words)) {
        assert!(!error.to_string().is_empty());
    }
});

fn check(slot: Option<slot::Slot>) {
    let Some(slot) = slot else { return };
    assert!(slot.base >= 0x8000_0000 && slot.base + slot.size <= 1 << 32);
    assert!(slot.base.is_multiple_of(8));
}

fn take_options(mut args: Args) -> Result<(), ArgsError> {
    args.option("port", "PORT", "", 80_u16)?;
    args.optional::<String>("disk", "FILE", "")?;
    args.flag("dhcp", "")?;
    args.finish()
}
