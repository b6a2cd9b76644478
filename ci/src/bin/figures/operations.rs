//! What a request of a disk and an operation of a store cost.

use fata_ci::{Attached, Figures, Home, Launch, Machine};
use std::fs::File;

/// Bytes of the disk.
const DISK: u64 = 16 << 20;

pub fn measure(figures: &mut Figures) {
    for machine in Machine::ALL {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("disk");
        let disk = File::create(&file).and_then(|disk| disk.set_len(DISK));
        disk.expect("there is room for a disk");
        let text = Launch::new("operations", Home::Machine(machine))
            .attach(Attached::new(&file))
            .qemu_arguments(["-icount", "shift=0,sleep=on"])
            .start()
            .wait_success();
        for (name, operation) in [
            ("disk-write", "write"),
            ("disk-read", "read"),
            ("store-set", "set"),
            ("store-get", "get"),
        ] {
            let figure = format!("operation.{}.{name}", machine.name());
            figures.add(figure, cost(&text, operation));
        }
    }
}

/// The instructions of each operation, by the line `TIMES times OPERATION: busy for NUMBER ns`.
fn cost(text: &str, operation: &str) -> u64 {
    let line = text.lines().find_map(|line| {
        let (before, after) = line.split_once(&format!(" times {operation}: busy for "))?;
        let times: u64 = before.split_whitespace().last()?.parse().ok()?;
        let busy: u64 = after.strip_suffix(" ns")?.parse().ok()?;
        Some(busy / times)
    });
    line.unwrap_or_else(|| panic!("no {operation} in {text}"))
}
