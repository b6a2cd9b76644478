//! Which packages a build used: what cargo compiled for the image, and what only to build it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The packages that cargo compiled, by its names of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// True if the package was compiled for the image. Otherwise it ran on this computer as a build
    /// script or a macro, or was linked to one.
    packages: BTreeMap<String, bool>,
}

impl Linked {
    /// Takes note that cargo made `files` of a package. Cargo builds for `triple` and `profile` in
    /// folders of these names, one in the other.
    pub fn add(&mut self, package_id: String, files: &[PathBuf], triple: &str, profile: &str) {
        let is_in_image = files.iter().any(|file| is_for(file, triple, profile));
        *self.packages.entry(package_id).or_default() |= is_in_image;
    }

    /// Returns whether the package's code is in the image; nothing if the build did not need it.
    pub fn is_in_image(&self, package_id: &str) -> Option<bool> {
        self.packages.get(package_id).copied()
    }
}

fn is_for(file: &Path, triple: &str, profile: &str) -> bool {
    let folders: Vec<_> = file.iter().collect();
    folders
        .windows(2)
        .any(|pair| pair[0] == triple && pair[1] == profile)
}

#[cfg(test)]
mod tests {
    use super::Linked;

    #[test]
    fn what_is_compiled_for_both_is_in_the_image() {
        let mut linked = Linked::default();
        for (package, file) in [
            ("libc", "/t/kernel/build/libc/build-script-build"),
            ("libc", "/t/x86_64/kernel/deps/liblibc.rlib"),
            ("syn", "/t/kernel/deps/libsyn.rlib"),
            ("macro", "/t/x86_64/debug/kernel/libmacro.so"),
        ] {
            linked.add(package.into(), &[file.into()], "x86_64", "kernel");
        }
        assert_eq!(linked.is_in_image("libc"), Some(true));
        assert_eq!(linked.is_in_image("syn"), Some(false));
        assert_eq!(linked.is_in_image("macro"), Some(false));
        assert_eq!(linked.is_in_image("serde"), None);
    }
}
