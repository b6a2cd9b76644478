use super::*;
use crate::RamDisk;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// Type, first sector and number of sectors.
type Entry = (u8, u32, u32);

/// An MBR in a sector.
fn put_table(bytes: &mut [u8], sector: usize, entries: &[Entry]) {
    let table = &mut bytes[sector * 512..][..512];
    table[510..].copy_from_slice(&SIGNATURE);
    for (entry, (kind, first, sectors)) in table[446..].chunks_exact_mut(16).zip(entries) {
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&first.to_le_bytes());
        entry[12..].copy_from_slice(&sectors.to_le_bytes());
    }
}

fn read(bytes: Vec<u8>) -> Result<Vec<PartitionEntry>, PartitionError> {
    fata_task::simulate(|_| async { partitions(&RamDisk::from_bytes(512, bytes)).await })
}

fn places(entries: Vec<PartitionEntry>) -> Vec<(u32, u64, u64)> {
    let place = |entry: PartitionEntry| (entry.number, entry.first, entry.sectors);
    entries.into_iter().map(place).collect()
}

#[test]
fn primary_and_logical_partitions_are_found() {
    let mut bytes = vec![0; 200 * 512];
    put_table(&mut bytes, 0, &[(0x83, 10, 20), (0, 0, 0), (0x05, 50, 100)]);
    put_table(&mut bytes, 50, &[(0x83, 1, 19), (0x05, 20, 30)]);
    put_table(&mut bytes, 70, &[(0x0c, 2, 28)]);
    let found = read(bytes).map(places);
    assert_eq!(found, Ok(vec![(1, 10, 20), (5, 51, 19), (6, 72, 28)]));
}

fn with_tables(tables: &[(usize, &[Entry])]) -> Vec<u8> {
    let mut bytes = vec![0; 100 * 512];
    for (sector, entries) in tables {
        put_table(&mut bytes, *sector, entries);
    }
    bytes
}

#[test]
fn odd_entries_are_left_out_one_by_one() {
    let finds = |tables: &[(usize, &[Entry])], expected: &[(u32, u64, u64)]| {
        let found = read(with_tables(tables)).map(places);
        assert_eq!(found.as_deref(), Ok(expected), "{tables:?}");
    };
    let odd = [
        (0x83, 0, 10),
        (0x83, 10, 0),
        (0x83, 90, 11),
        (0x83, u32::MAX, u32::MAX),
        (0x83, 35, 5),
        (0x05, 90, 20),
        (0x05, u32::MAX, 20),
        (0x05, 0, 100),
    ];
    for entry in odd {
        finds(
            &[(0, &[entry])],
            if entry.1 == 35 { &[(1, 35, 5)] } else { &[] },
        );
        finds(&[(0, &[(0x83, 30, 20), entry])], &[(1, 30, 20)]);
        let last = [(0x82, 1, 2), (0x83, 30, 20), (0, 3, 3), entry];
        finds(&[(0, &last)], &[(1, 1, 2), (2, 30, 20)]);
    }
}

#[test]
fn chains_of_logical_partitions_end_where_they_lead_elsewhere() {
    let finds = |chain: &[(usize, &[Entry])], expected: &[(u32, u64, u64)]| {
        let start: (usize, &[Entry]) = (0, &[(0x05, 50, 40), (0x83, 1, 9)]);
        let found = read(with_tables(&[&[start], chain].concat())).map(places);
        let expected = [&[(2, 1, 9)], expected].concat();
        assert_eq!(found, Ok(expected), "{chain:?}");
    };
    let first = (0x83, 1, 9);
    finds(&[], &[]);
    finds(&[(50, &[first, (0x05, 20, 9)])], &[(5, 51, 9)]);
    // To itself, out of the partition, and out of the disk.
    finds(&[(50, &[first, (0x05, 0, 20)])], &[(5, 51, 9)]);
    finds(&[(50, &[first, (0x05, 41, 5)])], &[(5, 51, 9)]);
    finds(&[(50, &[first, (0x05, u32::MAX, 5)])], &[(5, 51, 9)]);
    let second = (0x83, 2, 5);
    finds(
        &[
            (50, &[first, (0x05, 20, 9)]),
            (70, &[second, (0x05, 20, 9)]),
        ],
        &[(5, 51, 9), (6, 72, 5)],
    );
    // Back, as partitions that were made later may be in front; empty ones have no number.
    let back = [
        (50, &[(0, 0, 0), (0x05, 30, 9)][..]),
        (80, &[first, (0x05, 20, 9)]),
        (70, &[(0x0f, 10, 3), second]),
    ];
    finds(&back, &[(5, 81, 9), (6, 72, 5)]);
}

