//! The cost of a request of a disk and of an operation of a store.

use fata_ci::{Attached, Figures, Launch, Machine, Platform};
use std::fs::File;

/// Bytes of the disk.
const DISK: u64 = 16 << 20;

pub fn measure(figures: &mut Figures) {
    for machine in Machine::ALL {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("disk");
        let disk = File::create(&file).and_then(|disk| disk.set_len(DISK));
        disk.expect("there is room for a disk");
        let text = Launch::new("operations", Platform::Machine(machine))
            .attach(Attached::new(&file))
            .qemu_arguments(["-icount", "shift=0,sleep=on"])
            .start()
            .wait_success();
        for operation in ["read", "write"] {
            let figure = format!("disk.{}.{operation}", machine.name());
            figures.add(figure, cost(&text, operation));
        }
        // The store is on a disk in memory, the same on all machines.
        if machine == Machine::Microvm {
            for operation in ["get", "set"] {
                figures.add(format!("store.{operation}"), cost(&text, operation));
            }
        }
    }
}

/// The instructions of an operation, by the line `OPERATION: busy for NUMBER ns`.
fn cost(text: &str, operation: &str) -> u64 {
    let before = format!(" {operation}: busy for ");
    let number = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(&before)?;
        rest.strip_suffix(" ns")?.parse().ok()
    });
    number.unwrap_or_else(|| panic!("no {operation} in {text}"))
}
