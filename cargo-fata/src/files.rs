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

/// Puts a folder that `fill` makes in the place of what is there, if it has made all of it.
pub fn replace_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), Error> {
    let replace = || {
        let target = match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => path.into(),
            target => target?,
        };
        fs::create_dir_all(parent(&target))?;
        let scratch = tempfile::tempdir_in(parent(&target))?;
        let [new, old] = ["new", "old"].map(|name| scratch.path().join(name));
        fs::create_dir(&new)?;
        fill(&new)?;
        match fs::rename(&target, &old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&new, &target).inspect_err(|_| {
            // It fails where there was nothing.
            let _ = fs::rename(&old, &target);
        })
    };
    replace().map_err(Error::file("write", path))
}

/// The folder that something is in.
fn parent(path: &Path) -> &Path {
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

    use super::{replace, replace_folder};
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
    fn a_folder_takes_the_place_of_another_once_it_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let fill = |name: &'static str| move |folder: &Path| fs::write(folder.join(name), name);
        for name in ["old", "new"] {
            replace_folder(&path, fill(name)).unwrap();
            assert!(path.join(name).is_file());
            assert_eq!(count(&path), 1);
        }
        let error = replace_folder(&path, |folder| {
            fill("part")(folder)?;
            fs::read(folder.join("missing")).map(drop)
        });
        let error = error.unwrap_err().to_string();
        let words = format!("cannot write {}: ", path.display());
        assert!(error.starts_with(&words), "{error}");
        assert!(path.join("new").is_file());
        assert_eq!((count(&path), count(&place.path().join("a"))), (1, 1));
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
