//! Operations that a thread does for a disk.

use crate::Error;
use alloc::vec::Vec;
use rustix::fs::{FallocateFlags, fallocate, fdatasync};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, pwrite};
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;

/// A request, in bytes. It was checked.
#[derive(Debug)]
pub(super) enum Operation {
    Read { offset: u64, buffer: Vec<u8> },
    Write { offset: u64, buffer: Vec<u8> },
    Flush,
    Discard { offset: u64, length: u64 },
    WriteZeroes { offset: u64, length: u64 },
}

impl Operation {
    /// Does it, and returns its buffer if it has one.
    pub(super) fn run(self, file: &OwnedFd) -> Result<Vec<u8>, Error> {
        let (done, buffer) = match self {
            Self::Read { offset, mut buffer } => (read(file, offset, &mut buffer), buffer),
            Self::Write { offset, buffer } => (write(file, offset, &buffer), buffer),
            Self::Flush => (repeat(|| fdatasync(file)), Vec::new()),
            Self::Discard { offset, length } => (discard(file, offset, length), Vec::new()),
            Self::WriteZeroes { offset, length } => (zero(file, offset, length), Vec::new()),
        };
        done.map_err(error).map(|()| buffer)
    }
}

/// Reads, if that can be done without waiting. Returns whether it was done.
pub(super) fn read_cached(file: &OwnedFd, offset: u64, buffer: &mut [u8]) -> bool {
    let length = buffer.len();
    let mut slices = [IoSliceMut::new(buffer)];
    preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT) == Ok(length)
}

fn read(file: &OwnedFd, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Errno> {
    while !buffer.is_empty() {
        let count = repeat(|| pread(file, &mut *buffer, offset))?;
        if count == 0 {
            // Somebody has cut the file off.
            return Err(Errno::IO);
        }
        offset += count as u64;
        buffer = &mut buffer[count..];
    }
    Ok(())
}

fn write(file: &OwnedFd, mut offset: u64, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = repeat(|| pwrite(file, bytes, offset))?;
        if count == 0 {
            return Err(Errno::IO);
        }
        offset += count as u64;
        bytes = &bytes[count..];
    }
    Ok(())
}

fn discard(file: &OwnedFd, offset: u64, length: u64) -> Result<(), Errno> {
    match allocate(file, FallocateFlags::PUNCH_HOLE, offset, length) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        done => done,
    }
}

fn zero(file: &OwnedFd, offset: u64, length: u64) -> Result<(), Errno> {
    match allocate(file, FallocateFlags::ZERO_RANGE, offset, length) {
        Err(Errno::OPNOTSUPP) => write_zeroes(file, offset, length),
        done => done,
    }
}

fn write_zeroes(file: &OwnedFd, mut offset: u64, mut length: u64) -> Result<(), Errno> {
    static ZEROES: [u8; 64 << 10] = [0; 64 << 10];
    while length > 0 {
        let count = length.min(ZEROES.len() as u64);
        write(file, offset, &ZEROES[..count as usize])?;
        offset += count;
        length -= count;
    }
    Ok(())
}

/// Changes how a range is stored. The host takes no empty one.
fn allocate(file: &OwnedFd, how: FallocateFlags, offset: u64, length: u64) -> Result<(), Errno> {
    if length == 0 {
        return Ok(());
    }
    repeat(|| fallocate(file, how | FallocateFlags::KEEP_SIZE, offset, length))
}

/// Calls the host until no signal interrupts it.
fn repeat<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

fn error(error: Errno) -> Error {
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Error::Full,
        Errno::NODEV | Errno::NXIO | Errno::STALE => Error::Gone,
        _ => Error::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_errors_are_told_apart() {
        assert_eq!(error(Errno::NOSPC), Error::Full);
        assert_eq!(error(Errno::NODEV), Error::Gone);
        assert_eq!(error(Errno::IO), Error::Io);
    }

    /// `/dev/full` is the host's device that has no room.
    #[test]
    fn no_room_is_reported() {
        use rustix::fs::{Mode, OFlags, open};
        let full = open("/dev/full", OFlags::RDWR, Mode::empty()).unwrap();
        let buffer = alloc::vec![1; 512];
        let written = Operation::Write { offset: 0, buffer }.run(&full);
        assert_eq!(written, Err(Error::Full));
    }
}
