//! `cargo fata build`: has cargo compile a program, and makes a bootable image of the result.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use clap::Args;
use object::read::elf::ElfFile64;
use semver::Version;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::elf::Image;
use crate::error::Error;
use crate::files::{relative, replace};
use crate::flags::{Target, copy_linker_script, rust_version, user_flags, write_stub_libraries};
use crate::linked::Linked;
use crate::manifest::{Facts, Manifest, stack};
use crate::profile;
use crate::project::{Project, cargo, cargo_path, parse_json};
use crate::sections::with_sections;

/// Cargo's reason to report something that it made.
const COMPILED: &str = "compiler-artifact";

const BUILD_EXAMPLES: &str = "\
The image needs no operating system under it: QEMU boots it with `-kernel`, and so does every
hypervisor that knows PVH (Firecracker, Cloud Hypervisor, Xen). Cargo compiles it with a profile of
Fata's own, unless the Cargo.toml of the workspace has a [profile.kernel].

Examples:
  cargo fata build                          the program in this folder
  cargo fata build site                     the package `site` of this workspace
  cargo fata build --manifest-path ../shop/Cargo.toml";

#[derive(Debug, Args)]
#[command(after_help = BUILD_EXAMPLES)]
pub struct BuildOptions {
    /// Package of this workspace [default: the package of this folder]
    pub name: Option<String>,
    /// Cargo.toml of the package or its workspace [default: searched from this folder upwards]
    #[arg(long, value_name = "FILE")]
    pub manifest_path: Option<PathBuf>,
}

/// The products of a build.
#[derive(Debug)]
pub struct Built {
    /// Name of the package.
    pub name: String,
    /// Version of the package.
    pub version: Version,
    /// The stripped image.
    pub image: PathBuf,
    /// The same with its symbols.
    pub symbols: PathBuf,
    /// Folder of both, for what the tool wants to keep.
    pub directory: PathBuf,
    /// First physical address behind the loaded image.
    pub memory_end: u64,
    /// Addresses of the image's code.
    pub code: Vec<Range<u64>>,
    /// SHA-256 of the stripped image, in hexadecimal.
    pub sha256: String,
}

/// Builds the image of the program that `options` names.
pub fn build(options: &BuildOptions) -> Result<Built, Error> {
    let target = Target::installed()?;
    let project = Project::find(
        options.name.as_deref(),
        options.manifest_path.as_deref(),
        target.triple(),
    )?;
    let stubs = project.output_directory().join("stubs");
    write_stub_libraries(&stubs)?;
    let script = copy_linker_script(&project.linker_script, &stubs)?;
    // Relative, as cargo runs the compiler in the workspace's folder: what is built does not depend
    // on where that is.
    let relative = |path: &Path| {
        let below = path.strip_prefix(&project.workspace_root);
        below.unwrap_or(path).to_path_buf()
    };
    let flags = target.encoded_flags(&relative(&script), &relative(&stubs), &user_flags());
    let mut command = cargo_build(&project, target)?;
    command.env("CARGO_ENCODED_RUSTFLAGS", flags);
    let compiled = compile(command, &project.binary, target)?;
    write_image(&compiled, &project, target)
}

fn cargo_build(project: &Project, target: Target) -> Result<Command, Error> {
    let mut command = cargo();
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(["--profile", profile::NAME, "--target", target.triple()])
        .args(["--package", &project.package_id, "--bin", &project.binary])
        .arg("--manifest-path")
        .arg(&project.manifest);
    if !defines_profile(&project.workspace_root.join("Cargo.toml"))? {
        let names = project.packages.iter().map(|package| package.name.clone());
        for setting in profile::settings(&names.collect::<Vec<_>>()) {
            command.args(["--config", &setting]);
        }
    }
    Ok(command)
}

fn defines_profile(manifest: &Path) -> Result<bool, Error> {
    let text = std::fs::read_to_string(manifest).map_err(Error::file("read", manifest))?;
    let table = text
        .parse()
        .map_err(|error| Error::BadManifest(manifest.into(), error))?;
    Ok(profile::is_defined_in(&table))
}

/// The files that cargo made.
struct Compiled {
    program: PathBuf,
    linked: Linked,
}

/// Runs cargo, whose progress and diagnostics go to the terminal; its messages, one JSON document a
/// line, tell what it made.
fn compile(mut command: Command, binary: &str, target: Target) -> Result<Compiled, Error> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Error::CargoMissing(cargo_path().into(), error))?;
    let compiled = child
        .stdout
        .take()
        .map(|messages| listen(messages, binary, target));
    let status = child.wait().map_err(Error::system("wait for cargo"))?;
    if !status.success() {
        return Err(Error::CargoFailed);
    }
    compiled.transpose()?.flatten().ok_or(Error::CargoFailed)
}

/// Reads cargo's messages; nothing if they name no program.
fn listen(messages: ChildStdout, binary: &str, target: Target) -> Result<Option<Compiled>, Error> {
    let mut program = None;
    let mut linked = Linked::default();
    for line in BufReader::new(messages).split(b'\n') {
        let line = line.map_err(Error::system("read what cargo writes"))?;
        if line.first() != Some(&b'{') {
            continue;
        }
        let message: Message = parse_json(&line)?;
        if message.reason != COMPILED {
            continue;
        }
        let is_binary = message.target.is_some_and(|target| target.name == binary);
        if is_binary && message.executable.is_some() {
            program = message.executable;
        }
        if let Some(package) = message.package_id {
            linked.add(package, &message.filenames, target.triple(), profile::NAME);
        }
    }
    Ok(program.map(|program| Compiled { program, linked }))
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<MessageTarget>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

fn write_image(compiled: &Compiled, project: &Project, target: Target) -> Result<Built, Error> {
    let program = &compiled.program;
    let data = std::fs::read(program).map_err(Error::file("read", program))?;
    let bad_image = |defect| Error::BadImage {
        image: program.clone(),
        defect,
    };
    let image = Image::check(&data).map_err(bad_image)?;
    let manifest = manifest(project, &compiled.linked, target, &data)?.sections();
    let manifest = manifest
        .each_ref()
        .map(|(name, content)| (*name, content.as_slice()));
    let with_manifest =
        |file: &[u8]| with_sections(file, &manifest).map_err(|error| bad_image(error.into()));
    let stripped = with_manifest(&image.stripped())?;
    let built = Built {
        name: project.package.clone(),
        version: project.root().version.clone(),
        symbols: project.image().with_extension("debug"),
        image: project.image(),
        directory: project.output_directory(),
        memory_end: image.memory_end(),
        code: image.code(),
        sha256: sha256(&stripped),
    };
    replace(&built.symbols, &with_manifest(&data)?)?;
    replace(&built.image, &stripped)?;
    eprintln!(
        "{}: {} KiB, {} KiB in memory; `cargo fata inspect {}` says what is in it",
        relative(&built.image).display(),
        stripped.len().div_ceil(1024),
        image.memory_size().div_ceil(1024),
        built.name,
    );
    Ok(built)
}

fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn manifest(
    project: &Project,
    linked: &Linked,
    target: Target,
    program: &[u8],
) -> Result<Manifest, Error> {
    let root = project.root();
    let facts = Facts {
        description: root.description.clone(),
        target: target.triple().into(),
        profile: profile::NAME.into(),
        rust: rust_version()?,
        stack: ElfFile64::parse(program)
            .ok()
            .and_then(|file| stack(&file))
            .map(|stack| stack.end - stack.start),
        licenses: Vec::new(),
    };
    Ok(Manifest::new(&project.packages, root, linked, facts))
}
