//! Bytes that say what is to happen, taken one after the other.

use alloc::vec::Vec;

/// The bytes that are left. When there are none, all numbers are zero.
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0 {
            [byte, rest @ ..] => {
                self.0 = rest;
                *byte
            }
            [] => 0,
        }
    }

    /// The next two bytes.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// A number near zero, mostly.
    pub fn offset(&mut self) -> u32 {
        match self.byte() {
            byte @ ..200 => u32::from(byte % 16).wrapping_sub(4),
            _ => u32::from(self.word()) << 16 | u32::from(self.word()),
        }
    }
}
