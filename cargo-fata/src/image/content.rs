//! The content of an image, and files on the way to it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::files::replace;

/// The content of an image, whatever its form.
pub(super) struct Content<'a> {
    /// Name of the program.
    pub(super) name: &'a str,
    /// The bootable ELF file.
    pub(super) kernel: &'a [u8],
    /// Words for the program's command line.
    pub(super) arguments: &'a [String],
}

impl Content<'_> {
    /// A number that only this content has: whatever an image wants for an identity follows from
    /// it, so that the same content makes the same image.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.kernel);
        for text in [self.name].into_iter().chain(self.words()) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(String::as_str)
    }
}

/// A folder for what a tool reads and writes, which goes when it is dropped.
pub(super) fn scratch() -> Result<tempfile::TempDir, Error> {
    tempfile::tempdir().map_err(Error::system("make a temporary folder"))
}

pub(super) fn move_into_place(file: &Path, output: &Path) -> Result<(), Error> {
    replace(output, &fs::read(file).map_err(Error::file("read", file))?)
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn the_digest_depends_on_all_of_the_content() {
        let digest = |name, kernel, words: &[&str]| {
            let arguments: Vec<_> = words.iter().map(ToString::to_string).collect();
            let content = Content {
                name,
                kernel,
                arguments: &arguments,
            };
            content.digest()
        };
        let original = digest("a", b"kernel", &["b", "c"]);
        assert_eq!(original, digest("a", b"kernel", &["b", "c"]));
        for other in [
            digest("b", b"kernel", &["b", "c"]),
            digest("a", b"Kernel", &["b", "c"]),
            digest("a", b"kernel", &["bc"]),
        ] {
            assert_ne!(original, other);
        }
    }
}
