//! `cargo fata image`: builds a program and packs it in the form that a firmware, a cloud or a
//! container runtime takes.

mod content;
mod disk;
mod fat;
mod grub;
mod iso;
mod oci;
mod pod;
mod urunc;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::build::{BuildOptions, Built, build};
use crate::error::Error;
use crate::files::{relative, replace, replaceable};
use crate::port::Port;
use crate::programs::Tool;
use content::{Content, move_into_place, scratch};
use grub::Grub;

const IMAGE_EXAMPLES: &str = "\
The disks and the ISO start by BIOS and by UEFI; GRUB loads the image in them, so it needs to be
installed (Debian's grub-common, grub-pc-bin and grub-efi-amd64-bin). The boot arguments are in
the file boot/grub.cfg of the disk's second partition, or of the ISO.

Examples:
  cargo fata image site --format raw        a disk, for a cloud or a USB stick
  cargo fata image site --format iso --output site.iso -- --ipv4 10.0.0.2/24
                                            everything after `--` goes to the program at each start
  cargo fata image site --format oci --port 80
                                            a container image for urunc, and a pod for Kubernetes
  cargo fata image site --format oci --output site.tar";

#[derive(Debug, Args)]
#[command(after_help = IMAGE_EXAMPLES)]
pub struct ImageOptions {
    #[command(flatten)]
    pub build: BuildOptions,
    /// Format of the image
    #[arg(long, value_enum)]
    pub format: Format,
    /// File to write, or folder for `oci` unless its name ends in .tar
    /// [default: target/fata/NAME.FORMAT]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Port that the program serves, such as 80 or 53/udp, which `oci` declares; may be given
    /// several times
    #[arg(long, value_name = "PORT")]
    pub port: Vec<Port>,
    /// Boot arguments to put into the image
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The program alone, for monitors that load it themselves (PVH, Multiboot 2)
    Elf,
    /// A CD, which may also be copied to a USB stick
    Iso,
    /// A disk as it is, a whole number of MiB
    Raw,
    /// The same disk in QEMU's format
    Qcow2,
    /// An OCI image layout with what urunc wants to know, and a pod for Kubernetes beside it
    Oci,
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
