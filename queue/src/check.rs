use crate::shared::Item;
use crate::{OpenError, PIECE, open, sectors_in};
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hasher;
use fata_block::{Block, Error};
use twox_hash::XxHash64;

/// Items that are read at once.
const AT_ONCE: usize = 8;

/// Findings of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many items are in the queue.
    pub items: usize,
    /// How many bytes they have together.
    pub bytes: u64,
    /// The problems, the oldest item first.
    pub problems: Vec<Problem>,
}

/// Something that is wrong with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The item with this number is not what was uploaded. Items are numbered from 0 on, in the
    /// order in which they came, also those that were removed.
    Item(u64),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(number) => write!(f, "item {number} is not what was uploaded"),
        }
    }
}

/// Reads all items of a queue that is not open, and checks that they are what was uploaded and
/// lie where they may. Nothing is written.
///
/// An index that is damaged beside one that counts is what a power cut leaves, and no problem.
/// The check takes 2 MiB of memory, or more if sectors are larger than 256 KiB.
///
/// # Errors
/// As for [`Queue::open`](crate::Queue::open), but a disk may be read-only, and one that is blank
/// is [`OpenError::Foreign`]. Damaged items are no error, but in the report.
pub async fn check<B: Block>(disk: B) -> Result<Report, OpenError> {
    let found = open::newest(&disk).await?.ok_or(OpenError::Foreign)?;
    let (_room, items) = open::restore(&found.index)?;
    let mut report = Report {
        items: items.len(),
        bytes: items.iter().map(|item| item.length).sum(),
        problems: Vec::new(),
    };
    let mut number = found.index.first;
    for group in items.chunks(AT_ONCE) {
        let mut verdicts = [true; AT_ONCE];
        let checks = group.iter().zip(&mut verdicts);
        let checks = checks.map(|(item, verdict)| async {
            *verdict = is_sound(&disk, item).await?;
            Ok::<(), Error>(())
        });
        fata_task::all(checks).await?;
        for (_, is_sound) in group.iter().zip(verdicts) {
            if !is_sound {
                report.problems.push(Problem::Item(number));
            }
            number = number.wrapping_add(1);
        }
    }
    Ok(report)
}

/// Tells whether an item is what was uploaded.
async fn is_sound<B: Block>(disk: &B, item: &Item) -> Result<bool, Error> {
    let size = disk.geometry().sector_size;
    let mut checksum = XxHash64::with_seed(0);
    let mut buffer = Vec::new();
    let (mut left, mut sectors) = (item.length, 0);
    while left > 0 {
        let (sector, run) = item.extent.run(sectors);
        let count = run.min(sectors_in(PIECE, size));
        buffer.resize(count as usize * size, 0);
        buffer = match disk.read(sector, buffer).await {
            Err(Error::Corrupt) => return Ok(false),
            read => read?,
        };
        let length = left.min(buffer.len() as u64);
        checksum.write(&buffer[..length as usize]);
        left -= length;
        sectors += count;
    }
    Ok(checksum.finish() == item.checksum)
}
