//! `cargo fata run`: builds a program, and runs it as a virtual machine or as a process.

use std::ffi::OsString;
use std::io::stdout;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, ValueEnum};

use crate::build::{BuildOptions, Built, build};
use crate::cloud_hypervisor;
use crate::crash::Crash;
use crate::drives;
use crate::error::Error;
use crate::files::{relative, replace};
use crate::filter::Filter;
use crate::firecracker;
use crate::flags::{REMAPPED_REGISTRY, registries};
use crate::hardware::MachineOptions;
use crate::kvm;
use crate::machine::{Ending, copy, supervise, tethered};
use crate::monitor::{self, Machine};
use crate::project::{cargo, cargo_path};
use crate::qemu::{self, Outcome};
use crate::shell;
use crate::symbols::Symbols;
use crate::tail::{Recorder, Tail};

/// The number that a shell adds to the number of the signal that ended a program.
const SIGNAL_STATUS: i32 = 128;

const RUN_EXAMPLES: &str = "\
What the program writes to its console appears here, what you type goes to it, and Ctrl-C stops
it. Addresses in a backtrace are followed by function, file and line. The exit status is the
program's own. A crash leaves a report in target/fata/crashes, where the last 20 are kept.

Examples:
  cargo fata run hello -- --hello Ahoy      everything after `--` goes to the program
  cargo fata run site --publish 8080:80     then open http://localhost:8080
  cargo fata run site --machine q35         PCI devices instead of memory-mapped ones
  cargo fata run site --net tap=tap0 -- --ipv4 10.0.0.2/24
  cargo fata run queue --disk disk.img      with the disk that is in this file
  cargo fata run site --vmm firecracker --net tap=tap0 --dry-run -- --ipv4 10.0.0.2/24
                                            print how Firecracker is to be started
  cargo fata run hello --gdb                wait for a debugger, and say how to attach it
  cargo fata run site --vmm process -- --port 8080
                                            no virtual machine: the same as `cargo run`
  cargo fata run site --vmm sandbox -- --port 8080
                                            the same, and it can do nothing else on this computer";

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    /// Monitor or process that runs the program
    #[arg(long, value_enum, default_value_t = Vmm::Qemu)]
    pub vmm: Vmm,
    /// Builds the image, but only prints how the monitor is to be started
    #[arg(long)]
    pub dry_run: bool,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<String>,
    #[command(flatten)]
    pub machine: MachineOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vmm {
    /// A virtual machine in QEMU
    Qemu,
    /// A virtual machine in Firecracker, which needs KVM
    Firecracker,
    /// A virtual machine in Cloud Hypervisor, which needs KVM
    CloudHypervisor,
    /// No virtual machine: an ordinary process
    Process,
    /// A process that gives up all rights but those that it needs, before its own code runs
    Sandbox,
}

/// Runs the program as `options` say, and returns its exit status.
pub fn run(options: &RunOptions) -> Result<u8, Error> {
    match options.vmm {
        Vmm::Qemu if options.dry_run => print_qemu(options),
        Vmm::Qemu => run_in_qemu(options),
        Vmm::Firecracker => run_in_monitor(options, firecracker::PROGRAM, firecracker_line),
        Vmm::CloudHypervisor => {
            run_in_monitor(options, cloud_hypervisor::PROGRAM, cloud_hypervisor_line)
        }
        Vmm::Process => run_as_process(options, &[]),
        Vmm::Sandbox => run_as_process(options, &["--sandbox"]),
    }
}

/// Runs the program in a monitor that needs KVM, or prints how. `prepare` makes its arguments.
fn run_in_monitor(
    options: &RunOptions,
    monitor: &'static str,
    prepare: impl FnOnce(&RunOptions, &Machine, &Built) -> Result<Vec<OsString>, Error>,
) -> Result<u8, Error> {
    let machine = Machine::new(&options.machine, monitor)?;
    let program = match options.dry_run {
        true => PathBuf::from(monitor),
        false => monitor::find(monitor)?,
    };
    let built = build_to_fit(options)?;
    if machine.nic.is_none() {
        eprintln!("fata: no NIC; --net tap=INTERFACE makes one");
    }
    let line = prepare(options, &machine, &built)?;
    if options.dry_run {
        return Ok(0);
    }
    match boot(tethered(&program, &line), &built, &Tail::default())? {
        Ending::Interrupted(signal) => Ok(status_of_signal(signal)),
        // These monitors know no status of the guest's.
        Ending::Exited(status) => Ok(status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1)),
    }
}

