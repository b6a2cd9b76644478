//! Where a device over MMIO is.

/// MMIO below this address would be memory.
const LOWEST_BASE: usize = 0x8000_0000;
/// The identity map of the boot code ends here.
const END: usize = 0x1_0000_0000;

/// A device's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) base: usize,
    pub(super) size: usize,
    /// The number of the interrupt, counted over the inputs of all I/O APICs (ACPI 6.5, section
    /// 5.2.13).
    pub(super) interrupt: u32,
}

impl Slot {
    /// The slot, if a device can be there.
    pub(super) fn checked(self) -> Option<Self> {
        let mapped = self.base >= LOWEST_BASE && self.base.checked_add(self.size)? <= END;
        (mapped && self.base.is_multiple_of(8)).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn a_device_lies_above_memory_and_is_mapped() {
        let is_sound = |base, size| {
            let slot = Slot {
                base,
                size,
                interrupt: 5,
            };
            slot.checked().is_some()
        };
        assert!(is_sound(0xfeb0_0e00, 512));
        assert!(is_sound(0xffff_fe00, 512));
        assert!(!is_sound(0xffff_fe08, 512));
        assert!(!is_sound(0xfeb0_0e01, 512));
        assert!(!is_sound(0x7fff_fff8, 512));
        assert!(!is_sound(0xfeb0_0e00, usize::MAX));
    }
}
