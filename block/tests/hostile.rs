//! Tables of partitions that are damaged or forged: an error, never a panic, never without an end,
//! never a partition outside of its disk.

mod forgery;

use forgery::run;
use proptest::prelude::*;

/// The forger's image is sound at first, so that changes are made to something.
#[test]
fn unchanged_tables_have_partitions() {
    for options in 0..16 {
        assert!(run(&[options, 0]), "options {options}");
    }
    assert!(!run(&[0, 128]), "there is no disk");
}

#[test]
fn changed_tables_of_right_checksums_are_read() {
    // The first partition ends a sector earlier.
    let change = [4, 2, 40, 0, 0];
    assert!(run(&[&[0, 0], &change[..]].concat()));
    // The same, but with a wrong checksum: the second copy is taken, or none.
    assert!(run(&[&[4, 0], &change[..]].concat()));
    let changes = [change, [4, 127, 40, 0, 0]].concat();
    assert!(!run(&[&[4 | 8, 0], &changes[..]].concat()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_table_is_an_error(
        options: u8,
        cut_off in prop_oneof![4 => Just(0), 1 => any::<u8>()],
        changes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        run(&[&[options, cut_off], &changes[..]].concat());
    }
}
