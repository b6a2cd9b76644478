//! A store against a model in memory, with restarts.

mod common;

use common::operation::Generator;
use common::{amount, assert_sound, contents, copy, formatted, open};
use fata_kv::KvRo;
use fata_task::simulate;
use std::collections::BTreeMap;

/// Makes random changes of both, one at a time, and compares outcomes and contents.
fn run(sector_size: usize, seed: u64) {
    // A million in all is a thorough run, best of a release build.
    let operations = amount("FATA_STORE_OPERATIONS", 20_000) / 2;
    simulate(|tasks| async move {
        let disk = formatted(sector_size, 12 << 10, seed).await;
        let mut generator = Generator::new(seed, 300, 70_000);
        let mut store = open(&tasks, &disk).await;
        let model = copy(&tasks, &BTreeMap::new()).await;
        for number in 0..operations {
            let operation = generator.operation();
            let made = operation.make(&store).await;
            let expected = operation.make(&model).await;
            assert_eq!(made, expected, "{number}: {operation:?}");
            let key = generator.key();
            let metadata = (store.metadata(&key).await, model.metadata(&key).await);
            let kinds = (metadata.0.map(|m| m.kind()), metadata.1.map(|m| m.kind()));
            assert_eq!(kinds.0, kinds.1, "{number}");
            if generator.below(1000) == 0 {
                assert_eq!(contents(&store).await, contents(&model).await, "{number}");
                store = open(&tasks, &disk).await;
            }
        }
        assert_eq!(contents(&store).await, contents(&model).await);
        assert_sound(disk.contents(), sector_size).await;
    });
}

#[test]
fn a_store_is_what_its_model_is_512() {
    run(512, 1);
}

#[test]
fn a_store_is_what_its_model_is_4096() {
    run(4096, 2);
}
