//! `cargo fata new`: makes a project that builds and runs at once.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::Error;
use crate::shell;

/// Folder of the Fata sources that this tool is part of.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The templates' mark where the package's name belongs.
const NAME_MARK: &str = "{name}";

/// The templates' mark, within a TOML string, where [`SOURCES`] belongs.
const SOURCES_MARK: &str = "{fata}";

/// Longest name of a package that crates.io takes.
const NAME_LENGTH: usize = 64;

/// Names that Rust, cargo or the template need for something else.
const RESERVED: [&str; 13] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "fata-boot",
    "fata-http",
    "fata-net",
    "incremental",
    "log",
    "proc_macro",
    "std",
    "test",
];

/// Rust's keywords, which no crate can be called by.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Files of a project and their templates.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("README.md", include_str!("../template/README.md.in")),
    ("src/main.rs", include_str!("../template/main.rs.in")),
    (".gitignore", "/target\n"),
];

/// File that makes `cargo fata` known in the project where the tool is not installed.
const ALIAS: (&str, &str) = (
    ".cargo/config.toml",
    include_str!("../template/config.toml.in"),
);

#[derive(Debug, Args)]
pub struct NewOptions {
    /// Folder to create, such as shop or ../shop
    pub path: PathBuf,
    /// Name of the package: letters, digits, `-` and `_` [default: the folder's]
    #[arg(long)]
    pub name: Option<String>,
}

/// Makes the project that `options` describe, and says how to go on.
pub fn new(options: &NewOptions) -> Result<(), Error> {
    let sources = sources(Path::new(SOURCES))?;
    let (name, folder) = (name(options), &options.path);
    make_project(&name, folder, &sources, is_installed())?;
    println!(
        "Made {name} in {folder}. Now try:\n\n    {enter}\n    cargo run\n    \
         cargo fata run --publish 8080:8080\n\n\
         The first is a process, the second a virtual machine; both answer on http://localhost:8080.",
        folder = folder.display(),
        enter = shell::line([OsStr::new("cd"), folder.as_os_str()]),
    );
    Ok(())
}

/// The given name, else the last part of the path; empty where that has none, as with `..`.
fn name(options: &NewOptions) -> Cow<'_, str> {
    match &options.name {
        Some(name) => name.into(),
        None => options
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy(),
    }
}

fn sources(folder: &Path) -> Result<PathBuf, Error> {
    let moved = || Error::SourcesMoved(folder.into());
    let folder = folder.canonicalize().map_err(|_| moved())?;
    if folder.join("boot/Cargo.toml").is_file() {
        Ok(folder)
    } else {
        Err(moved())
    }
}

/// Returns whether `cargo fata` works everywhere, not only where an alias says so.
fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("cargo-fata").is_file())
}

fn make_project(
    name: &str,
    folder: &Path,
    sources: &Path,
    is_installed: bool,
) -> Result<(), Error> {
    if folder.symlink_metadata().is_ok() {
        return Err(Error::Exists(folder.into()));
    }
    check_name(name)?;
    let sources_text = sources.display().to_string();
    let sources_text = sources_text.replace('\\', "\\\\").replace('"', "\\\"");
    let render = |template: &str| {
        template
            .replace(NAME_MARK, name)
            .replace(SOURCES_MARK, &sources_text)
    };
    for (file, template) in FILES.into_iter().chain((!is_installed).then_some(ALIAS)) {
        write(&folder.join(file), render(template).as_bytes())?;
    }
    // The versions that Fata was tested with; cargo drops what the project does not use.
    let lock = sources.join("Cargo.lock");
    if lock.is_file() {
        let text = fs::read(&lock).map_err(Error::file("read", lock))?;
        write(&folder.join("Cargo.lock"), &text)?;
    }
    Ok(())
}

fn write(file: &Path, content: &[u8]) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    }
    fs::write(file, content).map_err(Error::file("write", file))
}

fn check_name(name: &str) -> Result<(), Error> {
    let problem = if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "it has to start with a letter"
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    {
        "only letters, digits, `-` and `_` may be in it"
    } else if name.len() > NAME_LENGTH {
        "it is longer than 64 letters"
    } else if KEYWORDS.contains(&name) {
        "it is a keyword of Rust"
    } else if RESERVED.contains(&name) {
        "Rust, cargo or the project itself needs it for something else"
    } else {
        return Ok(());
    };
    Err(Error::BadName(name.into(), problem))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Error, check_name, make_project, sources};

    #[test]
    fn renders_the_templates() {
        let place = tempfile::tempdir().unwrap();
        let fata = place.path().join("fa\"ta");
        fs::create_dir_all(&fata).unwrap();
        fs::write(fata.join("Cargo.lock"), "version = 4\n").unwrap();
        let folder = place.path().join("a/shop");
        make_project("shop", &folder, &fata, false).unwrap();

        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("shop"));
        let boot = manifest["dependencies"]["fata-boot"]["path"]
            .as_str()
            .unwrap();
        assert_eq!(Path::new(boot), fata.join("boot"));
        let alias: toml::Table = read(".cargo/config.toml").parse().unwrap();
        assert!(
            alias["alias"]["fata"]
                .as_array()
                .unwrap()
                .iter()
                .any(|word| {
                    word.as_str()
                        .is_some_and(|word| Path::new(word) == fata.join("Cargo.toml"))
                })
        );
        assert!(read("README.md").contains("cargo fata run"));
        assert_eq!(read("Cargo.lock"), "version = 4\n");
        for file in [
            "Cargo.toml",
            "README.md",
            "src/main.rs",
            ".cargo/config.toml",
        ] {
            assert!(
                !read(file).contains("{name}") && !read(file).contains("{fata}"),
                "{file}"
            );
        }
    }

    #[test]
    fn an_installed_tool_needs_no_alias() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("shop");
        make_project("shop", &folder, place.path(), true).unwrap();
        assert!(folder.join("Cargo.toml").exists() && !folder.join(".cargo").exists());
    }

    #[test]
    fn leaves_what_exists_alone() {
        let place = tempfile::tempdir().unwrap();
        let result = make_project("shop", place.path(), place.path(), true);
        assert!(matches!(result, Err(Error::Exists(_))));
        let dangling = place.path().join("link");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        assert!(matches!(
            make_project("shop", &dangling, place.path(), true),
            Err(Error::Exists(_))
        ));
    }

    #[test]
    fn refuses_names_that_cargo_would_refuse() {
        for name in [
            "",
            "1st",
            "-x",
            "a b",
            "naïve",
            "../x",
            "match",
            "test",
            "log",
            &"a".repeat(65),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["shop", "my-shop_2", "A"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn notices_that_the_sources_are_gone() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(sources(place.path()), Err(Error::SourcesMoved(_))));
        assert!(matches!(
            sources(&place.path().join("x")),
            Err(Error::SourcesMoved(_))
        ));
    }
}
