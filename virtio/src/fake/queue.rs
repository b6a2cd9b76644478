//! The device's side of a split virtqueue.

use super::memory;
use alloc::vec::Vec;
use virtio_drivers::PhysAddr;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// A chain that the driver has made available.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its first descriptor.
    pub head: u16,
    /// The bytes that the driver has written.
    pub readable: Vec<u8>,
    /// Where the device may write, and how many bytes.
    pub writable: Vec<(PhysAddr, usize)>,
}

impl Chain {
    /// How many bytes the device may write.
    pub fn room(&self) -> usize {
        self.writable.iter().map(|(_, length)| length).sum()
    }

    /// Writes from the first writable byte on. Returns false if the driver has taken the
    /// memory back.
    pub fn write(&self, mut bytes: &[u8]) -> bool {
        self.writable.iter().all(|(address, length)| {
            let (now, later) = bytes.split_at(bytes.len().min(*length));
            bytes = later;
            memory::write(*address, now)
        })
    }
}

/// The device's side of a queue: what an honest device does, and the means not to be one.
#[derive(Clone)]
pub struct DeviceQueue {
    size: u16,
    descriptors: PhysAddr,
    available: PhysAddr,
    used: PhysAddr,
    events: bool,
    /// Chains taken, and chains returned.
    pub(crate) taken: u16,
    pub(crate) returned: u16,
    /// How far the driver was interrupted.
    pub(crate) told: u16,
}

/// Why there is no chain.
type Fault = &'static str;

impl DeviceQueue {
    pub(super) fn new(size: u16, addresses: [PhysAddr; 3], events: bool) -> Self {
        let [descriptors, available, used] = addresses;
        Self {
            size,
            descriptors,
            available,
            used,
            events,
            taken: 0,
            returned: 0,
            told: 0,
        }
    }

    /// How many descriptors the queue has.
    pub fn size(&self) -> u16 {
        self.size
    }

    fn load(&self, address: PhysAddr) -> u16 {
        let mut bytes = [0; 2];
        assert!(memory::read(address, &mut bytes), "the rings are shared");
        u16::from_le_bytes(bytes)
    }

    fn store(&self, address: PhysAddr, value: u16) {
        let written = memory::write(address, &value.to_le_bytes());
        assert!(written, "the rings are shared");
    }

    /// How many chains the driver has made available that were not taken.
    pub fn waiting(&self) -> u16 {
        self.load(self.available + 2).wrapping_sub(self.taken)
    }

    /// Takes the next chain.
    ///
    /// # Panics
    /// If the driver's chain breaks the specification.
    pub fn take(&mut self) -> Option<Chain> {
        self.try_take()
            .map(|chain| chain.expect("the chain is valid"))
    }

    /// As [`take`](Self::take), for devices that write to the driver's rings.
    pub fn try_take(&mut self) -> Option<Result<Chain, Fault>> {
        match self.waiting() {
            0 => return None,
            waiting if waiting > self.size => return Some(Err("more chains than descriptors")),
            _ => {}
        }
        let slot = u64::from(self.taken % self.size);
        let head = self.load(self.available + 4 + 2 * slot);
        self.taken = self.taken.wrapping_add(1);
        Some(self.chain(head))
    }

    fn chain(&self, head: u16) -> Result<Chain, Fault> {
        let mut chain = Chain {
            head,
            readable: Vec::new(),
            writable: Vec::new(),
        };
        let first = self.descriptor(self.descriptors, self.size, head)?;
        if first.flags & INDIRECT != 0 {
            if first.flags != INDIRECT || !first.length.is_multiple_of(16) {
                return Err("not a table of descriptors");
            }
            let count = u16::try_from(first.length / 16).map_err(|_| "the table is too long")?;
            self.follow(first.address, count, 0, &mut chain)?;
        } else {
            self.follow(self.descriptors, self.size, head, &mut chain)?;
        }
        Ok(chain)
    }

    fn follow(
        &self,
        table: PhysAddr,
        count: u16,
        first: u16,
        chain: &mut Chain,
    ) -> Result<(), Fault> {
        let mut index = first;
        for _ in 0..count {
            let descriptor = self.descriptor(table, count, index)?;
            descriptor.add_to(chain)?;
            if descriptor.flags & NEXT == 0 {
                return Ok(());
            }
            index = descriptor.next;
        }
        Err("the chain has no end")
    }

