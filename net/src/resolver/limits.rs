/// The bounds of a [`Resolver`](super::Resolver).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers that are kept, 256 by default. At the bound, the one that would expire first
    /// makes room.
    pub entries: usize,
    /// Bytes that these take, about; 64 KiB by default. With the same effect.
    pub bytes: usize,
    /// Questions that are being asked at a time, 32 by default; a lookup takes two, for IPv4
    /// and IPv6. At the bound a lookup fails with [`ResolveError::LimitReached`](super::ResolveError::LimitReached).
    pub questions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 256,
            bytes: 64 << 10,
            questions: 32,
        }
    }
}
