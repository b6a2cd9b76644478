/// The memory that a program lets a [`Pool`](crate::Pool) have, out of what all its parts share.
pub trait Quota {
    /// Bytes that the pool holds of it.
    fn held(&self) -> usize;

    /// Bytes that it may hold beyond these at the moment.
    fn room(&self) -> usize;

    /// Holds so many bytes from now on. Returns whether it may; less is always granted.
    fn try_resize(&mut self, bytes: usize) -> bool;
}

/// A quota that only the pool's own limit bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited {
    held: usize,
}

impl Quota for Unlimited {
    fn held(&self) -> usize {
        self.held
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    fn try_resize(&mut self, bytes: usize) -> bool {
        self.held = bytes;
        true
    }
}
