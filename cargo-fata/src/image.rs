//! `cargo fata image`: builds a program and packs it in the form that a firmware, a cloud or a
//! container runtime takes.

mod disk;
mod fat;
mod grub;
mod iso;
mod oci;
mod pod;
mod urunc;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::build::{Built, build};
use crate::cli::{Format, ImageOptions};
use crate::error::Error;
use crate::files::{relative, replace, replaceable};
use crate::port::Port;
use crate::programs::Tool;
use grub::Grub;

/// What goes into an image, whatever its form.
struct Content<'a> {
    /// Name of the program.
    name: &'a str,
    /// The bootable ELF file.
    kernel: &'a [u8],
    /// Words for the program's command line.
    arguments: &'a [String],
}

impl Content<'_> {
    /// A number that only this content has: whatever an image wants for an identity follows from
    /// it, so that the same content makes the same image.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.kernel);
        for text in [self.name].into_iter().chain(self.words()) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(String::as_str)
    }
}

/// The programs that make a format. They are looked for before anything is built.
enum Maker {
    Elf,
    Iso(Grub, Tool),
    Raw(Grub),
    Qcow2(Grub, Tool),
    Oci,
}

impl Maker {
    fn find(format: Format) -> Result<Self, Error> {
        Ok(match format {
            Format::Elf => Self::Elf,
            Format::Iso => Self::Iso(Grub::find()?, Tool::find("xorriso", "xorriso")?),
            Format::Raw => Self::Raw(Grub::find()?),
            Format::Qcow2 => Self::Qcow2(Grub::find()?, Tool::find("qemu-img", "qemu-utils")?),
            Format::Oci => Self::Oci,
        })
    }

    fn extension(&self) -> &'static str {
        match self {
            Self::Elf => "elf",
            Self::Iso(..) => "iso",
            Self::Raw(_) => "raw",
            Self::Qcow2(..) => "qcow2",
            Self::Oci => "oci",
        }
    }

    fn make(&self, content: &Content<'_>, ports: &[Port], output: &Path) -> Result<(), Error> {
        match self {
            Self::Elf => replace(output, content.kernel),
            Self::Iso(grub, xorriso) => iso::write(content, grub, xorriso, output),
            Self::Raw(grub) => replace(output, &disk::make(content, grub)?),
            Self::Qcow2(grub, qemu_img) => {
                let disk = disk::make(content, grub)?;
                convert(&disk, qemu_img, output)
            }
            Self::Oci => oci::write(content, ports, output),
        }
    }
}

/// Makes the image that `options` describe.
pub fn image(options: &ImageOptions) -> Result<(), Error> {
    check(options)?;
    let maker = Maker::find(options.format)?;
    let built = build(&options.build)?;
    let output = output(options, &built, maker.extension());
    let kernel = fs::read(&built.image).map_err(Error::file("read", &built.image))?;
    let content = Content {
        name: &built.name,
        kernel: &kernel,
        arguments: &options.arguments,
    };
    maker.make(&content, &options.port, &output)?;
    report(&output)?;
    if options.format == Format::Oci {
        let manifest = output.with_file_name(format!("{}.pod.yaml", built.name));
        replace(
            &manifest,
            pod::manifest(&content, &options.port, &output).as_bytes(),
        )?;
        report(&manifest)?;
    }
    Ok(())
}

fn check(options: &ImageOptions) -> Result<(), Error> {
    match options.format {
        Format::Elf if !options.arguments.is_empty() => return Err(Error::ArgumentsInElf),
        Format::Iso | Format::Raw | Format::Qcow2 => grub::check(&options.arguments)?,
        Format::Elf | Format::Oci => {}
    }
    if options.format != Format::Oci && !options.port.is_empty() {
        return Err(Error::PortWithoutOci);
    }
    match &options.output {
        Some(output) if options.format == Format::Oci => oci::check(output),
        Some(output) => replaceable(output).map(drop),
        None => Ok(()),
    }
}

fn output(options: &ImageOptions, built: &Built, extension: &str) -> PathBuf {
    let name = || built.directory.join(format!("{}.{extension}", built.name));
    options.output.clone().unwrap_or_else(name)
}

/// Turns a disk into the format of QEMU, compressed.
fn convert(disk: &[u8], qemu_img: &Tool, output: &Path) -> Result<(), Error> {
    let scratch = scratch()?;
    let (raw, qcow2) = (scratch.path().join("raw"), scratch.path().join("qcow2"));
    fs::write(&raw, disk).map_err(Error::file("write", &raw))?;
    let mut command = qemu_img.command();
    command.args(["convert", "-c", "-f", "raw", "-O", "qcow2"]);
    qemu_img.run(command.arg(&raw).arg(&qcow2))?;
    move_into_place(&qcow2, output)
}

/// A folder for what a tool reads and writes, which goes when it is dropped.
fn scratch() -> Result<tempfile::TempDir, Error> {
    tempfile::tempdir().map_err(Error::system("make a temporary folder"))
}

fn move_into_place(file: &Path, output: &Path) -> Result<(), Error> {
    replace(output, &fs::read(file).map_err(Error::file("read", file))?)
}

fn report(output: &Path) -> Result<(), Error> {
    let bytes = size(output).map_err(Error::file("read", output))?;
    eprintln!(
        "{}: {} KiB",
        relative(output).display(),
        bytes.div_ceil(1024)
    );
    Ok(())
}

/// Bytes of a file, or of all files of a folder.
fn size(path: &Path) -> std::io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn the_digest_depends_on_all_of_the_content() {
        let digest = |name, kernel, words: &[&str]| {
            let arguments: Vec<_> = words.iter().map(ToString::to_string).collect();
            let content = Content {
                name,
                kernel,
                arguments: &arguments,
            };
            content.digest()
        };
        let original = digest("a", b"kernel", &["b", "c"]);
        assert_eq!(original, digest("a", b"kernel", &["b", "c"]));
        for other in [
            digest("b", b"kernel", &["b", "c"]),
            digest("a", b"Kernel", &["b", "c"]),
            digest("a", b"kernel", &["bc"]),
        ] {
            assert_ne!(original, other);
        }
    }
}
