//! Random bytes from the host.

use crate::EntropyError;
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random ones that are fit for key material.
///
/// # Errors
/// [`EntropyError::Refused`] if the host has none to give.
pub(crate) fn fill(mut bytes: &mut [u8]) -> Result<(), EntropyError> {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(Errno::INTR) => {}
            Err(_) => return Err(EntropyError::Refused),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filling_is_another_one() {
        let (mut first, mut second) = ([0; 1_000], [0; 1_000]);
        assert_eq!((fill(&mut first), fill(&mut second)), (Ok(()), Ok(())));
        assert_ne!(first, second);
        assert!(first[900..] != [0; 100]);
    }
}
