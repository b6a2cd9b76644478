//! Finds out from cargo what is to be built and where its parts are.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Name of the crate that starts every Fata program.
const BOOT_PACKAGE: &str = "fata-boot";

/// A program that can become an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Project {
    /// Cargo's unambiguous name of the package.
    pub package_id: String,
    /// Name of the package, and of the image.
    pub package: String,
    /// Name of the program within the package.
    pub binary: String,
    /// Manifest of the package.
    pub manifest: PathBuf,
    /// Folder of the workspace's Cargo.toml.
    pub workspace_root: PathBuf,
    /// Cargo's target folder.
    pub target_directory: PathBuf,
    /// The packages that it may link, and itself.
    pub packages: Vec<Package>,
    /// Linker script that gives an image its form.
    pub linker_script: PathBuf,
}

impl Project {
    /// Finds the program of the package `name`, or of the folder's, built for `target`. Without
    /// `manifest`, its workspace is searched from this folder upwards.
    pub fn find(name: Option<&str>, manifest: Option<&Path>, target: &str) -> Result<Self, Error> {
        let metadata = Metadata::query(manifest, target)?;
        let package = metadata.select(name)?;
        let boot = metadata
            .boot_package_of(package)
            .ok_or_else(|| Error::NotFata(package.name.clone()))?;
        let linker_script = boot.folder().join("src/platform/vm/link.ld");
        if !linker_script.is_file() {
            return Err(Error::NoLinkerScript(linker_script));
        }
        Ok(Self {
            package_id: package.id.clone(),
            package: package.name.clone(),
            binary: package.program()?.to_owned(),
            manifest: package.manifest_path.clone(),
            packages: metadata.packages.clone(),
            workspace_root: metadata.workspace_root.clone(),
            target_directory: metadata.target_directory.clone(),
            linker_script,
        })
    }

    /// Folder for the images, and for what is kept between builds.
    pub fn output_directory(&self) -> PathBuf {
        self.target_directory.join("fata")
    }

    /// The image, which may not have been built.
    pub fn image(&self) -> PathBuf {
        self.output_directory()
            .join(format!("{}.elf", self.package))
    }

    /// The package of the program.
    pub fn root(&self) -> &Package {
        self.packages
            .iter()
            .find(|package| package.id == self.package_id)
            .expect("the program's package was chosen from these")
    }
}

/// Cargo itself: the one that called this tool, if one did.
pub fn cargo() -> Command {
    Command::new(cargo_path())
}

/// Path of cargo, for messages.
pub fn cargo_path() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Reads one JSON document that cargo wrote.
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(Error::CargoOutput)
}

/// The part of `cargo metadata` that matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// A package that cargo knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Package {
    /// Cargo's unambiguous name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Description in its manifest.
    pub description: Option<String>,
    /// Licence, as SPDX writes it.
    pub license: Option<String>,
    /// Registry or repository; none if it is a folder of this computer.
    pub source: Option<String>,
    manifest_path: PathBuf,
    default_run: Option<String>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    root: Option<String>,
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    fn query(manifest: Option<&Path>, target: &str) -> Result<Self, Error> {
        let mut command = cargo();
        command.args([
            "metadata",
            "--format-version",
            "1",
            "--filter-platform",
            target,
        ]);
        if let Some(manifest) = manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        // Dependencies may hang on this cfg.
        command.env("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}fata_vm");
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Error::CargoMissing(cargo_path().into(), error))?;
        if !output.status.success() {
            return Err(Error::CargoFailed);
        }
        parse_json(&output.stdout)
    }

    /// The named member of the workspace, or the one whose folder this is.
    fn select(&self, name: Option<&str>) -> Result<&Package, Error> {
        let known = || self.fata_programs();
        match name {
            Some(name) => self
                .members()
                .find(|package| package.name == name)
                .ok_or_else(|| Error::UnknownPackage {
                    name: name.into(),
                    known: known(),
                }),
            None => self
                .members()
                .find(|package| Some(&package.id) == self.resolve.root.as_ref())
                .ok_or_else(|| Error::NoPackageHere { known: known() }),
        }
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    fn fata_programs(&self) -> Vec<String> {
        self.members()
            .filter(|package| package.programs().next().is_some())
            .filter(|package| self.boot_package_of(package).is_some())
            .map(|package| package.name.clone())
            .collect()
    }

    /// The fata-boot package that `package` links, directly or through others.
    fn boot_package_of(&self, package: &Package) -> Option<&Package> {
        let nodes: HashMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let packages: HashMap<&str, &Package> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package))
            .collect();
        let mut seen = vec![package.id.as_str()];
        let mut next = 0;
        while let Some(&id) = seen.get(next) {
            next += 1;
            let found = packages.get(id)?;
            if found.name == BOOT_PACKAGE {
                return Some(found);
            }
            for dependency in &nodes.get(id)?.deps {
                if dependency.is_linked() && !seen.contains(&dependency.pkg.as_str()) {
                    seen.push(&dependency.pkg);
                }
            }
        }
        None
    }
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }

    fn programs(&self) -> impl Iterator<Item = &str> {
        self.targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.as_str())
    }

    /// The one program that running this package means.
    fn program(&self) -> Result<&str, Error> {
        if let Some(name) = &self.default_run {
            return Ok(name);
        }
        let programs: Vec<&str> = self.programs().collect();
        match programs[..] {
            [program] => Ok(program),
            [] => Err(Error::NoProgram(self.name.clone())),
            _ => Err(Error::SeveralPrograms {
                package: self.name.clone(),
                programs: programs.join(", "),
            }),
        }
    }
}

