//! `cargo fata build`: has cargo compile a program, and makes a bootable image of the result.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use serde::Deserialize;

use crate::cli::BuildOptions;
use crate::error::Error;
use crate::files::replace;
use crate::flags::{Target, copy_linker_script, user_flags, write_stub_libraries};
use crate::image::Image;
use crate::profile;
use crate::project::{Project, cargo, cargo_path, parse_json};

/// What a build leaves behind.
#[derive(Debug)]
pub struct Built {
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
}

/// Builds the image of the program that `options` names.
pub fn build(options: &BuildOptions) -> Result<Built, Error> {
    let target = Target::installed()?;
    let project = Project::find(options, target.triple())?;
    let directory = project.output_directory();
    let stubs = directory.join("stubs");
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
    let program = compile(command, &project.binary)?;
    write_image(&program, directory, &project.package)
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
        for setting in profile::settings(&project.all_packages) {
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

/// Runs cargo, whose progress and diagnostics go to the terminal; its messages, one JSON document a
/// line, tell where the program is.
fn compile(mut command: Command, binary: &str) -> Result<PathBuf, Error> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Error::CargoMissing(cargo_path().into(), error))?;
    let program = child
        .stdout
        .take()
        .map(|messages| find_program(messages, binary));
    let status = child.wait().map_err(Error::system("wait for cargo"))?;
    if !status.success() {
        return Err(Error::CargoFailed);
    }
    program.transpose()?.flatten().ok_or(Error::CargoFailed)
}

fn find_program(messages: ChildStdout, binary: &str) -> Result<Option<PathBuf>, Error> {
    let mut program = None;
    for line in BufReader::new(messages).split(b'\n') {
        let line = line.map_err(Error::system("read what cargo writes"))?;
        if line.first() != Some(&b'{') {
            continue;
        }
        let message: Message = parse_json(&line)?;
        if message.target.is_some_and(|target| target.name == binary)
            && message.executable.is_some()
        {
            program = message.executable;
        }
    }
    Ok(program)
}

#[derive(Deserialize)]
struct Message {
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

fn write_image(program: &Path, directory: PathBuf, name: &str) -> Result<Built, Error> {
    let data = std::fs::read(program).map_err(Error::file("read", program))?;
    let image = Image::check(&data).map_err(|defect| Error::BadImage {
        image: program.into(),
        defect,
    })?;
    let built = Built {
        image: directory.join(format!("{name}.elf")),
        symbols: directory.join(format!("{name}.debug")),
        directory,
        memory_end: image.memory_end(),
        code: image.code(),
    };
    let stripped = image.stripped();
    replace(&built.symbols, &data)?;
    replace(&built.image, &stripped)?;
    eprintln!(
        "{}: {} KiB, {} KiB in memory",
        relative(&built.image).display(),
        stripped.len().div_ceil(1024),
        image.memory_size().div_ceil(1024),
    );
    Ok(built)
}

/// A path as short as it can be said here.
fn relative(path: &Path) -> &Path {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}
