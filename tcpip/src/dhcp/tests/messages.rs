//! Any bytes, in any state.

use super::*;
use proptest::prelude::*;

/// A list of options, cut off anywhere.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        any::<u8>(),
        Just(1),
        Just(3),
        Just(6),
        Just(26),
        Just(51),
        Just(52),
        Just(53),
        Just(54),
        Just(121),
    ];
    let option = (
        code,
        proptest::collection::vec(any::<u8>(), 0..20),
        -1..=1i8,
    );
    proptest::collection::vec(option, 0..20).prop_map(|options| {
        let mut bytes = Vec::new();
        for (code, value, error) in options {
            bytes.extend([code, (value.len() as u8).wrapping_add_signed(error)]);
            bytes.extend(value);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_taken_in(
        seed: u64,
        rounds in proptest::collection::vec((options(), 0..8u8, any::<[u8; 4]>(), 0..5u8), 1..20),
        tail in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut net = Net::new(seed);
        let start = net.now;
        let mut messages = 0;
        for (options, kind, address, damage) in rounds {
            while net.sent().is_some() {
                messages += 1;
            }
            let address = if damage > 2 { OWN.octets() } else { address };
            let mut bytes = net.message(SERVER, kind, address.into(), &[]);
            bytes.pop();
            bytes.extend(options);
            if damage == 1 {
                bytes[40..236].iter_mut().zip(&tail).for_each(|(byte, new)| *byte = *new);
            }
            net.receive(&bytes);
            net.receive(&bytes[..bytes.len() - usize::from(damage) % bytes.len()]);
            net.receive(&tail);
            if damage == 4 {
                net.now = net.client.deadline().unwrap_or(net.now);
            }
        }
        // A message without waiting answers an offer; each other has its time.
        let seconds = (net.now - start).as_secs();
        prop_assert!(messages <= 6 + seconds, "{messages} in {seconds} s");
    }
}
