use super::*;
use alloc::rc::Rc;
use fata_task::simulate;

const SIZE: usize = 512;

fn disk(seed: u64) -> FaultyDisk {
    FaultyDisk::new(SIZE, 16, seed)
}

/// The first byte of each sector.
fn firsts(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(SIZE).map(|sector| sector[0]).collect()
}

/// Sectors that begin with these bytes, and are full of them.
fn sectors(firsts: &[u8]) -> Vec<u8> {
    firsts.iter().flat_map(|first| [*first; SIZE]).collect()
}

async fn byte(disk: &FaultyDisk, sector: u64) -> u8 {
    let bytes = disk.read(sector, vec![0; SIZE]).await;
    bytes.expect("the disk works")[0]
}

#[test]
fn without_faults_it_is_a_disk() {
    simulate(|_| async {
        let disk = disk(1);
        assert_eq!(disk.write(2, vec![7; 1024]).await, Ok(vec![7; 1024]));
        assert_eq!(disk.write_zeroes(3, 1).await, Ok(()));
        assert_eq!(byte(&disk, 2).await, 7);
        assert_eq!(byte(&disk, 3).await, 0);
        assert_eq!(disk.write(0, vec![0; 5]).await, Err(Error::Misaligned));
        assert_eq!(disk.read(16, vec![0; SIZE]).await, Err(Error::OutOfRange));
        assert_eq!(disk.flush().await, Ok(()));
        let counts = disk.counts();
        assert_eq!((counts.reads, counts.writes, counts.flushes), (2, 2, 1));
        assert_eq!((counts.sectors_read, counts.sectors_written), (2, 3));
        let contents = disk.contents();
        assert_eq!(disk.cut(), contents);
    });
}

/// Every choice of versions is met, and no other, with sectors apart from each other.
#[test]
fn a_cut_leaves_any_version_since_the_last_flush() {
    let mut seen = alloc::collections::BTreeSet::new();
    for seed in 0..400 {
        let left = simulate(|_| async move {
            let disk = disk(seed);
            disk.write(0, sectors(&[1, 1])).await?;
            disk.flush().await?;
            disk.write(0, sectors(&[2, 2])).await?;
            disk.write(0, sectors(&[3, 3])).await?;
            Ok::<_, Error>(firsts(&disk.cut()))
        });
        let left = left.expect("nothing fails before the cut");
        assert!(left[2..].iter().all(|first| *first == 0));
        seen.insert((left[0], left[1]));
    }
    let expected = (1..4).flat_map(|first| (1..4).map(move |second| (first, second)));
    assert_eq!(seen, expected.collect());
}

#[test]
fn what_was_flushed_survives() {
    simulate(|_| async {
        let disk = disk(1);
        disk.write(5, sectors(&[1, 2, 3])).await.unwrap();
        disk.flush().await.unwrap();
        for _ in 0..20 {
            assert_eq!(firsts(&disk.cut())[5..8], [1, 2, 3]);
        }
        assert!(disk.is_gone());
        assert_eq!(disk.read(0, vec![0; SIZE]).await, Err(Error::Gone));
        assert_eq!(disk.flush().await, Err(Error::Gone));
    });
}

#[test]
fn a_lying_flush_loses_data() {
    simulate(|_| async {
        let disk = disk(1);
        disk.set_faults(Faults {
            flush_lies: true,
            ..Faults::default()
        });
        disk.write(5, sectors(&[1])).await.unwrap();
        assert_eq!(disk.flush().await, Ok(()));
        assert!((0..50).any(|_| firsts(&disk.cut())[5] == 0));
    });
}

#[test]
fn a_flush_covers_only_writes_that_ended_before_it_began() {
    let is_lost = |seed| {
        simulate(|_| async move {
            let disk = disk(seed);
            disk.set_faults(Faults {
                delay: 3,
                ..Faults::default()
            });
            let write = disk.write(0, sectors(&[1]));
            let (flushed, written) = fata_task::join(disk.flush(), write).await;
            assert_eq!((flushed, written), (Ok(()), Ok(sectors(&[1]))));
            (0..50).any(|_| firsts(&disk.cut())[0] == 0)
        })
    };
    assert!((0..20).all(is_lost));
}

#[test]
fn the_power_goes_in_the_midst_of_a_write() {
    simulate(|_| async {
        let disk = disk(1);
        disk.set_faults(Faults {
            cut_after: Some(3),
            ..Faults::default()
        });
        let written = disk.write(0, sectors(&[1, 2, 3, 4, 5])).await;
        assert_eq!(written, Err(Error::Gone));
        assert_eq!(firsts(&disk.contents())[..5], [1, 2, 3, 0, 0]);
        assert_eq!(disk.write(0, sectors(&[1])).await, Err(Error::Gone));
    });
}

