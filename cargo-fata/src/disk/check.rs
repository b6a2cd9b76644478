//! Checking what lies in an image.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use fata_block::FileDisk;
use fata_kv::Error as KvError;
use fata_queue::OpenError;

use super::error::Error;

/// Checks what an image has, prints what was found, and tells whether it is in order.
pub async fn check(image: &Path, disk: &FileDisk) -> Result<bool, Error> {
    let failed = |error| Error::Store(image.display().to_string(), error);
    let error = match fata_store::check(disk).await {
        Err(error @ (KvError::NotAStore | KvError::Unsupported)) => error,
        report => return tell_store(&report.map_err(failed)?),
    };
    let mut findings = Vec::new();
    match fata_fat::check(disk, |finding| findings.push(finding.to_string())).await {
        Err(KvError::NotAStore) => {}
        Err(error) => return Err(failed(error)),
        Ok(_) => return tell("a FAT volume", &findings, ", which fsck.fat can mend"),
    }
    match fata_queue::check(disk).await {
        Err(OpenError::Foreign | OpenError::TooSmall(_)) => Err(failed(error)),
        Err(error) => Err(Error::Queue(image.into(), error)),
        Ok(report) => {
            let what = format!("{} items of {} bytes", report.items, report.bytes);
            tell(&what, &report.problems, "")
        }
    }
}

fn tell_store(report: &fata_store::Report) -> Result<bool, Error> {
    let what = format!(
        "{} values of {} bytes; {} of {} pages in use",
        report.values,
        report.bytes,
        report.used,
        report.used + report.free
    );
    tell(&what, &report.problems, "")
}

/// Prints problems, what has them, and what helps. Tells whether there are none.
fn tell(what: &str, problems: &[impl Display], remedy: &str) -> Result<bool, Error> {
    let mut lines: String = problems.iter().map(|line| format!("{line}\n")).collect();
    lines += &match problems.len() {
        0 => format!("{what}; nothing is wrong\n"),
        count => format!("{what}; {count} problems{remedy}\n"),
    };
    let written = io::stdout().write_all(lines.as_bytes());
    written.map_err(Error::Output)?;
    Ok(problems.is_empty())
}
