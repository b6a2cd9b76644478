use super::*;
use crate::{Faults, FaultyDisk, RamDisk};
use alloc::rc::Rc;
use alloc::vec;
use fata_task::simulate;
use proptest::prelude::*;

#[test]
fn what_was_read_is_kept_within_the_bound_until_it_changes() {
    simulate(|_| async {
        let cache = Cache::new(RamDisk::new(512, 8), 1024);
        for sector in [0, 1, 0, 2, 0, 1] {
            assert_eq!(cache.read(sector, vec![9; 512]).await, Ok(vec![0; 512]));
            assert!(cache.state.borrow().kept() <= 2);
        }
        assert_eq!(cache.counts(), CacheCounts { hits: 2, misses: 4 });
        cache.write(1, vec![5; 512]).await.unwrap();
        assert_eq!(cache.read(1, vec![0; 512]).await, Ok(vec![5; 512]));
        assert_eq!(cache.read(8, vec![0; 512]).await, Err(Error::OutOfRange));
        assert_eq!(cache.counts(), CacheCounts { hits: 2, misses: 5 });
        cache.read(0, vec![0; 2048]).await.unwrap();
        assert_eq!(cache.state.borrow().kept(), 2);
    });
}

proptest! {
    /// Whatever reads and changes interleave, and whichever are dropped: once nothing is under
    /// way, the cache reads as the disk does.
    #[test]
    fn it_reads_as_the_disk_does(
        seed: u64,
        rounds in prop::collection::vec(
            prop::collection::vec((0..4_u8, 0..6_u64, 1..4_u64), 1..8), 1..8),
        sectors in 0..8_usize,
    ) {
        simulate(|tasks| async move {
            let disk = FaultyDisk::new(512, 8, seed);
            disk.set_faults(Faults { delay: 4, ..Faults::default() });
            let cache = Rc::new(Cache::new(disk, sectors * 512));
            let mut value = 0;
            for round in rounds {
                let mut running = vec![];
                for (kind, sector, count) in round {
                    value += 1;
                    let (cache, count) = (Rc::clone(&cache), count.min(8 - sector));
                    let bytes = vec![value; count as usize * 512];
                    running.push(tasks.spawn(async move {
                        match kind {
                            0 => cache.write(sector, bytes).await.map(drop),
                            1 => cache.write_zeroes(sector, count).await,
                            2 => {
                                let write = cache.write(sector, bytes);
                                fata_task::select(write, fata_task::yield_now()).await;
                                Ok(())
                            }
                            _ => cache.read(sector, bytes).await.map(drop),
                        }
                    }));
                }
                for task in running {
                    task.await.unwrap().unwrap();
                }
                let contents = cache.disk.contents();
                for sector in 0..8 {
                    let bytes = cache.read(sector, vec![0; 512]).await.unwrap();
                    assert_eq!(bytes, contents[sector as usize * 512..][..512]);
                }
                assert!(cache.state.borrow().kept() <= sectors);
            }
        });
    }
}