#[test]
fn errors_come_by_chance_and_after_a_number_of_steps() {
    simulate(|_| async {
        let disk = disk(1);
        disk.set_faults(Faults {
            fail_one_in: Some(4),
            ..Faults::default()
        });
        let mut failed = 0;
        for _ in 0..100 {
            match disk.write(0, sectors(&[1])).await {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error, Error::Io);
                    failed += 1;
                }
            }
        }
        assert!((10..50).contains(&failed), "{failed} of 100 failed");
        disk.set_faults(Faults {
            fail_after: Some(2),
            ..Faults::default()
        });
        assert_eq!(byte(&disk, 0).await, 1);
        assert_eq!(disk.flush().await, Ok(()));
        assert_eq!(disk.flush().await, Err(Error::Io));
        assert_eq!(disk.read(0, vec![0; SIZE]).await, Err(Error::Io));
        disk.set_faults(Faults::default());
        assert_eq!(disk.flush().await, Ok(()));
    });
}

#[test]
fn what_a_failed_flush_lost_no_later_one_saves() {
    let is_lost = |faults, seed| {
        simulate(|_| async move {
            let disk = disk(seed);
            disk.write(0, sectors(&[1])).await.unwrap();
            disk.set_faults(faults);
            assert_eq!(disk.flush().await, Err(Error::Io));
            disk.set_faults(Faults::default());
            disk.flush().await.unwrap();
            (0..20).any(|_| firsts(&disk.cut())[0] == 0)
        })
    };
    let after = Faults {
        fail_after: Some(0),
        ..Faults::default()
    };
    let by_chance = Faults {
        fail_flush_one_in: Some(1),
        ..Faults::default()
    };
    for faults in [after, by_chance] {
        let lost = (0..50).filter(|seed| is_lost(faults, *seed)).count();
        assert!((10..40).contains(&lost), "{lost} of 50 lost");
    }
}

#[test]
fn reads_are_damaged_if_asked_for() {
    simulate(|_| async {
        let disk = disk(1);
        disk.set_faults(Faults {
            damage_one_in: Some(1),
            ..Faults::default()
        });
        let bytes = disk.read(0, vec![0; 1024]).await.unwrap();
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(ones, 1);
        assert!(disk.contents().iter().all(|byte| *byte == 0));
    });
}

#[test]
fn the_host_fills_up_until_something_is_discarded() {
    simulate(|_| async {
        let disk = disk(1);
        disk.set_faults(Faults {
            capacity: Some(2),
            ..Faults::default()
        });
        assert_eq!(disk.write(0, sectors(&[1, 2, 3])).await, Err(Error::Full));
        assert_eq!(firsts(&disk.contents())[..3], [1, 2, 0]);
        disk.write(0, sectors(&[4, 5])).await.unwrap();
        disk.discard(0, 1).await.unwrap();
        disk.write(2, sectors(&[6])).await.unwrap();
        assert_eq!(disk.write(3, sectors(&[7])).await, Err(Error::Full));
    });
}

#[test]
fn discarded_sectors_read_as_anything() {
    let firsts: alloc::collections::BTreeSet<u8> = (0..30)
        .map(|seed| {
            simulate(|_| async move {
                let disk = disk(seed);
                disk.write(0, sectors(&[9])).await.unwrap();
                disk.discard(0, 1).await.unwrap();
                byte(&disk, 0).await
            })
        })
        .collect();
    assert!(firsts.contains(&9) && firsts.contains(&0) && firsts.len() > 2);
}

#[test]
fn delayed_requests_overtake_each_other_and_may_be_dropped() {
    let order = |seed| {
        simulate(|tasks| async move {
            let disk = Rc::new(disk(seed));
            disk.set_faults(Faults {
                delay: 5,
                ..Faults::default()
            });
            let write = |value| {
                let disk = Rc::clone(&disk);
                tasks.spawn(async move { disk.write(0, sectors(&[value; 8])).await })
            };
            let (first, second) = (write(1), write(2));
            first.await.unwrap().unwrap();
            second.await.unwrap().unwrap();
            let dropped = fata_task::select(disk.write(8, sectors(&[3; 8])), later()).await;
            drop(dropped);
            disk.flush().await.unwrap();
            firsts(&disk.contents())
        })
    };
    let orders: Vec<_> = (0..50).map(order).collect();
    assert!(orders.iter().any(|order| order[..8] == [1; 8]));
    assert!(orders.iter().any(|order| order[..8] == [2; 8]));
    assert!(orders.iter().any(|order| order[0] != order[7]));
    assert_eq!(orders, (0..50).map(order).collect::<Vec<_>>());
}
