//! Damaged volumes are errors, no panics and no endless loops. `ci/fuzz/run fat` looks longer.

mod forgery;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_an_error(plan in proptest::collection::vec(any::<u8>(), 1..30)) {
        forgery::run(&plan);
    }
}
