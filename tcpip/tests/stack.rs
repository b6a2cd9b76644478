//! A stack whose peer sends anything.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_stack_survives(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fata_tcpip::testing::stack(&bytes);
    }
}
