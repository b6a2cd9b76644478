use super::{Register, SLEEP_SOFT_OFF, Tables};
use proptest::prelude::*;

/// Where the pretended memory begins.
const BASE: u32 = 0xe_0000;

const MICROVM_SLEEP: u64 = 0xfea0_0200;

/// Tables at [`BASE`], and where the pointer to their root is.
struct Firmware {
    bytes: Vec<u8>,
    pointer: u32,
}

impl Firmware {
    /// Tables with these signatures and contents, their addresses of 4 or 8 bytes.
    fn new(tables: &[(&[u8; 4], Vec<u8>)], width: usize) -> Self {
        let mut bytes = Vec::new();
        let mut addresses = Vec::new();
        for (signature, content) in tables {
            addresses.extend(&u64::from(BASE + bytes.len() as u32).to_le_bytes()[..width]);
            bytes.extend(table(signature, content));
        }
        let root = BASE + bytes.len() as u32;
        let signature = if width == 8 { b"XSDT" } else { b"RSDT" };
        bytes.extend(table(signature, &addresses));
        let pointer = BASE + bytes.len() as u32;
        bytes.extend(root_pointer(root, width));
        Self { bytes, pointer }
    }

    /// A machine as QEMU's microvm, with this sleep control register.
    fn microvm(kind: u8, address: u64) -> Self {
        let mut fixed = vec![0; 268 - 36];
        fixed[112 - 36..116 - 36].copy_from_slice(&(1_u32 << 20).to_le_bytes());
        fixed[244 - 36] = kind;
        fixed[248 - 36..256 - 36].copy_from_slice(&address.to_le_bytes());
        Self::new(&[(b"DSDT", vec![]), (b"FACP", fixed)], 8)
    }

    fn tables(&self) -> Tables<impl Fn(u32) -> u64 + Copy> {
        Tables::new(self.pointer, |address: u32| {
            let start = address.checked_sub(BASE);
            let bytes = start.and_then(|start| self.bytes.get(start as usize..)?.first_chunk());
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        })
    }

    fn sleep_control(&self) -> Option<Register> {
        self.tables().sleep_control()
    }

    fn io_apic(&self, interrupt: u32) -> Option<(u32, u32)> {
        self.tables().io_apic(interrupt)
    }
}

fn table(signature: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut table = signature.to_vec();
    table.extend((36 + content.len() as u32).to_le_bytes());
    table.resize(36, 0);
    table.extend(content);
    table
}

/// A root pointer of version 0, or 2.
fn root_pointer(root: u32, width: usize) -> Vec<u8> {
    let mut pointer = b"RSD PTR \0BOCHS \0".to_vec();
    if width == 8 {
        pointer[15] = 2;
        pointer.extend([0, 0, 0, 0, 36, 0, 0, 0]);
    }
    pointer.extend(root.to_le_bytes());
    // The content comes in eight bytes, and memory goes on.
    pointer.resize(44, 0);
    pointer
}

#[test]
fn a_microvm_has_a_register_to_control_sleep() {
    let at = |kind, address| Firmware::microvm(kind, address).sleep_control();
    let memory = Register::Memory(MICROVM_SLEEP as u32);
    assert_eq!(at(0, MICROVM_SLEEP), Some(memory));
    // Cloud Hypervisor's is a port.
    assert_eq!(at(1, 0x600), Some(Register::Port(0x600)));
    assert_eq!(SLEEP_SOFT_OFF, 0x34);
}

#[test]
fn without_a_register_nothing_is_written() {
    assert_eq!(Firmware::microvm(0, 0).sleep_control(), None);
    let other = Firmware::microvm(2, MICROVM_SLEEP);
    assert_eq!(other.sleep_control(), None, "a PCI register");
    let mut full = Firmware::microvm(0, MICROVM_SLEEP);
    full.bytes[36 + 112..36 + 116].fill(0);
    assert_eq!(full.sleep_control(), None, "not reduced hardware");
}

#[test]
fn tables_are_found_by_addresses_of_either_width() {
    for width in [4, 8] {
        let firmware = Firmware::new(&[(b"HPET", vec![1]), (b"APIC", vec![2])], width);
        let tables = firmware.tables();
        let mut next = 0;
        assert_eq!(tables.find(b"HPET", &mut next), Some(BASE));
        assert_eq!(tables.find(b"HPET", &mut next), None);
        assert_eq!(tables.find(b"APIC", &mut 0), Some(BASE + 37));
        assert_eq!(tables.length(BASE + 37), 37);
        assert_eq!(tables.find(b"FACP", &mut 0), None);
    }
}

#[test]
fn the_fixed_description_names_the_one_in_byte_code() {
    let mut fixed = vec![0; 268 - 36];
    fixed[40 - 36..44 - 36].copy_from_slice(&(BASE + 268).to_le_bytes());
    let firmware = Firmware::new(&[(b"FACP", fixed), (b"DSDT", vec![1, 2, 3])], 4);
    let tables = firmware.tables();
    assert_eq!(tables.find(b"DSDT", &mut 0), Some(BASE + 268));
    assert_eq!(tables.description(BASE), BASE + 268);
}

#[test]
fn an_interrupt_goes_to_the_last_io_apic_that_begins_before_it() {
    // QEMU 7.2's table of its microvm, the local APIC between the other two.
    let mut content = vec![0, 0, 0xe0, 0xfe, 0, 0, 0, 0];
    content.extend([1, 12, 1, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0]);
    content.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    content.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    let firmware = Firmware::new(&[(b"APIC", content)], 4);
    assert_eq!(firmware.io_apic(5), Some((0xfec0_0000, 5)));
    assert_eq!(firmware.io_apic(23), Some((0xfec0_0000, 23)));
    assert_eq!(firmware.io_apic(47), Some((0xfec1_0000, 23)));
    let firmware = Firmware::new(&[], 4);
    assert_eq!(firmware.io_apic(5), None);
}

#[test]
fn a_pointer_that_leads_nowhere_has_no_tables() {
    for pointer in [0, BASE - 1, BASE + 1, u32::MAX] {
        let firmware = Firmware {
            pointer,
            ..Firmware::microvm(0, MICROVM_SLEEP)
        };
        assert_eq!(firmware.sleep_control(), None);
        assert_eq!(firmware.io_apic(0), None);
    }
}

proptest! {
    #[test]
    fn any_tables_are_read_in_bounds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..16),
        end in any::<prop::sample::Index>(),
        interrupt in any::<u32>(),
    ) {
        let mut firmware = Firmware::microvm(0, MICROVM_SLEEP);
        for (place, byte) in changes {
            let place = place.index(firmware.bytes.len());
            firmware.bytes[place] = byte;
        }
        let end = end.index(firmware.bytes.len() + 1);
        firmware.bytes.truncate(end);
        let _ = firmware.sleep_control();
        let _ = firmware.io_apic(interrupt);
    }
}
