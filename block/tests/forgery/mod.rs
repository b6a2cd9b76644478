//! Disks whose table of partitions an enemy has made: anything in it, and with the right checksums.

use fata_block::{Block, Error, Faults, FaultyDisk, Partition, PartitionEntry, partitions};
use fata_task::simulate;

/// More requests than any table takes.
const MANY_STEPS: u64 = 1_000;

const SECTORS: usize = 128;
/// How many entries a GPT has here, and the bytes of one.
const ENTRIES: usize = 16;
const ENTRY: usize = 128;

/// The sound image that a forger begins with.
struct Image {
    sector_size: usize,
    bytes: Vec<u8>,
}

impl Image {
    fn new(sector_size: usize) -> Self {
        let bytes = vec![0; SECTORS * sector_size];
        Self { sector_size, bytes }
    }

    /// An MBR with two partitions and an extended one, which has three.
    fn mbr(sector_size: usize) -> Self {
        let mut image = Self::new(sector_size);
        image.put_table(0, &[(0x83, 2, 10), (0x0c, 12, 8), (0x05, 30, 90)]);
        image.put_table(30, &[(0x83, 1, 19), (0x05, 20, 30)]);
        image.put_table(50, &[(0x83, 2, 28), (0x0f, 50, 30)]);
        image.put_table(80, &[(0x82, 1, 29)]);
        image
    }

    /// A GPT with three partitions, in both its places.
    fn gpt(sector_size: usize) -> Self {
        let mut image = Self::new(sector_size);
        image.put_table(0, &[(0xee, 1, SECTORS as u32 - 1)]);
        let table = (ENTRIES * ENTRY).div_ceil(sector_size);
        let last = SECTORS - 1;
        for (place, entries) in [(1, 2), (last, last - table)] {
            image.put_header(place, entries, 2 + table..last - table);
            for (index, (first, end)) in [(10, 20), (20, 50), (60, 61)].into_iter().enumerate() {
                let at = entries * sector_size + index * ENTRY;
                image.bytes[at..at + 32].fill(index as u8 + 1);
                image.put(at + 32, first);
                image.put(at + 40, end - 1);
                image.bytes[at + 56] = b'a' + index as u8;
            }
            image.reseal(place);
        }
        image
    }

    fn put_table(&mut self, sector: usize, entries: &[(u8, u32, u32)]) {
        let table = &mut self.bytes[sector * self.sector_size..][..512];
        table[510..].copy_from_slice(&[0x55, 0xaa]);
        for (entry, (kind, first, sectors)) in table[446..].chunks_exact_mut(16).zip(entries) {
            entry[4] = *kind;
            entry[8..12].copy_from_slice(&first.to_le_bytes());
            entry[12..].copy_from_slice(&sectors.to_le_bytes());
        }
    }

    fn put_header(&mut self, place: usize, entries: usize, usable: std::ops::Range<usize>) {
        let at = place * self.sector_size;
        self.bytes[at..at + 8].copy_from_slice(b"EFI PART");
        self.bytes[at + 12] = 92;
        for (field, value) in [
            (24, place),
            (40, usable.start),
            (48, usable.end - 1),
            (72, entries),
            (80, ENTRIES | ENTRY << 32),
        ] {
            self.put(at + field, value as u64);
        }
    }

