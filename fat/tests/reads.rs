//! How often a disk is read for a large file that is asked for in small pieces.

mod common;

use common::{key, open};
use fata_block::{Block, Error, Geometry, RamDisk};
use fata_kv::{KvRo, KvRw};
use fata_task::simulate;
use hadris_fat::{FatKind, FatOptions};
use std::cell::Cell;
use std::rc::Rc;

const SECTOR: usize = 512;

/// More than what is kept of the disk has a table for.
const SIZE: usize = 140 << 20;

/// Clusters of the file, a sector each.
const CLUSTERS: usize = 2048;

/// Bytes that are asked for at once.
const PIECE: usize = 4096;

/// A disk that counts reads.
struct Counted {
    disk: RamDisk,
    reads: Cell<usize>,
}

impl Block for Counted {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.reads.set(self.reads.get() + 1);
        self.disk.read(sector, buffer).await
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.disk.write(sector, buffer).await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.disk.flush().await
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.disk.discard(sector, count).await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.disk.write_zeroes(sector, count).await
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Bytes of the file in a cluster.
fn content(index: usize) -> [u8; SECTOR] {
    core::array::from_fn(|at| (index * 31 + at) as u8)
}

/// A volume with the file `large`, each cluster of which is far away from the one before it, as is
/// its entry in the table.
fn scattered() -> Vec<u8> {
    simulate(|tasks| async move {
        let mut image = vec![0; SIZE];
        let options = FatOptions::new()
            .with_kind(FatKind::Fat32)
            .with_cluster_size(512);
        let made = hadris_fat::async_::format(&mut image, &options).await;
        made.expect("it is large enough");
        let disk = Rc::new(RamDisk::from_bytes(SECTOR, image));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let value = content(0).repeat(CLUSTERS);
        volume
            .set(&key("large"), &value)
            .await
            .expect("there is room");
        drop(volume);
        let disk = Rc::into_inner(disk).expect("nobody else has it");
        let mut image = disk.into_bytes();
        let table = number(&image[14..16]) * SECTOR;
        let data = table + number(&image[36..40]) * usize::from(image[16]) * SECTOR;
        let root = data + (number(&image[44..48]) - 2) * SECTOR;
        let entry = image[root..][..SECTOR]
            .chunks(32)
            .find(|entry| entry.starts_with(b"LARGE "));
        let entry = entry.expect("it was written");
        let mut cluster = number(&entry[26..28]) | number(&entry[20..22]) << 16;
        for index in 1..=CLUSTERS {
            let next = match index {
                CLUSTERS => 0x0fff_ffff,
                _ => 4096 + index * 97_001 % 250_000,
            };
            image[table + cluster * 4..][..4].copy_from_slice(&(next as u32).to_le_bytes());
            if index < CLUSTERS {
                image[data + (next - 2) * SECTOR..][..SECTOR].copy_from_slice(&content(index));
            }
            cluster = next;
        }
        image
    })
}

/// Reads the file in pieces by as many clients in turn, each of which has a part of it, and returns
/// how often the disk is read.
fn reads(image: &[u8], clients: usize) -> usize {
    let disk = RamDisk::from_bytes(SECTOR, image.to_owned());
    let disk = Rc::new(Counted {
        disk,
        reads: Cell::new(0),
    });
    let expected: Vec<u8> = (0..CLUSTERS).flat_map(content).collect();
    simulate(|tasks| async move {
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let share = CLUSTERS * SECTOR / clients;
        for offset in (0..share).step_by(PIECE) {
            for client in 0..clients {
                let offset = client * share + offset;
                let mut piece = [0; PIECE];
                let read = volume
                    .get_range(&key("large"), offset as u64, &mut piece)
                    .await;
                assert_eq!(read, Ok(PIECE), "{offset}");
                assert!(piece == expected[offset..][..PIECE], "{offset}");
            }
        }
        disk.reads.get()
    })
}

#[test]
fn the_work_for_a_file_grows_with_its_size_and_no_more() {
    let image = scattered();
    // Once for each cluster, and once for its entry in the table.
    let one = reads(&image, 1);
    assert!(one < 3 * CLUSTERS, "{one}");
    // From the nearest of 64 places that are known.
    let many = reads(&image, 8);
    assert!(many < 16 * CLUSTERS, "{many}");
}
