use super::*;
use crate::{Faults, FaultyDisk, RamDisk};
use fata_task::{join, join_array, simulate};
use proptest::prelude::*;

const SECTORS: u64 = 200;

fn full(value: u8) -> Vec<u8> {
    vec![value; 512]
}

async fn formatted() -> Rc<FaultyDisk> {
    let disk = Rc::new(FaultyDisk::new(512, SECTORS, 1));
    Checksummed::format(&disk)
        .await
        .expect("it is large enough");
    disk
}

async fn open(tasks: &Handle, disk: &Rc<FaultyDisk>) -> Checksummed<Rc<FaultyDisk>> {
    let opened = Checksummed::open(tasks, Rc::clone(disk)).await;
    opened.expect("it was formatted")
}

/// A disk of which every sector was written with its number and flushed.
async fn written(tasks: &Handle) -> (Rc<FaultyDisk>, Checksummed<Rc<FaultyDisk>>) {
    let disk = formatted().await;
    let sums = open(tasks, &disk).await;
    for sector in 0..sums.geometry().sectors {
        sums.write(sector, full(sector as u8)).await.unwrap();
    }
    sums.flush().await.unwrap();
    (disk, sums)
}

/// Which sectors are damaged, where the others must be as they were written.
async fn damaged<B: Block + 'static>(disk: &Checksummed<B>) -> Vec<u64> {
    let mut damaged = Vec::new();
    for sector in 0..disk.geometry().sectors {
        match disk.read(sector, full(0)).await {
            Ok(bytes) => assert_eq!(bytes, full(sector as u8), "sector {sector}"),
            Err(error) => {
                assert_eq!(error, Error::Corrupt);
                damaged.push(sector);
            }
        }
    }
    damaged
}

/// Changes the disk beneath.
async fn flip(disk: &FaultyDisk, sector: u64, bit: usize) {
    let mut bytes = disk.read(sector, full(0)).await.unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    disk.write(sector, bytes).await.unwrap();
}

#[test]
fn what_cannot_be_is_refused() {
    simulate(|tasks| async move {
        let open = async |disk| Checksummed::open(&tasks, disk).await.map(drop);
        let small = RamDisk::new(512, 3);
        let outcome = Checksummed::format(&small).await;
        assert_eq!(outcome, Err(ChecksumError::TooSmall));
        assert_eq!(open(small).await, Err(ChecksumError::NoChecksums));
        let disk = RamDisk::new(512, 100);
        Checksummed::format(&disk).await.unwrap();
        let mut bytes = disk.into_bytes();
        let other_sectors = RamDisk::from_bytes(1024, bytes.clone());
        assert_eq!(open(other_sectors).await, Err(ChecksumError::Unsupported));
        bytes.truncate(99 * 512);
        let cut_off = RamDisk::from_bytes(512, bytes);
        assert_eq!(open(cut_off).await, Err(ChecksumError::Unsupported));
    });
}

#[test]
fn bounds_are_those_of_the_data() {
    simulate(|tasks| async move {
        let disk = open(&tasks, &formatted().await).await;
        let sectors = disk.geometry().sectors;
        assert_eq!(sectors, 194, "two headers, four sectors of sums");
        let beyond = Err(Error::OutOfRange);
        assert_eq!(disk.read(sectors, full(0)).await, beyond);
        assert_eq!(disk.write(sectors, full(0)).await, beyond);
        assert_eq!(disk.write(0, vec![0; 5]).await, Err(Error::Misaligned));
        assert_eq!(disk.discard(sectors - 1, 2).await, Err(Error::OutOfRange));
        let zeroed = disk.write_zeroes(u64::MAX, 2).await;
        assert_eq!(zeroed, Err(Error::OutOfRange));
        assert_eq!(disk.read(sectors, vec![]).await, Ok(vec![]));
    });
}

#[test]
fn a_read_only_disk_is_only_read() {
    simulate(|tasks| async move {
        let disk = RamDisk::new(512, SECTORS);
        Checksummed::format(&disk).await.unwrap();
        let disk = Checksummed::open(&tasks, disk.into_read_only()).await;
        let disk = disk.expect("it was formatted");
        assert_eq!(disk.read(5, full(1)).await, Ok(full(0)));
        assert_eq!(disk.write(5, full(1)).await, Err(Error::ReadOnly));
        assert_eq!(disk.discard(5, 1).await, Err(Error::ReadOnly));
    });
}

