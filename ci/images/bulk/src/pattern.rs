//! A stream of bytes in which each tells its place, so that none can be lost, doubled or swapped
//! unseen.

/// Writes the stream from `place` on into `block`.
pub fn fill(place: u64, block: &mut [u8]) {
    let mut place = place;
    let mut rest = block;
    while !rest.is_empty() {
        let word = word(place / 8).to_le_bytes();
        let from = (place % 8) as usize;
        let count = rest.len().min(8 - from);
        let (now, later) = rest.split_at_mut(count);
        now.copy_from_slice(&word[from..from + count]);
        rest = later;
        place += count as u64;
    }
}

/// Returns whether `block` is what the stream has from `place` on; `expected` is as long, for use
/// here.
pub fn matches(place: u64, block: &[u8], expected: &mut [u8]) -> bool {
    let expected = &mut expected[..block.len()];
    fill(place, expected);
    block == expected
}

/// Eight bytes of the stream: SplitMix64 (Steele, Lea, Flood 2014).
pub fn word(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
