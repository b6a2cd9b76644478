//! The command line: what can be typed, and the help that explains it.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use fata_block::file::Attachment;

use crate::port::Port;
use crate::qemu::{Memory, Network, Publish, parse_mac};

const EXAMPLES: &str = "\
Examples:
  cargo fata new shop                       make a program in ./shop; there:
  cargo run                                 run it as an ordinary process
  cargo fata run                            run it as a virtual machine
  cargo fata run --publish 8080:80          the same; http://localhost:8080 reaches its port 80
  cargo fata build                          only make the image, target/fata/shop.elf
  cargo fata inspect                        what is in the image, and what takes its room
  cargo fata image --format raw             a disk of it, for a cloud";

const BUILD_EXAMPLES: &str = "\
The image needs no operating system under it: QEMU boots it with `-kernel`, and so does every
hypervisor that knows PVH (Firecracker, Cloud Hypervisor, Xen). Cargo compiles it with a profile of
Fata's own, unless the Cargo.toml of the workspace has a [profile.kernel].

Examples:
  cargo fata build                          the program in this folder
  cargo fata build site                     the package `site` of this workspace
  cargo fata build --manifest-path ../shop/Cargo.toml";

const INSPECT_EXAMPLES: &str = "\
Which crate takes how much comes from the file NAME.debug, which `cargo fata build` puts beside
the image NAME.elf. Generic code counts for the crate that defines it, inlined code for the crate
that it is inlined into. The list of crates in the image has the format of cargo-auditable:
cargo-audit, Syft and Trivy read it, too.

Examples:
  cargo fata inspect                        the image of the package in this folder
  cargo fata inspect site                   the image of package `site`
  cargo fata inspect target/fata/site.elf   this file
  cargo fata inspect site --json            the same for programs";
