use crate::part::Part;
use crate::shared::Shared;
use alloc::rc::Rc;

/// Memory that a part of the program may hold. Dropping it gives the memory back.
#[derive(Debug)]
#[must_use = "what is not held is given back at once"]
pub struct Lease {
    shared: Rc<Shared>,
    part: Part,
    bytes: usize,
}

impl Lease {
    pub(crate) fn new(shared: &Rc<Shared>, part: Part, bytes: usize) -> Self {
        Self {
            shared: Rc::clone(shared),
            part,
            bytes,
        }
    }

    /// Bytes that its holder may hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes by which it could grow now.
    pub fn room(&self) -> usize {
        self.shared.room(self.part, 0)
    }

    /// Grows or shrinks to `bytes`. Returns whether it is so large now; one that cannot grow
    /// stays as it is.
    pub fn try_resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            if !self.shared.grow(self.part, bytes - self.bytes, 0) {
                return false;
            }
        } else {
            self.shared.shrink(self.part, self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.shrink(self.part, self.bytes);
    }
}
