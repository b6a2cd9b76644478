//! Disks that start by BIOS and by UEFI.
//!
//! | sectors | what |
//! |---|---|
//! | 0 | GRUB's boot sector, and the table that protects the disk from old tools |
//! | 1 to 33 | partition table (GPT) |
//! | 34 to 2047 | partition 1, "BIOS boot": GRUB for BIOS |
//! | 2048 to 33 before the end | partition 2, EFI system partition (FAT): GRUB for UEFI, the program, `boot/grub.cfg` |
//! | the last 33 | copy of the partition table |

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor};

use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI, Type};
use gpt::{GptConfig, GptError};
use uuid::{Builder, Uuid};

use super::content::Content;
use super::fat::{self, SECTOR};
use super::grub::{self, CONFIGURATION, Core, Firmware, Grub};
use crate::error::Error;

/// Clouds want disks of whole MiB.
const UNIT: usize = 1024 * 1024;

/// Sectors of the partition table, and of its copy at the end.
const TABLE: usize = 33;

/// First sector of the partition that holds GRUB for BIOS.
const BIOS_START: usize = 1 + TABLE;

/// First sector of the EFI system partition, at a whole MiB.
const EFI_START: usize = UNIT / SECTOR;

/// Where GRUB's boot sector has the sector that it loads (`GRUB_BOOT_MACHINE_KERNEL_SECTOR`).
const NEXT_SECTOR: usize = 0x5c;

/// Where it has the instruction that skips a check of the drive's number
/// (`GRUB_BOOT_MACHINE_DRIVE_CHECK`). Without it, the number is corrected if a BIOS got it wrong.
const DRIVE_CHECK: usize = 0x66;

/// Where the boot sector's code ends and the disk's own numbers start.
const BOOT_CODE: usize = 440;

/// Where GRUB's first sector has the list of what else is to be loaded, which grows downwards: the
/// first sector (8 bytes), the count (2), and the segment of memory (2).
const BLOCK_LIST: usize = SECTOR - 12;

/// The segment behind GRUB's first sector (`GRUB_BOOT_MACHINE_KERNEL_SEG` and one sector).
const NEXT_SEGMENT: u16 = 0x820;

/// Makes a disk that starts the program.
pub fn make(content: &Content<'_>, grub: &Grub) -> Result<Vec<u8>, Error> {
    let bios = grub.link(&Core {
        firmware: Firmware::BiosDisk,
        prefix: "(,gpt2)/boot",
        modules: &["part_gpt", "fat"],
        first: "",
    })?;
    let uefi = grub.link(&Core {
        firmware: Firmware::Uefi,
        prefix: "/boot",
        modules: &["part_gpt", "fat"],
        first: "",
    })?;
    let (kernel, configuration) = (grub::kernel_path(content), grub::configuration(content));
    let files: [fat::File<'_>; 3] = [
        ("EFI/BOOT/BOOTX64.EFI", &uefi),
        (&kernel, content.kernel),
        (CONFIGURATION, configuration.as_bytes()),
    ];
    let size = ((EFI_START + fat::sectors_for(&files) + TABLE) * SECTOR).next_multiple_of(UNIT);
    let identity = Identity(content.digest());
    let volume = fat::volume(size / SECTOR - EFI_START - TABLE, identity.number(), &files)?;
    let boot_sector = boot_sector(grub)?;
    let core = located(&bios).ok_or_else(|| grub.unknown("diskboot.img"))?;
    assemble(size, boot_sector, &core, &volume, &identity)
}

/// GRUB's boot sector, told where the rest is.
fn boot_sector(grub: &Grub) -> Result<[u8; BOOT_CODE], Error> {
    const SKIP: [u8; 2] = [0x90, 0x90];
    let file = grub.bios_file("boot.img");
    let sector = fs::read(&file).map_err(Error::file("read", &file))?;
    let is_jump = |at: usize| sector.get(at) == Some(&0xeb);
    if sector.len() != SECTOR || !is_jump(0) || !is_jump(DRIVE_CHECK) {
        return Err(grub.unknown("boot.img"));
    }
    let mut code = [0; BOOT_CODE];
    code.copy_from_slice(&sector[..BOOT_CODE]);
    code[NEXT_SECTOR..][..8].copy_from_slice(&(BIOS_START as u64).to_le_bytes());
    code[DRIVE_CHECK..][..2].copy_from_slice(&SKIP);
    Ok(code)
}

/// GRUB for BIOS, told where it is: in one piece at [`BIOS_START`]. `None` if it does not fit there.
fn located(core: &[u8]) -> Option<Vec<u8>> {
    let sectors = core.len().div_ceil(SECTOR);
    if sectors < 2 || BIOS_START + sectors > EFI_START {
        return None;
    }
    let rest = u16::try_from(sectors - 1).ok()?;
    let mut core = core.to_vec();
    let list = &mut core[BLOCK_LIST..][..12];
    list[..8].copy_from_slice(&(BIOS_START as u64 + 1).to_le_bytes());
    list[8..10].copy_from_slice(&rest.to_le_bytes());
    list[10..].copy_from_slice(&NEXT_SEGMENT.to_le_bytes());
    Some(core)
}

