//! A FAT volume against a model in memory, opened anew now and then.

mod common;
#[allow(dead_code, reason = "the store's tests use more of it")]
#[path = "../../store/tests/common/operation.rs"]
mod operation;

use common::{assert_sound, contents, formatted, open};
use fata_block::FaultyDisk;
use fata_kv::{KvRo, MemoryKv};
use fata_task::simulate;
use hadris_fat::FatKind;
use operation::Generator;
use std::rc::Rc;

/// Makes random changes of both, one at a time, and compares outcomes and contents.
fn run(kind: FatKind, bytes: usize, sector_size: usize, seed: u64) {
    let image = formatted(kind, bytes);
    simulate(|tasks| async move {
        let disk = Rc::new(FaultyDisk::from_bytes(sector_size, image, seed));
        // With no more names than that, none is longer than FAT's may be.
        let mut generator = Generator::new(seed, 60, 40_000);
        let mut volume = open(&tasks, Rc::clone(&disk)).await;
        let model = MemoryKv::new(&tasks, 1 << 30);
        for number in 0..1500 {
            let operation = generator.operation();
            let made = operation.make(&volume).await;
            let expected = operation.make(&model).await;
            assert_eq!(made, expected, "{number}: {operation:?}");
            let key = generator.key();
            let metadata = (volume.metadata(&key).await, model.metadata(&key).await);
            let kinds = (metadata.0.map(|m| m.kind()), metadata.1.map(|m| m.kind()));
            assert_eq!(kinds.0, kinds.1, "{number}");
            if generator.below(100) == 0 {
                assert_eq!(contents(&volume).await, contents(&model).await, "{number}");
                assert_sound(disk.contents(), sector_size).await;
                volume = open(&tasks, Rc::clone(&disk)).await;
            }
        }
        assert_eq!(contents(&volume).await, contents(&model).await);
        assert_sound(disk.contents(), sector_size).await;
    });
}

#[test]
fn fat12_is_what_its_model_is() {
    run(FatKind::Fat12, 6 << 20, 512, 1);
}

#[test]
fn fat16_is_what_its_model_is() {
    run(FatKind::Fat16, 16 << 20, 512, 2);
}

#[test]
fn fat32_is_what_its_model_is() {
    run(FatKind::Fat32, 40 << 20, 512, 3);
}

#[test]
fn a_volume_of_512_bytes_on_sectors_of_4096_is_what_its_model_is() {
    run(FatKind::Fat16, 16 << 20, 4096, 4);
}
