//! Words of the command line that announce devices over MMIO, as QEMU's microvm and
//! Firecracker write them: `virtio_mmio.device=<size>@<base>:<interrupt>`.

use super::slot::Slot;

/// The beginning of such a word.
const PREFIX: &str = "virtio_mmio.device=";

/// The device's place, if the word tells one.
pub(super) fn place(word: &str) -> Option<&str> {
    word.strip_prefix(PREFIX)
}

/// `<size>@<base>:<interrupt>`, perhaps with another field, which is the device's number.
pub(super) fn parse(place: &str) -> Option<Slot> {
    let at = place.bytes().position(|byte| byte == b'@')?;
    // Bytes, as what searches in a `str` costs every image a kilobyte.
    let mut fields = place.as_bytes()[at + 1..].split(|byte| *byte == b':');
    let slot = Slot {
        size: number(&place.as_bytes()[..at])?,
        base: number(fields.next()?)?,
        interrupt: u32::try_from(number(fields.next()?)?).ok()?,
    };
    slot.checked()
}

/// A number as Linux takes it: decimal or hexadecimal, perhaps with K or M for units.
fn number(text: &[u8]) -> Option<usize> {
    let (digits, unit) = match text {
        [digits @ .., b'K' | b'k'] => (digits, 1 << 10),
        [digits @ .., b'M' | b'm'] => (digits, 1 << 20),
        _ => (text, 1),
    };
    let (digits, radix) = match digits {
        [b'0', b'x', digits @ ..] => (digits, 16),
        _ => (digits, 10),
    };
    let digits = core::str::from_utf8(digits).ok()?;
    usize::from_str_radix(digits, radix).ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_monitors_are_understood() {
        let qemu = Slot {
            base: 0xfeb0_0e00,
            size: 512,
            interrupt: 12,
        };
        let word = "virtio_mmio.device=512@0xfeb00e00:12";
        assert_eq!(place(word).and_then(parse), Some(qemu));
        assert_eq!(place("--port=80"), None);
        assert_eq!(parse("0x200@0xfeb00e00:12:3"), Some(qemu));
        let firecracker = Slot {
            base: 0xd000_0000,
            size: 4096,
            interrupt: 5,
        };
        assert_eq!(parse("4K@0xd0000000:5"), Some(firecracker));
    }

    #[test]
    fn nonsense_is_passed_over() {
        for word in [
            "",
            "512",
            "512@",
            "512@0xfeb00e00",
            "@0xfeb00e00:5",
            "K@0xfeb00e00:5",
            "512@0xfeb00e01:5",
            "512@0x1000:5",
            "512@0xfffffff8:5",
            "18446744073709551615M@0xfeb00e00:5",
            "512@0xfeb00e00:-1",
        ] {
            assert_eq!(parse(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_word_is_harmless(word in "[0-9xKkMm@:é]{0,40}") {
            if let Some(slot) = parse(&word) {
                prop_assert_eq!(slot.checked(), Some(slot));
            }
        }
    }
}
