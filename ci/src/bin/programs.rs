//! Lists the programs of the workspace that ci/build-images builds: `programs machine` those that
//! become images, `programs process` those that become processes.

use fata_ci::{PlatformKind, ProgramPackage};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let platform = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["machine"] => PlatformKind::Machine,
        ["process"] => PlatformKind::Process,
        _ => {
            eprintln!("usage: programs machine|process");
            return ExitCode::from(2);
        }
    };
    for program in ProgramPackage::all() {
        if program.is_built_as(platform) {
            println!("{}", program.name);
        }
    }
    ExitCode::SUCCESS
}
