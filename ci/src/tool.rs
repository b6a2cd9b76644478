use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a program to its end, with nothing on its standard input.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program} ({error}); ci/setup installs it"))
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Panics
/// If it cannot be started or fails.
#[track_caller]
pub fn succeed<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Vec<u8> {
    expect_success(program, run(program, arguments))
}

/// The same with `input` on its standard input, which must be short.
#[track_caller]
pub(crate) fn succeed_with_input<const N: usize>(
    program: &str,
    arguments: [&str; N],
    input: &str,
) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {program} ({error}); ci/setup installs it"));
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A program that fails early does not read its input; its status says so below.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    expect_success(program, output)
}

#[track_caller]
fn expect_success(program: &str, output: Output) -> Vec<u8> {
    assert!(
        output.status.success(),
        "{program} failed ({}): {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output.stdout
}
