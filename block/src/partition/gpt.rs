//! The GPT (UEFI 2.10, section 5.3), one copy at the disk's beginning and one at its end.

use super::entry::{PartitionEntry, PartitionError, PartitionKind};
use super::sector::{number, read_sector};
use crate::{Block, Error};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const MAGIC: &[u8] = b"EFI PART";
/// Bytes of the header as far as it is defined, and of an entry.
const HEADER: usize = 92;
const ENTRY: usize = 128;
/// Where the header's checksum is.
const CHECKSUM: usize = 16;
/// The name of an entry, in UTF-16.
const NAME: core::ops::Range<usize> = 56..128;

/// Bytes of all entries, of which most tables have 16 KiB.
const MOST_BYTES: u64 = 1 << 20;

pub(super) async fn read(disk: &impl Block) -> Result<Vec<PartitionEntry>, PartitionError> {
    match read_copy(disk, 1).await {
        Err(PartitionError::Damaged | PartitionError::Disk(Error::Io | Error::Corrupt)) => {
            let last = disk.geometry().sectors.saturating_sub(1);
            read_copy(disk, last).await
        }
        read => read,
    }
}

async fn read_copy(disk: &impl Block, place: u64) -> Result<Vec<PartitionEntry>, PartitionError> {
    let geometry = disk.geometry();
    if place >= geometry.sectors {
        return Err(PartitionError::Damaged);
    }
    let mut header = read_sector(disk, place).await?;
    let length = number::<4>(&header, 12) as usize;
    let checksum = number::<4>(&header, CHECKSUM);
    if &header[..8] != MAGIC || !(HEADER..=header.len()).contains(&length) {
        return Err(PartitionError::Damaged);
    }
    header[CHECKSUM..CHECKSUM + 4].fill(0);
    if u64::from(crc32fast::hash(&header[..length])) != checksum
        || number::<8>(&header, 24) != place
    {
        return Err(PartitionError::Damaged);
    }
    let usable = number::<8>(&header, 40)..=number::<8>(&header, 48);
    let (count, size) = (number::<4>(&header, 80), number::<4>(&header, 84));
    let bytes = count * size;
    if size < ENTRY as u64 || !size.is_multiple_of(8) || bytes > MOST_BYTES {
        return Err(PartitionError::Damaged);
    }
    let entries = read_entries(disk, number::<8>(&header, 72), bytes as usize).await?;
    if u64::from(crc32fast::hash(&entries)) != number::<4>(&header, 88) {
        return Err(PartitionError::Damaged);
    }
    let mut found = Vec::new();
    for (number, entry) in (1..).zip(entries.chunks_exact(size as usize)) {
        let is_used = entry[..16].iter().any(|byte| *byte != 0);
        let entry = parse(number, entry).filter(|entry| {
            let last = entry.first + (entry.sectors - 1);
            is_used && usable.contains(&entry.first) && usable.contains(&last)
        });
        found.extend(entry);
    }
    Ok(found)
}

async fn read_entries(
    disk: &impl Block,
    first: u64,
    bytes: usize,
) -> Result<Vec<u8>, PartitionError> {
    let geometry = disk.geometry();
    let buffer = vec![0; bytes.next_multiple_of(geometry.sector_size)];
    let checked = geometry.check_read(first, buffer.len());
    checked.map_err(|_| PartitionError::Damaged)?;
    let mut entries = disk.read(first, buffer).await?;
    entries.truncate(bytes);
    Ok(entries)
}

/// `None` if the end is before the beginning.
fn parse(number: u32, entry: &[u8]) -> Option<PartitionEntry> {
    let (first, last) = (self::number::<8>(entry, 32), self::number::<8>(entry, 40));
    let units = entry[NAME]
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .take_while(|unit| *unit != 0);
    let name = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    let mut kind = [0; 16];
    kind.copy_from_slice(&entry[..16]);
    Some(PartitionEntry {
        number,
        first,
        sectors: last.checked_sub(first)?.checked_add(1)?,
        kind: PartitionKind::Gpt(kind),
        name: name.collect::<String>(),
    })
}