#[test]
fn a_changed_bit_is_found_wherever_it_is() {
    for sector in 0..SECTORS {
        simulate(|tasks| async move {
            let (disk, _) = written(&tasks).await;
            flip(&disk, sector, sector as usize * 37 % (32 * 8)).await;
            let found = damaged(&open(&tasks, &disk).await).await;
            let expected: Vec<u64> = match sector {
                0 | 199 => vec![],
                1..5 => ((sector - 1) * 63..194.min(sector * 63)).collect(),
                _ => vec![sector - 5],
            };
            assert_eq!(found, expected, "sector {sector}");
        });
    }
}

#[test]
fn both_headers_are_needed_to_lose_the_disk() {
    simulate(|tasks| async move {
        let (disk, _) = written(&tasks).await;
        flip(&disk, 0, 100).await;
        flip(&disk, SECTORS - 1, 100).await;
        let opened = Checksummed::open(&tasks, disk).await;
        assert_eq!(opened.err(), Some(ChecksumError::NoChecksums));
    });
}

#[test]
fn either_header_may_be_unreadable() {
    simulate(|tasks| async move {
        let (disk, _) = written(&tasks).await;
        for sector in [0, SECTORS - 1] {
            disk.set_faults(Faults {
                unreadable: Some(sector),
                ..Faults::default()
            });
            assert!(damaged(&open(&tasks, &disk).await).await.is_empty());
        }
        disk.set_faults(Faults::default());
        flip(&disk, SECTORS - 1, 100).await;
        disk.set_faults(Faults {
            unreadable: Some(0),
            ..Faults::default()
        });
        let opened = Checksummed::open(&tasks, disk).await;
        assert_eq!(opened.err(), Some(ChecksumError::Disk(Error::Io)));
    });
}

#[test]
fn what_went_to_another_place_is_found() {
    simulate(|tasks| async move {
        let (disk, sums) = written(&tasks).await;
        // Sector 7 was to be written, and went to where 12 is.
        let bytes = disk.read(5 + 7, full(0)).await.unwrap();
        disk.write(5 + 12, bytes).await.unwrap();
        assert_eq!(damaged(&sums).await, [12]);
        assert_eq!(damaged(&open(&tasks, &disk).await).await, [12]);
    });
}

#[test]
fn what_was_not_written_is_found_after_the_flush() {
    simulate(|tasks| async move {
        let (disk, sums) = written(&tasks).await;
        let old = disk.read(5 + 7, full(0)).await.unwrap();
        for value in [99, 7] {
            sums.write(7, full(value)).await.unwrap();
        }
        sums.flush().await.unwrap();
        assert_eq!(damaged(&sums).await, []);
        sums.write(7, full(99)).await.unwrap();
        sums.flush().await.unwrap();
        disk.write(5 + 7, old).await.unwrap();
        assert_eq!(damaged(&sums).await, [7]);
        assert_eq!(damaged(&open(&tasks, &disk).await).await, [7]);
    });
}

#[test]
fn damage_ends_with_the_next_write() {
    simulate(|tasks| async move {
        let (disk, _) = written(&tasks).await;
        // The sums of sectors 0 to 62, and a sector of others.
        flip(&disk, 1, 5).await;
        flip(&disk, 5 + 100, 5).await;
        let sums = open(&tasks, &disk).await;
        sums.write(3, full(3)).await.unwrap();
        sums.write(100, full(100)).await.unwrap();
        let left: Vec<u64> = (0..63).filter(|sector| *sector != 3).collect();
        assert_eq!(damaged(&sums).await, left);
        let count = 62 * 512;
        assert_eq!(sums.read(0, vec![0; count]).await, Err(Error::Corrupt));
        assert_eq!(damaged(&open(&tasks, &disk).await).await, left);
    });
}

