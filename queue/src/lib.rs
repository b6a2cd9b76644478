//! A queue of items of any size on a disk.
//!
//! [`Queue`] needs nothing but a disk ([`fata_block::Block`]) and the executor. A change that
//! [`Upload::finish`] or [`Queue::remove`] has acknowledged survives a power cut at any moment; one
//! that they have not is there whole or not at all. Items are uploaded and downloaded in constant
//! memory.
//!
//! ```
//! use fata_block::RamDisk;
//! use fata_queue::Queue;
//!
//! fata_task::simulate(|tasks| async move {
//!     let queue = Queue::open(RamDisk::new(512, 2048), tasks, 4).await?;
//!     let mut upload = queue.upload(13).await?;
//!     upload.write(b"Hello, world!").await?;
//!     upload.finish().await?;
//!
//!     let mut download = queue.download().await;
//!     assert_eq!(download.next().await?, b"Hello, world!");
//!     queue.remove().await?;
//!     assert!(queue.is_empty());
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })
//! .unwrap();
//! ```
//!
//! # On the disk
//!
//! ```text
//! | slot 0, 64 KiB | slot 1, 64 KiB | data: a ring of sectors |
//! ```
//!
//! A slot holds an *index*: a header of 48 bytes, then 24 bytes for each item in the queue, the
//! oldest first. All numbers are little-endian.
//!
//! | offset | bytes | header |
//! |---|---|---|
//! | 0 | 8 | `FATAQUE1` |
//! | 8 | 8 | XXH64 of all that follows, up to the last entry |
//! | 16 | 4 | bytes of a sector |
//! | 20 | 4 | entries |
//! | 24 | 8 | sectors of the disk |
//! | 32 | 8 | generation: of two valid indices the later one counts |
//! | 40 | 8 | number of the oldest item; the others follow one by one |
//!
//! Generations and numbers are counted modulo 2^64.
//!
//! | offset | bytes | entry |
//! |---|---|---|
//! | 0 | 8 | first sector, counted from the ring's start |
//! | 8 | 8 | length of the item in bytes, exact |
//! | 16 | 8 | XXH64 of the item |
//!
//! An item lies in one piece, padded with zeroes to whole sectors. It may run over the ring's end
//! into its start, so that a queue whose items come and go in order never becomes fragmented.
//! Which room is free follows from the index and the uploads under way: none can leak.
//!
//! # Why a power cut loses nothing
//!
//! A disk may lose, tear and reorder all that was written since the last flush, sector by sector.
//!
//! 1. An upload takes room that no index on the disk refers to, and writes its data there.
//! 2. A flush makes the data durable. Only then an index that names it is written, to the slot
//!    that does *not* hold the newest durable index, with the next generation.
//! 3. A flush makes that index durable. Only then the client is told, and what the index does
//!    not name any more is free.
//!
//! A cut before the end of step 3 leaves the other slot as it was: its index is valid, and
//! refers only to data that has not been touched since it became durable. The slot that was
//! being written is valid, then all that it names was durable before, or its checksum is wrong,
//! and it does not count. A cut afterwards finds the new index.
//!
//! An index that was left behind by a program that was killed, or whose flush has failed, may be
//! read and yet not be durable, and be lost even if a later flush succeeds. So opening the queue
//! writes the index that counts once more, to its own slot, and flushes. A cut meanwhile harms
//! nothing: if that index was durable, no sector changes; otherwise the one in the other slot is.
//!
//! After an *error* of the disk, that also holds: what a write or flush that failed was to change
//! may come true or not. An index whose write or flush has failed may be on the disk; the next
//! one is written to the same slot, and the room of what it named stays taken until then. A flush
//! that failed may have lost data that was written before: uploads that were under way are
//! refused.
//!
//! Uploads and removals that end while an index is being written share the next one; the flush of
//! one index counts as the flush of the data for the next.
//!
//! A blank disk becomes a queue by one sector, an index without entries. A disk that is neither
//! blank nor a queue is not touched.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blank;
mod check;
mod commit;
mod download;
mod error;
mod index;
mod open;
mod queue;
mod room;
mod shared;
mod upload;

pub use check::{Problem, Report, check};
pub use download::Download;
pub use error::{Error, OpenError};
pub use open::is_queue;
pub use queue::Queue;
pub use upload::Upload;

/// Bytes of a request for an item's data, at most.
const CHUNK: usize = 64 << 10;

/// Bytes of a request where a disk is read in order: large ones are quickest.
const PIECE: usize = 256 << 10;

/// Chunks of an item that are in memory at once: one that is received or sent, the others on
/// their way to the disk or from it.
const DEPTH: usize = 3;

/// The memory that an upload or a download takes at most, in bytes.
pub const TRANSFER_BYTES: usize = CHUNK * DEPTH;

/// Sectors of a request of so many bytes: one at least.
fn sectors_in(bytes: usize, sector_size: usize) -> u64 {
    (bytes / sector_size).max(1) as u64
}
