//! A queue against devices that write whatever they like, between any two of its accesses.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_queue_survives(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fata_virtio::fake::torture::queue(&bytes);
    }
}
