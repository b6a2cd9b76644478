//! A device that does what a script of bytes says.

use super::{Chain, DeviceQueue, FakeDevice};
use alloc::vec::Vec;

/// Bytes that decide what happens. At their end all are zero.
#[derive(Clone)]
pub struct Script {
    bytes: Vec<u8>,
    position: usize,
}

impl Script {
    /// A script of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.into(),
            position: 0,
        }
    }

    /// Returns whether no bytes are left.
    pub fn is_over(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        byte
    }

    fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn long(&mut self) -> u32 {
        u32::from(self.word()) << 16 | u32::from(self.word())
    }
}

/// A device that keeps to no rule.
pub struct Hostile {
    device: FakeDevice,
    queues: Vec<DeviceQueue>,
    script: Script,
    /// Chains taken, returned or not.
    chains: Vec<(usize, Chain)>,
}

impl Hostile {
    /// Plays the device with its first `queues` queues.
    pub fn new(device: &FakeDevice, queues: u16, script: Script) -> Self {
        Self {
            device: device.clone(),
            queues: (0..queues).map(|number| device.queue(number)).collect(),
            script,
            chains: Vec::new(),
        }
    }

    /// Does the script's next step: nothing, what an honest device does, or what none does.
    /// Does nothing once the device is reset.
    pub fn act(&mut self) {
        if self.script.is_over() || !self.device.is_running() {
            return;
        }
        let action = self.script.byte();
        let number = usize::from(action >> 5) % self.queues.len();
        match action & 31 {
            0..=12 => {}
            13..=19 => self.take_and_complete(number),
            20 => self.return_again(number),
            21 => {
                let (index, id) = (self.script.word(), self.script.long());
                let length = self.script.long();
                self.queues[number].write_used(index, id, length);
            }
            22 => {
                let index = self.script.word();
                self.queues[number].set_used_index(index);
            }
            23 => {
                let returned = self.queues[number].returned;
                let step = u16::from(self.script.byte());
                self.queues[number].set_used_index(returned.wrapping_add(step));
            }
            24 => {
                let (offset, value) = (self.script.long(), self.script.byte());
                self.queues[number].scribble(offset.into(), value);
            }
            25 => {
                let (offset, value) = (self.script.byte(), self.script.byte());
                self.device.set_configuration(offset.into(), value);
            }
            26 => self.queues[number].disable_notifications(),
            27 => self.queues[number].enable_notifications(),
            28 => self.device.interrupt(),
            29 => self.write_late(),
            _ => {
                let (id, length) = (u32::from(self.script.byte()), self.script.long());
                self.queues[number].put_used(id, length);
            }
        }
    }

    fn take_and_complete(&mut self, number: usize) {
        let queue = &mut self.queues[number];
        if let Some(Ok(chain)) = queue.try_take() {
            let length = usize::from(self.script.word()) % (chain.room() + 1);
            let byte = self.script.byte();
            chain.write(&alloc::vec![byte; length]);
            queue.put_used(chain.head.into(), length as u32);
            if queue.wants_interrupt() {
                self.device.interrupt();
            }
            self.chains.push((number, chain));
        }
    }

    fn return_again(&mut self, number: usize) {
        let which = usize::from(self.script.byte());
        if let Some((_, chain)) = self.chains.get(which % self.chains.len().max(1)) {
            self.queues[number].put_used(chain.head.into(), 1);
        }
    }

    /// Writes to a chain's memory, which the driver may have taken back.
    fn write_late(&mut self) {
        let (which, byte) = (usize::from(self.script.byte()), self.script.byte());
        if let Some((_, chain)) = self.chains.get(which % self.chains.len().max(1)) {
            chain.write(&alloc::vec![byte; chain.room()]);
        }
    }
}
