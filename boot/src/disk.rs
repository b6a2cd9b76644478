use crate::{Env, platform};
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// A disk of this platform, a [`Block`](fata_block::Block): a virtual machine's virtio disk, a file or
/// block device of a process's host. Clones are handles to the same.
pub type Disk = platform::disk::Disk;

/// Why there is no disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskError {
    /// No disk of this name is attached, and none without a name, or they are all in use.
    NotAttached(String),
    /// The disk cannot be used; the message says why.
    Device(String),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAttached(name) => write!(
                f,
                "no disk for \"{name}\"; attach one with --disk FILE, or --disk {name}=FILE if \
                 there are several"
            ),
            Self::Device(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for DiskError {}

/// Opens the disk that is meant by `name`.
pub(crate) async fn open(
    env: &Env,
    options: &platform::disk::Options,
    name: &str,
) -> Result<Disk, DiskError> {
    match platform::disk::open(env, options, name).await? {
        Some(disk) => Ok(disk),
        None => Err(DiskError::NotAttached(name.to_owned())),
    }
}

/// Which of the disks that are left is meant by a name: the one that has it, else the first that
/// has none.
pub(crate) fn choose<'a>(
    names: impl Iterator<Item = Option<&'a str>> + Clone,
    name: &str,
) -> Option<usize> {
    let mut wanted = names.clone();
    let found = wanted.position(|found| found == Some(name));
    found.or_else(|| { names }.position(|found| found.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_the_order() {
        let chosen = |names: &[Option<&str>], name| choose(names.iter().copied(), name);
        assert_eq!(chosen(&[None, Some("data")], "data"), Some(1));
        assert_eq!(chosen(&[Some("log"), None, None], "data"), Some(1));
        assert_eq!(chosen(&[Some("log")], "data"), None);
        assert_eq!(chosen(&[], "data"), None);
    }

    #[test]
    fn errors_say_what_to_do() {
        let text = alloc::format!("{}", DiskError::NotAttached("data".into()));
        assert!(text.contains("--disk data=FILE"), "{text}");
    }
}
