//! Behaviour of the queue on a disk that works.

mod support;

use fata_block::{Block, Faults, FaultyDisk};
use fata_queue::{Error, Queue, TRANSFER_BYTES};
use fata_task::{Either, select, simulate, yield_now};
use std::rc::Rc;
use std::time::Duration;
use support::{SLOTS, blank, get, item, open, put};

/// Most items that an index of 64 KiB holds.
const MOST_ITEMS: usize = 2728;

#[test]
fn items_come_out_in_order_and_stay_until_they_are_removed() {
    simulate(|tasks| async move {
        let queue = open(blank(2000), &tasks).await;
        let items: Vec<_> = [1, 511, 512, 513, 70_000, 500_000, 0]
            .into_iter()
            .enumerate()
            .map(|(number, length)| item(number as u64, length))
            .collect();
        for item in &items {
            assert_eq!(put(&queue, item).await, Ok(()));
        }
        for item in &items {
            assert_eq!(get(&queue).await.as_ref(), Ok(item));
            assert_eq!(get(&queue).await.as_ref(), Ok(item));
            assert_eq!(queue.remove().await, Ok(true));
        }
        assert!(queue.is_empty());
    });
}

#[test]
fn only_an_item_that_was_handed_out_is_removed() {
    simulate(|tasks| async move {
        let queue = open(blank(100), &tasks).await;
        assert_eq!(queue.remove().await, Ok(false));
        put(&queue, b"one").await.unwrap();
        put(&queue, b"two").await.unwrap();
        assert_eq!(queue.remove().await, Ok(false));
        assert_eq!(get(&queue).await.unwrap(), b"one");
        assert_eq!(queue.remove().await, Ok(true));
        assert_eq!(queue.remove().await, Ok(false));
        assert_eq!(get(&queue).await.unwrap(), b"two");
    });
}

#[test]
fn two_removals_at_once_remove_one_item() {
    simulate(|tasks| async move {
        let queue = open(blank(100), &tasks).await;
        put(&queue, b"one").await.unwrap();
        put(&queue, b"two").await.unwrap();
        get(&queue).await.unwrap();
        let outcomes = fata_task::join(queue.remove(), queue.remove()).await;
        assert_eq!(outcomes, (Ok(true), Ok(true)));
        assert_eq!(queue.len(), 1);
        assert_eq!(get(&queue).await.unwrap(), b"two");
    });
}

#[test]
fn a_download_waits_for_an_item_and_forbids_removals() {
    simulate(|tasks| async move {
        let queue = open(blank(100), &tasks).await;
        let waiting = queue.clone();
        let downloads: Vec<_> = (0..3)
            .map(|_| {
                let queue = waiting.clone();
                tasks.spawn(async move { get(&queue).await })
            })
            .collect();
        tasks.sleep(Duration::from_secs(100)).await;
        assert_eq!(queue.remove().await, Err(Error::Waiting));
        put(&queue, b"one").await.unwrap();
        for download in downloads {
            assert_eq!(download.await.unwrap().unwrap(), b"one");
        }
        assert_eq!(queue.remove().await, Ok(true));
        // One that is dropped where it waits does not wait any more.
        let gone = tasks.timeout(Duration::from_secs(1), queue.download());
        assert!(gone.await.is_err());
        assert_eq!(queue.remove().await, Ok(false));
    });
}

#[test]
fn uploads_have_their_exact_size() {
    simulate(|tasks| async move {
        let queue = open(blank(100), &tasks).await;
        let mut short = queue.upload(10).await.unwrap();
        short.write(b"12345").await.unwrap();
        let wrong = Error::WrongSize {
            announced: 10,
            received: 5,
        };
        assert_eq!(short.finish().await, Err(wrong));
        let mut long = queue.upload(3).await.unwrap();
        let wrong = Error::WrongSize {
            announced: 3,
            received: 5,
        };
        assert_eq!(long.write(b"12345").await, Err(wrong));
        assert!(queue.is_empty());
    });
}

#[test]
fn a_full_disk_refuses_at_once_and_gives_room_back() {
    simulate(|tasks| async move {
        let queue = open(blank(100), &tasks).await;
        let is_full = async |length| queue.upload(length).await.err() == Some(Error::Full);
        for length in [100 * 512 + 1, u64::MAX, u64::MAX - 511] {
            assert!(is_full(length).await);
        }
        let upload = queue.upload(100 * 512).await.unwrap();
        assert!(is_full(1).await);
        drop(upload);
        put(&queue, &item(1, 99 * 512 + 1)).await.unwrap();
        assert!(is_full(1).await);
        assert!(!is_full(0).await);
        get(&queue).await.unwrap();
        queue.remove().await.unwrap();
        for number in 0..100 {
            put(&queue, &item(number, 70 * 512)).await.unwrap();
            assert!(is_full(31 * 512).await);
            assert_eq!(get(&queue).await.unwrap(), item(number, 70 * 512));
            queue.remove().await.unwrap();
        }
    });
}