#[test]
fn what_is_no_table_has_no_partitions() {
    assert_eq!(read(vec![0; 1024]), Err(PartitionError::NoTable));
    assert_eq!(read(vec![]), Err(PartitionError::NoTable));
    let sound = with_tables(&[(0, &[(0x83, 10, 20)])]);
    assert!(read(sound.clone()).is_ok());
    let mut active = sound.clone();
    active[446] = 0x80;
    assert!(read(active).is_ok());
    let changed = |changes: &[(usize, &[u8])]| {
        let mut bytes = sound.clone();
        for (place, change) in changes {
            bytes[*place..][..change.len()].copy_from_slice(change);
        }
        assert_eq!(read(bytes), Err(PartitionError::NoTable), "{changes:?}");
    };
    // Code in place of entries, other file systems, also with the mark of a table that is not there.
    changed(&[(446 + 16, &[0x01])]);
    changed(&[(446 + 48, b"BOOT")]);
    changed(&[(3, b"NTFS    ")]);
    changed(&[(3, b"EXFAT   ")]);
    changed(&[(3, b"-FVE-FS-")]);
    changed(&[(0, &[0xc9, 0xc2, 0xd4, 0xc1])]);
    changed(&[(446 + 16 + 4, &[0xee]), (0, &[0xc9, 0xc2, 0xd4, 0xc1])]);
    assert_eq!(
        read(with_tables(&[(0, &[(0xee, 1, 99)])])),
        Err(PartitionError::Damaged)
    );
    // The parameters of a FAT volume, and each of them wrong.
    let parameters = [
        0xeb, 0x3c, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 1, 0, 2, 0, 2, 100, 0, 0xf8, 1, 0,
    ];
    changed(&[(0, &parameters)]);
    for (place, value) in [
        (0, 0x33),
        (12, 0),
        (12, 3),
        (13, 0),
        (13, 3),
        (14, 0),
        (16, 0),
    ]
    .into_iter()
    .chain([(19, 0), (21, 0x12), (22, 0)])
    {
        let mut bytes = sound.clone();
        bytes[..parameters.len()].copy_from_slice(&parameters);
        bytes[place] = value;
        assert!(read(bytes).is_ok(), "{place}");
    }
}

#[test]
fn no_message_tells_to_write_to_the_disk() {
    for error in [
        PartitionError::NoTable,
        PartitionError::Damaged,
        PartitionError::NotFound,
        PartitionError::Outside,
    ] {
        let text = error.to_string();
        for word in ["repair", "sgdisk", "make", "write", "format", "fix"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[test]
fn a_partition_is_a_disk_and_no_more() {
    fata_task::simulate(|_| async {
        let mut bytes = vec![0; 100 * 512];
        put_table(&mut bytes, 0, &[(0x83, 10, 20), (0x82, 30, 5)]);
        let disk = RamDisk::from_bytes(512, bytes);
        let swap = |entry: &PartitionEntry| entry.kind == PartitionKind::Mbr(0x82);
        let partition = Partition::find(&disk, swap).await.expect("it is there");
        assert_eq!(partition.geometry().sectors, 5);
        assert_eq!(partition.write(4, vec![7; 512]).await, Ok(vec![7; 512]));
        assert_eq!(disk.read(34, vec![0; 512]).await, Ok(vec![7; 512]));
        assert_eq!(partition.write_zeroes(4, 1).await, Ok(()));
        assert_eq!(disk.read(34, vec![1; 512]).await, Ok(vec![0; 512]));
        for sector in [5, u64::MAX] {
            let beyond = partition.read(sector, vec![0; 512]).await;
            assert_eq!(beyond, Err(Error::OutOfRange));
        }
        assert_eq!(partition.discard(4, 2).await, Err(Error::OutOfRange));
        let none = Partition::find(&disk, |_| false).await;
        assert_eq!(none.err(), Some(PartitionError::NotFound));
    });
}

proptest! {
    #[test]
    fn any_disk_is_read_or_refused(
        tables in prop::collection::vec(
            (0..64_usize, prop::collection::vec((prop_oneof![Just(5_u8), Just(0x83), Just(0)], 0..80_u32, 0..80_u32), 0..4)),
            1..8,
        ),
    ) {
        let mut bytes = vec![0; 64 * 512];
        put_table(&mut bytes, 0, &[]);
        for (sector, entries) in tables {
            put_table(&mut bytes, sector, &entries);
        }
        if let Ok(found) = read(bytes) {
            for (_, first, sectors) in places(found) {
                prop_assert!(first > 0 && first + sectors <= 64);
            }
        }
    }
}
