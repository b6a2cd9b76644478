//! Behaviour of a FAT volume as a key-value store.

mod common;

use common::{assert_sound, formatted, key, names, open};
use fata_block::{Block, FaultyDisk, Partition, RamDisk};
use fata_fat::FatKv;
use fata_kv::{Change, Error, Key, Kind, KvRo, KvRw};
use fata_task::{Handle, simulate};
use hadris_fat::FatKind;
use std::rc::Rc;
use std::time::Duration;

const MIB: usize = 1 << 20;

async fn new(tasks: &Handle, kind: FatKind, bytes: usize) -> FatKv<Rc<RamDisk>> {
    let disk = RamDisk::from_bytes(512, formatted(kind, bytes));
    open(tasks, Rc::new(disk)).await
}

#[test]
fn values_are_set_read_and_removed() {
    simulate(|tasks| async move {
        let volume = new(&tasks, FatKind::Fat16, 16 * MIB).await;
        let ada = key("people/ada");
        assert_eq!(volume.get(&ada, 9).await, Err(Error::NotFound));
        volume.set(&ada, b"Lovelace").await.unwrap();
        assert_eq!(volume.get(&ada, 8).await.as_deref(), Ok(&b"Lovelace"[..]));
        assert_eq!(volume.get(&ada, 7).await, Err(Error::TooLarge));
        assert_eq!(volume.exists(&key("people/ada/x")).await, Ok(None));
        volume.set_range(&ada, 10, b"!").await.unwrap();
        let longer = volume.get(&ada, 20).await;
        assert_eq!(longer.as_deref(), Ok(&b"Lovelace\0\0!"[..]));
        let mut buffer = [9; 4];
        assert_eq!(volume.get_range(&ada, 9, &mut buffer).await, Ok(2));
        assert_eq!(volume.get_range(&ada, u64::MAX, &mut buffer).await, Ok(0));
        volume.remove(&ada).await.unwrap();
        assert_eq!(volume.exists(&key("people")).await, Ok(None));
        assert_eq!(volume.remove(&ada).await, Err(Error::NotFound));
        let huge = volume.set_range(&ada, u64::MAX, b"1").await;
        assert_eq!(huge, Err(Error::NoSpace));
    });
}

#[test]
fn versions_differ_and_times_are_those_of_the_clock() {
    simulate(|tasks| async move {
        let volume = new(&tasks, FatKind::Fat16, 16 * MIB).await;
        let a = key("a");
        let mut digests = Vec::new();
        for byte in 0..20 {
            volume.set(&a, &[byte]).await.unwrap();
            digests.push(volume.digest(&a).await.unwrap());
        }
        volume.remove(&a).await.unwrap();
        volume.set(&a, &[20]).await.unwrap();
        digests.push(volume.digest(&a).await.unwrap());
        volume.set_range(&a, 0, &[21]).await.unwrap();
        digests.push(volume.digest(&a).await.unwrap());
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
        tasks.sleep(Duration::from_secs(60)).await;
        volume.set(&a, b"late").await.unwrap();
        let now = tasks.wall().expect("there is a clock").as_secs();
        let changed = volume
            .last_modified(&a)
            .await
            .unwrap()
            .expect("it is known");
        assert_eq!(changed.as_secs(), now / 2 * 2);
    });
}

