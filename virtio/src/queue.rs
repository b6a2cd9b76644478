//! The driver's side of a split virtqueue.

use crate::dma::Operations;
use crate::rings::{INDIRECT, NEXT, Rings, Tables, WRITE, fence, passes};
use crate::shared::{FIXED_SIZE, Shared, feature};
use crate::{Buffer, QueueError, Rejected, Segment, SetUpError};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::mem;
use virtio_drivers::PhysAddr;

/// The largest size that section 2.7 allows.
const MOST_DESCRIPTORS: u16 = 1 << 15;

/// A split virtqueue that owns the buffers which the device has.
///
/// Buffers are [added](Self::add), [published](Self::publish) as a batch, and
/// [popped](Self::pop) in the order in which the device is done with them. None of this
/// allocates.
///
/// If a queue is dropped, its device is reset first.
pub struct SplitQueue<B: Buffer> {
    device: Rc<Shared>,
    hal: &'static Operations,
    number: u16,
    /// Nothing that is read from them is trusted.
    rings: mem::ManuallyDrop<Rings>,
    tables: mem::ManuallyDrop<Option<Tables>>,
    event_index: bool,

    /// By the head of its chain, each buffer that was added and did not come back.
    buffers: Box<[Option<B>]>,
    slots: Box<[Slot]>,
    /// The addresses from `Hal::share`, by descriptor: those in the queue, or else in the tables.
    addresses: Box<[PhysAddr]>,
    /// The first of the free descriptors, which [`Slot::next`] links.
    first_free: u16,
    free: u16,

    /// Chains ever added, and how many of them the device was shown.
    added: u64,
    published: u64,
    /// Chains that the device was shown and has not returned.
    outstanding: u16,
    /// How many chains the device has returned: those taken out, and those known of.
    popped: u16,
    used: u16,
    interrupts: bool,
    broken: Option<QueueError>,
}

/// The driver's own copy of a descriptor; the device's may say anything.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The number of the chain that begins here.
    sequence: u64,
    /// How many bytes of the chain the device may write.
    writable: u32,
    /// How many segments the chain has.
    segments: u16,
    /// The next descriptor, of the chain or free.
    next: u16,
}

/// A buffer that came back.
#[derive(Debug)]
pub struct Used<B> {
    /// The buffer.
    pub buffer: B,
    /// How many of its writable bytes the device says it has written, from the first on: at
    /// most all of them. Legacy devices may say anything (section 2.7.8.1).
    pub written: usize,
}

impl<B: Buffer> SplitQueue<B> {
    /// Section 4.1.5.1.3 and 4.2.3.2, with the transport's steps in [`Transport::queue_set`].
    pub(crate) fn new(device: Rc<Shared>, number: u16, size: u16) -> Result<Self, SetUpError> {
        let offered = device.free_queue_size(number)?;
        let most = u16::try_from(offered & !FIXED_SIZE).unwrap_or(u16::MAX);
        let power = |size: u16| {
            let power = size.min(MOST_DESCRIPTORS).checked_ilog2();
            power
                .map(|power| 1 << power)
                .ok_or(SetUpError::NoQueue(number))
        };
        let size = power(most.min(size))?;
        // The rings may be longer than the driver wants: it leaves the rest alone.
        let in_rings = if offered & FIXED_SIZE == 0 {
            size
        } else {
            power(most)?
        };
        let features = device.features();
        let hal = device.hal();
        let rings = Rings::new(hal, in_rings, device.is_legacy())?;
        let indirect = B::SEGMENTS > 1 && features & feature::INDIRECT_DESCRIPTORS != 0;
        let tables = if indirect {
            Some(Tables::new(hal, size, B::SEGMENTS)?)
        } else {
            None
        };
        let count = usize::from(size);
        let slots = (0..size).map(|index| Slot {
            next: index.wrapping_add(1),
            ..Slot::default()
        });
        let queue = Self {
            event_index: features & feature::EVENT_INDEX != 0,
            buffers: core::iter::repeat_with(|| None).take(count).collect(),
            slots: slots.collect(),
            addresses: vec![0; if indirect { count * B::SEGMENTS } else { count }].into(),
            first_free: 0,
            free: size,
            added: 0,
            published: 0,
            outstanding: 0,
            popped: 0,
            used: 0,
            interrupts: true,
            broken: None,
            device,
            hal,
            number,
            rings: mem::ManuallyDrop::new(rings),
            tables: mem::ManuallyDrop::new(tables),
        };
        let addresses = queue.rings.addresses();
        queue.device.set_queue(number, in_rings, addresses);
        Ok(queue)
    }

