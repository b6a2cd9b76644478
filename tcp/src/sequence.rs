use core::cmp::Ordering;
use core::ops::{Add, Sub};

/// A sequence number (RFC 9293, section 3.4). Two of them are compared on the assumption
/// that they lie less than 2^31 apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence(pub u32);

impl Sequence {
    /// Bytes from `earlier` to this one, or 0 if that is the later one.
    pub fn since(self, earlier: Self) -> u32 {
        let distance = self.0.wrapping_sub(earlier.0);
        if distance > i32::MAX as u32 {
            0
        } else {
            distance
        }
    }

    /// The later one of both.
    pub fn max(self, other: Self) -> Self {
        if self < other { other } else { self }
    }

    /// The earlier one of both.
    pub fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.0.wrapping_sub(other.0) as i32).cmp(&0))
    }
}

impl Add<u32> for Sequence {
    type Output = Self;

    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Sub<u32> for Sequence {
    type Output = Self;

    fn sub(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_across_the_wrap() {
        let late = Sequence(u32::MAX - 1);
        let wrapped = late + 3;
        assert_eq!(wrapped, Sequence(1));
        assert!(late < wrapped);
        assert_eq!((wrapped.since(late), late.since(wrapped)), (3, 0));
        assert_eq!((late.max(wrapped), late.min(wrapped)), (wrapped, late));
        assert_eq!(wrapped - 3, late);
    }
}
