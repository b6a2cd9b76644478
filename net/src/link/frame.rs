//! Frames of a [`Link`](super::Link).

use crate::{Frame, Offload};
use alloc::vec::Vec;
use core::ops::Deref;

/// A frame that a [`Link`](super::Link) has received.
#[derive(Debug, Default)]
pub struct LinkFrame {
    pub(super) bytes: Vec<u8>,
    /// The work on it that was not done.
    pub(super) offload: Offload,
}

impl Deref for LinkFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for LinkFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Frame for LinkFrame {
    fn is_verified(&self) -> bool {
        self.offload != Offload::None
    }

    fn remove_tag(&mut self) {
        self.bytes.remove_tag();
    }
}