#[test]
fn names_are_long_and_found_in_any_case() {
    simulate(|tasks| async move {
        let volume = new(&tasks, FatKind::Fat32, 40 * MIB).await;
        let long = "Ein Verzeichnis mit langem Namen/Grüße aus 東京 🚀.html";
        volume.set(&key(long), b"1").await.unwrap();
        volume.set(&key("plain.txt"), b"2").await.unwrap();
        let inside = names(&volume, "ein verzeichnis mit LANGEM namen", "", 9).await;
        assert_eq!(inside, ["Grüße aus 東京 🚀.html"]);
        assert_eq!(
            volume.get(&key("PLAIN.TXT"), 9).await.as_deref(),
            Ok(&b"2"[..])
        );
        assert_eq!(
            volume.exists(&key("EINVER~1")).await,
            Ok(Some(Kind::Dictionary))
        );
        volume
            .rename(&key("plain.txt"), &key("Plain.TXT"))
            .await
            .unwrap();
        let top = names(&volume, "", "", 9).await;
        assert_eq!(top, ["Ein Verzeichnis mit langem Namen/", "Plain.TXT"]);
        let longest = key(&"n".repeat(255));
        volume.set(&longest, b"3").await.unwrap();
        assert_eq!(volume.get(&longest, 9).await.as_deref(), Ok(&b"3"[..]));
        for name in [
            "a:b",
            "what?",
            "a\\b",
            "dot.",
            "blank ",
            "\u{1}",
            &"n".repeat(256),
        ] {
            assert_eq!(
                volume.set(&key(name), b"").await,
                Err(Error::BadName),
                "{name}"
            );
            assert_eq!(volume.exists(&key(name)).await, Ok(None), "{name}");
            let renamed = volume.rename(&longest, &key(name)).await;
            assert_eq!(renamed, Err(Error::BadName), "{name}");
        }
    });
}

#[test]
fn dictionaries_are_listed_in_order_and_in_parts() {
    simulate(|tasks| async move {
        let volume = new(&tasks, FatKind::Fat16, 16 * MIB).await;
        for path in ["d/x/1", "d/x/2", "d/x-y", "d/a", "d/z/1", "e"] {
            volume.set(&key(path), b"").await.unwrap();
        }
        assert_eq!(names(&volume, "d", "", 9).await, ["a", "x/", "x-y", "z/"]);
        assert_eq!(names(&volume, "d", "a", 2).await, ["x/", "x-y"]);
        assert_eq!(names(&volume, "d", "x", 9).await, ["x-y", "z/"]);
        assert_eq!(names(&volume, "d", "", 0).await, [""; 0]);
        let listed = volume.list(&key("e"), "", 9).await;
        assert_eq!(listed, Err(Error::DictionaryExpected));
        volume.remove(&key("d")).await.unwrap();
        assert_eq!(names(&volume, "", "", 9).await, ["e"]);
        volume.remove(&Key::ROOT).await.unwrap();
        assert_eq!(names(&volume, "", "", 9).await, [""; 0]);
    });
}

#[test]
fn names_make_way_for_each_other_and_exclude_each_other() {
    simulate(|tasks| async move {
        let volume = new(&tasks, FatKind::Fat16, 16 * MIB).await;
        volume.set(&key("a/b/c"), b"1").await.unwrap();
        for (from, to, error) in [
            ("nothing", "x", Error::NotFound),
            ("", "x", Error::IntoItself),
            ("a", "A/e", Error::IntoItself),
            ("a/b", "A", Error::AlreadyPresent),
            ("a/b", "", Error::AlreadyPresent),
            ("a/b/c", "", Error::ValueExpected),
            ("a/b", "a/B/c/d", Error::IntoItself),
        ] {
            let renamed = volume.rename(&key(from), &key(to)).await;
            assert_eq!(renamed, Err(error), "{from} to {to}");
        }
        assert_eq!(volume.set(&key("A"), b"").await, Err(Error::ValueExpected));
        let inside = volume.set(&key("a/b/C/d"), b"").await;
        assert_eq!(inside, Err(Error::DictionaryExpected));
        volume.rename(&key("a/b/c"), &key("a")).await.unwrap();
        assert_eq!(names(&volume, "", "", 9).await, ["a"]);
        volume.rename(&key("a"), &key("a/b")).await.unwrap();
        assert_eq!(volume.get(&key("a/b"), 9).await.as_deref(), Ok(&b"1"[..]));
        assert_eq!(names(&volume, "", "", 9).await, ["a/"]);
        volume.rename(&key("a/b"), &key("a")).await.unwrap();
        assert_eq!(volume.get(&key("a"), 9).await.as_deref(), Ok(&b"1"[..]));
    });
}

