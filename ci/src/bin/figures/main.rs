//! Measures what does not depend on the machine: sizes of images, packages, and how many
//! instructions a virtual machine executes, from its entry to the program's main function and for
//! what it does afterwards. Prints these figures.
//!
//! `ci/bench instructions` builds the images and runs it. `ci/test limits` names a file of ceilings,
//! above which it fails.
//!
//! Under `-icount shift=0` QEMU's time-stamp counter advances by one for each instruction, so the
//! figures of a start repeat exactly, whatever else the machine is doing. Those of the network
//! depend a little on how its packets meet.

mod many;
mod network;
mod operations;
mod packages;
mod sizes;
mod start;

use fata_ci::{Figures, Lab, Limits, Mismatch};
use std::ffi::OsString;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let file = env::args_os().nth(1);
    // Read first: a mistake in it should not wait for the figures.
    let limits = match file.map(read).transpose() {
        Ok(limits) => limits,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let figures = measure();
    limits.map_or(ExitCode::SUCCESS, |limits| {
        report(&limits.compare(&figures))
    })
}

fn read(file: OsString) -> Result<Limits, String> {
    let name = file.display();
    let text = fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
    text.parse().map_err(|error| format!("{name}: {error}"))
}

fn measure() -> Figures {
    let mut figures = Figures::default();
    packages::measure(&mut figures);
    sizes::measure(&mut figures);
    let lab = Lab::enter();
    start::measure(&mut figures, &lab);
    operations::measure(&mut figures);
    network::measure(&mut figures, &lab);
    many::measure(&mut figures, &lab);
    figures
}

fn report(mismatches: &[Mismatch]) -> ExitCode {
    println!();
    for mismatch in mismatches {
        let kind = if mismatch.is_failure() {
            "FAILED"
        } else {
            "note"
        };
        println!("{kind}: {mismatch}");
    }
    let failures = mismatches.iter().filter(|mismatch| mismatch.is_failure());
    match failures.count() {
        0 => ExitCode::SUCCESS,
        count => {
            println!("{count} figures do not keep to their ceilings");
            ExitCode::FAILURE
        }
    }
}
