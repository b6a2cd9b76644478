//! A resolver whose servers answer anything.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_resolver_survives(bytes in prop::collection::vec(any::<u8>(), 0..1_000)) {
        fata_net::testing::resolver(&bytes);
    }
}
