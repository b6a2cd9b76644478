use super::*;
use crate::RamDisk;
use proptest::prelude::*;

const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// Type, first sector and number of sectors.
type Entry = (u8, u32, u32);

/// A DOS table in a sector.
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

#[test]
fn tables_that_make_no_sense_are_refused() {
    assert_eq!(read(vec![0; 1024]), Err(PartitionError::NoTable));
    assert_eq!(read(vec![]), Err(PartitionError::NoTable));
    let damaged = |tables: &[(usize, &[Entry])]| {
        let mut bytes = vec![0; 100 * 512];
        for (sector, entries) in tables {
            put_table(&mut bytes, *sector, entries);
        }
        assert_eq!(read(bytes), Err(PartitionError::Damaged), "{tables:?}");
    };
    damaged(&[(0, &[(0x83, 0, 10)])]);
    damaged(&[(0, &[(0x83, 10, 0)])]);
    damaged(&[(0, &[(0x83, 90, 11)])]);
    damaged(&[(0, &[(0x83, u32::MAX, u32::MAX)])]);
    damaged(&[(0, &[(0x83, 10, 20), (0x83, 29, 5)])]);
    // A chain that ends nowhere, leads back, or out of its partition.
    damaged(&[(0, &[(0x05, 50, 20)])]);
    damaged(&[(0, &[(0x05, 50, 20)]), (50, &[(0, 0, 0), (0x05, 0, 20)])]);
    damaged(&[(0, &[(0x05, 50, 20)]), (50, &[(0, 0, 0), (0x05, 20, 20)])]);
    damaged(&[(0, &[(0xee, 1, 99)])]);
}

#[test]
fn a_partition_is_a_disk_and_no_more() {
    fata_task::simulate(|_| async {
        let mut bytes = vec![0; 100 * 512];
        put_table(&mut bytes, 0, &[(0x83, 10, 20), (0x82, 30, 5)]);
        let disk = RamDisk::from_bytes(512, bytes);
        let swap = |entry: &PartitionEntry| entry.kind == PartitionKind::Dos(0x82);
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
