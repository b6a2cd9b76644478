use crate::page::PAGE;
use crate::record::{
    Content, GROUP, GROUP_BYTES, Group, Record, decode_group, group_key, inside, name_key, text,
};
use crate::tree::{get, seek};
use crate::volume::{Snapshot, Volume};
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::{Entry, Error, Key, Kind, Metadata};

/// Reads what the last transaction has left.
///
/// It waits for no transaction and holds none up: the one after the next may overwrite what it
/// is about to read. It notices, as checksum or generation are not what they should be, and
/// begins anew. Each new beginning takes another transaction, so it comes to an end.
pub(crate) struct Reader<'a, B> {
    volume: &'a Volume<B>,
    snapshot: Snapshot,
}

/// How often a reader lists in vain.
const PATIENCE: usize = 4;

/// How far a value was read.
#[derive(Default)]
struct Progress {
    version: u64,
    done: usize,
}

impl<'a, B: Block> Reader<'a, B> {
    pub(crate) fn new(volume: &'a Volume<B>) -> Self {
        Self {
            volume,
            snapshot: volume.committed.get(),
        }
    }

    /// Tells whether something was not there because of a later transaction, which the reader reads
    /// from now.
    fn is_outdated<T>(&mut self, outcome: &Result<T, Error>) -> bool {
        let newest = self.volume.committed.get();
        let is_outdated =
            matches!(outcome, Err(Error::Damaged)) && self.snapshot.generation != newest.generation;
        self.snapshot = newest;
        is_outdated
    }

    pub(crate) async fn metadata(mut self, key: &Key) -> Result<Metadata, Error> {
        loop {
            let outcome = self.try_metadata(key).await;
            if !self.is_outdated(&outcome) {
                return outcome;
            }
        }
    }

    async fn try_metadata(&self, key: &Key) -> Result<Metadata, Error> {
        if key.is_root() {
            return Ok(Metadata::Dictionary);
        }
        match self.record(key).await {
            Ok(record) => Ok(Metadata::Value(record.metadata())),
            Err(Error::ValueExpected) => Ok(Metadata::Dictionary),
            Err(error) => Err(error),
        }
    }

    async fn record(&self, key: &Key) -> Result<Record, Error> {
        if let Some(bytes) = get(self.volume, self.snapshot.tree, &name_key(key)).await? {
            return Record::decode(&bytes);
        }
        let prefix = inside(key);
        match seek(self.volume, self.snapshot.tree, &prefix).await? {
            Some((found, _)) if found.starts_with(&prefix) => Err(Error::ValueExpected),
            _ if key.is_root() => Err(Error::ValueExpected),
            _ => Err(Error::NotFound),
        }
    }

    pub(crate) async fn get_range(
        mut self,
        key: &Key,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let mut progress = Progress::default();
        loop {
            let outcome = self.try_range(key, offset, buffer, &mut progress).await;
            if !self.is_outdated(&outcome) {
                return outcome;
            }
        }
    }

    async fn try_range(
        &self,
        key: &Key,
        offset: u64,
        buffer: &mut [u8],
        progress: &mut Progress,
    ) -> Result<usize, Error> {
        let record = self.record(key).await?;
        if record.version != progress.version {
            // The part read before is of another value.
            *progress = Progress {
                version: record.version,
                done: 0,
            };
        }
        let rest = record.size.saturating_sub(offset);
        let length = usize::try_from(rest)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = &mut buffer[..length];
        match record.content {
            Content::Inline(content) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let content = content.get(start..).unwrap_or_default();
                buffer.copy_from_slice(&content[..length]);
            }
            Content::Pages(id) => {
                while progress.done < length {
                    let at = offset + progress.done as u64;
                    progress.done += self.read_some(id, at, &mut buffer[progress.done..]).await?;
                }
            }
        }
        Ok(length)
    }

    /// Reads some bytes of a value, up to the end of a group.
    async fn read_some(&self, id: u64, at: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let start = (at % GROUP_BYTES) as usize;
        let length = buffer.len().min(GROUP_BYTES as usize - start);
        let key = group_key(id, at / GROUP_BYTES);
        let group = match get(self.volume, self.snapshot.tree, &key).await? {
            Some(bytes) => decode_group(&bytes)?,
            None => Group::default(),
        };
        let mut done = 0;
        while done < length {
            let place = start + done;
            let (first, inner) = (place / PAGE, place % PAGE);
            let last = (start + length - 1) / PAGE;
            let run = run(&group, first, last);
            let count = ((run.len() * PAGE) - inner).min(length - done);
            let part = &mut buffer[done..done + count];
            match group[first] {
                Some((page, _)) => {
                    let sums: Vec<u64> = run.iter().flatten().map(|(_, sum)| *sum).collect();
                    let bytes = self.volume.data(page, &sums).await?;
                    part.copy_from_slice(&bytes[inner..inner + count]);
                }
                None => part.fill(0),
            }
            done += count;
        }
        Ok(length)
    }

    /// Lists as one transaction has left it, and nothing if each time another came between.
    pub(crate) async fn list(
        mut self,
        dictionary: &Key,
        after: &str,
        limit: usize,
    ) -> Option<Result<Vec<Entry>, Error>> {
        for _ in 0..PATIENCE {
            let outcome = self.list_once(dictionary, after, limit).await;
            if !self.is_outdated(&outcome) {
                return Some(outcome);
            }
        }
        None
    }

    pub(crate) async fn list_once(
        &self,
        dictionary: &Key,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        if self.try_metadata(dictionary).await?.kind() == Kind::Value {
            return Err(Error::DictionaryExpected);
        }
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < limit {
            let after = entries.last().map_or(after, |last| &last.name);
            match self.next_entry(dictionary, after).await? {
                Some(entry) => entries.push(entry),
                None => break,
            }
        }
        Ok(entries)
    }

    /// The entry after a name in a dictionary.
    async fn next_entry(&self, dictionary: &Key, after: &str) -> Result<Option<Entry>, Error> {
        let prefix = inside(dictionary);
        let mut from = prefix.clone();
        if !after.is_empty() {
            // Beyond what lies in a dictionary of that name.
            from.extend_from_slice(after.as_bytes());
            from.push(1);
        }
        let found = seek(self.volume, self.snapshot.tree, &from).await?;
        let Some(rest) = found
            .as_ref()
            .and_then(|(found, _)| found.strip_prefix(&prefix[..]))
        else {
            return Ok(None);
        };
        let end = rest.iter().position(|byte| *byte == 0);
        let name = text(&rest[..end.unwrap_or(rest.len())])?;
        // Bytes that are no name were not put there by us, and could keep a caller busy for ever.
        let child = dictionary.child(&name).map_err(|_| Error::Damaged)?;
        if child.name() != name || name.as_str() <= after {
            return Err(Error::Damaged);
        }
        Ok(Some(Entry {
            name,
            kind: match end {
                Some(_) => Kind::Dictionary,
                None => Kind::Value,
            },
        }))
    }
}

/// The pages from `first` on that can be read at once, or the missing ones.
fn run(group: &Group, first: usize, last: usize) -> &[Option<(u64, u64)>] {
    let follows = |index: usize| match (group[index - 1], group[index]) {
        (Some((before, _)), Some((page, _))) => before.checked_add(1) == Some(page),
        (None, None) => true,
        _ => false,
    };
    let end = (first + 1..=last.min(GROUP - 1)).find(|index| !follows(*index));
    &group[first..end.unwrap_or(last + 1)]
}