const IMAGE_EXAMPLES: &str = "\
The disks and the ISO start by BIOS and by UEFI; GRUB loads the image in them, so it needs to be
installed (Debian's grub-common, grub-pc-bin and grub-efi-amd64-bin). The boot arguments are in
the file boot/grub.cfg of the disk's second partition, or of the ISO.

Examples:
  cargo fata image site --format raw        a disk, for a cloud or a USB stick
  cargo fata image site --format iso --output site.iso -- --ipv4 10.0.0.2/24
                                            everything after `--` goes to the program at each start
  cargo fata image site --format oci --port 80
                                            a container image for urunc, and a pod for Kubernetes
  cargo fata image site --format oci --output site.tar";

const DISK_EXAMPLES: &str = "\
Programs open the store with the crate fata-store. A program that runs has its disk to itself.
All but `format` also take images with a FAT volume, of mkfs.fat; `check` also takes those with a
queue, of the crate fata-queue.

Examples:
  cargo fata disk format disk.img --size 64M
  cargo fata disk put disk.img public       all files of the folder public
  cargo fata disk put disk.img logo.svg images/logo.svg
  cargo fata disk list disk.img images
  cargo fata disk get disk.img images copy  into the folder copy
  cargo fata disk trim disk.img             after much was removed
  cargo fata disk check disk.img            the exit status is 1 if something is wrong";

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

/// Makes, builds and runs Fata programs: one source, a virtual machine or a process.
#[derive(Debug, Parser)]
#[command(name = "cargo fata", bin_name = "cargo fata", version, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a project that builds and runs at once
    New(NewOptions),
    /// Builds a bootable image of a program
    Build(BuildOptions),
    /// Builds a program and packs it as a disk, an ISO or a container image
    Image(ImageOptions),
    /// Builds a program and runs it, as a virtual machine or as a process
    Run(RunOptions),
    /// Says what an image is, what it is made of and what takes its room
    Inspect(InspectOptions),
    /// Makes stores in disk images, puts values in and takes them out, also of FAT volumes; checks
    /// both, and queues
    #[command(subcommand, after_help = DISK_EXAMPLES)]
    Disk(DiskCommand),
    /// Becomes PROGRAM, which the kernel ends when PARENT ends
    #[command(hide = true)]
    Tethered {
        parent: i32,
        program: PathBuf,
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
pub enum DiskCommand {
    /// Makes an empty store
    Format {
        /// File of the disk; it is made if it is not there
        image: PathBuf,
        /// Least size of the file: a number and K, M or G
        #[arg(long, value_name = "SIZE")]
        size: Option<Memory>,
        /// Formats the disk even if something is on it, which is lost
        #[arg(long)]
        force: bool,
    },
    /// Puts a file, a folder, or the files of a tar archive into a store
    ///
    /// A value takes the place of another when all of it is there, so the store needs room for
    /// both. What is no file, such as a device, or a link to a folder, is left out.
    Put {
        /// File of the disk
        image: PathBuf,
        /// What to put in: a file, a folder, an archive *.tar, or `-` for standard input
        from: PathBuf,
        /// Key of the value, or of the dictionary for a folder's or archive's files
        /// [default: the file's name, or the root]
        key: Option<String>,
    },
    /// Writes a value, or all values of a dictionary
    Get {
        /// File of the disk
        image: PathBuf,
        /// Key of the value or dictionary
        key: String,
        /// File, or folder for a dictionary [default: standard output]
        to: Option<PathBuf>,
    },
    /// Lists the values and their sizes in bytes
    List {
        /// File of the disk
        image: PathBuf,
        /// Dictionary [default: the root]
        key: Option<String>,
    },
    /// Removes a value, or a dictionary with all that lies in it
    Remove {
        /// File of the disk
        image: PathBuf,
        /// Key of the value or dictionary
        key: String,
    },
    /// Gives the room that a store does not use back to this computer
    Trim {
        /// File of the disk
        image: PathBuf,
    },
    /// Looks whether all of a store, FAT volume or queue can be read and makes sense
    Check {
        /// File of the disk
        image: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct NewOptions {
    /// Folder to create, such as shop or ../shop
    pub path: PathBuf,
    /// Name of the package: letters, digits, `-` and `_` [default: the folder's]
    #[arg(long)]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = BUILD_EXAMPLES)]
pub struct BuildOptions {
    /// Package of this workspace [default: the package of this folder]
    pub name: Option<String>,
    /// Cargo.toml of the package or its workspace [default: searched from this folder upwards]
    #[arg(long, value_name = "FILE")]
    pub manifest_path: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct InspectOptions {
    /// File of the image or of its symbols, or package of this workspace whose image was built
    /// [default: the package of this folder]
    pub image: Option<String>,
    /// Cargo.toml of the package or its workspace [default: searched from this folder upwards]
    #[arg(long, value_name = "FILE")]
    pub manifest_path: Option<PathBuf>,
    /// Writes JSON, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = IMAGE_EXAMPLES)]
pub struct ImageOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    /// What to make
    #[arg(long, value_enum)]
    pub format: Format,
    /// File to write, or folder for `oci` unless its name ends in .tar
    /// [default: target/fata/NAME.FORMAT]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Port that the program serves, such as 80 or 53/udp, which `oci` declares; may be given
    /// several times
    #[arg(long, value_name = "PORT")]
    pub port: Vec<Port>,
    /// Boot arguments to put into the image
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The program alone, for monitors that load it themselves (PVH, Multiboot 2)
    Elf,
    /// A CD, which may also be copied to a USB stick
    Iso,
    /// A disk as it is, a whole number of MiB
    Raw,
    /// The same disk in QEMU's format
    Qcow2,
    /// An OCI image layout with what urunc wants to know, and a pod for Kubernetes beside it
    Oci,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    /// What runs the program
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

/// Options that shape the virtual machine; a process has no use for them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for virtual machines")]
pub struct MachineOptions {
    /// Machine to emulate [default: microvm]
    #[arg(long, value_enum)]
    pub machine: Option<Machine>,
    /// Memory of the machine, such as 16M or 1G [default: 32M]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Memory>,
    /// Network card: none, user (QEMU forwards published ports) or tap=INTERFACE
    /// [default: user with QEMU, else none]
    #[arg(long, value_name = "NETWORK")]
    pub net: Option<Network>,
    /// Attaches a file or block device as a disk, such as disk.img; with a name that the program
    /// asks for, data=disk.img; read-only, disk.img,ro; may be given several times
    #[arg(long, value_name = "[NAME=]FILE[,ro]")]
    pub disk: Vec<Attachment>,
    /// Hands a port of this computer (on 127.0.0.1) to a port of the program, such as 8080:80 or
    /// 5353:53/udp; may be given several times
    #[arg(long, value_name = "HOST:GUEST")]
    pub publish: Vec<Publish>,
    /// Hardware address of the network card, such as 52:54:00:12:34:56 [default: QEMU's]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_mac)]
    pub mac: Option<String>,
    /// Waits for a debugger on this port of 127.0.0.1 before the first instruction, and says how
    /// to attach one [port: 1234]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1234")]
    pub gdb: Option<NonZeroU16>,
    /// One more argument for QEMU itself; may be given several times
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub qemu_arg: Vec<OsString>,
}

impl MachineOptions {
    /// The first option that was given, if any was.
    pub fn first_given(&self) -> Option<&'static str> {
        [
            (self.machine.is_some(), "--machine"),
            (self.memory.is_some(), "--memory"),
            (self.net.is_some(), "--net"),
            (!self.disk.is_empty(), "--disk"),
            (!self.publish.is_empty(), "--publish"),
            (self.mac.is_some(), "--mac"),
            (self.gdb.is_some(), "--gdb"),
            (!self.qemu_arg.is_empty(), "--qemu-arg"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// Small and quick to start, memory-mapped devices
    #[default]
    Microvm,
    /// A PC with PCI Express
    Q35,
    /// A PC with PCI
    Pc,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn program_arguments_follow_two_dashes() {
        let words = "cargo-fata run site --qemu-arg -icount --qemu-arg shift=0 -- --port 8080";
        let Command::Run(options) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
            panic!("not `run`");
        };
        assert_eq!(options.build.name.as_deref(), Some("site"));
        assert_eq!(options.machine.qemu_arg, ["-icount", "shift=0"]);
        assert_eq!(options.machine.first_given(), Some("--qemu-arg"));
        assert_eq!(options.arguments, ["--port", "8080"]);
    }

    #[test]
    fn malformed_values_are_refused() {
        for words in [
            "--publish 80",
            "--publish 0:80",
            "--publish 1:2/sctp",
            "--memory 16X",
            "--net wifi",
            "--net tap=",
            "--disk ,ro",
            "--gdb=0",
        ] {
            let words = format!("cargo-fata run {words}");
            assert!(Cli::try_parse_from(words.split(' ')).is_err(), "{words}");
        }
    }
}
