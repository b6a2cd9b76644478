use crate::table::copy_range;
use crate::tree::Tree;
use crate::{Change, Digest, Entry, Error, Key, Kind, KvRo, KvRw, Metadata, ValueMetadata};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use fata_task::Handle;

/// Memory that each value costs beside its bytes and those of its key.
const OVERHEAD: usize = 64;

/// A store in the program's own memory: what it holds ends with the program.
pub struct MemoryKv {
    tasks: Handle,
    state: RefCell<State>,
}

impl fmt::Debug for MemoryKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKv").finish_non_exhaustive()
    }
}

struct State {
    values: Tree<Value>,
    /// Bytes that are left of the bound.
    room: usize,
}

struct Value {
    bytes: Vec<u8>,
    modified: Option<Duration>,
}

/// Values as they were before each change of a batch, in the order of the changes.
type Journal = Vec<(Key, Option<Value>)>;

impl MemoryKv {
    /// An empty store that takes at most `capacity` bytes: of keys, values, and 64 for each.
    pub fn new(tasks: &Handle, capacity: usize) -> Self {
        Self {
            tasks: tasks.clone(),
            state: RefCell::new(State {
                values: Tree::new(),
                room: capacity,
            }),
        }
    }
}

impl State {
    /// Puts or removes a value, and notes what was there.
    fn replace(
        &mut self,
        journal: &mut Journal,
        key: &Key,
        new: Option<Value>,
    ) -> Result<(), Error> {
        let cost = |value: &Value| key.as_str().len() + value.bytes.len() + OVERHEAD;
        let freed = self.values.get(key).map_or(0, cost);
        let needed = new.as_ref().map_or(0, cost);
        self.room = (self.room + freed)
            .checked_sub(needed)
            .ok_or(Error::NoSpace)?;
        let old = match new {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(key),
        };
        journal.push((key.clone(), old));
        Ok(())
    }

    fn roll_back(&mut self, mut journal: Journal) {
        while let Some((key, old)) = journal.pop() {
            self.replace(&mut Journal::new(), &key, old)
                .expect("what was there before has room again");
        }
    }

    fn apply(
        &mut self,
        journal: &mut Journal,
        change: &Change<'_>,
        now: Option<Duration>,
    ) -> Result<(), Error> {
        let value = |bytes| {
            Some(Value {
                bytes,
                modified: now,
            })
        };
        match *change {
            Change::Set(key, bytes) => {
                self.values.check_place(key)?;
                self.replace(journal, key, value(bytes.to_owned()))
            }
            Change::SetRange(key, offset, bytes) => {
                self.values.check_place(key)?;
                let old = self.values.get(key).map(|value| &value.bytes[..]);
                let new = self.overwritten(old.unwrap_or_default(), offset, bytes)?;
                self.replace(journal, key, value(new))
            }
            Change::Remove(key) => self.remove(journal, key),
            Change::Rename(from, to) => self.rename(journal, from, to),
        }
    }

    /// A value with other bytes from `offset` on.
    fn overwritten(&self, old: &[u8], offset: u64, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let start = usize::try_from(offset).map_err(|_| Error::NoSpace)?;
        let end = start.checked_add(bytes.len()).ok_or(Error::NoSpace)?;
        if end.saturating_sub(old.len()) > self.room {
            return Err(Error::NoSpace);
        }
        let mut new = old.to_owned();
        if !bytes.is_empty() {
            new.resize(old.len().max(end), 0);
            new[start..end].copy_from_slice(bytes);
        }
        Ok(new)
    }

    fn remove(&mut self, journal: &mut Journal, key: &Key) -> Result<(), Error> {
        match self.values.kind(key).ok_or(Error::NotFound)? {
            Kind::Value => self.replace(journal, key, None),
            Kind::Dictionary => {
                let keys: Vec<Key> = self
                    .values
                    .inside(key)
                    .map(|(key, _)| key.clone())
                    .collect();
                keys.iter()
                    .try_for_each(|key| self.replace(journal, key, None))
            }
        }
    }

    fn rename(&mut self, journal: &mut Journal, from: &Key, to: &Key) -> Result<(), Error> {
        let kind = self.values.kind(from).ok_or(Error::NotFound)?;
        if from == to {
            return Ok(());
        }
        if kind == Kind::Value {
            let value = self.take(journal, from)?;
            self.values.check_place(to)?;
            return self.replace(journal, to, value);
        }
        if to.below(from).is_some() {
            return Err(Error::IntoItself);
        }
        if self.values.kind(to).is_some() {
            return Err(Error::AlreadyPresent);
        }
        self.values.check_place(to)?;
        let keys: Vec<Key> = self
            .values
            .inside(from)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let rest = key.below(from).expect("it lies in there");
            let renamed = to.child(rest).map_err(|_| Error::TooLarge)?;
            let value = self.take(journal, &key)?;
            self.replace(journal, &renamed, value)?;
        }
        Ok(())
    }

    /// Takes a copy of a value out, as the journal keeps the value.
    fn take(&mut self, journal: &mut Journal, key: &Key) -> Result<Option<Value>, Error> {
        let value = self.values.get(key).map(|value| Value {
            bytes: value.bytes.clone(),
            modified: value.modified,
        });
        self.replace(journal, key, None)?;
        Ok(value)
    }
}

impl KvRo for MemoryKv {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        let state = self.state.borrow();
        match state.values.value(key) {
            Ok(value) => Ok(Metadata::Value(ValueMetadata {
                size: value.bytes.len() as u64,
                digest: Digest::of(&value.bytes, value.bytes.len() as u64),
                modified: value.modified,
            })),
            Err(Error::ValueExpected) => Ok(Metadata::Dictionary),
            Err(error) => Err(error),
        }
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let state = self.state.borrow();
        Ok(copy_range(&state.values.value(key)?.bytes, offset, buffer))
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        self.state.borrow().values.list(key, after, limit)
    }
}

impl KvRw for MemoryKv {
    async fn batch(&self, changes: &[Change<'_>]) -> Result<(), Error> {
        let now = self.tasks.wall();
        let mut state = self.state.borrow_mut();
        let mut journal = Journal::new();
        for change in changes {
            if let Err(error) = state.apply(&mut journal, change, now) {
                state.roll_back(journal);
                return Err(error);
            }
        }
        Ok(())
    }
}
