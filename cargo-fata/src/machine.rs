//! Runs QEMU beside this tool: signals stop it, and it never outlives the tool.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, stdin};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, Signal, getpgrp, getppid, kill_process, set_parent_process_death_signal,
};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;

/// How long a machine that was told to stop may take before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// This tool's own program, whatever has become of the file that it was started from.
const THIS_TOOL: &str = "/proc/self/exe";

/// How a machine ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Because this tool received a signal (its number).
    Interrupted(i32),
}

enum Event {
    Signal(i32),
    OutputEnded(io::Result<()>),
}

/// Has `program` started through this tool, which ties its life to that of its parent.
pub fn tethered(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(THIS_TOOL);
    command
        .args(["tethered", &std::process::id().to_string()])
        .arg(program)
        .arg("--")
        .args(arguments);
    command
}

/// The other half of [`tethered`]: turns this process into `program`, which the kernel kills when
/// `parent` ends.
pub fn become_tethered(parent: i32, program: &Path, arguments: &[OsString]) -> Result<u8, Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(io::Error::from)
        .map_err(Error::system("tie the machine to this tool"))?;
    // The parent may have ended before the line above.
    if getppid() != Pid::from_raw(parent) {
        return Ok(1);
    }
    let error = Command::new(program).args(arguments).exec();
    Err(Error::file("start", program)(error))
}

/// Runs `command` with this tool's standard input, and hands what it writes to `output`.
pub fn supervise<Output>(mut command: Command, output: Output) -> Result<Ending, Error>
where
    Output: FnOnce(ChildStdout) -> io::Result<()> + Send + 'static,
{
    let (sender, events) = channel();
    forward_signals(sender.clone())?;
    let terminal = Terminal::of_foreground();
    let mut child = command
        .stdin(guest_input(terminal.is_some()))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::system("start the machine"))?;
    if let Some(pipe) = child.stdout.take() {
        thread::spawn(move || sender.send(Event::OutputEnded(output(pipe))));
    }
    let ending = wait(&mut child, &events);
    if let Some(terminal) = terminal {
        terminal.restore();
    }
    ending
}

fn forward_signals(sender: Sender<Event>) -> Result<(), Error> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::system("catch signals"))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(Event::Signal(signal)).is_err() {
                break;
            }
        }
    });
    Ok(())
}

fn wait(child: &mut Child, events: &Receiver<Event>) -> Result<Ending, Error> {
    let mut received = None;
    let mut deadline: Option<Instant> = None;
    let mut written = Ok(());
    loop {
        let event = match deadline {
            Some(deadline) => {
                events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Signal(signal)) => {
                received.get_or_insert(signal);
                stop(child);
                deadline.get_or_insert_with(|| Instant::now() + STOP_TIMEOUT);
            }
            Ok(Event::OutputEnded(result)) => {
                written = result;
                break;
            }
            Err(_) => {
                child.kill().map_err(Error::system("kill the machine"))?;
                break;
            }
        }
    }
    if written.is_err() {
        // Nobody reads what the guest writes.
        stop(child);
    }
    let status = child
        .wait()
        .map_err(Error::system("wait for the machine"))?;
    // Ctrl-C reaches the machine too, which may have ended before the signal was seen here.
    if let Ok(Event::Signal(signal)) = events.try_recv() {
        received.get_or_insert(signal);
    }
    match received {
        Some(signal) => Ok(Ending::Interrupted(signal)),
        None => written
            .map(|()| Ending::Exited(status))
            .map_err(Error::system("write what the machine says")),
    }
}

/// Asks the machine to end. It cannot be gone: this thread has not waited for it yet.
fn stop(child: &Child) {
    // The only failure left is that it is ending already.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

/// The guest reads this tool's input, except that of a terminal which belongs to someone else:
/// setting its mode would stop a background job.
fn guest_input(is_foreground: bool) -> Stdio {
    if stdin().is_terminal() && !is_foreground {
        Stdio::null()
    } else {
        Stdio::inherit()
    }
}

/// State of the terminal, which QEMU changes and restores only when it ends in good order.
struct Terminal {
    modes: Termios,
    flags: OFlags,
}

impl Terminal {
    fn of_foreground() -> Option<Self> {
        let input = stdin();
        let modes = tcgetattr(&input).ok()?;
        let flags = fcntl_getfl(&input).ok()?;
        (tcgetpgrp(&input).ok()? == getpgrp()).then_some(Self { modes, flags })
    }

    fn restore(self) {
        // There is nothing to be done, and little lost, if it fails.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.modes);
        let _ = fcntl_setfl(stdin(), self.flags);
    }
}

/// Copies all of `input` to `write`, each piece as soon as it is there.
pub fn copy(
    mut input: impl Read,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => write(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
