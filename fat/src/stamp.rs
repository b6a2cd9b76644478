//! Times as FAT has them.
//!
//! A file's time of change is good to two seconds, too coarse to tell versions of a value
//! apart. Its time of creation is good to 10 ms: it is used as that of the version, and made to
//! be another one for each.

use core::cell::Cell;
use core::time::Duration;
use fata_kv::{Digest, ValueMetadata};
use hadris_fs::{DateTime, Metadata, SetAttr};

/// The beginning of 1980, before which there is no time, in seconds since the Unix epoch. It
/// stands for times that are not known.
const FIRST: u64 = 315_532_800;

/// The end of 2107, after which there is none.
const LAST: u64 = 4_354_819_198;

/// Ticks in a second, in which the times of versions are counted.
const TICKS: u64 = 100;

/// The times given last to a value.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    newest: Cell<u64>,
}

impl Stamps {
    /// The times of a value that is changed now, and which was made as `old` tells.
    pub(crate) fn next(&self, now: Option<Duration>, old: Option<&Metadata>) -> SetAttr {
        let now = now.map(|now| now.as_millis() as u64 * TICKS / 1000);
        let now = now.unwrap_or(0).clamp(FIRST * TICKS, LAST * TICKS);
        let unlike = old.map_or(0, version);
        let mut version = now.max(self.newest.get() + 1).max(unlike + 1);
        if version > LAST * TICKS {
            version = now - u64::from(now == unlike);
        }
        self.newest.set(version);
        SetAttr::new()
            .with_modified(time(now / TICKS * TICKS))
            .with_created(time(version))
    }
}

fn time(ticks: u64) -> DateTime {
    let nanoseconds = (ticks % TICKS) * (1_000_000_000 / TICKS);
    DateTime::new((ticks / TICKS) as i64, nanoseconds as u32).unwrap_or(hadris_fs::NoClock::TIME)
}

fn ticks(time: DateTime) -> u64 {
    let seconds = u64::try_from(time.unix_seconds()).unwrap_or(0);
    seconds.min(LAST) * TICKS + u64::from(time.nanoseconds()) * TICKS / 1_000_000_000
}

/// The time of a value's version.
fn version(metadata: &Metadata) -> u64 {
    metadata.created().map_or(0, ticks)
}

/// Metadata of a value.
pub(crate) fn describe(metadata: &Metadata) -> ValueMetadata {
    let changed = metadata.modified().map_or(0, ticks) / TICKS;
    let first = changed << 32 | metadata.len();
    ValueMetadata {
        size: metadata.len(),
        digest: Digest::from_parts(first, version(metadata)),
        modified: (changed > FIRST).then(|| Duration::from_secs(changed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadris_fs::{FileType, Permissions};

    fn created(version: u64) -> Metadata {
        Metadata::new(FileType::File, Permissions::new(0)).with_created(time(version))
    }

    #[test]
    fn versions_have_times_of_their_own() {
        let stamps = Stamps::default();
        let now = Some(Duration::from_millis(1_700_000_000_123));
        let mut last = 0;
        for _ in 0..1000 {
            let stamp = stamps.next(now, Some(&created(last)));
            assert_eq!(stamp.modified(), Some(time(1_700_000_000 * TICKS)));
            let next = ticks(stamp.created().unwrap());
            assert!(next > last);
            last = next;
        }
        assert_eq!(last, 170_000_000_012 + 999);
        let far = stamps.next(now, Some(&created(LAST * TICKS))).created();
        assert_eq!(far.map(ticks), Some(170_000_000_012));
    }

    #[test]
    fn without_a_clock_versions_differ_and_times_are_unknown() {
        let stamps = Stamps::default();
        let [one, two] = [(), ()].map(|()| stamps.next(None, None));
        assert_ne!(one.created(), two.created());
        let metadata = created(0).with_modified(one.modified().unwrap());
        assert_eq!(describe(&metadata).modified, None);
    }
}
