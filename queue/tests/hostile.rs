//! Disks that an enemy has made, with the right checksums: an error or a queue that works, never
//! a panic, never without an end.

mod forgery;
mod support;

use forgery::{ITEMS, SLOT, forge, image, reseal, run};
use proptest::prelude::*;

#[test]
fn what_is_forged_begins_as_a_queue() {
    let mut image = image();
    assert_eq!(run(image.clone()), Some(ITEMS));
    for slot in image[..2 * SLOT].chunks_mut(SLOT) {
        let sum = slot[8..16].to_vec();
        reseal(slot);
        assert_eq!(slot[8..16], sum, "the checksum is the format's");
    }
}

#[test]
fn an_item_that_is_not_as_it_was_is_the_only_one_lost() {
    // In both slots one more in the first entry's checksum, and no length.
    for change in [[2, 6, 2, 1, 0], [2, 5, 0, 0, 0]] {
        let mut image = image();
        forge(&mut image, &change);
        assert_eq!(run(image), Some(ITEMS - 1), "{change:?}");
    }
}

#[test]
fn no_generation_or_number_is_the_last_one() {
    // Of two indices of one generation the second counts, which here lacks the last item.
    for (field, items) in [(2, ITEMS - 1), (3, ITEMS)] {
        for zeroes in 0..3 {
            let mut image = image();
            forge(&mut image, &[2, field, 3, zeroes, 0]);
            assert_eq!(run(image), Some(items), "field {field}, {zeroes} zeroes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_disk_is_an_error_or_a_queue(
        input in proptest::collection::vec(any::<u8>(), 5..50),
    ) {
        let mut image = image();
        forge(&mut image, &input);
        run(image);
    }
}
