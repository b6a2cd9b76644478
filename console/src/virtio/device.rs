//! The device: its features, configuration and queues.

use super::shared::{INPUT, OUTPUT, Shared, State};
use crate::Size;
use alloc::boxed::Box;
use fata_virtio::{Aligned, QueueError, Readable, SetUpError, SplitQueue, Writable};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

/// The queues of port 0 (section 5.3.2).
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// One buffer of each queue is in use at a time.
const QUEUE_SIZE: u16 = 2;

/// Bytes of each buffer.
pub(super) const BUFFER: usize = 512;

type Buffer = Box<Aligned<BUFFER>>;

/// Columns and rows, 16 bits each, in the device's configuration (section 5.3.4).
const CONFIG_SIZE: usize = 0;

/// The configuration has a size (section 5.3.3).
const FEATURE_SIZE: u64 = 1 << 0;

pub(super) struct Device {
    device: fata_virtio::Device,
    receive: SplitQueue<Writable<Buffer>>,
    transmit: SplitQueue<Readable<Buffer>>,
    /// The queues' buffers while the device does not have them.
    unfilled: Option<Buffer>,
    unsent: Option<Buffer>,
}

impl Device {
    pub(super) fn new<H: Hal>(transport: impl Transport + 'static) -> Result<Self, SetUpError> {
        let device = fata_virtio::Device::new::<H>(transport, FEATURE_SIZE)?;
        let receive = device.queue(RECEIVE, QUEUE_SIZE)?;
        let transmit = device.queue(TRANSMIT, QUEUE_SIZE)?;
        device.start();
        Ok(Self {
            device,
            receive,
            transmit,
            unfilled: Some(Aligned::new()),
            unsent: Some(Aligned::new()),
        })
    }

    /// The size in the configuration. A device that does not know its size says zero.
    pub(super) fn size(&self) -> Option<Size> {
        if self.device.features() & FEATURE_SIZE == 0 {
            return None;
        }
        let [c0, c1, r0, r1] = self.device.configuration(CONFIG_SIZE).ok()?;
        let size = Size {
            columns: u16::from_le_bytes([c0, c1]),
            rows: u16::from_le_bytes([r0, r1]),
        };
        (size.columns > 0 && size.rows > 0).then_some(size)
    }

    /// Does all that can be done without waiting, after an interrupt or a wake-up.
    pub(super) fn turn(&mut self, shared: &Shared) -> Result<(), QueueError> {
        // Lowers the line first, so that what happens from here on is a new edge.
        self.device.acknowledge_interrupt();
        let mut state = shared.state.borrow_mut();
        if self.turn_input(&mut state)? {
            shared.readable.signal();
        }
        if self.turn_output(&mut state)? {
            shared.room.signal();
        }
        // With MSI-X the vector is the same for queues and configuration, so look.
        let size = self.size();
        if size != state.size {
            state.size = size;
            shared.resized.signal();
        }
        Ok(())
    }

    /// Returns whether there is new input.
    fn turn_input(&mut self, state: &mut State) -> Result<bool, QueueError> {
        let before = state.input.len();
        if let Some(used) = self.receive.pop()? {
            let buffer = used.buffer.into_memory();
            state.input.extend(&buffer[..used.written]);
            self.unfilled = Some(buffer);
        }
        if state.input.len() + BUFFER <= INPUT
            && let Some(buffer) = self.unfilled.take()
        {
            let added = self.receive.add(Writable::new(buffer, BUFFER));
            added.map_err(|rejected| rejected.reason)?;
            self.receive.publish();
        }
        Ok(state.input.len() > before)
    }

    /// Returns whether there is new room for output, or all was sent.
    fn turn_output(&mut self, state: &mut State) -> Result<bool, QueueError> {
        let came_back = self.transmit.pop()?;
        let has_room = came_back.is_some();
        if let Some(used) = came_back {
            self.unsent = Some(used.buffer.into_memory());
        }
        debug_assert!(state.output.len() <= OUTPUT);
        let length = state.output.len().min(BUFFER);
        let mut sent = false;
        if length > 0
            && let Some(mut buffer) = self.unsent.take()
        {
            for (slot, byte) in buffer.iter_mut().zip(state.output.drain(..length)) {
                *slot = byte;
            }
            let added = self.transmit.add(Readable::new(buffer, length));
            added.map_err(|rejected| rejected.reason)?;
            self.transmit.publish();
            sent = true;
        }
        state.sending = self.transmit.held() > 0;
        Ok(has_room || sent)
    }
}
