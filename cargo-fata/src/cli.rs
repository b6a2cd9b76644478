//! The command line: what can be typed, and the help that explains it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::build::BuildOptions;
use crate::disk::{self, DiskCommand};
use crate::image::ImageOptions;
use crate::inspect::InspectOptions;
use crate::new::NewOptions;
use crate::run::RunOptions;

const EXAMPLES: &str = "\
Examples:
  cargo fata new shop                       make a program in ./shop; there:
  cargo run                                 run it as an ordinary process
  cargo fata run                            run it as a virtual machine
  cargo fata run --publish 8080:80          the same; http://localhost:8080 reaches its port 80
  cargo fata build                          only make the image, target/fata/shop.elf
  cargo fata inspect                        what is in the image, and what takes its room
  cargo fata image --format raw             a disk of it, for a cloud";

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
    #[command(subcommand, after_help = disk::EXAMPLES)]
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
