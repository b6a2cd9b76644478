//! Options of neighbor discovery messages (RFC 4861, section 4.6).

/// The options of a message, known to be whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// Checks that `bytes` is a row of options, none of them of length zero.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, rest) = split(rest)?;
        }
        Some(Self(bytes))
    }

    /// Each option's type, and what follows its length.
    pub(super) fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let option;
            (option, rest) = split(rest)?;
            Some((option[0], &option[2..]))
        })
    }
}

/// The first option and the others. Lengths are in units of eight bytes.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match usize::from(*bytes.get(1)?) * 8 {
        0 => None,
        length => bytes.split_at_checked(length),
    }
}
