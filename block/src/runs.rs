use alloc::vec::Vec;

/// Joins equally long parts of a disk, given by their places in ascending order, so that those
/// which follow each other are written by one request of `most` bytes, or a part more if `most`
/// is no multiple of a part: each run's first place, and its bytes.
///
/// ```
/// let parts = [(3, vec![3; 512]), (7, vec![7; 512]), (8, vec![8; 512])];
/// let runs = fata_block::runs(parts, 64 * 1024);
/// let lengths: Vec<_> = runs.iter().map(|(place, bytes)| (*place, bytes.len())).collect();
/// assert_eq!(lengths, [(3, 512), (7, 1024)]);
/// ```
pub fn runs<P>(parts: impl IntoIterator<Item = (u64, P)>, most: usize) -> Vec<(u64, Vec<u8>)>
where
    P: AsRef<[u8]> + Into<Vec<u8>>,
{
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    // The place after the last run.
    let mut next = None;
    for (place, part) in parts {
        match runs.last_mut() {
            Some((_, run)) if next == Some(place) && run.len() < most => {
                run.extend_from_slice(part.as_ref());
            }
            _ => runs.push((place, part.into())),
        }
        next = Some(place + 1);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_up_to_a_bound() {
        let parts = (0..5).chain([9]).map(|place| (place, [place as u8; 2]));
        let expected = [
            (0, [0, 0, 1, 1].to_vec()),
            (2, [2, 2, 3, 3].to_vec()),
            (4, [4, 4].to_vec()),
            (9, [9, 9].to_vec()),
        ];
        assert_eq!(runs(parts.clone(), 4), expected);
        assert_eq!(runs(parts, 3), expected);
        assert_eq!(runs([(0, [1u8]); 0], 4), []);
    }
}