/// A wrong bit that only a read returns, and not the next one, loses nothing.
#[test]
fn what_is_damaged_on_its_way_is_read_again() {
    for seed in 0..20 {
        simulate(|tasks| async move {
            let bytes = written(&tasks).await.0.contents();
            let disk = Rc::new(FaultyDisk::from_bytes(512, bytes, seed));
            let mut sums = open(&tasks, &disk).await;
            disk.set_faults(Faults {
                damage_one_in: Some(200),
                ..Faults::default()
            });
            for sector in (0..194).step_by(3) {
                // Opened anew, it has to read what it knows; without a flush, to restore it, too.
                sums = open(&tasks, &disk).await;
                for _ in 0..2 {
                    sums.write(sector, full(sector as u8)).await.unwrap();
                }
                let read = sums.read(sector + 1, full(0)).await;
                assert_eq!(read, Ok(full(sector as u8 + 1)));
            }
            disk.set_faults(Faults::default());
            assert_eq!(damaged(&sums).await, []);
            assert_eq!(damaged(&open(&tasks, &disk).await).await, []);
        });
    }
}

/// Nor does one that is met when a sector is written of which two contents are possible.
#[test]
fn what_is_damaged_on_its_way_is_not_given_up() {
    for seed in 0..100 {
        simulate(|tasks| async move {
            let (disk, sums) = written(&tasks).await;
            sums.write(5, full(55)).await.unwrap();
            let disk = Rc::new(FaultyDisk::from_bytes(512, disk.contents(), seed));
            let sums = open(&tasks, &disk).await;
            // The power goes before the new content can be there.
            disk.set_faults(Faults {
                damage_one_in: Some(40),
                cut_after: Some(6),
                ..Faults::default()
            });
            let outcome = sums.write(5, full(105)).await;
            assert_eq!(outcome, Err(Error::Gone), "seed {seed}");
            let disk = Rc::new(FaultyDisk::from_bytes(512, disk.cut(), seed));
            let read = open(&tasks, &disk).await.read(5, full(0)).await;
            assert_eq!(read, Ok(full(55)), "seed {seed}");
        });
    }
}

#[test]
fn never_written_and_discarded_sectors_read_as_anything() {
    simulate(|tasks| async move {
        let disk = formatted().await;
        disk.write(5 + 9, full(77)).await.unwrap();
        let sums = open(&tasks, &disk).await;
        assert_eq!(sums.read(9, full(0)).await, Ok(full(77)));
        sums.write(9, full(1)).await.unwrap();
        sums.discard(0, 194).await.unwrap();
        flip(&disk, 5 + 9, 0).await;
        sums.read(0, vec![0; 194 * 512]).await.unwrap();
        sums.write_zeroes(0, 194).await.unwrap();
        assert_eq!(sums.read(9, full(1)).await, Ok(full(0)));
        flip(&disk, 5 + 9, 0).await;
        sums.flush().await.unwrap();
        assert_eq!(sums.read(9, full(1)).await, Err(Error::Corrupt));
    });
}

#[test]
fn requests_at_the_same_time_share_flushes_and_sums() {
    simulate(|tasks| async move {
        let (disk, sums) = written(&tasks).await;
        let before = disk.counts();
        let write = |index: u64| sums.write(index, full(index as u8));
        for written in join_array(core::array::from_fn::<_, 40, _>(|at| write(at as u64))).await {
            written.unwrap();
        }
        let counts = disk.counts();
        // The first one begins at once, so the others make a second batch.
        assert!(counts.flushes - before.flushes <= 2, "{counts:?}");
        assert!(counts.writes - before.writes <= 43, "{counts:?}");
        let before = disk.counts();
        sums.flush().await.unwrap();
        assert_eq!(disk.counts().flushes - before.flushes, 1);
    });
}

