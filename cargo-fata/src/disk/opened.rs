//! What lies in an image.

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use fata_block::FileDisk;
use fata_fat::FatKv;
use fata_kv::{EitherKv, Error as KvError};
use fata_store::{Limits, Report, Store};
use fata_task::Handle;

use super::Error;

/// Memory for what a change writes on a FAT volume.
const LARGEST_CHANGE: usize = 64 << 20;

/// A store or a FAT volume.
pub type Opened = EitherKv<Store<Rc<FileDisk>>, FatKv<Rc<FileDisk>>>;

/// Finds out what an image has.
pub async fn open(tasks: &Handle, disk: FileDisk) -> Result<Opened, KvError> {
    let disk = Rc::new(disk);
    let error = match Store::open(tasks, Rc::clone(&disk), Limits::default()).await {
        // A FAT volume may be too small to be a store.
        Err(error @ (KvError::NotAStore | KvError::Unsupported)) => error,
        opened => return Ok(EitherKv::First(opened?)),
    };
    match FatKv::open(tasks, disk, LARGEST_CHANGE).await {
        Err(KvError::NotAStore) => Err(error),
        opened => Ok(EitherKv::Second(opened?)),
    }
}

/// Checks what an image has, prints what was found, and tells whether it is in order.
pub async fn check(image: &Path, disk: &FileDisk) -> Result<bool, Error> {
    let failed = |error| Error::Store(image.display().to_string(), error);
    let error = match fata_store::check(disk).await {
        Ok(report) => {
            print_report(&report).map_err(Error::Output)?;
            return Ok(report.problems.is_empty());
        }
        Err(error @ (KvError::NotAStore | KvError::Unsupported)) => error,
        Err(error) => return Err(failed(error)),
    };
    let mut lines = String::new();
    let findings = match fata_fat::check(disk, |finding| lines += &format!("{finding}\n")).await {
        Err(KvError::NotAStore) => return Err(failed(error)),
        findings => findings.map_err(failed)?,
    };
    lines += &match findings {
        0 => "a FAT volume; nothing is wrong\n".to_owned(),
        count => format!("a FAT volume; {count} problems, which fsck.fat can mend\n"),
    };
    let written = io::stdout().write_all(lines.as_bytes());
    written.map_err(Error::Output)?;
    Ok(findings == 0)
}

fn print_report(report: &Report) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for problem in &report.problems {
        writeln!(output, "{problem}")?;
    }
    writeln!(
        output,
        "{} values of {} bytes; {} of {} pages in use; {}",
        report.values,
        report.bytes,
        report.used,
        report.used + report.free,
        match report.problems.len() {
            0 => "nothing is wrong".to_owned(),
            count => format!("{count} problems"),
        }
    )
}
