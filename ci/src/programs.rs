use crate::tool::succeed;
use crate::workspace;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Folders of the workspace whose packages are programs of Fata.
const FOLDERS: [&str; 2] = ["examples", "ci/images"];

/// A package of the workspace that is a program: an example, or an image for the tests.
///
/// Its manifest may say more, in `[package.metadata.fata-ci]`: `platforms` where it is not built for
/// both, as in `platforms = ["process"]`, and what `run` adds to `cargo fata run NAME` to show what it does.
#[derive(Clone, Debug)]
pub struct ProgramPackage {
    /// Its name.
    pub name: String,
    /// The description in its manifest.
    pub description: String,
    /// Its folder, from the root of the workspace.
    pub folder: PathBuf,
    /// The command that shows what it does.
    pub command: String,
    platforms: Vec<PlatformKind>,
}

/// The platform that a program is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformKind {
    /// The image of a virtual machine.
    Machine,
    /// A process.
    Process,
}

impl ProgramPackage {
    /// All programs of the workspace, by folder.
    ///
    /// # Panics
    /// If cargo cannot read the workspace, or a manifest says what is not known here.
    pub fn all() -> Vec<Self> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let root = workspace();
        let manifest = root.join("Cargo.toml");
        let manifest = manifest.to_str().expect("the workspace's path is text");
        let options = ["--no-deps", "--format-version", "1", "--manifest-path"];
        let text = succeed(&cargo, [&["metadata"], &options[..], &[manifest]].concat());
        let metadata: Metadata =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("cargo metadata: {error}"));
        let mut programs: Vec<_> = metadata
            .packages
            .into_iter()
            .filter_map(|package| package.program(&root))
            .collect();
        programs.sort_by(|one, other| one.folder.cmp(&other.folder));
        programs
    }

    /// Returns whether the tests need it built as that.
    pub fn is_built_as(&self, platform: PlatformKind) -> bool {
        self.platforms.contains(&platform)
    }

    /// The folder that an example is grouped in, such as `tutorial`; none for other programs.
    pub fn group(&self) -> Option<&str> {
        let group = self.folder.strip_prefix("examples").ok()?.parent()?;
        group.to_str()
    }
}

/// The part of `cargo metadata` that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: Option<String>,
    manifest_path: PathBuf,
    metadata: Option<Tables>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Tables {
    #[serde(rename = "fata-ci", default)]
    ci: Declared,
}

/// The keys of `[package.metadata.fata-ci]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    platforms: Option<Vec<PlatformKind>>,
    run: Option<String>,
}

impl Package {
    fn program(self, root: &Path) -> Option<ProgramPackage> {
        let folder = self.manifest_path.parent()?.strip_prefix(root).ok()?;
        let is_program = self
            .targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "bin"));
        if !is_program || !FOLDERS.iter().any(|parent| folder.starts_with(parent)) {
            return None;
        }
        let declared = self.metadata.unwrap_or_default().ci;
        let both = || vec![PlatformKind::Machine, PlatformKind::Process];
        let command = ["cargo fata run", &self.name].into_iter();
        let command: Vec<_> = command.chain(declared.run.as_deref()).collect();
        Some(ProgramPackage {
            description: self.description.unwrap_or_default(),
            folder: folder.to_owned(),
            command: command.join(" "),
            platforms: declared.platforms.unwrap_or_else(both),
            name: self.name,
        })
    }
}
