//! First sectors that look like an MBR, but are of something else.
//!
//! Both have the same signature, and a file system's code lies where a table has its entries. Who
//! takes that for partitions, and then has them put right, destroys the file system. libblkid and
//! Linux decide alike.

use super::sector::number;

/// Where the names of file systems are that nothing else has there: NTFS, exFAT, and volumes of
/// BitLocker.
const NAME: core::ops::Range<usize> = 3..11;
const NAMES: [&[u8; 8]; 3] = [b"NTFS    ", b"EXFAT   ", b"-FVE-FS-"];

/// The first bytes of a disk of AIX.
const AIX: [u8; 4] = [0xc9, 0xc2, 0xd4, 0xc1];

/// The jumps that a FAT volume begins with.
const JUMPS: [u8; 2] = [0xeb, 0xe9];

/// The least medium of a FAT volume but one.
const FIXED: u8 = 0xf8;
const REMOVABLE: u8 = 0xf0;

/// Returns whether a first sector begins a file system, and so has no table.
pub(super) fn is_file_system(sector: &[u8]) -> bool {
    NAMES.iter().any(|name| sector[NAME] == name[..]) || sector[..4] == AIX || is_fat(sector)
}

/// Returns whether it has sound parameters of a FAT volume ("FAT: General Overview of On-Disk
/// Format", version 1.03).
fn is_fat(sector: &[u8]) -> bool {
    let bytes_per_sector = number::<2>(sector, 11);
    let sectors_per_cluster = sector[13];
    let (reserved, tables) = (number::<2>(sector, 14), sector[16]);
    let sectors = number::<2>(sector, 19) + number::<4>(sector, 32);
    let table_sectors = number::<2>(sector, 22) + number::<4>(sector, 36);
    let medium = sector[21];
    JUMPS.contains(&sector[0])
        && bytes_per_sector.is_power_of_two()
        && (512..=4096).contains(&bytes_per_sector)
        && sectors_per_cluster.is_power_of_two()
        && (medium >= FIXED || medium == REMOVABLE)
        && [reserved, tables.into(), sectors, table_sectors]
            .iter()
            .all(|count| *count > 0)
}