    fn descriptor(&self, table: PhysAddr, count: u16, index: u16) -> Result<Descriptor, Fault> {
        let mut bytes = [0; 16];
        if index >= count || !memory::read(table + u64::from(index) * 16, &mut bytes) {
            return Err("there is no such descriptor");
        }
        let [address, rest] = [0, 8].map(|at| {
            let bytes = bytes[at..at + 8].try_into().expect("there are eight");
            u64::from_le_bytes(bytes)
        });
        Ok(Descriptor {
            address,
            length: rest as u32,
            flags: (rest >> 32) as u16,
            next: (rest >> 48) as u16,
        })
    }

    /// Returns a chain, `bytes` written, and interrupts if the driver wants it.
    ///
    /// # Panics
    /// If the driver has taken the memory back.
    pub fn complete(&mut self, chain: &Chain, bytes: &[u8]) -> bool {
        assert!(chain.write(bytes), "the chain's memory is shared");
        self.put_used(chain.head.into(), bytes.len() as u32);
        self.wants_interrupt()
    }

    /// Puts an entry into the used ring, and shows it.
    pub fn put_used(&mut self, id: u32, length: u32) {
        self.write_used(self.returned, id, length);
        self.set_used_index(self.returned.wrapping_add(1));
    }

    /// Writes an entry of the used ring.
    pub fn write_used(&self, index: u16, id: u32, length: u32) {
        let at = self.used + 4 + u64::from(index % self.size) * 8;
        let entry = u64::from(length) << 32 | u64::from(id);
        assert!(
            memory::write(at, &entry.to_le_bytes()),
            "the rings are shared"
        );
    }

    /// Sets the used ring's index.
    pub fn set_used_index(&mut self, index: u16) {
        self.returned = index;
        self.store(self.used + 2, index);
    }

    /// Returns whether the driver wants to be told of what was returned since this was last asked.
    pub fn wants_interrupt(&mut self) -> bool {
        let (old, new) = (self.told, self.returned);
        self.told = new;
        if self.events {
            let event = self.load(self.available + 4 + 2 * u64::from(self.size));
            // The reference's words: the event lies in what was returned.
            (0..new.wrapping_sub(old)).any(|step| old.wrapping_add(step) == event)
        } else {
            self.load(self.available) & 1 == 0
        }
    }

    /// Asks the driver not to notify the queue, as far as that can be asked for.
    pub fn disable_notifications(&mut self) {
        if self.events {
            self.set_available_event(self.taken.wrapping_sub(1));
        } else {
            self.store(self.used, 1);
        }
    }

    /// Asks the driver to notify the queue of the next chain.
    pub fn enable_notifications(&mut self) {
        if self.events {
            self.set_available_event(self.taken);
        } else {
            self.store(self.used, 0);
        }
    }

    fn set_available_event(&self, index: u16) {
        self.store(self.used + 4 + 8 * u64::from(self.size), index);
    }

    /// Writes a byte anywhere in the queue's memory, counted from the descriptors on. Only
    /// hostile devices do.
    pub fn scribble(&self, offset: u64, value: u8) {
        let end = self.used + 6 + 8 * u64::from(self.size) - self.descriptors;
        let written = memory::write(self.descriptors + offset % end, &[value]);
        assert!(written, "the rings are shared");
    }
}

struct Descriptor {
    address: PhysAddr,
    length: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    fn add_to(&self, chain: &mut Chain) -> Result<(), Fault> {
        let length = self.length as usize;
        match self.flags & !NEXT {
            0 if chain.writable.is_empty() => {
                let start = chain.readable.len();
                // A hostile device may have written the length: no region is as long.
                chain.readable.resize(start + length.min(1 << 20), 0);
                let read = memory::read(self.address, &mut chain.readable[start..]);
                (read && length > 0).then_some(()).ok_or("not readable")
            }
            WRITE => {
                chain.writable.push((self.address, length));
                let writable = length > 0 && memory::is_writable(self.address, length);
                writable.then_some(()).ok_or("not writable")
            }
            0 => Err("a readable descriptor behind a writable one"),
            _ => Err("flags that the driver may not set"),
        }
    }
}
