//! Disks of a sandboxed process.

use crate::disks::{Disks, begins_with};
use crate::sandbox::{ATTEMPTS, CAUGHT};
use fata_ci::{Attached, Lab, Launch, Platform};
use std::fs;

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_disk_works_in_the_sandbox() {
    let disks = Disks::new();
    let path = disks.make("data");
    let text = Launch::new("disk", Platform::Process)
        .attach(Attached::new(&path))
        .arguments(["--sandbox", "--exercise", "--write=from inside"])
        .start()
        .wait_success();
    assert!(text.contains("no files but its disks"), "{text}");
    assert!(text.contains("data: every sector was right"), "{text}");
    assert!(begins_with(&path, "from inside"));
}

/// Its threads have the same rights as the program, and none is left out.
#[test]
#[ignore = "runs processes; ci/test runs it"]
fn the_threads_of_a_disk_are_filtered_for_good() {
    let _lab = Lab::enter();
    let disks = Disks::new();
    let program = Launch::new("escape", Platform::Process)
        .attach(Attached::new(&disks.make("data")))
        .arguments(["--sandbox", "--stay"])
        .start();
    program.wait_for("no attempt");
    let threads = fs::read_dir(format!("/proc/{}/task", program.id())).expect("it runs");
    let statuses: Vec<String> = threads
        .map(|thread| {
            thread
                .expect("its threads are listed")
                .path()
                .join("status")
        })
        .map(|path| fs::read_to_string(path).expect("a thread has a status"))
        .collect();
    assert!(statuses.len() > 1, "the disk has no threads");
    for status in statuses {
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
            assert!(
                status.lines().any(|found| found == line),
                "{line:?} in:\n{status}"
            );
        }
    }
}

#[test]
#[ignore = "runs processes; ci/test runs it"]
fn a_disk_opens_no_way_out_of_the_sandbox() {
    let _lab = Lab::enter();
    let disks = Disks::new();
    let path = disks.make("data");
    for (attempt, call) in ATTEMPTS {
        let (ending, text) = Launch::new("escape", Platform::Process)
            .attach(Attached::new(&path))
            .arguments(["--sandbox", "--attempt", attempt])
            .start()
            .wait();
        assert_eq!(ending, CAUGHT, "{attempt}: {text}");
        assert!(
            text.contains(&format!("the program called {call}")),
            "{attempt}: {text}"
        );
    }
}
