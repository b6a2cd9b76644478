//! The buffers between the console's handles and the task that drives the device.

use crate::Size;
use alloc::collections::VecDeque;
use core::cell::RefCell;
use fata_task::Event;

/// Bytes of output that wait for the device. What exceeds them waits in
/// [`write_all`](crate::Terminal::write_all), and is lost in [`write`](crate::Console::write).
pub(super) const OUTPUT: usize = 4096;
/// Bytes of input that wait to be read. When they are reached, the device waits.
pub(super) const INPUT: usize = 1024;

pub(super) struct Shared {
    pub(super) state: RefCell<State>,
    /// There is output to be sent, or room for input.
    pub(super) wake: Event,
    pub(super) readable: Event,
    /// There is room for output.
    pub(super) room: Event,
    pub(super) resized: Event,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) input: VecDeque<u8>,
    pub(super) output: VecDeque<u8>,
    /// The device has output that it has not taken in.
    pub(super) sending: bool,
    pub(super) size: Option<Size>,
    /// The device is not used any more.
    pub(super) ended: bool,
}
