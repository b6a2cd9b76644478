//! The device: its features, configuration and queues.

use super::lane::{self, Broken, Lane};
use super::{INPUT, OUTPUT, Shared, State};
use crate::Size;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

/// The queues of port 0 (section 5.3.2).
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

/// Places in the device's configuration (section 5.3.4).
const CONFIG_COLUMNS: usize = 0;
const CONFIG_ROWS: usize = 2;

bitflags::bitflags! {
    /// Feature bits (sections 5.3.3 and 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const SIZE = 1 << 0;
        const VERSION_1 = 1 << 32;
    }
}

pub(super) struct Device<H: Hal, T: Transport> {
    // First, so that it is dropped first: that resets the device, which then lets go of
    // the queues and buffers below.
    transport: T,
    receive: Lane<H>,
    transmit: Lane<H>,
    tells_size: bool,
}

impl<H: Hal, T: Transport> Device<H, T> {
    pub(super) fn new(mut transport: T) -> Result<Self, Error> {
        let features = transport.begin_init(Features::all());
        let receive = Lane::new(&mut transport, RECEIVE)?;
        let transmit = Lane::new(&mut transport, TRANSMIT)?;
        transport.finish_init();
        Ok(Self {
            transport,
            receive,
            transmit,
            tells_size: features.contains(Features::SIZE),
        })
    }

    /// What the configuration says. A device that does not know its size says zero.
    pub(super) fn size(&self) -> Option<Size> {
        if !self.tells_size {
            return None;
        }
        let read = || {
            Ok(Size {
                columns: self.transport.read_config_space(CONFIG_COLUMNS)?,
                rows: self.transport.read_config_space(CONFIG_ROWS)?,
            })
        };
        let size = self.transport.read_consistent(read).ok()?;
        (size.columns > 0 && size.rows > 0).then_some(size)
    }

    /// Does all that can be done without waiting, after an interrupt or a wake-up.
    pub(super) fn turn(&mut self, shared: &Shared) -> Result<(), Broken> {
        // Lowers the line first, so that what happens from here on is a new edge.
        self.transport.ack_interrupt();
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
    fn turn_input(&mut self, state: &mut State) -> Result<bool, Broken> {
        let before = state.input.len();
        if let Some(bytes) = self.receive.take_back()? {
            state.input.extend(bytes);
        }
        if state.input.len() + lane::SIZE <= INPUT {
            self.receive.receive(&mut self.transport)?;
        }
        Ok(state.input.len() > before)
    }

    /// Returns whether there is new room for output, or all was sent.
    fn turn_output(&mut self, state: &mut State) -> Result<bool, Broken> {
        let came_back = self.transmit.take_back()?.is_some();
        let waiting = state.output.make_contiguous();
        debug_assert!(waiting.len() <= OUTPUT);
        let sent = self.transmit.send(&mut self.transport, waiting)?;
        state.output.drain(..sent);
        state.sending = self.transmit.is_lent();
        Ok(came_back || sent > 0)
    }
}
