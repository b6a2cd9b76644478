//! Files that several runs of this tool may write at the same time.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// Writes a file in one step: whoever reads it, or runs it, has the old content or the new.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let target = replaceable(path)?;
    let write = || {
        let mut new = temporary_beside(&target)?;
        new.write_all(content)?;
        new.persist(&target).map_err(|error| error.error)
    };
    write().map(drop).map_err(Error::file("write", path))
}

/// The file that [`replace`] replaces: what a link leads to, not the link.
///
/// # Errors
/// If something else is there, such as a device, which is better told before it is long in the
/// making.
pub fn replaceable(path: &Path) -> Result<PathBuf, Error> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => path.canonicalize(),
        Ok(metadata) if metadata.is_dir() => return Err(Error::OutputIsFolder(path.into())),
        Ok(_) => return Err(Error::OutputIsDevice(path.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.into()),
        Err(error) => Err(error),
    }
    .map_err(Error::file("write", path))
}

/// A file that goes when it is dropped, with the rights that any new file has.
fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(parent(target))
}

/// The folder that something is in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
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
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::replace;
    use crate::error::Error;

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn leaves_nothing_but_the_new_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.elf");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(count(folder.path()), 1);
    }

    #[test]
    fn a_failure_leaves_nothing_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing/a");
        let error = replace(&missing, b"").unwrap_err().to_string();
        let words = format!("cannot write {}: ", missing.display());
        assert!(error.starts_with(&words), "{error}");
        // A file cannot have this name, which shows when the new one is to take its place.
        assert!(replace(&folder.path().join("folder/"), b"").is_err());
        assert_eq!(count(folder.path()), 0);
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        symlink(&socket, &link).unwrap();
        for path in [&socket, &link] {
            let result = replace(path, b"");
            assert!(matches!(result, Err(Error::OutputIsDevice(_))));
        }
        let result = replace(folder.path(), b"");
        assert!(matches!(result, Err(Error::OutputIsFolder(_))));
        assert_eq!(count(folder.path()), 2);
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn the_file_has_the_rights_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = ["ours", "other"].map(|name| folder.path().join(name));
        replace(&ours, b"").unwrap();
        fs::write(&other, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(other));
    }
}
