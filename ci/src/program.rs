use crate::PATIENCE;
use crate::cpu::cpu_time;
use crate::output::Output;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Status(i32),
    /// Killed by this signal.
    Signal(i32),
    /// The virtual machine was reset or switched off without a status: it crashed.
    Crash,
}

/// A running program or virtual machine. It is killed when this is dropped, and when the thread
/// that started it ends.
pub struct Program {
    name: String,
    child: Child,
    output: Output,
    is_guest: bool,
}

impl Program {
    /// Starts any program: its path, then its arguments.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn run<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        let words: Vec<OsString> = words.into_iter().map(|word| word.as_ref().into()).collect();
        let name = words.join(OsStr::new(" "));
        Self::start(&name.to_string_lossy(), &words, false)
    }

    /// Starts `words`, standard output and standard error collected together.
    pub fn start(name: &str, words: &[OsString], is_guest: bool) -> Self {
        let (reader, writer) = io::pipe().expect("cannot make a pipe");
        let second = writer.try_clone().expect("cannot make a pipe");
        // setpriv has the kernel end the program with the thread that starts it, then becomes it.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(second)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            output: Output::collect(reader),
            is_guest,
        }
    }

    /// Waits until the program has written `text`. Returns all that it has written.
    ///
    /// # Panics
    /// If it ends before, or takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |seen| seen.contains(text))
    }

    /// Waits until `wanted` accepts what the program has written; `what` names it.
    ///
    /// # Panics
    /// As [`wait_for`](Self::wait_for).
    #[track_caller]
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let (seen, accepted) = self.output.wait(PATIENCE, wanted);
        assert!(
            accepted,
            "{} did not write {what:?} but:\n{seen}",
            self.name
        );
        seen
    }

    /// Waits for the program's end. Returns how it ended, and all that it wrote.
    ///
    /// # Panics
    /// If it takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn wait(&mut self) -> (Ending, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.child.try_wait().expect("a child can be waited for");
            if let Some(status) = status {
                let (text, _) = self.output.wait(PATIENCE, |_| false);
                return (self.ending(status), text);
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end; it wrote:\n{}",
                self.name,
                self.output.text(),
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the program's end with status 0. Returns all that it wrote.
    ///
    /// # Panics
    /// If it ends in any other way, or takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn wait_success(&mut self) -> String {
        let (ending, text) = self.wait();
        assert_eq!(ending, Ending::Status(0), "{} wrote:\n{text}", self.name);
        text
    }

    fn ending(&self, status: ExitStatus) -> Ending {
        match status.code() {
            None => Ending::Signal(status.signal().expect("it was killed, or it has a status")),
            Some(code) if !self.is_guest => Ending::Status(code),
            // isa-debug-exit makes QEMU end with 2 * value + 1; the image writes its status with
            // one bit turned, so that success, 33, differs from everything QEMU ends with itself.
            Some(code) if code % 2 == 1 && code > 1 => Ending::Status(((code - 1) / 2) ^ 0x10),
            Some(_) => Ending::Crash,
        }
    }

    /// All that the program has written so far.
    pub fn text(&self) -> String {
        self.output.text()
    }

    /// Returns whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// Sends it SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends it SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processor time that it has used so far.
    pub fn cpu_time(&self) -> Duration {
        cpu_time(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- {} wrote:\n{}---", self.name, self.output.text());
        }
    }
}
