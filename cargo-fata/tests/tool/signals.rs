//! Machines end with the tool, whatever ends it.

use crate::support::Workspace;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a machine may take to end before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine that runs until it is stopped: the tool, and the process of the machine.
fn endless(workspace: &Workspace, script: &str) -> (Child, Pid) {
    workspace.install_qemu(script);
    let mut tool = workspace
        .tool("run")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(tool.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let machine = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    (tool, machine)
}

/// Returns whether the process ends; one that is dead but not yet collected has ended.
fn ends(process: Pid) -> bool {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let is_dead = fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "));
        if is_dead || test_kill_process(process).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn signals_end_the_machine_and_then_the_tool() {
    let workspace = Workspace::new();
    // The second machine does not listen.
    for script in [
        "echo $$; exec sleep 1000",
        "trap '' TERM; echo $$; while :; do sleep 0.1; done",
    ] {
        for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let (mut tool, machine) = endless(&workspace, script);
            kill_process(Pid::from_child(&tool), signal).unwrap();
            assert_eq!(tool.wait().unwrap().code(), Some(status));
            assert!(ends(machine));
        }
    }
}

#[test]
fn the_machine_does_not_outlive_a_killed_tool() {
    let workspace = Workspace::new();
    let (mut tool, machine) = endless(&workspace, "echo $$; exec sleep 1000");
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(ends(machine));
}
