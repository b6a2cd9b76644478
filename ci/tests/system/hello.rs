//! The smallest programs: they start, say something and end, with little memory.

use crate::support::MICROVM;
use fata_ci::{Ending, Launch, Platform, Program};

fn hello(platform: Platform, arguments: &[&str]) -> Program {
    Launch::new("hello", platform)
        .arguments(arguments.iter().copied())
        .start()
}

/// How many log lines end with this message.
fn messages(text: &str, message: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_end().ends_with(message))
        .count()
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn hello_is_said_four_times_everywhere() {
    // Side by side, because each takes four seconds.
    let mut running: Vec<_> = Platform::ALL.map(|platform| hello(platform, &[])).into();
    for program in &mut running {
        let text = program.wait_success();
        assert_eq!(messages(&text, "hello"), 4, "{text}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn another_greeting_is_an_argument() {
    let mut running: Vec<_> = Platform::ALL
        .map(|platform| hello(platform, &["--hello=Ahoy"]))
        .into();
    for program in &mut running {
        let text = program.wait_success();
        assert_eq!(messages(&text, "Ahoy"), 4, "{text}");
        assert_eq!(messages(&text, "hello"), 0, "{text}");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn hello_needs_two_mebibytes() {
    let text = Launch::new("hello", MICROVM)
        .memory(2)
        .start()
        .wait_success();
    assert_eq!(messages(&text, "hello"), 4, "{text}");
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn noop_ends_well_everywhere() {
    for platform in Platform::ALL {
        Launch::new("noop", platform).start().wait_success();
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn help_lists_the_options_everywhere() {
    for platform in Platform::ALL {
        let text = hello(platform, &["--help"]).wait_success();
        assert!(
            text.contains("--hello TEXT") && text.contains("--log"),
            "{platform:?}: {text}"
        );
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn an_unknown_option_is_an_error_that_lists_the_known_ones() {
    for platform in Platform::ALL {
        let (ending, text) = hello(platform, &["--helo=Ahoy"]).wait();
        assert_eq!(ending, Ending::Status(64), "{platform:?}: {text}");
        assert!(
            text.contains("--helo") && text.contains("--hello TEXT"),
            "{platform:?}: {text}"
        );
    }
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn signals_end_a_process() {
    let mut program = hello(Platform::Process, &[]);
    program.wait_for("hello");
    program.interrupt();
    assert_eq!(program.wait().0, Ending::Status(130));

    let mut program = hello(Platform::Process, &[]);
    program.wait_for("hello");
    program.terminate();
    assert_eq!(program.wait().0, Ending::Status(143));
}
