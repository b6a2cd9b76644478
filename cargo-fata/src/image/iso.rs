//! CDs that start by BIOS and by UEFI, and as well when they are copied to a USB stick.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::content::{Content, move_into_place, scratch};
use super::fat;
use super::grub::{self, CONFIGURATION, Core, Firmware, Grub};
use crate::error::Error;
use crate::programs::Tool;

/// Where a BIOS finds GRUB.
const BIOS_IMAGE: &str = "boot/bios.img";

/// Where the environment may set the date of all files, in seconds.
const DATE_VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// The date where it does not: 1980-01-01, FAT's first.
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
    // xorriso derives identifiers from the date, too.
    let date = std::env::var(DATE_VARIABLE).unwrap_or_else(|_| DATE.into());
    let boot_sector = grub.bios_file("boot_hybrid.img");
    let mut command = xorriso.command();
    command
        .env(DATE_VARIABLE, &date)
        .args(arguments(&date, &boot_sector, &efi, &iso));
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
fn arguments(date: &str, boot_sector: &Path, efi: &Path, iso: &Path) -> Vec<OsString> {
    let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
    [
        words("-as mkisofs -quiet -rational-rock -volid FATA -no-pad"),
        words(&format!("--set_all_file_dates ={date}")),
        // A BIOS starts this, from a CD and from a stick.
        words(&format!("-eltorito-boot {BIOS_IMAGE} -no-emul-boot")),
        words("-boot-load-size 4 -boot-info-table --grub2-boot-info"),
        words("-partition_offset 16 --grub2-mbr"),
        vec![boot_sector.into()],
        // UEFI starts this, from both.
        words("-append_partition 2 0xef"),
        vec![efi.into()],
        words("-appended_part_as_gpt -eltorito-alt-boot -no-emul-boot"),
        words("-e --interval:appended_partition_2:all::"),
        words("-output"),
        vec![iso.into()],
    ]
    .concat()
}
