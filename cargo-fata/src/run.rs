//! `cargo fata run`: builds a program, and runs it as a virtual machine or as a process.

use std::io::stdout;
use std::os::unix::process::CommandExt;
use std::time::SystemTime;

use crate::build::{Built, build};
use crate::cli::{RunOptions, Vmm};
use crate::crash::Crash;
use crate::error::Error;
use crate::files::relative;
use crate::filter::Filter;
use crate::flags::{REMAPPED_REGISTRY, registries};
use crate::kvm;
use crate::machine::{Ending, copy, supervise, tethered};
use crate::project::{cargo, cargo_path};
use crate::qemu::{self, Outcome};
use crate::symbols::Symbols;
use crate::tail::{Recorder, Tail};

/// What a shell adds to the number of the signal that ended a program.
const SIGNAL_STATUS: i32 = 128;

/// Runs the program as `options` say, and returns its exit status.
pub fn run(options: &RunOptions) -> Result<u8, Error> {
    match options.vmm {
        Vmm::Qemu => run_in_qemu(options),
        Vmm::Process => run_as_process(options, &[]),
        Vmm::Sandbox => run_as_process(options, &["--sandbox"]),
    }
}

fn run_in_qemu(options: &RunOptions) -> Result<u8, Error> {
    qemu::check(&options.machine)?;
    let program = qemu::find()?;
    let built = build(&options.build)?;
    let memory = options.machine.memory.unwrap_or_default();
    if memory.bytes() < built.memory_end {
        return Err(Error::TooLittleMemory {
            memory,
            least: built.memory_end.div_ceil(1024),
        });
    }
    let use_kvm = kvm::is_usable(&program, &built.directory)?;
    if !use_kvm {
        eprintln!("fata: no usable KVM, emulating (slower)");
    }
    if let Some(port) = options.machine.gdb {
        announce_debugger(port.get(), &built);
    }
    let line = qemu::command_line(&options.machine, use_kvm, &built.image, &options.arguments);
    let console = Tail::default();
    let status = match boot(tethered(&program, &line)?, &built, &console)? {
        Ending::Interrupted(signal) => {
            return Ok(u8::try_from(SIGNAL_STATUS + signal).unwrap_or(u8::MAX));
        }
        Ending::Exited(status) => status,
    };
    let outcome = Outcome::of(status);
    if let Some(reason) = outcome.failure() {
        eprintln!("fata: {reason}");
    }
    if let Some(ending) = outcome.crash() {
        save(&Crash {
            built: &built,
            machine: (&program, &line),
            is_emulated: !use_kvm,
            arguments: &options.arguments,
            ending,
            status: outcome.exit_status(),
            console: &console,
        });
    }
    Ok(outcome.exit_status())
}

/// Leaves the report of a crash; without it, the console still says what happened.
fn save(crash: &Crash) {
    match crash.save(SystemTime::now()) {
        Ok(path) => eprintln!(
            "fata: a report of the crash is in {}",
            relative(&path).display()
        ),
        Err(error) => eprintln!("fata: no report of the crash: {error}"),
    }
}

fn announce_debugger(port: u16, built: &Built) {
    let sources: String = registries()
        .iter()
        .map(|folder| {
            format!(
                "-ex 'set substitute-path {REMAPPED_REGISTRY} {}' ",
                folder.display()
            )
        })
        .collect();
    eprintln!(
        "fata: the machine waits for a debugger; in another terminal:\n    gdb {} {sources}\
         -ex 'target remote 127.0.0.1:{port}' -ex 'break fata_main' -ex continue",
        built.symbols.display(),
    );
}

fn boot(qemu: std::process::Command, built: &Built, tail: &Tail) -> Result<Ending, Error> {
    let here = std::env::current_dir().map_err(Error::system("find the current folder"))?;
    let mut symbols = Symbols::new(built.symbols.clone(), built.code.clone(), here);
    let output = Recorder::new(stdout(), tail.clone());
    supervise(qemu, move |console| {
        let mut filter = Filter::new(output, |address| symbols.frames(address));
        copy(console, |bytes| filter.write(bytes))?;
        filter.finish()
    })
}

/// Becomes `cargo run`, and so does not return if that starts. The program gets `first` before the
/// arguments that were given.
fn run_as_process(options: &RunOptions, first: &[&str]) -> Result<u8, Error> {
    if let Some(option) = options.machine.first_given() {
        return Err(Error::NoMachine(option));
    }
    let mut command = cargo();
    command.arg("run");
    if let Some(name) = &options.build.name {
        command.args(["--package", name]);
    }
    if let Some(manifest) = &options.build.manifest_path {
        command.arg("--manifest-path").arg(manifest);
    }
    let error = command
        .arg("--")
        .args(first)
        .args(&options.arguments)
        .exec();
    Err(Error::CargoMissing(cargo_path().into(), error))
}
