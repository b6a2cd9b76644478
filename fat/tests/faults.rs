//! Disks that fail, and power that is cut, in the midst of a change.

mod common;

use common::{formatted, key, open};
use fata_block::{Faults, FaultyDisk};
use fata_fat::{FatKv, check};
use fata_kv::{Change, Error, KvRo, KvRw};
use fata_task::simulate;
use hadris_fat::FatKind;
use std::rc::Rc;

const KEPT: usize = 20_000;

/// A volume with a value that no change touches, and one that all do.
fn image() -> Vec<u8> {
    let image = formatted(FatKind::Fat16, 5 << 20);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(512, image, 0));
        let volume = open(&tasks, Rc::clone(&disk)).await;
        volume.set(&key("folder/kept"), &[1; KEPT]).await.unwrap();
        volume
            .set(&key("folder/changed"), &[2; 3000])
            .await
            .unwrap();
        disk.contents()
    })
}

/// Changes a volume in several ways at once.
async fn change(volume: &FatKv<Rc<FaultyDisk>>) -> Result<(), Error> {
    let (changed, other) = (key("folder/changed"), key("folder/a long name for it"));
    let more = key("another folder/new");
    let changes = [
        Change::Set(&changed, &[3; 9000]),
        Change::Rename(&changed, &other),
        Change::Set(&more, &[4; 5000]),
    ];
    volume.batch(&changes).await
}

#[test]
fn errors_of_the_disk_are_told() {
    let image = &image();
    for steps in 0.. {
        let is_over = simulate(|tasks| async move {
            let disk = Rc::new(FaultyDisk::from_bytes(512, image.to_vec(), steps));
            let volume = open(&tasks, Rc::clone(&disk)).await;
            disk.set_faults(Faults {
                fail_after: Some(steps),
                ..Faults::default()
            });
            let changed = change(&volume).await;
            if changed.is_ok() {
                return true;
            }
            let failed = Err(Error::Disk(fata_block::Error::Io));
            assert_eq!(changed, failed, "after {steps}");
            disk.set_faults(Faults::default());
            // It goes on if nothing was written yet.
            if disk.contents() != *image {
                assert_eq!(change(&volume).await, Err(Error::Closed), "after {steps}");
                let read = volume.get(&key("folder/kept"), KEPT).await;
                assert_eq!(read, Err(Error::Closed), "after {steps}");
            }
            false
        });
        if is_over {
            assert!(steps > 20, "{steps}");
            return;
        }
    }
}

#[test]
fn a_power_cut_harms_only_what_is_changed_and_leaves_a_mark() {
    let image = &image();
    let mut marked = 0;
    for steps in 0..200 {
        let (is_marked, is_over) = simulate(|tasks| async move {
            let disk = Rc::new(FaultyDisk::from_bytes(512, image.to_vec(), steps));
            let volume = open(&tasks, Rc::clone(&disk)).await;
            disk.set_faults(Faults {
                cut_after: Some(steps),
                ..Faults::default()
            });
            let is_over = change(&volume).await.is_ok();
            let disk = Rc::new(FaultyDisk::from_bytes(512, disk.cut(), 0));
            let is_marked = check(&disk, |_| {}).await.expect("there is a volume") > 0;
            let volume = open(&tasks, disk).await;
            let kept = volume.get(&key("folder/kept"), KEPT).await;
            assert_eq!(kept, Ok(vec![1; KEPT]), "after {steps}");
            if !is_marked {
                let old = volume.get(&key("folder/changed"), 9000).await;
                let new = volume.get(&key("folder/a long name for it"), 9000).await;
                let is_old = old == Ok(vec![2; 3000]) && new == Err(Error::NotFound);
                let is_new = old == Err(Error::NotFound) && new == Ok(vec![3; 9000]);
                assert!(is_old && !is_over || is_new, "after {steps}");
            }
            (is_marked, is_over)
        });
        marked += u64::from(is_marked);
        if is_over {
            break;
        }
    }
    assert!(marked > 20, "{marked}");
}
