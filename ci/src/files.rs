use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("this crate is a folder of the workspace")
        .to_owned()
}

/// The folder that cargo builds in.
pub fn target_folder() -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(chosen)
}

/// The bootable image of a program, which ci/build-images makes.
///
/// # Panics
/// If it was not built.
pub fn image(name: &str) -> PathBuf {
    must_exist(target_folder().join("fata").join(format!("{name}.elf")))
}

/// A program built as an ordinary process, which ci/build-images makes.
///
/// # Panics
/// If it was not built.
pub fn debug_binary(name: &str) -> PathBuf {
    must_exist(target_folder().join("debug").join(name))
}

fn must_exist(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is missing; ci/build-images makes it",
        path.display()
    );
    path
}

/// The files of a folder and everything below it, by path relative to the folder.
#[derive(PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Tree {
    /// Reads a folder.
    ///
    /// # Panics
    /// If something in it cannot be read.
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut pending = vec![folder.to_owned()];
        while let Some(next) = pending.pop() {
            let entries = fs::read_dir(&next)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", next.display()));
            for entry in entries {
                let path = entry.expect("a folder can be read to its end").path();
                if path.is_dir() {
                    pending.push(path);
                    continue;
                }
                let content = fs::read(&path)
                    .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
                let name = path.strip_prefix(folder).expect("it is below the folder");
                files.insert(name.to_owned(), content);
            }
        }
        Self { files }
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The sum of the files' lengths in bytes.
    pub fn bytes(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// The files with their contents, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.files
            .iter()
            .map(|(name, content)| (name.as_path(), content.as_slice()))
    }

    /// One line for each file that `other` lacks, has too much or has with other content.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, content) in &self.files {
            match other.files.get(name) {
                None => lines.push(format!("missing: {}", name.display())),
                Some(found) if found != content => {
                    lines.push(format!("different: {}", name.display()));
                }
                Some(_) => {}
            }
        }
        let extra = other
            .files
            .keys()
            .filter(|name| !self.files.contains_key(*name));
        lines.extend(extra.map(|name| format!("not in the original: {}", name.display())));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;
    use std::collections::BTreeMap;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files: BTreeMap<_, _> = files
            .iter()
            .map(|(name, text)| (name.into(), text.as_bytes().to_vec()))
            .collect();
        Tree { files }
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let original = tree(&[("a", "1"), ("b/c", "2"), ("d", "3")]);
        let copy = tree(&[("a", "1"), ("b/c", "x"), ("e", "4")]);
        assert_eq!(
            original.differences(&copy),
            ["different: b/c", "missing: d", "not in the original: e"]
        );
        assert!(original.differences(&original).is_empty());
    }
}
