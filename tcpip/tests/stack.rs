//! A stack whose peer sends anything.

#[path = "stack/mod.rs"]
mod torture;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_stack_survives(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        torture::stack(&bytes);
    }
}
