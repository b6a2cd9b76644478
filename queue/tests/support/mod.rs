//! Items that tell themselves apart, and queues on disks of all kinds.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod load;
pub mod model;

use fata_block::{Block, RamDisk};
use fata_queue::{Error, OpenError, Queue, Report, check};
use fata_task::Handle;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::rc::Rc;

/// Sectors of the two slots in front of the data, of 512 bytes.
pub const SLOTS: u64 = 256;

/// An item: its number, then bytes that follow from it.
pub fn item(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha8Rng::seed_from_u64(number).fill_bytes(&mut bytes);
    let head = length.min(8);
    bytes[..head].copy_from_slice(&number.to_le_bytes()[..head]);
    bytes
}

/// The number of an item, if every bit of it is right.
pub fn number(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    (item(number, bytes.len()) == bytes).then_some(number)
}

/// A blank disk with room for so many sectors of items.
pub fn blank(sectors: u64) -> RamDisk {
    RamDisk::new(512, SLOTS + sectors)
}

pub async fn open<B: Block + 'static>(disk: B, tasks: &Handle) -> Queue<B> {
    let opened = Queue::open(disk, tasks.clone(), 4).await;
    opened.unwrap_or_else(|error| panic!("cannot open: {error}"))
}

/// Uploads an item in one go.
pub async fn put<B: Block + 'static>(queue: &Queue<B>, bytes: &[u8]) -> Result<(), Error> {
    let mut upload = queue.upload(bytes.len() as u64).await?;
    upload.write(bytes).await?;
    upload.finish().await
}

/// Downloads the oldest item.
pub async fn get<B: Block + 'static>(queue: &Queue<B>) -> Result<Vec<u8>, Error> {
    let mut download = queue.download().await;
    let mut bytes = Vec::new();
    loop {
        let next = download.next().await?;
        if next.is_empty() {
            assert_eq!(bytes.len() as u64, download.length());
            return Ok(bytes);
        }
        bytes.extend_from_slice(next);
    }
}

/// Everything that is in the queue on a disk with these bytes, which are not changed, if a check
/// finds the same.
pub async fn drain(bytes: Vec<u8>, tasks: &Handle) -> Result<Vec<Vec<u8>>, String> {
    let is_blank = bytes.iter().all(|byte| *byte == 0);
    let disk = Rc::new(RamDisk::from_bytes(512, bytes));
    let report = match check(&disk).await {
        Err(OpenError::Foreign) if is_blank => Report::default(),
        report => report.map_err(|error| error.to_string())?,
    };
    let opened = Queue::open(disk, tasks.clone(), 4).await;
    let queue = opened.map_err(|error| error.to_string())?;
    let mut items = Vec::new();
    while !queue.is_empty() {
        items.push(get(&queue).await.map_err(|error| error.to_string())?);
        let removed = queue.remove().await;
        assert_eq!(removed, Ok(true), "a disk in memory works");
    }
    let sound = Report {
        items: items.len(),
        bytes: items.iter().map(|item| item.len() as u64).sum(),
        problems: Vec::new(),
    };
    if report == sound {
        Ok(items)
    } else {
        Err(format!("the check finds {report:?}"))
    }
}
