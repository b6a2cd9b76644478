//! Lists the programs of the workspace that ci/build-images builds: `programs machine` those that
//! become images, `programs process` those that become processes.

use fata_ci::{HomeKind, ProgramPackage};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let home = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["machine"] => HomeKind::Machine,
        ["process"] => HomeKind::Process,
        _ => {
            eprintln!("usage: programs machine|process");
            return ExitCode::from(2);
        }
    };
    for program in ProgramPackage::all() {
        if program.is_built_as(home) {
            println!("{}", program.name);
        }
    }
    ExitCode::SUCCESS
}