impl Dependency {
    /// Returns whether the dependency ends up in the program, not only in its tests or build
    /// script.
    fn is_linked(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Metadata, Package, parse_json};

    /// A workspace: `site` uses fata-boot through `net`, `tool` only in tests, `net` is a library.
    fn metadata() -> Metadata {
        let text = r#"{
            "packages": [
                {"id": "1", "name": "site", "version": "0.1.0", "manifest_path": "/w/site/Cargo.toml", "default_run": null,
                 "targets": [{"name": "site", "kind": ["bin"]}]},
                {"id": "2", "name": "tool", "version": "0.1.0", "manifest_path": "/w/tool/Cargo.toml", "default_run": null,
                 "targets": [{"name": "a", "kind": ["bin"]}, {"name": "b", "kind": ["bin"]}]},
                {"id": "3", "name": "net", "version": "0.1.0", "manifest_path": "/w/net/Cargo.toml", "default_run": null,
                 "targets": [{"name": "net", "kind": ["lib"]}]},
                {"id": "4", "name": "fata-boot", "version": "0.1.0", "manifest_path": "/fata/boot/Cargo.toml", "default_run": null,
                 "targets": [{"name": "fata_boot", "kind": ["lib"]}]}
            ],
            "workspace_members": ["1", "2", "3"],
            "resolve": {"root": "1", "nodes": [
                {"id": "1", "deps": [{"pkg": "3", "dep_kinds": [{"kind": null}]}]},
                {"id": "2", "deps": [{"pkg": "4", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "3", "deps": [{"pkg": "4", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
                {"id": "4", "deps": []}
            ]},
            "workspace_root": "/w", "target_directory": "/w/target"
        }"#;
        parse_json(text.as_bytes()).unwrap()
    }

    fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
        metadata.select(Some(name)).unwrap()
    }

    #[test]
    fn selects_by_name_or_by_folder() {
        let mut metadata = metadata();
        assert_eq!(package(&metadata, "tool").id, "2");
        assert_eq!(metadata.select(None).unwrap().name, "site");
        metadata.resolve.root = None;
        let error = metadata.select(None).unwrap_err().to_string();
        assert!(error.ends_with("its Fata programs are site"), "{error}");
        // fata-boot is in the graph but not in the workspace.
        assert!(matches!(
            metadata.select(Some("fata-boot")),
            Err(Error::UnknownPackage { .. })
        ));
    }

    #[test]
    fn finds_boot_through_other_packages_but_not_through_tests() {
        let metadata = metadata();
        let boot = metadata
            .boot_package_of(package(&metadata, "site"))
            .unwrap();
        assert_eq!(boot.folder(), std::path::Path::new("/fata/boot"));
        assert!(
            metadata
                .boot_package_of(package(&metadata, "tool"))
                .is_none()
        );
    }

    #[test]
    fn demands_one_program() {
        let mut metadata = metadata();
        assert_eq!(package(&metadata, "site").program().unwrap(), "site");
        assert!(matches!(
            package(&metadata, "net").program(),
            Err(Error::NoProgram(_))
        ));
        assert!(matches!(
            package(&metadata, "tool").program(),
            Err(Error::SeveralPrograms { .. })
        ));
        metadata.packages[1].default_run = Some("b".into());
        assert_eq!(package(&metadata, "tool").program().unwrap(), "b");
    }
}