#[test]
fn a_batch_is_made_as_a_whole_or_not_at_all() {
    let image = formatted(FatKind::Fat16, 16 * MIB);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 0));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let (a, b, c) = (key("a"), key("b"), key("dictionary/c"));
        let changes = [
            Change::Set(&a, b"1"),
            Change::Rename(&a, &c),
            Change::Set(&b, b"2"),
        ];
        volume.batch(&changes).await.unwrap();
        let before = disk.contents();
        let changes = [
            Change::Remove(&c),
            Change::Set(&b, b"3"),
            Change::Remove(&a),
        ];
        assert_eq!(volume.batch(&changes).await, Err(Error::NotFound));
        assert_eq!(disk.contents(), before);
        let large = vec![1; 5 * MIB];
        assert_eq!(volume.set(&b, &large).await, Err(Error::TooLarge));
        assert_eq!(disk.contents(), before);
        volume.rename(&c, &c).await.unwrap();
        assert_eq!(disk.contents(), before);
    });
}

#[test]
fn a_full_volume_takes_no_half_value_and_can_be_emptied_and_filled_again() {
    let image = formatted(FatKind::Fat12, 2 * MIB);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 0));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let value = vec![7; 100_000];
        let mut counts = Vec::new();
        for _ in 0..20 {
            let mut count = 0;
            while volume
                .set(&key(&format!("values/number {count}")), &value)
                .await
                .is_ok()
            {
                count += 1;
            }
            counts.push(count);
            let before = disk.contents();
            let next = key(&format!("values/number {count}"));
            assert_eq!(volume.set(&next, &value).await, Err(Error::NoSpace));
            assert_eq!(disk.contents(), before);
            assert_eq!(volume.exists(&next).await, Ok(None));
            assert_sound(before, 512).await;
            volume.remove(&key("values")).await.unwrap();
        }
        assert!(
            counts[0] >= 20 && counts.iter().all(|count| *count == counts[0]),
            "{counts:?}"
        );
        assert_sound(disk.contents(), 512).await;
    });
}

#[test]
fn requests_go_on_side_by_side_and_dropped_changes_are_whole() {
    let image = formatted(FatKind::Fat16, 16 * MIB);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 5));
        disk.set_faults(fata_block::Faults {
            delay: 5,
            ..Default::default()
        });
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let write = async |number: u8| {
            let key = key(&format!("value {number}"));
            volume.set(&key, &vec![number; 30_000]).await.unwrap();
            assert_eq!(volume.get(&key, 30_000).await, Ok(vec![number; 30_000]));
        };
        let [one, two, three] = [1, 2, 3].map(write);
        fata_task::join3(one, two, three).await;
        for turns in 0..200 {
            let dropped = key("dropped");
            let value = vec![turns; 20_000];
            let mut write = Box::pin(volume.set(&dropped, &value));
            for _ in 0..turns {
                let turn = fata_task::select(&mut write, fata_task::yield_now()).await;
                if matches!(turn, fata_task::Either::First(_)) {
                    break;
                }
            }
            drop(write);
            if let Ok(value) = volume.get(&dropped, 20_000).await {
                assert!(value.len() == 20_000 && value.iter().all(|byte| *byte == value[0]));
            }
        }
        volume.set(&key("last"), b"").await.unwrap();
        assert_sound(disk.contents(), 512).await;
    });
}

#[test]
fn no_read_sees_a_change_in_part() {
    let image = formatted(FatKind::Fat16, 16 * MIB);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 5));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        let value = key("value");
        // More than is kept in memory.
        volume.set(&value, &vec![0; MIB]).await.unwrap();
        disk.set_faults(fata_block::Faults {
            delay: 20,
            ..Default::default()
        });
        let mut readers = Vec::new();
        for _ in 0..40 {
            let (volume, value) = (volume.clone(), value.clone());
            readers.push(tasks.spawn(async move {
                for _ in 0..5 {
                    let mut buffer = vec![0; MIB];
                    let read = volume.get_range(&value, 0, &mut buffer).await;
                    assert_eq!(read, Ok(MIB));
                    assert!(buffer.iter().all(|byte| *byte == buffer[0]));
                }
            }));
        }
        for number in 1..10 {
            volume.set(&value, &vec![number; MIB]).await.unwrap();
        }
        for reader in readers {
            reader.await.expect("it is not cancelled");
        }
    });
}

