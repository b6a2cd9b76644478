//! `cargo fata inspect`: says what an image is, what it is made of, and what takes its room.

mod boot;
mod names;
mod print;
mod report;
mod sizes;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::{BuildOptions, InspectOptions};
use crate::error::Error;
use crate::flags::Target;
use crate::inspect::report::Report;
use crate::project::Project;

/// Largest file that is read, in bytes; an image loads below 4 GiB, and few fill a part of that.
const LARGEST: u64 = 1 << 30;

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
    let package = BuildOptions {
        name: options.image.clone(),
        manifest_path: options.manifest_path.clone(),
    };
    let project = Project::find(&package, Target::installed()?.triple())?;
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
