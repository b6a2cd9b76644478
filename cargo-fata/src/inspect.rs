//! `cargo fata inspect`: says what an image is, what it is made of, and what takes its room.

mod boot;
mod names;
mod print;
mod report;
mod sizes;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::Error;
use crate::flags::Target;
use crate::inspect::report::Report;
use crate::project::Project;

/// Largest file that is read, in bytes; an image loads below 4 GiB, and few fill a part of that.
const LARGEST: u64 = 1 << 30;

const INSPECT_EXAMPLES: &str = "\
Which crate takes how much comes from the file NAME.debug, which `cargo fata build` puts beside
the image NAME.elf. Generic code counts for the crate that defines it, inlined code for the crate
that it is inlined into. The list of crates in the image has the format of cargo-auditable:
cargo-audit, Syft and Trivy read it, too.

Examples:
  cargo fata inspect                        the image of the package in this folder
  cargo fata inspect site                   the image of package `site`
  cargo fata inspect target/fata/site.elf   this file
  cargo fata inspect site --json            the same for programs";

#[derive(Debug, Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct InspectOptions {
    /// File of the image or of its symbols, or package of this workspace whose image was built
    /// [default: the package of this folder]
    pub image: Option<String>,
    /// Cargo.toml of the package or its workspace [default: searched from this folder upwards]
    #[arg(long, value_name = "FILE")]
    pub manifest_path: Option<PathBuf>,
    /// Writes JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Writes to standard output what `options` ask for.
pub fn inspect(options: &InspectOptions) -> Result<(), Error> {
    let path = find(options)?;
    let image = read(&path)?;
    let symbols = read(&path.with_extension("debug")).ok();
    let report = Report::of(&path, &image, symbols.as_deref())?;
    let text = if options.json {
        report.to_json()
    } else {
        report.to_string()
    };
    print::write(&text)
}

/// The file that is meant.
fn find(options: &InspectOptions) -> Result<PathBuf, Error> {
    if let Some(name) = &options.image {
        let is_path = name.contains(['/', '.']);
        if is_path || Path::new(name).is_file() {
            return Ok(name.into());
        }
    }
    let project = Project::find(
        options.image.as_deref(),
        options.manifest_path.as_deref(),
        Target::installed()?.triple(),
    )?;
    let image = project.image();
    if !image.is_file() {
        return Err(Error::NotBuilt(project.package));
    }
    Ok(image)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    let mut content = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut content)
        .map_err(Error::file("read", path))?;
    Ok(content)
}
