//! Finds the files of the system tests, so that a new one is its own file and nothing else.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are. Cargo looks at all of it, also for files that come.
const FOLDER: &str = "tests/system";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(FOLDER);
    let mut modules = Vec::new();
    for entry in fs::read_dir(&folder)? {
        modules.extend(module(&entry?.path()));
    }
    modules.sort();
    let output = PathBuf::from(env::var("OUT_DIR")?).join("system.rs");
    Ok(fs::write(output, modules.concat())?)
}

/// The line that declares `NAME.rs` or `NAME/mod.rs`; none for other files, and for `main.rs`, which
/// includes the lines.
fn module(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    let file = match path.is_dir() {
        true => path.join("mod.rs"),
        false => path.to_owned(),
    };
    let is_module = file.extension()? == "rs" && file.is_file() && name != "main";
    is_module.then(|| format!("#[path = {file:?}]\nmod {name};\n"))
}
