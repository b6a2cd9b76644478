//! Turns addresses of an image into function, file and line.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use addr2line::{Loader, demangle_auto, gimli};

/// The symbols of an image, read when they are first needed.
pub struct Symbols {
    file: PathBuf,
    /// Addresses that can have symbols.
    code: Vec<Range<u64>>,
    loader: Option<Loader>,
    /// Reading has failed; the user has been told.
    unreadable: bool,
    /// Folder to which paths are shown relative.
    here: PathBuf,
}

impl Symbols {
    /// Symbols in `file` of an image whose code is at the addresses `code`; paths in the folder
    /// `here` are shown relative to it.
    pub fn new(file: PathBuf, code: Vec<Range<u64>>, here: PathBuf) -> Self {
        Self {
            file,
            code,
            loader: None,
            unreadable: false,
            here,
        }
    }

    /// The functions that the instruction at `address` belongs to, innermost first: the function
    /// inlined there, the one that it was inlined into, and so on. Nothing if it is unknown.
    pub fn frames(&mut self, address: u64) -> Vec<String> {
        if !self.code.iter().any(|range| range.contains(&address)) {
            return Vec::new();
        }
        self.load();
        let Some(loader) = &self.loader else {
            return Vec::new();
        };
        let mut frames = inlined_frames(loader, address).unwrap_or_default();
        let symbol = loader
            .find_symbol(address)
            .map(|name| demangle_auto(name.into(), None));
        // The debug information has short names only, and none where nothing is inlined. The last
        // function, which itself is not inlined, is also a symbol, whose name has the whole path.
        match (frames.last_mut(), symbol) {
            (Some(function), Some(name)) => function.name = name.into_owned(),
            (None, Some(name)) => frames.push(Frame {
                name: name.into_owned(),
                ..Frame::default()
            }),
            (_, None) => {}
        }
        frames
            .iter()
            .map(|frame| frame.describe(&self.here))
            .collect()
    }

    fn load(&mut self) {
        if self.loader.is_some() || self.unreadable {
            return;
        }
        match Loader::new(&self.file) {
            Ok(loader) => self.loader = Some(loader),
            Err(error) => {
                self.unreadable = true;
                eprintln!(
                    "fata: no source lines, cannot read {}: {error}",
                    self.file.display()
                );
            }
        }
    }
}

/// One function at an address.
#[derive(Default)]
struct Frame {
    /// Empty if it is unknown.
    name: String,
    file: Option<String>,
    /// The compiler gives no line to instructions that it made from several.
    line: Option<u32>,
}

impl Frame {
    fn describe(&self, here: &Path) -> String {
        let name = &self.name;
        match (
            self.file.as_deref().map(|file| shortened(file, here)),
            self.line,
        ) {
            (Some(file), Some(line)) => format!("{name} ({file}:{line})"),
            (Some(file), None) => format!("{name} ({file})"),
            (None, _) => name.clone(),
        }
    }
}

fn inlined_frames(loader: &Loader, address: u64) -> Result<Vec<Frame>, gimli::Error> {
    let Ok(mut frames) = loader.find_frames(address) else {
        return Ok(Vec::new());
    };
    let mut functions = Vec::new();
    while let Some(frame) = frames.next()? {
        let name = match &frame.function {
            Some(name) => name.demangle()?.into_owned(),
            None => String::new(),
        };
        let location = frame.location.as_ref();
        functions.push(Frame {
            name,
            file: location
                .and_then(|location| location.file)
                .map(str::to_owned),
            line: location.and_then(|location| location.line),
        });
    }
    Ok(functions)
}

/// Leaves out what a reader knows: this folder, and where cargo and rustup keep sources.
fn shortened<'a>(file: &'a str, here: &Path) -> Cow<'a, str> {
    if let Ok(path) = Path::new(file).strip_prefix(here) {
        return path.to_string_lossy();
    }
    for (start, end) in [
        ("/rustc/", "/library/"),
        ("/lib/rustlib/", "/library/"),
        ("/registry/src/", "/"),
        ("/git/checkouts/", "/"),
    ] {
        if let Some(rest) = file.find(start).map(|at| &file[at + start.len()..])
            && let Some(at) = rest.find(end)
        {
            return rest[at + end.len()..].into();
        }
    }
    file.into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Symbols, shortened};

    #[test]
    fn shortens_paths() {
        for (file, short) in [
            ("/home/me/shop/src/main.rs", "src/main.rs"),
            ("/home/me/other/src/main.rs", "/home/me/other/src/main.rs"),
            (
                "/rustc/59807616e/library/core/src/panicking.rs",
                "core/src/panicking.rs",
            ),
            (
                "/opt/rust/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs",
                "alloc/src/vec/mod.rs",
            ),
            (
                "/home/me/.cargo/registry/src/index.crates.io-6f17d22b/spin-0.12.0/src/lib.rs",
                "spin-0.12.0/src/lib.rs",
            ),
            ("src/main.rs", "src/main.rs"),
        ] {
            assert_eq!(shortened(file, Path::new("/home/me/shop")), short);
        }
    }

    #[test]
    fn a_missing_file_knows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut symbols = Symbols::new(
            folder.path().join("x.debug"),
            std::iter::once(5..7).collect(),
            folder.path().into(),
        );
        assert!(symbols.frames(7).is_empty());
        assert!(!symbols.unreadable);
        assert!(symbols.frames(5).is_empty());
        assert!(symbols.unreadable);
    }
}
