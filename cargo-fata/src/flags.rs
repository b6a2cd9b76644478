//! The compiler and linker flags that make an image out of an ordinary program.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::files::replace;

/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// The target made for programs without an operating system; soft float, not always installed.
const BARE_TARGET: &str = "x86_64-unknown-none";

/// The target that every Linux installation of Rust has; its `core` and `alloc` serve as well.
const HOSTED_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Libraries of C that crates ask the linker for although they call nothing in them.
const STUB_LIBRARIES: [&str; 9] = [
    "c", "m", "rt", "pthread", "dl", "util", "gcc_s", "gcc", "gcc_eh",
];

/// The whole content of an archive without members.
const EMPTY_ARCHIVE: &[u8] = b"!<arch>\n";

/// The text in programs in place of the folders of [`registries`].
pub const REMAPPED_REGISTRY: &str = "/cargo";

/// The text in programs in place of [`cargo_home`], outside of registries.
const REMAPPED_CARGO_HOME: &str = "/cargo-home";

/// The target that an image is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`BARE_TARGET`], whose linker is called directly.
    Bare,
    /// [`HOSTED_TARGET`], whose linker is called through the C compiler.
    Hosted,
}

impl Target {
    /// The bare target where it is installed, else the hosted one.
    pub fn installed() -> Result<Self, Error> {
        let sysroot = PathBuf::from(ask_rustc(&["--print", "sysroot"])?.trim());
        let libraries = sysroot.join("lib/rustlib").join(BARE_TARGET).join("lib");
        Ok(if libraries.is_dir() {
            Self::Bare
        } else {
            Self::Hosted
        })
    }

    /// Rust's name for the target.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Bare => BARE_TARGET,
            Self::Hosted => HOSTED_TARGET,
        }
    }

    /// The value for `CARGO_ENCODED_RUSTFLAGS`. The user's own flags
    /// (`CARGO_ENCODED_RUSTFLAGS` or `RUSTFLAGS`, already encoded) come last and so may override.
    pub fn encoded_flags(self, script: &Path, stubs: &Path, user: &str) -> String {
        // The names of source files are part of a program; where cargo keeps them should not be,
        // and costs bytes. The last prefix that fits counts.
        let home = cargo_home().map(|home| (home, REMAPPED_CARGO_HOME));
        let registries = registries()
            .into_iter()
            .map(|folder| (folder, REMAPPED_REGISTRY));
        let remap = home.into_iter().chain(registries);
        let mut flags: Vec<String> = [
            "--cfg=fata_vm",
            "--cfg=getrandom_backend=\"custom\"",
            "-Crelocation-model=static",
            "-Cforce-frame-pointers=yes",
            "-Cno-redzone=yes",
        ]
        .map(String::from)
        .into();
        flags.extend(
            remap.map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display())),
        );
        // Flags come before the search paths of build scripts, so the stubs hide the real ones.
        flags.push(format!("-Lnative={}", stubs.display()));
        flags.extend(
            self.linker_arguments()
                .iter()
                .map(|argument| format!("-Clink-arg={argument}")),
        );
        flags.push("-Clink-arg=-T".into());
        flags.push(format!("-Clink-arg={}", script.display()));
        flags.extend((!user.is_empty()).then(|| user.into()));
        flags.join(SEPARATOR)
    }

    fn linker_arguments(self) -> Vec<String> {
        // The C compiler passes on what it does not take for itself.
        let (compiler_only, prefix): (&[&str], _) = match self {
            Self::Bare => (&[], ""),
            Self::Hosted => (&["-nostartfiles"], "-Wl,"),
        };
        // Without `--nmagic` every segment starts on a page of the file, of which nobody makes use.
        let linker_only = ["--build-id=none", "-znorelro", "--gc-sections", "--nmagic"];
        let both = ["-nostdlib", "-static", "-no-pie"];
        both.iter()
            .chain(compiler_only)
            .map(|argument| argument.to_string())
            .chain(linker_only.map(|argument| format!("{prefix}{argument}")))
            .collect()
    }
}

