//! virtio-blk (virtio 1.2, section 5.2), over any transport.
//!
//! A task of its own drives the device, by interrupts: requests that begin in one round of the
//! executor are shown to the device together, and it is notified once.

mod engine;
mod limits;
mod request;
#[cfg(test)]
mod tests;

use crate::{Block, Error, Geometry, zeroes};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::ops::Range;
use core::task::{Context, Poll};
use engine::Engine;
use fata_task::{Event, Handle};
use fata_virtio::{Device, QueueError, SetUpError};
use limits::{Limits, WANTED};
use request::{Kind, Request, Status, range_segment};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

/// The first queue of a disk.
const QUEUE: u16 = 0;
/// Requests that the device has at once, where its queue is so long. More wait in the driver.
const QUEUE_SIZE: u16 = 256;
/// Bytes of a device's serial number.
const SERIAL: usize = 20;

/// A virtio disk. Clones are handles to the same.
///
/// Up to 256 requests are under way in the device, if its queue is that long; more wait in the
/// driver. A request's data is read and written where it lies, and nothing is allocated for it
/// but what the caller hands over.
#[derive(Clone)]
pub struct VirtioBlock {
    shared: Rc<Shared>,
}

struct Shared {
    engine: RefCell<Engine>,
    limits: Limits,
    /// Signalled when there are requests that the device was not told of.
    wake: Event,
}

impl VirtioBlock {
    /// Sets the device up, and spawns the task that drives it for as long as the executor
    /// runs. `event` is signalled after each of its interrupts.
    ///
    /// # Errors
    /// If there is no memory for the queue, or the device does not follow the specification.
    pub fn start<H: Hal>(
        tasks: &Handle,
        transport: impl Transport + 'static,
        event: &'static Event,
    ) -> Result<Self, SetUpError> {
        Self::open(tasks, Device::new::<H>(transport, WANTED)?, event)
    }

    fn open(tasks: &Handle, device: Device, event: &'static Event) -> Result<Self, SetUpError> {
        let limits = Limits::read(&device)?;
        let queue = device.queue(QUEUE, QUEUE_SIZE)?;
        device.start();
        let shared = Rc::new(Shared {
            engine: RefCell::new(Engine::new(device, queue)),
            limits,
            wake: Event::new(),
        });
        tasks.spawn_detached(run(Rc::clone(&shared), event));
        Ok(Self { shared })
    }

    /// The device's serial number, as the host has named the disk; empty if it has not.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Gone`].
    pub async fn serial(&self) -> Result<Vec<u8>, Error> {
        let shared = &self.shared;
        let (status, mut serial) = shared
            .request(Kind::Identify, 0, vec![0; SERIAL], 0..SERIAL)
            .await?;
        status.into_result()?;
        let end = serial.iter().position(|byte| *byte == 0);
        serial.truncate(end.unwrap_or(SERIAL));
        Ok(serial)
    }

    /// Reads or writes all of `data`, in pieces of the size that the device takes.
    async fn transfer(&self, kind: Kind, sector: u64, data: Vec<u8>) -> Result<Vec<u8>, Error> {
        let limits = &self.shared.limits;
        let mut data = data;
        let (length, mut start) = (data.len(), 0);
        while start < length {
            let end = length.min(start + limits.piece);
            let place = limits.place(sector + (start / limits.geometry.sector_size) as u64);
            let ended = self.shared.request(kind, place, data, start..end).await?;
            ended.0.into_result()?;
            (data, start) = (ended.1, end);
        }
        Ok(data)
    }

    /// Discards or zeroes sectors, `most` of them at once. Returns false if the device turns
    /// out not to do that.
    async fn change(&self, kind: Kind, sector: u64, count: u64, most: u64) -> Result<bool, Error> {
        let limits = &self.shared.limits;
        let end = sector + count;
        let mut sector = sector;
        while sector < end {
            let next = end.min(sector + most);
            let (place, after) = (limits.place(sector), limits.place(next));
            let segment = range_segment(place, (after - place) as u32);
            let length = segment.len();
            let ended = self.shared.request(kind, 0, segment, 0..length).await?;
            if ended.0 == Status::Unsupported {
                return Ok(false);
            }
            ended.0.into_result()?;
            sector = next;
        }
        Ok(true)
    }
}

