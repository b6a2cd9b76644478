//! Compiles a folder of files into a program, from its build script.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), fata_http_build::Error> {
//!     fata_http_build::folder("content")
//! }
//! ```
//!
//! ```ignore
//! // src/main.rs
//! static FILES: &[FileEntry] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
//! let site = FileServer::new(FileTable::new(FILES));
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fmt, fs, io};

/// Why a folder could not be compiled in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    Io(PathBuf, io::Error),
    /// A file's name is not UTF-8, so that no URL could name it.
    Name(PathBuf),
    /// Not called from a build script: the variable `OUT_DIR` is not set.
    NoOutput,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot access {}: {error}", path.display()),
            Self::Name(path) => write!(f, "rename {}: it is not UTF-8", path.display()),
            Self::NoOutput => f.write_str("call this from a build script: OUT_DIR is not set"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Name(_) | Self::NoOutput => None,
        }
    }
}

/// Writes `files.rs` to the build script's output folder: an expression of the type
/// `&'static [FileEntry]` (of `fata_http` or `fata_kv`, whichever is in scope) with all files of
/// a folder and its subfolders. Cargo runs the script again when any of them changes.
///
/// A relative path starts at the package's own folder. Files and folders whose names
/// begin with a dot are left out, but for `.well-known`. Symbolic links are followed.
///
/// # Errors
/// See [`Error`].
pub fn folder(path: impl AsRef<Path>) -> Result<(), Error> {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let output = env::var_os("OUT_DIR").ok_or(Error::NoOutput)?;
    let root = absolute(path.as_ref())?;
    // Cargo looks at everything in the folder.
    println!("cargo::rerun-if-changed={}", root.display());
    let output = Path::new(&output).join("files.rs");
    fs::write(&output, expression(&root)?).map_err(|error| Error::Io(output, error))
}

/// The Rust expression that [`folder`] writes, for a folder by its absolute path: the
/// same for the same files.
///
/// A file's time of change is at most `SOURCE_DATE_EPOCH`, if that variable is set, so
/// that fresh check-outs make equal images.
///
/// # Errors
/// See [`Error`].
pub fn expression(folder: &Path) -> Result<String, Error> {
    let newest = env::var("SOURCE_DATE_EPOCH").ok();
    let newest = newest.and_then(|seconds| seconds.parse().ok());
    let mut expression = String::from("&[\n");
    for (name, path) in walk(folder)? {
        let fail = |error| Error::Io(path.clone(), error);
        let content = fs::read(&path).map_err(fail)?;
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let modified = seconds(modified.map_err(fail)?).min(newest.unwrap_or(u64::MAX));
        let absolute = path.to_str().ok_or_else(|| Error::Name(path.clone()))?;
        let etag = etag(&content);
        // Writing to a string never fails.
        let _ = writeln!(
            expression,
            "FileEntry {{ path: {name:?}, content: include_bytes!({absolute:?}), \
             etag: {etag:?}, modified: {modified} }},"
        );
    }
    expression.push_str("]\n");
    Ok(expression)
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|error| Error::Io(path.to_owned(), error))
}

/// All files of a folder by their names for URLs, in the order of these.
fn walk(root: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let fail = |error| Error::Io(folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Error::Name(path.clone()))?;
            if name.starts_with('.') && name != ".well-known" {
                continue;
            }
            let name = format!("{prefix}{name}");
            if path.is_dir() {
                folders.push((path, name + "/"));
            } else {
                files.insert(name, path);
            }
        }
    }
    Ok(files)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// An entity tag with its quotes: the length and a hash of the content.
fn etag(content: &[u8]) -> String {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(content);
    format!("\"{:x}-{:016x}\"", content.len(), hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_sorted_and_leaves_hidden_ones_out() {
        let root = env::temp_dir().join(format!("fata-http-build-{}", std::process::id()));
        for (name, content) in [
            ("index.html", "<p>"),
            ("a/b c.txt", "one"),
            ("a.txt", "two"),
            (".git/config", "secret"),
            (".well-known/x", "three"),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let first = expression(&root).unwrap();
        assert_eq!(first, expression(&root).unwrap());
        let names: Vec<_> = first
            .lines()
            .filter_map(|line| line.split('"').nth(1))
            .collect();
        assert_eq!(names, [".well-known/x", "a.txt", "a/b c.txt", "index.html"]);
        assert!(!first.contains("secret"));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn says_which_folder_is_missing() {
        let error = absolute(Path::new("/does/not/exist")).unwrap_err();
        assert!(error.to_string().contains("/does/not/exist"));
    }

    #[test]
    fn tags_differ_with_the_content() {
        assert_eq!(etag(b"a"), "\"1-af63dc4c8601ec8c\"");
        assert_ne!(etag(b"a"), etag(b"b"));
        assert_ne!(etag(b""), etag(b"\0"));
    }
}
