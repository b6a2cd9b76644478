//! virtio-console (virtio 1.2, section 5.3), its first port, over any transport.
//!
//! A task of its own drives the device, by interrupts. It passes bytes between the device
//! and two bounded buffers, which the console's handles fill and empty.

mod device;
mod shared;
#[cfg(test)]
mod tests;

use crate::{Console, Size, Terminal};
use alloc::rc::Rc;
use core::cell::RefCell;
use device::Device;
use fata_task::{Event, Handle, select};
use fata_virtio::{QueueError, SetUpError};
use shared::{OUTPUT, Shared, State};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

/// A virtio console. Clones are the same; one task at a time should read, one write, and
/// one wait for a new size.
#[derive(Clone)]
pub struct VirtioConsole {
    shared: Rc<Shared>,
}

impl VirtioConsole {
    /// Sets the device up, and spawns the task that drives it for as long as the executor
    /// runs. `event` is signalled after each of its interrupts.
    ///
    /// # Errors
    /// If there is no memory for the queues, or the device does not follow the
    /// specification.
    pub fn start<H: Hal>(
        tasks: &Handle,
        transport: impl Transport + 'static,
        event: &'static Event,
    ) -> Result<Self, SetUpError> {
        let device = Device::new::<H>(transport)?;
        let shared = Rc::new(Shared {
            state: RefCell::default(),
            wake: Event::new(),
            readable: Event::new(),
            room: Event::new(),
            resized: Event::new(),
        });
        shared.state.borrow_mut().size = device.size();
        tasks.spawn(run(device, Rc::clone(&shared), event));
        Ok(Self { shared })
    }

    /// Takes as much of `bytes` as there is room for. Returns how many.
    fn push(&self, bytes: &[u8]) -> usize {
        let mut state = self.shared.state.borrow_mut();
        if state.ended {
            return bytes.len();
        }
        let count = bytes.len().min(OUTPUT - state.output.len());
        state.output.extend(&bytes[..count]);
        if count > 0 {
            self.shared.wake.signal();
        }
        count
    }

    /// Reads what has come in, at most a buffer full. `None` if a reader has to wait.
    fn pull(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut state = self.shared.state.borrow_mut();
        let count = buffer.len().min(state.input.len());
        if count == 0 && !buffer.is_empty() && !state.ended {
            return None;
        }
        for (slot, byte) in buffer.iter_mut().zip(state.input.drain(..count)) {
            *slot = byte;
        }
        self.shared.wake.signal();
        Some(count)
    }
}

impl Console for VirtioConsole {
    fn write(&self, bytes: &[u8]) {
        self.push(bytes);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        loop {
            if let Some(count) = self.pull(buffer) {
                return count;
            }
            self.shared.readable.wait().await;
        }
    }
}

impl Terminal for VirtioConsole {
    async fn write_all(&self, mut bytes: &[u8]) {
        loop {
            bytes = &bytes[self.push(bytes)..];
            if bytes.is_empty() {
                return;
            }
            self.shared.room.wait().await;
        }
    }

    async fn flush(&self) {
        let is_busy = |state: &State| state.sending || !state.output.is_empty();
        while is_busy(&self.shared.state.borrow()) {
            self.shared.room.wait().await;
        }
    }

    fn size(&self) -> Option<Size> {
        self.shared.state.borrow().size
    }

    async fn resized(&self) -> Option<Size> {
        self.shared.resized.wait().await;
        self.size()
    }
}

async fn run(mut device: Device, shared: Rc<Shared>, event: &'static Event) {
    let error = drive(&mut device, &shared, event).await;
    log::error!(target: "console", "the virtio console is not used any more: {error}");
    let mut state = shared.state.borrow_mut();
    state.ended = true;
    state.sending = false;
    state.output.clear();
    shared.readable.signal();
    shared.room.signal();
}

/// Serves the device until it breaks the rules of its queues.
async fn drive(device: &mut Device, shared: &Shared, event: &'static Event) -> QueueError {
    loop {
        if let Err(error) = device.turn(shared) {
            return error;
        }
        select(event.wait(), shared.wake.wait()).await;
    }
}
