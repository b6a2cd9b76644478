//! Devices over MMIO that the firmware describes, in the byte code of ACPI: `LNRO0005`.
//!
//! Sources: ACPI 6.5, sections 20.2 (byte code) and 6.4 (resources); Linux's
//! `drivers/virtio/virtio_mmio.c` has the identifier.
//!
//! The code is searched, not run: monitors describe such a device by constants. Whatever it
//! holds, there is no panic, and each byte is looked at a bounded number of times.

use super::slot::Slot;

/// `Device`, two bytes; then the length of what belongs to it.
const DEVICE: &[u8] = &[0x5b, 0x82];
/// `Name(_HID, "LNRO0005")`.
const IDENTIFIER: &[u8] = b"\x08_HID\x0dLNRO0005\0";
/// `Name(_CRS, Buffer ...)`; then the buffer's length.
const RESOURCES: &[u8] = b"\x08_CRS\x11";
/// A device's description that is longer is cut off. QEMU's has 69 bytes.
const LONGEST: usize = 512;

/// Descriptors of resources (section 6.4.3): memory of 32-bit addresses, and interrupts.
const MEMORY: u8 = 0x86;
const INTERRUPTS: u8 = 0x89;
const IS_LARGE: u8 = 0x80;

/// Hands the place of each device that `code` describes to `add`, in its order.
pub(super) fn devices(code: &[u8], mut add: impl FnMut(Slot)) {
    for (start, opcode) in code.windows(DEVICE.len()).enumerate() {
        if opcode != DEVICE {
            continue;
        }
        let described = package(&code[start + DEVICE.len()..]);
        if let Some(slot) = described.and_then(device) {
            add(slot);
        }
    }
}

/// The content of the package at whose length `code` begins (section 20.2.4).
fn package(code: &[u8]) -> Option<&[u8]> {
    let first = *code.first()?;
    let following = usize::from(first >> 6);
    let more = code.get(1..=following)?;
    let length = match more {
        [] => usize::from(first & 0x3f),
        _ => {
            more.iter()
                .rev()
                .fold(0, |length, byte| length << 8 | usize::from(*byte))
                << 4
                | usize::from(first & 0xf)
        }
    };
    code.get(..length)?.get(1 + following..)
}

/// The place of the device with this description, if it is one over MMIO.
fn device(description: &[u8]) -> Option<Slot> {
    let description = &description[..description.len().min(LONGEST)];
    behind(description, IDENTIFIER)?;
    let buffer = package(behind(description, RESOURCES)?)?;
    // The buffer's size, a byte or two behind a prefix, or a small constant, is that of what
    // follows, which ends by itself.
    let resources = match buffer {
        [0x0a, _, resources @ ..] | [0x0b, _, _, resources @ ..] => resources,
        _ => return None,
    };
    slot(resources)
}

/// The code behind the first `mark`.
fn behind<'a>(code: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let start = code.windows(mark.len()).position(|bytes| bytes == mark)?;
    Some(&code[start + mark.len()..])
}

/// The first memory and the first interrupt of a list of resources.
fn slot(mut resources: &[u8]) -> Option<Slot> {
    let (mut memory, mut interrupt) = (None, None);
    while let Some((kind, content, rest)) = first_descriptor(resources) {
        match kind {
            MEMORY => memory = memory.or_else(|| Some((word(content, 1)?, word(content, 5)?))),
            INTERRUPTS => interrupt = interrupt.or_else(|| word(content, 2)),
            _ => {}
        }
        resources = rest;
    }
    let (base, size) = memory?;
    let slot = Slot {
        base: base as usize,
        size: size as usize,
        interrupt: interrupt?,
    };
    slot.checked()
}

/// Kind and content of the first descriptor, and what follows it.
fn first_descriptor(resources: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let kind = *resources.first()?;
    let (start, length) = if kind & IS_LARGE != 0 {
        let length = resources.get(1..)?.first_chunk()?;
        (3, usize::from(u16::from_le_bytes(*length)))
    } else {
        (1, usize::from(kind & 7))
    };
    let (content, rest) = resources.get(start..)?.split_at_checked(length)?;
    Some((kind, content, rest))
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests;
