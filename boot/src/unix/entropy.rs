//! Random bytes from the host.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random ones that are fit for key material.
///
/// # Panics
/// If the host has none to give: nothing may go on with predictable keys.
pub(crate) fn fill(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(Errno::INTR) => {}
            Err(error) => panic!("the host gives no random bytes: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filling_is_another_one() {
        let (mut first, mut second) = ([0; 1_000], [0; 1_000]);
        fill(&mut first);
        fill(&mut second);
        assert_ne!(first, second);
        assert!(first[900..] != [0; 100]);
    }
}
