/// The memory that a program lets a [`Pool`](crate::Pool) have, out of what all its parts share.
pub trait Quota {
    /// Bytes that the pool may hold at the moment beyond those that it holds.
    fn room(&self) -> usize;

    /// Holds so many bytes from now on. Returns whether it may; less is always granted.
    fn try_resize(&mut self, bytes: usize) -> bool;
}

/// A quota that only the pool's own limit bounds.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Quota for Unlimited {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn try_resize(&mut self, _: usize) -> bool {
        true
    }
}