/// Writes Firecracker's configuration.
fn firecracker_line(
    options: &RunOptions,
    machine: &Machine,
    built: &Built,
) -> Result<Vec<OsString>, Error> {
    let file = built
        .directory
        .join(format!("{}.firecracker.json", built.name));
    let text = firecracker::configuration(machine, &built.image, &options.arguments)?;
    replace(&file, text.as_bytes())?;
    let line = firecracker::command_line(&file);
    if options.dry_run {
        // The configuration alone goes where a program may read it.
        println!("{text}");
        let command = shell::command(Path::new(firecracker::PROGRAM), &line);
        eprintln!("fata: that is in a file; start it with\n    {command}");
    }
    Ok(line)
}

fn cloud_hypervisor_line(
    options: &RunOptions,
    machine: &Machine,
    built: &Built,
) -> Result<Vec<OsString>, Error> {
    let line = cloud_hypervisor::command_line(machine, &built.image, &options.arguments);
    if options.dry_run {
        println!(
            "{}",
            shell::command(Path::new(cloud_hypervisor::PROGRAM), &line)
        );
    }
    Ok(line)
}

fn print_qemu(options: &RunOptions) -> Result<u8, Error> {
    qemu::check(&options.machine)?;
    let program = qemu::find();
    let built = build_to_fit(options)?;
    let use_kvm = match &program {
        Ok(program) => kvm::is_usable(program, &built.directory)?,
        Err(_) => false,
    };
    let line = qemu::command_line(&options.machine, use_kvm, &built.image, &options.arguments);
    println!("{}", shell::command(Path::new(qemu::PROGRAM), &line));
    Ok(0)
}

/// Builds the image, which the machine's memory must hold.
fn build_to_fit(options: &RunOptions) -> Result<Built, Error> {
    let built = build(&options.build)?;
    let memory = options.machine.memory.unwrap_or_default();
    if memory.bytes() < built.memory_end {
        return Err(Error::TooLittleMemory {
            memory,
            least: built.memory_end.div_ceil(1024),
        });
    }
    Ok(built)
}

fn run_in_qemu(options: &RunOptions) -> Result<u8, Error> {
    qemu::check(&options.machine)?;
    let program = qemu::find()?;
    let _locked = drives::open(&options.machine.disk)?;
    let built = build_to_fit(options)?;
    let use_kvm = kvm::is_usable(&program, &built.directory)?;
    if !use_kvm {
        eprintln!("fata: no usable KVM, emulating (slower)");
    }
    if let Some(port) = options.machine.gdb {
        announce_debugger(port.get(), &built);
    }
    let line = qemu::command_line(&options.machine, use_kvm, &built.image, &options.arguments);
    let console = Tail::default();
    let status = match boot(tethered(&program, &line), &built, &console)? {
        Ending::Interrupted(signal) => {
            return Ok(status_of_signal(signal));
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
    let line = debugger_line(port, &built.symbols, &registries());
    eprintln!("fata: the machine waits for a debugger; in another terminal:\n    {line}");
}

/// How to start gdb, which reads words of its commands as a shell does.
fn debugger_line(port: u16, symbols: &Path, registries: &[PathBuf]) -> String {
    let mut words: Vec<OsString> = vec!["gdb".into(), symbols.into()];
    let mut add = |command: String| words.extend(["-ex".into(), command.into()]);
    for folder in registries {
        let (from, to) = (Path::new(REMAPPED_REGISTRY), folder.as_path());
        add(format!("set substitute-path {}", shell::line([from, to])));
    }
    add(format!("target remote 127.0.0.1:{port}"));
    add("break fata_main".into());
    add("continue".into());
    shell::line(words)
}

fn status_of_signal(signal: i32) -> u8 {
    u8::try_from(SIGNAL_STATUS + signal).unwrap_or(u8::MAX)
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
    let dry_run = options.dry_run.then_some("--dry-run");
    if let Some(option) = dry_run.or_else(|| options.machine.first_given()) {
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

#[cfg(test)]
mod tests {
    use super::debugger_line;

    #[test]
    fn a_shell_and_gdb_take_folders_with_blanks() {
        let line = debugger_line(1234, "my shop/shop.debug".as_ref(), &["my registry".into()]);
        let words = [
            "gdb",
            "my shop/shop.debug",
            "-ex",
            "set substitute-path /cargo 'my registry'",
            "-ex",
            "target remote 127.0.0.1:1234",
            "-ex",
            "break fata_main",
            "-ex",
            "continue",
        ];
        assert_eq!(fata_boot::split(&line), Ok(words.map(String::from).into()));
    }
}