#[test]
fn room_of_an_aborted_upload_is_free_when_its_writes_have_ended() {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, SLOTS + 1000, 1));
        disk.set_faults(Faults {
            delay: 50,
            ..Faults::default()
        });
        let queue = open(Rc::clone(&disk), &tasks).await;
        for number in 0..20 {
            let mut upload = queue.upload(1000 * 512).await.unwrap();
            upload.write(&item(number, 150_000)).await.unwrap();
            drop(upload);
            // Its two writes are under way, and must not hit what comes next.
            assert_eq!(queue.upload(512).await.err(), Some(Error::Full));
            while queue.upload(512).await.is_err() {
                yield_now().await;
            }
        }
    });
}

#[test]
fn a_full_index_refuses_before_the_data_comes() {
    simulate(|tasks| async move {
        let disk = Rc::new(blank(5000));
        let queue = open(Rc::clone(&disk), &tasks).await;
        for number in 0..MOST_ITEMS {
            put(&queue, &item(number as u64, 8)).await.unwrap();
        }
        assert_eq!(queue.upload(1).await.err(), Some(Error::Full));
        drop(queue);
        let queue = open(disk, &tasks).await;
        assert_eq!(queue.len(), MOST_ITEMS);
        assert_eq!(queue.upload(1).await.err(), Some(Error::Full));
        assert_eq!(get(&queue).await.unwrap(), item(0, 8));
        queue.remove().await.unwrap();
        put(&queue, b"one more").await.unwrap();
    });
}

#[test]
fn a_reader_keeps_the_room_of_what_it_reads() {
    simulate(|tasks| async move {
        let queue = open(blank(1000), &tasks).await;
        let first = item(1, 1000 * 512);
        put(&queue, &first).await.unwrap();
        let mut slow = queue.download().await;
        let mut bytes = slow.next().await.unwrap().to_vec();
        assert_eq!(queue.remove().await, Ok(true));
        assert_eq!(put(&queue, &item(2, 512)).await, Err(Error::Full));
        loop {
            match slow.next().await.unwrap() {
                [] => break,
                next => bytes.extend_from_slice(next),
            }
        }
        assert_eq!(bytes, first);
        drop(slow);
        assert_eq!(put(&queue, &item(2, 512)).await, Ok(()));
    });
}

#[test]
fn what_is_in_the_queue_survives_a_restart() {
    simulate(|tasks| async move {
        let disk = Rc::new(blank(300));
        for number in 0..500 {
            let queue = open(Rc::clone(&disk), &tasks).await;
            put(&queue, &item(number, 20_000)).await.unwrap();
            if number >= 3 {
                assert_eq!(get(&queue).await.unwrap(), item(number - 3, 20_000));
                assert_eq!(queue.remove().await, Ok(true));
            }
            // An upload that is not over leaves nothing behind.
            let mut upload = queue.upload(30_000).await.unwrap();
            upload.write(&[1; 20_000]).await.unwrap();
        }
        assert_eq!(open(disk, &tasks).await.len(), 3);
    });
}

#[test]
fn uploads_go_on_side_by_side_and_share_flushes() {
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, SLOTS + 10_000, 1));
        let queue = open(Rc::clone(&disk), &tasks).await;
        disk.set_faults(Faults {
            delay: 10,
            ..Faults::default()
        });
        let before = disk.counts().flushes;
        let uploads: Vec<_> = (0..100)
            .map(|number| {
                let queue = queue.clone();
                tasks.spawn(async move { put(&queue, &item(number, 5000)).await })
            })
            .collect();
        for upload in uploads {
            assert_eq!(upload.await, Ok(Ok(())));
        }
        let flushes = disk.counts().flushes - before;
        assert!(
            flushes < 100,
            "{flushes} flushes for 100 uploads, four at a time"
        );
        assert_eq!(queue.len(), 100);
    });
}

#[test]
fn transfers_beyond_the_bound_wait_for_their_turn() {
    simulate(|tasks| async move {
        let queue = open(blank(1000), &tasks).await;
        put(&queue, b"one").await.unwrap();
        let mut uploads = Vec::new();
        let mut downloads = Vec::new();
        for _ in 0..4 {
            uploads.push(queue.upload(10).await.unwrap());
            downloads.push(queue.download().await);
        }
        let fifth = tasks.timeout(Duration::from_secs(1), queue.upload(10));
        assert!(fifth.await.is_err());
        let fifth = tasks.timeout(Duration::from_secs(1), queue.download());
        assert!(fifth.await.is_err());
        // Who waits for a turn does not wait for an item.
        assert_eq!(queue.remove().await, Ok(true));
        uploads.pop();
        assert!(queue.upload(10).await.is_ok());
    });
}