/// Version of the compiler, such as 1.91.0.
pub fn rust_version() -> Result<String, Error> {
    let answer = ask_rustc(&["--version"])?;
    // "rustc VERSION (COMMIT DATE)"
    Ok(answer.split(' ').nth(1).unwrap_or(&answer).trim().into())
}

fn ask_rustc(arguments: &[&str]) -> Result<String, Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(arguments)
        .output()
        .map_err(Error::system("start rustc"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where cargo keeps what it has fetched.
fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))
}

/// The folders in which cargo keeps the sources of each registry's crates.
pub fn registries() -> Vec<PathBuf> {
    let sources = cargo_home().map(|home| home.join("registry").join("src"));
    let entries = sources.and_then(|folder| std::fs::read_dir(folder).ok());
    let mut folders: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

/// Copies the linker script to `folder`, under a name that follows from its content: cargo links
/// anew when a flag has changed, but does not look into files that flags name.
pub fn copy_linker_script(script: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let content = std::fs::read(script).map_err(Error::file("read", script))?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let copy = folder.join(format!("link-{:016x}.ld", hasher.finish()));
    if !copy.is_file() {
        replace(&copy, &content)?;
    }
    Ok(copy)
}

/// The flags that the user set in the environment, encoded.
pub fn user_flags() -> String {
    if let Ok(encoded) = std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        return encoded;
    }
    let plain = std::env::var("RUSTFLAGS").unwrap_or_default();
    plain.split_whitespace().collect::<Vec<_>>().join(SEPARATOR)
}

/// Fills `folder` with empty stand-ins for the C libraries. With them first in the linker's search
/// path, a crate that only mentions libc links, and one that calls it fails to link and names the
/// function; with the real ones the outcome would be a dynamic program that cannot boot.
pub fn write_stub_libraries(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    for library in STUB_LIBRARIES {
        let path = folder.join(format!("lib{library}.a"));
        // Another build may be reading it.
        if std::fs::read(&path).ok().as_deref() != Some(EMPTY_ARCHIVE) {
            replace(&path, EMPTY_ARCHIVE)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SEPARATOR, Target, copy_linker_script, write_stub_libraries};

    #[test]
    fn another_linker_script_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("link.ld");
        let copy = |content: &str| {
            std::fs::write(&script, content).unwrap();
            copy_linker_script(&script, folder.path()).unwrap()
        };
        let (one, other) = (copy("one"), copy("other"));
        assert_ne!(one, other);
        assert_eq!(copy("one"), one);
        assert_eq!(std::fs::read(other).unwrap(), b"other");
    }

    #[test]
    fn linker_arguments_suit_the_linker() {
        let flags = |target: Target| {
            target.encoded_flags(Path::new("/a b/link.ld"), Path::new("/stubs"), "-Dwarnings")
        };
        let (bare, hosted) = (flags(Target::Bare), flags(Target::Hosted));
        assert!(
            !bare.contains("-Wl,") && !bare.contains("nostartfiles"),
            "{bare}"
        );
        assert!(hosted.contains("-Clink-arg=-Wl,--gc-sections"), "{hosted}");
        let hosted: Vec<&str> = hosted.split(SEPARATOR).collect();
        let script = hosted
            .iter()
            .position(|flag| *flag == "-Clink-arg=/a b/link.ld")
            .unwrap();
        assert_eq!(hosted[script - 1], "-Clink-arg=-T");
        assert_eq!(hosted.last(), Some(&"-Dwarnings"));
    }

    #[test]
    fn stub_libraries_are_empty_archives() {
        let folder = tempfile::tempdir().unwrap();
        write_stub_libraries(folder.path()).unwrap();
        write_stub_libraries(folder.path()).unwrap();
        assert_eq!(
            std::fs::read(folder.path().join("libc.a")).unwrap(),
            b"!<arch>\n"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 9);
    }
}