    /// How many descriptors are used of those that the queue has: a power of two.
    pub fn size(&self) -> u16 {
        self.slots.len() as u16
    }

    /// How many buffers the queue holds: added, and not popped.
    pub fn held(&self) -> usize {
        self.outstanding as usize + (self.added - self.published) as usize
    }

    /// Returns whether there is room for a buffer with so many segments.
    pub fn has_room(&self, segments: usize) -> bool {
        self.descriptors_for(segments) <= usize::from(self.free)
    }

    fn descriptors_for(&self, segments: usize) -> usize {
        if self.tables.is_some() { 1 } else { segments }
    }

    /// Adds a buffer (section 2.7.13, steps 1 to 3). The device does not see it before the
    /// next [`publish`](Self::publish).
    ///
    /// # Errors
    /// The buffer comes back with [`QueueError::Full`], [`QueueError::InvalidChain`], or what
    /// the device has done.
    #[inline]
    pub fn add(&mut self, mut buffer: B) -> Result<(), Rejected<B>> {
        match self.check(&mut buffer) {
            Ok(shape) => {
                self.insert(buffer, shape);
                Ok(())
            }
            Err(reason) => Err(Rejected { buffer, reason }),
        }
    }

    #[inline(always)]
    fn check(&self, buffer: &mut B) -> Result<Shape, QueueError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let shape = Shape::of(buffer).ok_or(QueueError::InvalidChain)?;
        if !self.has_room(shape.segments.into()) {
            let most = self.descriptors_for(shape.segments.into());
            return Err(if most > usize::from(self.size()) {
                QueueError::InvalidChain
            } else {
                QueueError::Full
            });
        }
        Ok(shape)
    }

    #[inline(always)]
    fn insert(&mut self, buffer: B, shape: Shape) {
        let (head, hal) = (self.first_free, self.hal);
        // From here on the buffer does not move, and nothing but `describe` touches it.
        let buffer = self.buffers[usize::from(head)].insert(buffer);
        let mut left = shape.segments;
        if let Some(tables) = &*self.tables {
            let table = tables.table(head);
            let addresses = &mut self.addresses[usize::from(head) * B::SEGMENTS..];
            let mut index = 0u16;
            describe(buffer, |segment| {
                // SAFETY: the buffer's promise.
                let address = unsafe { (hal.share)(segment.memory, segment.direction()) };
                left -= 1;
                addresses[usize::from(index)] = address;
                let flags = flags(segment, left);
                let length = segment.memory.len() as u32;
                table[usize::from(index)].write(address, length, flags, index + 1);
                index += 1;
            });
            let bytes = u32::from(index) * 16;
            let entry = self.rings.descriptor(head);
            entry.write(tables.address(head), bytes, INDIRECT, 0);
            self.first_free = self.slots[usize::from(head)].next;
            self.free -= 1;
        } else {
            let mut index = head;
            describe(buffer, |segment| {
                // SAFETY: the buffer's promise.
                let address = unsafe { (hal.share)(segment.memory, segment.direction()) };
                left -= 1;
                self.addresses[usize::from(index)] = address;
                let flags = flags(segment, left);
                let length = segment.memory.len() as u32;
                let next = self.slots[usize::from(index)].next;
                self.rings
                    .descriptor(index)
                    .write(address, length, flags, next);
                index = next;
            });
            self.first_free = index;
            self.free -= shape.segments;
        }
        let slot = &mut self.slots[usize::from(head)];
        slot.sequence = self.added;
        slot.segments = shape.segments;
        slot.writable = shape.writable;
        self.rings.set_available(self.added as u16, head);
        self.added += 1;
    }

    /// Shows the device what was added (section 2.7.13, steps 4 to 7), and notifies it if it
    /// wants that. Returns whether it was notified.
    pub fn publish(&mut self) -> bool {
        if self.added == self.published || self.broken.is_some() {
            return false;
        }
        let (old, new) = (self.published as u16, self.added as u16);
        self.rings.set_available_index(new);
        self.outstanding += (self.added - self.published) as u16;
        self.published = self.added;
        // The device must see the index before its wish is read: else both sides may think
        // that the other one has seen them (section 2.7.13.4.1).
        fence();
        let wanted = if self.event_index {
            passes(self.rings.available_event(), old, new)
        } else {
            !self.rings.no_notify()
        };
        if wanted {
            self.device.notify(self.number);
        }
        wanted
    }

    /// Takes out the next buffer that the device is done with (section 2.7.14), or `None` if
    /// there is none.
    ///
    /// # Errors
    /// [`QueueError`]: the device's mistake. The queue is of no more use then.
    #[inline]
    pub fn pop(&mut self) -> Result<Option<Used<B>>, QueueError> {
        if !self.can_pop()? {
            return Ok(None);
        }
        let (id, length) = self.rings.used_entry(self.popped);
        let Some(head) = self.head(id) else {
            return Err(self.fail(QueueError::UsedId(id)));
        };
        let Some(buffer) = self.take(head) else {
            return Err(self.fail(QueueError::UsedId(id)));
        };
        self.popped = self.popped.wrapping_add(1);
        self.outstanding -= 1;
        let written = length.min(self.slots[usize::from(head)].writable) as usize;
        Ok(Some(Used { buffer, written }))
    }

    /// The head with this number, if the device was shown a chain there.
    #[inline(always)]
    fn head(&self, id: u32) -> Option<u16> {
        let slot = self.slots.get(id as usize)?;
        (slot.sequence < self.published).then_some(id as u16)
    }

    /// Takes out the buffer whose chain begins at `head`, if there is one.
    fn take(&mut self, head: u16) -> Option<B> {
        let mut buffer = self.buffers[usize::from(head)].take()?;
        let (mut last, hal) = (head, self.hal);
        if self.tables.is_some() {
            let mut index = usize::from(head) * B::SEGMENTS;
            describe(&mut buffer, |segment| {
                // SAFETY: what `insert` has shared, once.
                unsafe { unshare(hal, self.addresses[index], segment) };
                index += 1;
            });
            self.free += 1;
        } else {
            let mut index = head;
            describe(&mut buffer, |segment| {
                // SAFETY: what `insert` has shared, once.
                unsafe { unshare(hal, self.addresses[usize::from(index)], segment) };
                last = index;
                index = self.slots[usize::from(index)].next;
            });
            self.free += self.slots[usize::from(head)].segments;
        }
        self.slots[usize::from(last)].next = self.first_free;
        self.first_free = head;
        Some(buffer)
    }

    /// Returns whether [`pop`](Self::pop) has a buffer. Once it is true, it stays so until then.
    ///
    /// # Errors
    /// [`QueueError`]: the device's mistake.
    #[inline]
    pub fn can_pop(&mut self) -> Result<bool, QueueError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.used == self.popped {
            let claimed = self.claimed();
            if claimed > self.outstanding {
                return Err(self.fail(QueueError::UsedIndex {
                    claimed,
                    outstanding: self.outstanding,
                }));
            }
            self.used = self.popped.wrapping_add(claimed);
        }
        Ok(self.used != self.popped)
    }

    #[cold]
    fn fail(&mut self, error: QueueError) -> QueueError {
        self.broken = Some(error);
        error
    }

    /// How many buffers [`pop`](Self::pop) has at least, as the device says.
    pub fn waiting(&self) -> u16 {
        self.claimed().min(self.outstanding)
    }

    /// How many buffers that were not popped yet the device says it has used.
    #[inline]
    fn claimed(&self) -> u16 {
        self.rings.used_index().wrapping_sub(self.popped)
    }

    /// Asks the device not to interrupt (section 2.7.7). It still may.
    pub fn disable_interrupts(&mut self) {
        if mem::take(&mut self.interrupts) {
            if self.event_index {
                // An index that has passed; the device comes there again after 65,535 more.
                self.rings.set_used_event(self.popped.wrapping_sub(1));
            } else {
                self.rings.set_no_interrupt(true);
            }
        }
    }

    /// Asks the device for an interrupt at the next buffer that it returns, and looks once
    /// more: if it returns true, there is one already, and perhaps no interrupt.
    ///
    /// # Errors
    /// [`QueueError`]: the device's mistake.
    pub fn enable_interrupts(&mut self) -> Result<bool, QueueError> {
        if self.event_index {
            self.rings.set_used_event(self.popped);
        } else if !self.interrupts {
            self.rings.set_no_interrupt(false);
        }
        self.interrupts = true;
        // The device must see the wish before its index is read (section 2.7.14).
        fence();
        self.can_pop()
    }
}