/// Whichever of several writes of a sector is the last one, or the last before a cut, it is sound.
#[test]
fn writes_of_the_same_sector_and_reads_beside_them_are_sound() {
    for seed in 0..200 {
        simulate(|tasks| async move {
            let bytes = written(&tasks).await.0.contents();
            let disk = Rc::new(FaultyDisk::from_bytes(512, bytes, seed));
            let sums = open(&tasks, &disk).await;
            disk.set_faults(Faults {
                delay: 1 + seed as u32 % 6,
                cut_after: (seed % 2 == 0).then_some(seed % 60),
                ..Faults::default()
            });
            let write = |value: usize| sums.write(5, full(5 + 50 * value as u8));
            let writes = join_array(core::array::from_fn::<_, 4, _>(write));
            let read = async |polls: usize| {
                for _ in 0..polls {
                    fata_task::yield_now().await;
                }
                sums.read(5, full(0)).await
            };
            let reads = join_array(core::array::from_fn::<_, 9, _>(read));
            let (writes, reads) = join(writes, reads).await;
            let is_sound = |read: &Result<Vec<u8>, Error>| match read {
                Ok(bytes) => bytes[0] % 50 == 5 && *bytes == full(bytes[0]),
                Err(error) => *error == Error::Gone,
            };
            assert!(reads.iter().all(is_sound), "seed {seed}: {reads:?}");
            assert!(disk.is_gone() || writes.iter().all(Result::is_ok));
            let disk = Rc::new(FaultyDisk::from_bytes(512, disk.cut(), seed));
            let read = open(&tasks, &disk).await.read(5, full(0)).await;
            assert!(read.is_ok() && is_sound(&read), "seed {seed}: {read:?}");
        });
    }
}

/// Nobody may learn that data is safe which an inner flush has lost.
#[test]
fn a_flush_that_failed_for_a_write_fails_for_all() {
    simulate(|tasks| async move {
        let (disk, sums) = written(&tasks).await;
        sums.write(1, full(50)).await.unwrap();
        disk.set_faults(Faults {
            fail_after: Some(1),
            ..Faults::default()
        });
        assert_eq!(sums.write(2, full(50)).await, Err(Error::Io));
        disk.set_faults(Faults::default());
        sums.write(3, full(50)).await.unwrap();
        disk.set_faults(Faults {
            delay: 1000,
            ..Faults::default()
        });
        let later = async {
            fata_task::yield_now().await;
            fata_task::yield_now().await;
            sums.flush().await
        };
        let flushed = join(sums.flush(), later).await;
        assert_eq!(flushed, (Err(Error::Io), Err(Error::Io)));
        assert_eq!(sums.flush().await, Ok(()));
    });
}

#[test]
fn dropped_requests_do_not_wait_for_ever() {
    simulate(|tasks| async move {
        let (disk, sums) = written(&tasks).await;
        disk.set_faults(Faults {
            delay: 1000,
            ..Faults::default()
        });
        for _ in 0..1000 {
            let write = sums.write(1, full(1));
            fata_task::select(write, core::future::ready(())).await;
            assert!(sums.inner.queue.borrow().len() <= 257);
        }
        disk.set_faults(Faults::default());
        assert_eq!(sums.flush().await, Ok(()));
        assert_eq!(damaged(&sums).await, []);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Requests of any size and place leave what they leave on a plain disk, also when it is
    /// opened again.
    #[test]
    fn it_is_a_disk(
        steps in prop::collection::vec((0..700_u64, 0..300_u64, 0..4_u8, any::<u8>()), 1..12),
        size in prop::sample::select(vec![512_usize, 4096]),
    ) {
        simulate(|tasks| async move {
            let beneath = Rc::new(RamDisk::new(size, 720));
            Checksummed::format(&beneath).await.unwrap();
            let mut disk = Checksummed::open(&tasks, Rc::clone(&beneath)).await.unwrap();
            let plain = RamDisk::new(size, disk.geometry().sectors);
            for (sector, count, kind, value) in steps {
                match kind {
                    0 => {
                        let same = plain.write_zeroes(sector, count).await;
                        assert_eq!(disk.write_zeroes(sector, count).await, same);
                    }
                    1 => {
                        disk.flush().await.unwrap();
                        disk = Checksummed::open(&tasks, Rc::clone(&beneath)).await.unwrap();
                    }
                    _ => {
                        let bytes = vec![value; count as usize * size];
                        let same = plain.write(sector, bytes.clone()).await;
                        assert_eq!(disk.write(sector, bytes).await, same);
                    }
                }
            }
            let length = disk.geometry().bytes() as usize;
            let same = plain.read(0, vec![0; length]).await;
            assert_eq!(disk.read(0, vec![1; length]).await, same);
        });
    }
}
