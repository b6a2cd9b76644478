//! Files that several runs of this tool may write at the same time.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// Writes a file in one step: whoever reads it, or runs it, has the old content or the new.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let new = path.with_added_extension(std::process::id().to_string());
    fs::write(&new, content).map_err(Error::file("write", &new))?;
    fs::rename(&new, path).map_err(Error::file("write", path))
}

/// A path as short as it can be said here.
pub fn relative(path: &Path) -> &Path {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn leaves_nothing_but_the_new_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.elf");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("missing/a"), b"").is_err());
    }
}
