use super::super::slot::Slot;
use super::devices;
use proptest::prelude::*;

/// QEMU 7.2's description of a device in the last slot of its microvm.
const QEMU: &[u8] = b"\x5b\x82\x42\x04VR23\x08_HID\x0dLNRO0005\0\x08_UID\x0a\x17\x08_CCA\x01\
    \x08_CRS\x11\x1a\x0a\x17\x86\x09\x00\x01\x00\x2e\xb0\xfe\x00\x02\x00\x00\
    \x89\x06\x00\x01\x01\x2f\x00\x00\x00\x79\x00";
const LAST: Slot = Slot {
    base: 0xfeb0_2e00,
    size: 512,
    interrupt: 47,
};
/// A device of another kind, and the state in which the machine is off.
const BUTTON: &[u8] = b"\x5b\x82\x19PWRB\x08_HID\x0dPNP0C0C\0\x08_UID\x00";
const OFF: &[u8] = b"\x08_S5_\x12\x07\x04\x0a\x05\x00\x00\x00";

fn found(code: &[u8]) -> Vec<Slot> {
    let mut slots = Vec::new();
    devices(code, |slot| slots.push(slot));
    slots
}

#[test]
fn devices_are_found_among_others() {
    assert_eq!(found(&[BUTTON, QEMU, OFF, QEMU].concat()), [LAST, LAST]);
    assert_eq!(found(&[BUTTON, OFF].concat()), []);
}

#[test]
fn a_device_within_a_package_of_any_length_is_found() {
    // `Scope(\_SB)` around it, and the device's own length in two, three and four bytes.
    let body = &QEMU[4..];
    for length in [
        &[0x45, 0x04][..],
        &[0x86, 0x04, 0x00],
        &[0xc7, 0x04, 0x00, 0x00],
    ] {
        // A length counts its own bytes.
        let total = body.len() + length.len();
        let mut length = length.to_vec();
        length[0] = length[0] & 0xc0 | total as u8 & 0xf;
        length[1] = (total >> 4) as u8;
        let device = [&b"\x5b\x82"[..], &length, body].concat();
        assert_eq!(found(&[b"\x10\x4e\x16_SB_", &device[..]].concat()), [LAST]);
    }
}

#[test]
fn a_description_that_lacks_something_is_passed_over() {
    for end in 0..QEMU.len() {
        assert_eq!(found(&QEMU[..end]), [], "{end}");
    }
    let replaced = |place: usize, byte: u8| {
        let mut code = QEMU.to_vec();
        code[place] = byte;
        found(&code)
    };
    let at = |mark: &[u8]| {
        let mut windows = QEMU.windows(mark.len());
        windows
            .position(|window| window == mark)
            .expect("it is there")
    };
    let interrupt = at(b"\x89\x06");
    assert_eq!(replaced(interrupt, 0x8a), [], "no interrupt");
    assert_eq!(replaced(at(b"\x86\x09"), 0x8a), [], "no memory");
    assert_eq!(replaced(at(b"LNRO0005") + 7, b'6'), [], "another device");
    assert_eq!(replaced(at(b"\x2e\xb0\xfe") + 2, 0), [], "in memory");
    assert_eq!(replaced(interrupt + 1, 0xff), [], "longer than there is");
}

proptest! {
    #[test]
    fn any_code_is_harmless(
        mut code in prop::collection::vec(any::<u8>(), 0..256),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        code.extend(QEMU);
        for (place, byte) in changes {
            let place = place.index(code.len());
            code[place] = byte;
        }
        for slot in found(&code) {
            prop_assert_eq!(slot.checked(), Some(slot));
        }
    }
}