impl<B: Buffer> Drop for SplitQueue<B> {
    /// Resets the device, then frees rings and buffers. They stay where they are if the
    /// device does not confirm the reset.
    fn drop(&mut self) {
        if self.device.reset() {
            for head in 0..self.size() {
                drop(self.take(head));
            }
            // SAFETY: they are dropped here only, and not used afterwards.
            unsafe {
                mem::ManuallyDrop::drop(&mut self.rings);
                mem::ManuallyDrop::drop(&mut self.tables);
            }
        } else {
            mem::forget(mem::take(&mut self.buffers));
        }
    }
}

/// The facts that [`SplitQueue::add`] needs of a chain.
struct Shape {
    segments: u16,
    writable: u32,
}

impl Shape {
    /// `None` if section 2.7 has no such chain.
    #[inline(always)]
    fn of<B: Buffer>(buffer: &mut B) -> Option<Self> {
        let (mut segments, mut readable, mut writable) = (0usize, 0usize, 0usize);
        let mut ordered = true;
        describe(buffer, |segment| {
            segments += 1;
            let bytes = segment.memory.len();
            if segment.writable {
                writable = writable.saturating_add(bytes);
            } else {
                ordered &= writable == 0;
                readable = readable.saturating_add(bytes);
            }
        });
        // Section 2.7.4.2 allows 2^32 bytes, which a descriptor's length cannot say.
        let total = readable.saturating_add(writable);
        let valid = ordered && total > 0 && u32::try_from(total).is_ok() && segments <= B::SEGMENTS;
        valid.then_some(Self {
            segments: u16::try_from(segments).ok()?,
            writable: writable as u32,
        })
    }
}

/// Names the segments that are not empty.
#[inline(always)]
fn describe<B: Buffer>(buffer: &mut B, mut add: impl FnMut(Segment)) {
    buffer.describe(&mut |segment: Segment| {
        if !segment.memory.is_empty() {
            add(segment);
        }
    });
}

#[inline(always)]
fn flags(segment: Segment, left: u16) -> u16 {
    let writable = if segment.writable { WRITE } else { 0 };
    let next = if left > 0 { NEXT } else { 0 };
    writable | next
}

/// # Safety
/// `address` is what sharing the segment has returned, and it was not taken back yet.
#[inline(always)]
unsafe fn unshare(hal: &Operations, address: PhysAddr, segment: Segment) {
    // SAFETY: as the caller promises.
    unsafe { (hal.unshare)(address, segment.memory, segment.direction()) };
}

#[cfg(test)]
mod tests;
