//! Damaged and hostile images: an error, never a panic, never without an end, never wrong data.

mod forgery;

use fata_block::FaultyDisk;
use fata_kv::{Error, KvRo};
use fata_store::{Problem, Report, check};
use fata_task::simulate;
use forgery::{PAGE, PAGES, image, open, reseal, run};
use proptest::prelude::*;
use std::rc::Rc;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_image_is_an_error(input in proptest::collection::vec(any::<u8>(), 5..120)) {
        let (sound, _) = image();
        run(&sound, &input);
    }

    /// Every read returns what was written, or an error that a check finds too. (Without its
    /// confirmation a damaged transaction is taken for one that was cut.)
    #[test]
    fn damage_is_noticed(damage in proptest::collection::vec((3 * PAGE..PAGES * PAGE, 1..=255_u8), 1..8)) {
        let (mut image, values) = image();
        for (at, bits) in damage {
            image[at] ^= bits;
        }
        simulate(|tasks| async move {
            let disk = Rc::new(FaultyDisk::from_bytes(PAGE, image, 1));
            let Ok(store) = open(&tasks, &disk).await else {
                return;
            };
            let mut is_lost = false;
            for (key, value) in &values {
                match store.get(key, 10_000).await {
                    Ok(found) => assert_eq!(&found, value),
                    Err(error) => {
                        assert_eq!(error, Error::Damaged);
                        is_lost = true;
                    }
                }
            }
            let report = check(&disk).await.expect("it could be opened");
            assert_eq!(report.problems.is_empty(), !is_lost, "{report:?}");
        });
    }
}

fn report(image: &[u8]) -> Report {
    let disk = FaultyDisk::from_bytes(PAGE, image.to_vec(), 1);
    simulate(|_| async move { check(disk).await }).expect("it can be opened")
}

/// Says in both places of the bitmap's only page that the first pages are free, or used.
fn claim(image: &mut [u8], bits: u8) {
    for page in 3..5 {
        image[page * PAGE + 32..][..32].fill(bits);
        reseal(image, page);
    }
}

#[test]
fn a_check_tells_what_is_there_and_what_the_bitmap_has_wrong() {
    let (mut image, values) = image();
    let sound = report(&image);
    assert_eq!(sound.problems, []);
    assert_eq!(sound.values, values.len() as u64);
    let bytes: usize = values.values().map(Vec::len).sum();
    assert_eq!(sound.bytes, bytes as u64);
    assert_eq!(sound.used + sound.free, PAGES as u64 - 5);
    claim(&mut image, 0);
    let problems = report(&image).problems;
    assert!(matches!(problems[0], Problem::Unprotected(_)));
    claim(&mut image, 255);
    let problems = report(&image).problems;
    assert!(matches!(problems[..], [Problem::Leaked(_)]));
    assert!(problems[0].to_string().contains("count as used"));
}

#[test]
fn numbers_that_would_overflow_are_refused() {
    // The generation, and the next number for a value.
    for at in [16, 88] {
        let (mut image, _) = image();
        for page in 0..2 {
            image[page * PAGE + at..][..8].fill(0xff);
            reseal(&mut image, page);
        }
        let disk = FaultyDisk::from_bytes(PAGE, image, 1);
        let checked = simulate(|_| async move { check(disk).await });
        assert_eq!(checked, Err(Error::NotAStore), "{at}");
    }
}