fn assemble(
    size: usize,
    boot_sector: [u8; BOOT_CODE],
    core: &[u8],
    volume: &[u8],
    identity: &Identity,
) -> Result<Vec<u8>, Error> {
    let mut disk = vec![0; size];
    disk[BIOS_START * SECTOR..][..core.len()].copy_from_slice(core);
    disk[EFI_START * SECTOR..][..volume.len()].copy_from_slice(volume);
    write_tables(&mut disk, boot_sector, identity)
        .map_err(Error::system("write the partition table"))?;
    Ok(disk)
}

fn write_tables(
    disk: &mut [u8],
    boot_sector: [u8; BOOT_CODE],
    identity: &Identity,
) -> io::Result<()> {
    let last = disk.len() / SECTOR - 1;
    let mut protection = ProtectiveMBR::with_lb_size(u32::try_from(last).unwrap_or(u32::MAX));
    protection.set_bootcode(boot_sector);
    protection
        .overwrite_lba0(&mut Cursor::new(&mut *disk))
        .map_err(io::Error::other)?;
    let partition = |kind: Type, index, name: &str, first, last| Partition {
        part_type_guid: kind,
        part_guid: identity.guid(index),
        first_lba: first as u64,
        last_lba: last as u64,
        flags: 0,
        name: name.to_owned(),
    };
    let partitions = BTreeMap::from([
        (
            1,
            partition(BIOS, 1, "BIOS boot", BIOS_START, EFI_START - 1),
        ),
        (2, partition(EFI, 2, "EFI system", EFI_START, last - TABLE)),
    ]);
    write_table(disk, partitions, identity.guid(0)).map_err(io::Error::other)
}

fn write_table(
    disk: &mut [u8],
    partitions: BTreeMap<u32, Partition>,
    guid: Uuid,
) -> Result<(), GptError> {
    let mut table = GptConfig::new()
        .writable(true)
        .create_from_device(Cursor::new(disk), Some(guid))?;
    table.update_partitions(partitions)?;
    table.write()?;
    Ok(())
}

/// Where a disk's identifiers come from.
struct Identity([u8; 32]);

impl Identity {
    fn number(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    fn guid(&self, index: u8) -> Uuid {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[16..]);
        bytes[15] = bytes[15].wrapping_add(index);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use gpt::GptConfig;
    use gpt::disk::LogicalBlockSize;
    use gpt::mbr::ProtectiveMBR;

    use super::{
        BIOS_START, BOOT_CODE, EFI_START, Identity, SECTOR, TABLE, UNIT, assemble, located,
    };

    #[test]
    fn the_tables_describe_the_disk() {
        let (core, volume) = (
            vec![1; 5 * SECTOR],
            vec![2; EFI_START * SECTOR - TABLE * SECTOR],
        );
        let identity = Identity([7; 32]);
        let make = || assemble(2 * UNIT, [3; BOOT_CODE], &core, &volume, &identity).unwrap();
        let disk = make();
        assert_eq!(disk, make());
        assert_eq!(disk.len(), 2 * UNIT);
        assert_eq!(disk[..BOOT_CODE], [3; BOOT_CODE]);
        assert_eq!(disk[510..512], [0x55, 0xaa]);
        let mbr = ProtectiveMBR::from_bytes(&disk[..SECTOR], LogicalBlockSize::Lb512).unwrap();
        let whole = mbr.partition(0).unwrap();
        assert_eq!(
            (whole.os_type, whole.lb_start, whole.lb_size),
            (0xee, 1, 4095)
        );
        let table = GptConfig::new()
            .open_from_device(Cursor::new(disk.clone()))
            .unwrap();
        assert!(table.backup_header().is_ok());
        let found: Vec<_> = table
            .partitions()
            .values()
            .map(|p| (p.first_lba, p.last_lba))
            .collect();
        assert_eq!(found, [(34, 2047), (2048, 4062)]);
        assert_eq!(disk[BIOS_START * SECTOR..][..core.len()], core);
        assert_eq!(disk[EFI_START * SECTOR..][..volume.len()], volume);
    }

    #[test]
    fn grub_is_told_where_it_is() {
        let core = located(&vec![0; 3 * SECTOR + 1]).unwrap();
        assert_eq!(core[500..512], [35, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x20, 0x08]);
        assert!(located(&[0; SECTOR]).is_none());
        assert!(located(&vec![0; (EFI_START - BIOS_START) * SECTOR]).is_some());
        assert!(located(&vec![0; (EFI_START - BIOS_START) * SECTOR + 1]).is_none());
    }
}