    fn put(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn number(&self, at: usize, bytes: usize) -> usize {
        let field = self.bytes[at..at + bytes].iter().rev();
        field.fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn checksum(&self, start: usize, length: usize) -> Option<[u8; 4]> {
        let bytes = self.bytes.get(start..start.checked_add(length)?)?;
        Some(crc32fast::hash(bytes).to_le_bytes())
    }

    /// Makes a header's place and both of its checksums right, as far as what they cover exists.
    fn reseal(&mut self, place: usize) {
        let at = place * self.sector_size;
        self.put(at + 24, place as u64);
        let length = self.number(at + 80, 4) * self.number(at + 84, 4);
        let start = self.number(at + 72, 8).saturating_mul(self.sector_size);
        if let Some(sum) = self.checksum(start, length) {
            self.bytes[at + 88..at + 92].copy_from_slice(&sum);
        }
        self.bytes[at + 16..at + 20].fill(0);
        if let Some(sum) = self.checksum(at, self.number(at + 12, 4)) {
            self.bytes[at + 16..at + 20].copy_from_slice(&sum);
        }
    }

    /// Changes something as the input says: how, in which sector, where in it, and a value.
    fn change(&mut self, change: &[u8], structure: usize) {
        let size = self.sector_size;
        let at = usize::from(u16::from_le_bytes([change[2], change[3]]));
        // Mostly where its structure is.
        let at = if change[0] & 8 == 0 {
            structure + at % 66
        } else {
            at
        };
        let sector = usize::from(change[1]) % SECTORS;
        let place = sector * size + at.min(size - 8);
        let value = change[4];
        match change[0] % 8 {
            0 => self.bytes[place] = value,
            1 => self.put(place, u64::from(value)),
            2 => self.bytes[place..place + 8].fill(value),
            3 => self.bytes[place] = self.bytes[place].wrapping_add(1),
            4 => self.bytes[place] = self.bytes[place].wrapping_sub(1),
            5 => {
                let from = usize::from(value) % SECTORS * size;
                self.bytes.copy_within(from..from + size, sector * size);
            }
            _ => self.bytes[place] ^= value,
        }
    }
}

/// Forges a table as the input says, and uses the partitions that are in it. True if there are any.
///
/// The first byte chooses what to begin with and which checksums are made right, the second cuts
/// the disk off; then come changes of five bytes each.
pub fn run(input: &[u8]) -> bool {
    let [options, sectors, changes @ ..] = input else {
        return false;
    };
    let sector_size = if options & 1 == 0 { 512 } else { 4096 };
    let is_guid = options & 2 == 0;
    let mut image = if is_guid {
        Image::gpt(sector_size)
    } else {
        Image::mbr(sector_size)
    };
    for change in changes.chunks_exact(5) {
        image.change(change, if is_guid { 0 } else { 446 });
    }
    for (bit, place) in [(4, 1), (8, SECTORS - 1)] {
        if is_guid && options & bit == 0 {
            image.reseal(place);
        }
    }
    let sectors = SECTORS - usize::from(*sectors).min(SECTORS);
    image.bytes.truncate(sectors * sector_size);
    simulate(|_| use_up(FaultyDisk::from_bytes(sector_size, image.bytes, 1)))
}

async fn use_up(disk: FaultyDisk) -> bool {
    disk.set_faults(Faults {
        cut_after: Some(MANY_STEPS),
        ..Faults::default()
    });
    let found = partitions(&disk).await;
    assert!(!disk.is_gone(), "the table came to no end");
    let Ok(found) = found else {
        return false;
    };
    disk.set_faults(Faults::default());
    let mut owners = vec![None; disk.geometry().sectors as usize];
    for entry in &found {
        for sector in entry.first..entry.first + entry.sectors {
            let owner = owners[sector as usize].replace(entry.number);
            assert_eq!(owner, None, "sector {sector} is in two partitions");
        }
    }
    assert_eq!(owners[0], None, "the table is in a partition");
    for entry in &found {
        check_bounds(&disk, entry).await;
    }
    !found.is_empty()
}

/// A partition is all of its sectors, and no other.
async fn check_bounds(disk: &FaultyDisk, entry: &PartitionEntry) {
    let is_it = |other: &PartitionEntry| other.number == entry.number;
    let partition = Partition::find(disk, is_it).await.expect("it was found");
    let geometry = partition.geometry();
    assert_eq!(geometry.sectors, entry.sectors);
    for sector in [0, geometry.sectors - 1] {
        let bytes = partition.read(sector, vec![0; geometry.sector_size]).await;
        let same = disk
            .read(entry.first + sector, vec![0; geometry.sector_size])
            .await;
        assert_eq!(bytes, same);
    }
    for sector in [geometry.sectors, u64::MAX - entry.first, u64::MAX] {
        let beyond = partition.write(sector, vec![0; geometry.sector_size]).await;
        assert_eq!(beyond, Err(Error::OutOfRange));
    }
}
