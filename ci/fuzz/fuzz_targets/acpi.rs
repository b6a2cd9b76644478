//! ACPI: any memory behind a root pointer, as tables and as byte code.
#![no_main]

#[path = "../../../boot/src/platform/vm/acpi/mod.rs"]
mod acpi;
#[path = "../../../boot/src/platform/vm/virtio/description/mod.rs"]
mod description;
#[path = "../../../boot/src/platform/vm/virtio/slot.rs"]
mod slot;

use acpi::Tables;
use libfuzzer_sys::fuzz_target;

/// Where the memory lies that the input is.
const BASE: u32 = 0x1000;
/// Signature, checksum, maker and version of the root pointer, whose tables are next to it.
const START: [u8; 20] = *b"RSD PTR \0FATA  \0\x14\x10\0\0";

fuzz_target!(|data: &[u8]| {
    let memory = [&START, data].concat();
    let tables = Tables::new(BASE, |address: u32| {
        let start = address.checked_sub(BASE).map(|start| start as usize);
        let bytes = start.and_then(|start| memory.get(start..)?.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    });
    let _ = tables.sleep_control();
    if let Some((_, pin)) = tables.io_apic(47) {
        assert!(pin <= 47);
    }
    if let Some(fixed) = tables.find(b"FACP", &mut 0) {
        let _ = tables.length(tables.description(fixed));
    }
    description::devices(data, |slot| assert_eq!(slot.checked(), Some(slot)));
});
