//! Compiles the folder of pages in: `FATA_CONTENT`, else the one that Cargo.toml names.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=FATA_CONTENT");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let manifest: toml::Table = fs::read_to_string("Cargo.toml")?.parse()?;
    let named = manifest["package"]["metadata"]["fata"]["content"].as_str();
    let chosen = env::var_os("FATA_CONTENT").or(named.map(Into::into));
    fata_http_build::folder(chosen.ok_or("package.metadata.fata.content must be a folder")?)?;
    Ok(())
}
