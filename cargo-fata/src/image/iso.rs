//! CDs that start by BIOS and by UEFI, and as well when they are copied to a USB stick.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::fat;
use super::grub::{self, CONFIGURATION, Core, Firmware, Grub};
use super::{Content, move_into_place, scratch};
use crate::error::Error;
use crate::programs::Tool;

/// Where a BIOS finds GRUB.
const BIOS_IMAGE: &str = "boot/bios.img";

/// The date of all files where SOURCE_DATE_EPOCH sets none, in seconds: 1980-01-01, FAT's first.
const DATE: &str = "315532800";

/// Writes a CD that starts the program.
pub fn write(
    content: &Content<'_>,
    grub: &Grub,
    xorriso: &Tool,
    output: &Path,
) -> Result<(), Error> {
    let scratch = scratch()?;
    let [root, efi, iso] = ["root", "efi", "iso"].map(|name| scratch.path().join(name));
    let kernel = grub::kernel_path(content);
    let bios_image = grub.link(&Core {
        firmware: Firmware::BiosCd,
        prefix: "()/boot",
        modules: &["iso9660"],
        first: "",
    })?;
    put(&root, BIOS_IMAGE, &bios_image)?;
    put(&root, &kernel, content.kernel)?;
    put(
        &root,
        CONFIGURATION,
        grub::configuration(content).as_bytes(),
    )?;
    let volume = uefi_volume(content, grub, &kernel)?;
    fs::write(&efi, volume).map_err(Error::file("write", &efi))?;
    let mut command = xorriso.command();
    command.args(arguments(&grub.bios_file("boot_hybrid.img"), &efi, &iso));
    // xorriso derives identifiers from this date. One that is set outside counts.
    if std::env::var_os("SOURCE_DATE_EPOCH").is_none() {
        command.env("SOURCE_DATE_EPOCH", DATE);
    }
    xorriso.run(command.arg(&root))?;
    move_into_place(&iso, output)
}

fn put(root: &Path, name: &str, content: &[u8]) -> Result<(), Error> {
    let path = root.join(name);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    fs::write(&path, content).map_err(Error::file("write", &path))
}

/// UEFI starts GRUB from a volume of its own, from where GRUB looks for the CD with the program.
fn uefi_volume(content: &Content<'_>, grub: &Grub, kernel: &str) -> Result<Vec<u8>, Error> {
    let uefi = grub.link(&Core {
        firmware: Firmware::Uefi,
        prefix: "/boot",
        modules: &["iso9660", "search_fs_file"],
        first: &format!("search.file /{kernel} root\nset prefix=($root)/boot\n"),
    })?;
    let [a, b, c, d, ..] = content.digest();
    let files: [fat::File<'_>; 1] = [("EFI/BOOT/BOOTX64.EFI", &uefi)];
    fat::volume(
        fat::sectors_for(&files),
        u32::from_le_bytes([a, b, c, d]),
        &files,
    )
}

/// xorriso's arguments, without the folder that it packs.
fn arguments(boot_sector: &Path, efi: &Path, iso: &Path) -> Vec<OsString> {
    let mut line: Vec<OsString> = Vec::new();
    let mut add = |words: &str| line.extend(words.split_whitespace().map(OsString::from));
    add("-as mkisofs -quiet -rational-rock -volid FATA -no-pad");
    let date = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| DATE.into());
    add(&format!("--set_all_file_dates ={date}"));
    // What a BIOS starts, from a CD and from a stick.
    add(&format!(
        "-eltorito-boot {BIOS_IMAGE} -no-emul-boot -boot-load-size 4"
    ));
    add("-boot-info-table --grub2-boot-info -partition_offset 16 --grub2-mbr");
    line.push(boot_sector.into());
    let mut add = |words: &str| line.extend(words.split_whitespace().map(OsString::from));
    // What UEFI starts, from both.
    add("-append_partition 2 0xef");
    line.push(efi.into());
    let mut add = |words: &str| line.extend(words.split_whitespace().map(OsString::from));
    add("-appended_part_as_gpt -eltorito-alt-boot -e --interval:appended_partition_2:all::");
    add("-no-emul-boot -output");
    line.push(iso.into());
    line
}
