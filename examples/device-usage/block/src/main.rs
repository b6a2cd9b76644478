//! Ten tests of a disk: what is written at its beginning and end can be read, and what lies
//! beyond the end cannot be read or written. It overwrites the disk.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use fata_block::{Block, Error};
use fata_boot::{DiskError, Env, ExitStatus};

fata_boot::main!(app, heap = LinkedList);

async fn app(env: Env) -> Result<ExitStatus, DiskError> {
    let disk = env.disk("disk").await?;
    let geometry = disk.geometry();
    log::info!(
        "{} sectors of {} bytes{}",
        geometry.sectors,
        geometry.sector_size,
        if geometry.read_only {
            ", read-only"
        } else {
            ""
        }
    );
    let end = geometry.sectors;
    let mut tests = Tests::default();
    for count in [1, 2, 12] {
        tests.note(
            "write and read at the start",
            write_and_read(&disk, 0, count).await,
        );
        let place = end.saturating_sub(count);
        tests.note(
            "write and read at the end",
            write_and_read(&disk, place, count).await,
        );
    }
    for (sector, count) in [(end, 1), (end.saturating_sub(1), 2)] {
        let bytes = vec![0; count * geometry.sector_size];
        let read = disk.read(sector, bytes.clone()).await;
        tests.note("no read past the end", refused(read));
        let written = disk.write(sector, bytes).await;
        tests.note("no write past the end", refused(written));
    }
    Ok(tests.finish())
}

/// Writes sectors, reads them, and compares.
async fn write_and_read(disk: &impl Block, sector: u64, count: u64) -> Result<(), Error> {
    let size = disk.geometry().sector_size;
    let old = disk.read(sector, vec![0; count as usize * size]).await?;
    // Each byte changes, so what an earlier write has left is not taken for this one's.
    let pattern: Vec<u8> = (0..)
        .zip(old)
        .map(|(place, old): (usize, u8)| old ^ ((place / size * 31 + place) as u8 | 1))
        .collect();
    disk.write(sector, pattern.clone()).await?;
    disk.flush().await?;
    let read = disk.read(sector, vec![0; pattern.len()]).await?;
    if read == pattern {
        Ok(())
    } else {
        Err(Error::Corrupt)
    }
}

/// Checks that a request was refused as it should be.
fn refused<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Err(Error::OutOfRange) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Io),
    }
}

#[derive(Default)]
struct Tests {
    passed: usize,
    failed: usize,
}

impl Tests {
    fn note(&mut self, name: &str, result: Result<(), Error>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                log::error!("{name}: {error}");
            }
        }
    }

    fn finish(self) -> ExitStatus {
        let Self { passed, failed } = self;
        log::info!(
            "{} tests: {passed} passed, {failed} failed",
            passed + failed
        );
        if failed == 0 {
            ExitStatus::SUCCESS
        } else {
            ExitStatus::FAILURE
        }
    }
}