#[test]
fn memory_is_bounded_whatever_the_length() {
    const { assert!(TRANSFER_BYTES <= 200 << 10) };
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::new(512, SLOTS + 20_480, 1));
        let queue = open(Rc::clone(&disk), &tasks).await;
        // A disk that does nothing until it is asked a thousand times.
        disk.set_faults(Faults {
            delay: 1000,
            ..Faults::default()
        });
        let mut upload = queue.upload(10 << 20).await.unwrap();
        let piece = item(1, 64 << 10);
        let mut pieces = 0;
        for _ in 0..160 {
            let sent = async { upload.write(&piece).await.unwrap() };
            let Either::First(()) = select(sent, ready_soon()).await else {
                break;
            };
            pieces += 1;
        }
        assert!((1..=3).contains(&pieces), "{pieces} pieces were taken");
    });
}

/// Ends after a few rounds.
async fn ready_soon() {
    for _ in 0..3 {
        yield_now().await;
    }
}

#[test]
fn sectors_may_be_large() {
    simulate(|tasks| async move {
        for size in [512, 4096, 65_536, 131_072] {
            let disk = Rc::new(fata_block::RamDisk::new(size, 1300));
            let queue = open(Rc::clone(&disk), &tasks).await;
            put(&queue, &item(1, 300_000)).await.unwrap();
            drop(queue);
            let queue: Queue<_> = open(disk, &tasks).await;
            assert_eq!(get(&queue).await.unwrap(), item(1, 300_000), "{size}");
        }
    });
}

#[test]
fn a_queue_grows_with_its_disk_when_it_is_empty() {
    simulate(|tasks| async move {
        let disk = Rc::new(blank(10));
        let queue = open(Rc::clone(&disk), &tasks).await;
        put(&queue, b"one").await.unwrap();
        let grow = |disk: &Rc<fata_block::RamDisk>| {
            let disk = Rc::clone(disk);
            async move {
                let sectors = disk.geometry().sectors;
                let mut bytes = disk.read(0, vec![0; sectors as usize * 512]).await.unwrap();
                bytes.extend([0; 512 * 10]);
                Rc::new(fata_block::RamDisk::from_bytes(512, bytes))
            }
        };
        let disk = grow(&disk).await;
        let queue = open(Rc::clone(&disk), &tasks).await;
        assert_eq!(queue.upload(10 * 512).await.err(), Some(Error::Full));
        assert_eq!(get(&queue).await.unwrap(), b"one");
        queue.remove().await.unwrap();
        let queue = open(disk, &tasks).await;
        put(&queue, &item(1, 20 * 512)).await.unwrap();
        assert_eq!(get(&queue).await.unwrap(), item(1, 20 * 512));
    });
}

/// An upload that hardly advances gives its turn to those who wait, and keeps it otherwise.
#[test]
fn an_upload_that_stalls_is_overdue_if_others_wait() {
    simulate(|tasks| async move {
        let queue = Queue::open(blank(2000), tasks.clone(), 1).await.unwrap();
        let seconds = Duration::from_secs;
        let mut upload = queue.upload(100_000).await.unwrap();
        let alone = tasks.timeout(seconds(60), upload.overdue()).await;
        assert!(alone.is_err(), "nobody waits");
        // One that advances is not overdue.
        let other = {
            let queue = queue.clone();
            tasks.spawn(async move { put(&queue, b"other").await })
        };
        for _ in 0..10 {
            upload.write(&[0; 4096]).await.unwrap();
            let waited = tasks.timeout(seconds(1), upload.overdue()).await;
            assert!(waited.is_err());
        }
        let trickled = tasks.timeout(seconds(3), async {
            loop {
                upload.write(&[0]).await.unwrap();
                let pause = tasks.sleep(Duration::from_millis(100));
                if let Either::First(()) = select(upload.overdue(), pause).await {
                    return;
                }
            }
        });
        trickled.await.expect("it is overdue");
        drop(upload);
        assert_eq!(other.await, Ok(Ok(())));
    });
}

/// Uploads that wait for their turn are counted.
#[test]
fn uploads_that_wait_are_counted() {
    simulate(|tasks| async move {
        let queue = Queue::open(blank(2000), tasks.clone(), 2).await.unwrap();
        let first = queue.upload(100).await.unwrap();
        let second = queue.upload(100).await.unwrap();
        assert_eq!(queue.waiting(), 0);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let queue = queue.clone();
                tasks.spawn(async move { put(&queue, &[1; 100]).await })
            })
            .collect();
        yield_now().await;
        assert_eq!(queue.waiting(), 5);
        drop((first, second));
        for waiting in waiting {
            assert_eq!(waiting.await, Ok(Ok(())));
        }
        assert_eq!(queue.waiting(), 0);
    });
}
