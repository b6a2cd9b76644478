//! Everything that can go wrong, each with what the user can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use fata_block::file::OpenError;

use crate::elf::Defect;
use crate::hardware::Memory;
use crate::shell;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{0}` is not a name for a package: {1}; --name NAME gives it another one than the folder's"
    )]
    BadName(String, &'static str),
    #[error("{0} exists already; choose another folder")]
    Exists(PathBuf),
    #[error(
        "the Fata sources that this tool was built from are no longer in {0}; \
         install it again from where they are now: cargo install --path cargo-fata"
    )]
    SourcesMoved(PathBuf),
    #[error(
        "cannot start cargo ({0}): {1}; install Rust with rustup and put its bin folder on PATH"
    )]
    CargoMissing(PathBuf, #[source] io::Error),
    #[error(transparent)]
    DiskCommand(#[from] crate::disk::Error),
    /// Cargo ran, failed, and said why.
    #[error("cargo failed; its messages are above")]
    CargoFailed,
    #[error("cannot understand what cargo wrote: {0}; this tool may be too old for your cargo")]
    CargoOutput(#[source] serde_json::Error),
    #[error("there is no package `{name}` in this workspace; {}", suggestion(.known))]
    UnknownPackage { name: String, known: Vec<String> },
    #[error("this folder belongs to no single package; name one: {}", suggestion(.known))]
    NoPackageHere { known: Vec<String> },
    #[error("package `{0}` is a library; only a program (src/main.rs) can be an image")]
    NoProgram(String),
    #[error(
        "package `{package}` has several programs ({programs}); \
         set `default-run` in its Cargo.toml to the one that is meant"
    )]
    SeveralPrograms { package: String, programs: String },
    #[error(
        "package `{0}` does not use fata-boot, so it has no way to start as a virtual machine; \
         add fata-boot to its dependencies (`cargo fata new` shows how)"
    )]
    NotFata(String),
    #[error(
        "fata-boot has no linker script at {0}; it may be a version that this tool does not know"
    )]
    NoLinkerScript(PathBuf),
    #[error("cannot read {0}: {1}")]
    BadManifest(PathBuf, #[source] toml::de::Error),
    #[error("{image} is no image that can boot: {defect}")]
    BadImage { image: PathBuf, defect: Defect },
    #[error("package `{0}` has no image yet; `cargo fata build {0}` makes it")]
    NotBuilt(String),
    #[error("{0} says nothing of itself: {1}")]
    NoManifest(PathBuf, Unreadable),
    #[error("--vmm process and --vmm sandbox run no virtual machine, {}", without_machine(.0))]
    NoMachine(&'static str),
    #[error(
        "--publish needs the user network; use it with --net user, or reach the program over the tap"
    )]
    PublishWithoutUserNetwork,
    #[error(
        "the image does not fit into {memory}; it takes --memory {least}K to load it, and more to run"
    )]
    TooLittleMemory { memory: Memory, least: u64 },
    #[error("disk {path}: {source}")]
    Disk { path: PathBuf, source: OpenError },
    #[error("two disks have the name {0}; give each --disk a name of its own")]
    SameDisk(String),
    #[error("--mac needs a NIC; use it with --net user or --net tap=INTERFACE")]
    MacWithoutNic,
    #[error(
        "{0} is not installed. On Debian and Ubuntu: apt-get install qemu-system-x86. \
         Without it, the program runs as a process: --vmm process"
    )]
    QemuMissing(&'static str),
    #[error("{program} is not installed. On Debian and Ubuntu: apt-get install {package}")]
    ToolMissing {
        program: &'static str,
        package: &'static str,
    },
    #[error("GRUB's files are not in {folder}. On Debian and Ubuntu: apt-get install {package}")]
    GrubMissing {
        folder: PathBuf,
        package: &'static str,
    },
    #[error("{file} is not what GRUB 2 has there; install the package {package} anew")]
    GrubUnknown {
        file: PathBuf,
        package: &'static str,
    },
    #[error("{program} failed ({status}): {message}")]
    ToolFailed {
        program: &'static str,
        status: ExitStatus,
        message: String,
    },
    #[error(
        "an ELF image has no place for boot arguments; give them to what boots it \
         (QEMU: -append), or choose another --format"
    )]
    ArgumentsInElf,
    #[error(
        "GRUB does not pass on the boot argument {0:?} as it is; it drops empty words (an empty \
         value can be given as --name=), and garbles control characters and apostrophes beside blanks"
    )]
    ArgumentForGrub(String),
    #[error("only a container image declares ports; leave --port out, or use --format oci")]
    PortWithoutOci,
    #[error("{0} is a folder; name the file to write in it with --output")]
    OutputIsFolder(PathBuf),
    #[error("{path} is no file; write one, and copy it there: {}", copying(.0), path = .0.display())]
    OutputIsDevice(PathBuf),
    #[error(
        "{0} holds something else than one OCI image, which is not replaced; \
         choose another place with --output"
    )]
    NotOci(PathBuf),
    #[error("{option} is for QEMU, {monitor} has nothing like it; leave it out, or use --vmm qemu")]
    OnlyQemu {
        option: &'static str,
        monitor: &'static str,
    },
    #[error(
        "{monitor} has no user network and forwards no ports; make a TAP interface \
         (ip tuntap add dev tap0 mode tap) and use --net tap=tap0, or use --vmm qemu"
    )]
    NoUserNetwork { monitor: &'static str },
    #[error(
        "{monitor} runs only on KVM, and /dev/kvm cannot be opened here ({source}); \
         print how to start it elsewhere with --dry-run, or emulate with --vmm qemu"
    )]
    NoKvm {
        monitor: &'static str,
        source: io::Error,
    },
    #[error(
        "{0} is not on PATH; install a release of it, print how to start it with --dry-run, \
         or use --vmm qemu"
    )]
    MonitorMissing(&'static str),
    #[error("cannot {action} {path}: {source}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot {action}: {source}")]
    System {
        action: &'static str,
        source: io::Error,
    },
}

impl Error {
    /// The tool's exit status: 127, as in a shell, when a program is missing, else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::CargoMissing(..)
            | Self::QemuMissing(_)
            | Self::ToolMissing { .. }
            | Self::GrubMissing { .. }
            | Self::MonitorMissing(_) => 127,
            _ => 1,
        }
    }

    /// Turns an error on a file into one that names the file.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.into(),
            source,
        }
    }

    /// Turns an error of the operating system into one that says what was tried.
    pub fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// Why a file does not tell what it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not an ELF file.
    #[error("it is no ELF file for a 64-bit machine; name an image, such as target/fata/NAME.elf")]
    NotElf,
    /// It lacks this section.
    #[error(
        "it has no section {0}; `cargo fata build` puts that into images, so build this one again"
    )]
    Missing(&'static str),
    /// This section does not hold what it should.
    #[error("its section {0} is damaged; build the image again")]
    Malformed(&'static str),
}

fn without_machine(option: &str) -> String {
    match option {
        // A process opens its attachments itself.
        "--disk" | "--net" => format!(
            "so {option} belongs to the program's own arguments: give it after `--` \
             (`-- --help` lists them)"
        ),
        _ => format!("so {option} means nothing there; leave it out"),
    }
}

fn copying(device: &Path) -> String {
    let to = format!("of={}", device.display());
    shell::line(["dd", "if=FILE", &to, "bs=1M", "conv=fsync"])
}

fn suggestion(known: &[String]) -> String {
    if known.is_empty() {
        "it has no Fata program; `cargo fata new NAME` makes one".into()
    } else {
        format!("its Fata programs are {}", known.join(", "))
    }
}