#[test]
fn a_partition_has_a_volume() {
    const FIRST: u32 = 2048;
    let volume = formatted(FatKind::Fat16, 16 * MIB);
    let mut table = vec![0; FIRST as usize * 512];
    table[446 + 4] = 0x0e;
    table[446 + 8..][..4].copy_from_slice(&FIRST.to_le_bytes());
    table[446 + 12..][..4].copy_from_slice(&(volume.len() as u32 / 512).to_le_bytes());
    table[510..512].copy_from_slice(&[0x55, 0xaa]);
    let before = table.clone();
    simulate(|tasks| async move {
        let disk = Rc::new(RamDisk::from_bytes(512, [table, volume].concat()));
        let whole = FatKv::open(&tasks, Rc::clone(&disk), MIB).await.err();
        assert_eq!(whole, Some(Error::NotAStore));
        let partition = Partition::find(Rc::clone(&disk), |_| true).await;
        let volume = open(&tasks, partition.expect("there is one")).await;
        volume.set(&key("a/b"), b"1").await.unwrap();
        assert_eq!(volume.get(&key("a/b"), 9).await.as_deref(), Ok(&b"1"[..]));
        let after = disk.read(0, vec![0; before.len()]).await;
        assert!(after == Ok(before));
    });
}

#[test]
fn other_disks_are_refused() {
    simulate(|tasks| async move {
        let open = async |disk: RamDisk| FatKv::open(&tasks, disk, MIB).await.err();
        assert_eq!(open(RamDisk::new(512, 100)).await, Some(Error::NotAStore));
        assert_eq!(open(RamDisk::new(512, 0)).await, Some(Error::NoSectors));
        let checked = fata_fat::check(&RamDisk::new(512, 100), |_| {}).await;
        assert_eq!(checked, Err(Error::NotAStore));
        assert_eq!(
            open(RamDisk::new(8192, 100)).await,
            Some(Error::Unsupported)
        );
        let mut short = formatted(FatKind::Fat16, 16 * MIB);
        short.truncate(15 * MIB);
        let refused = open(RamDisk::from_bytes(512, short)).await;
        assert_eq!(refused, Some(Error::Damaged));
        let read_only = RamDisk::from_bytes(512, formatted(FatKind::Fat16, 16 * MIB));
        let volume = common::open(&tasks, read_only.into_read_only()).await;
        assert_eq!(volume.set(&key("a"), b"").await, Err(Error::ReadOnly));
        assert_eq!(names(&volume, "", "", 9).await, [""; 0]);
    });
}

#[test]
fn a_chain_that_bites_its_tail_is_damage() {
    simulate(|tasks| async move {
        let disk = Rc::new(RamDisk::from_bytes(
            512,
            formatted(FatKind::Fat16, 16 * MIB),
        ));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        volume.set(&key("d/a"), &[1; 9000]).await.unwrap();
        drop(volume);
        // Every chain is a ring: each of the clusters in use follows the next, and so on.
        let boot = disk.read(0, vec![0; 512]).await.unwrap();
        let first = u64::from(u16::from_le_bytes([boot[14], boot[15]]));
        let mut table = disk.read(first, vec![0; 512]).await.unwrap();
        for (entry, next) in [(2, 2), (3, 4), (4, 5), (5, 3)] {
            table[2 * entry..][..2].copy_from_slice(&u16::to_le_bytes(next));
        }
        disk.write(first, table).await.unwrap();
        let volume = open(&tasks, Rc::clone(&disk)).await;
        assert_eq!(names(&volume, "d", "", 9).await, ["a"]);
        let read = volume.get(&key("d/a"), 9000).await;
        assert_eq!(read, Err(Error::Damaged));
        assert_eq!(volume.remove(&Key::ROOT).await, Err(Error::Damaged));
        assert!(fata_fat::check(&disk, |_| {}).await.unwrap() > 0);
    });
}