impl Block for VirtioBlock {
    fn geometry(&self) -> Geometry {
        self.shared.limits.geometry
    }

    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry().check_read(sector, buffer.len())?;
        self.transfer(Kind::Read, sector, buffer).await
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry().check_write(sector, buffer.len())?;
        self.transfer(Kind::Write, sector, buffer).await
    }

    /// Without a cache in the device, what was written is durable already (section 5.2.6.2).
    async fn flush(&self) -> Result<(), Error> {
        if !self.shared.limits.has_cache {
            return Ok(());
        }
        let ended = self
            .shared
            .request(Kind::Flush, 0, Vec::new(), 0..0)
            .await?;
        ended.0.into_result()
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry().check_change(sector, count)?;
        let most = self.shared.limits.discarded;
        if most > 0 {
            self.change(Kind::Discard, sector, count, most).await?;
        }
        Ok(())
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry().check_change(sector, count)?;
        let most = self.shared.limits.zeroed;
        if most > 0 && self.change(Kind::WriteZeroes, sector, count, most).await? {
            return Ok(());
        }
        zeroes::write_out(self, sector, count).await
    }
}

impl Shared {
    /// Hands a request to the device and waits for its end.
    async fn request(
        &self,
        kind: Kind,
        place: u64,
        data: Vec<u8>,
        range: Range<usize>,
    ) -> Result<(Status, Vec<u8>), Error> {
        let key = {
            let mut engine = self.engine.borrow_mut();
            let frame = engine.frame();
            let request = Request::new(kind, place, data, range, frame);
            let (key, first) = engine.submit(request)?;
            if first {
                self.wake.signal();
            }
            key
        };
        let mut ticket = Ticket {
            shared: self,
            key: Some(key),
        };
        poll_fn(|context| ticket.poll(context)).await
    }
}

/// Somebody who waits for a request. The request lives on without him.
struct Ticket<'a> {
    shared: &'a Shared,
    key: Option<usize>,
}

impl Ticket<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(Status, Vec<u8>), Error>> {
        let Some(key) = self.key else {
            return Poll::Ready(Err(Error::Gone));
        };
        let ended = self.shared.engine.borrow_mut().poll(key, context);
        if ended.is_ready() {
            self.key = None;
        }
        ended
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.engine.borrow_mut().abandon(key);
        }
    }
}

async fn run(shared: Rc<Shared>, event: &'static Event) {
    let error = poll_fn(|context| drive(&shared, event, context)).await;
    log::error!(target: "block", "the disk is not used any more: {error}");
    shared.engine.borrow_mut().give_up();
}

/// Serves the device until it breaks the rules of its queue.
fn drive(shared: &Shared, event: &Event, context: &mut Context<'_>) -> Poll<QueueError> {
    let mut engine = shared.engine.borrow_mut();
    // The driver serves everything, whatever it was woken for.
    let _ = shared.wake.poll_wait(context);
    let mut interrupted = event.poll_wait(context).is_ready();
    loop {
        if core::mem::take(&mut interrupted) {
            engine.device.acknowledge_interrupt();
        }
        match serve(&mut engine) {
            Err(error) => return Poll::Ready(error),
            Ok(Next::Serve) => continue,
            Ok(Next::Poll) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Ok(Next::Wait) => {}
        }
        interrupted = event.poll_wait(context).is_ready();
        if !interrupted && shared.wake.poll_wait(context).is_pending() {
            return Poll::Pending;
        }
    }
}

/// The next step after all was done that could be done.
enum Next {
    /// There is more to do.
    Serve,
    /// Soon there may be.
    Poll,
    /// An interrupt will tell.
    Wait,
}

fn serve(engine: &mut Engine) -> Result<Next, QueueError> {
    engine.disable_interrupts();
    engine.turn()?;
    if engine.polls_again() {
        Ok(Next::Poll)
    } else if engine.enable_interrupts()? {
        Ok(Next::Serve)
    } else {
        Ok(Next::Wait)
    }
}
