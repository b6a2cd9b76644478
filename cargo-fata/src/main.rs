//! `cargo fata`: makes, builds and runs Fata programs.

#![forbid(unsafe_code)]

mod arguments;
mod build;
mod cli;
mod cloud_hypervisor;
mod crash;
mod disk;
mod drives;
mod elf;
mod error;
mod files;
mod filter;
mod firecracker;
mod flags;
mod hardware;
mod image;
mod inspect;
mod kvm;
mod linked;
mod machine;
mod manifest;
mod monitor;
mod new;
mod port;
mod profile;
mod programs;
mod project;
mod qemu;
mod run;
mod sections;
mod shell;
mod symbols;
mod tail;
mod text;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::Error;

fn main() -> ExitCode {
    let cli = Cli::parse_from(without_subcommand_name(std::env::args_os().collect()));
    match execute(cli.command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Cargo has already printed the compiler's messages.
            if !matches!(error, Error::CargoFailed) {
                eprintln!("error: {error}");
            }
            ExitCode::from(error.exit_status())
        }
    }
}

fn execute(command: Command) -> Result<u8, Error> {
    match command {
        Command::New(options) => new::new(&options).map(|()| 0),
        Command::Build(options) => build::build(&options).map(|_| 0),
        Command::Image(options) => image::image(&options).map(|()| 0),
        Command::Run(options) => run::run(&options),
        Command::Inspect(options) => inspect::inspect(&options).map(|()| 0),
        Command::Disk(command) => Ok(disk::disk(&command)?),
        Command::Tethered {
            parent,
            program,
            arguments,
        } => machine::become_tethered(parent, &program, &arguments),
    }
}

/// Cargo starts an installed `cargo-fata` as `cargo-fata fata ARGS`, the alias in
/// `.cargo/config.toml` starts it as `cargo-fata ARGS`; this makes the two equal.
fn without_subcommand_name(mut arguments: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    if arguments.get(1).is_some_and(|first| first == "fata") {
        arguments.remove(1);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::without_subcommand_name;

    #[test]
    fn drops_only_a_leading_subcommand_name() {
        let strip =
            |words: &[&str]| without_subcommand_name(words.iter().map(Into::into).collect());
        assert_eq!(
            strip(&["cargo-fata", "fata", "new", "x"]),
            ["cargo-fata", "new", "x"]
        );
        assert_eq!(
            strip(&["cargo-fata", "new", "fata"]),
            ["cargo-fata", "new", "fata"]
        );
        assert_eq!(strip(&["cargo-fata"]), ["cargo-fata"]);
    }
}
