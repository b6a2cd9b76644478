//! Changes of a volume.

use crate::error::translate;
use crate::session::{Node, Session};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use fata_block::Block;
use fata_kv::{Change, Error, Key};
use fata_task::yield_now;
use hadris_fs::{DirCursor, FileType, Name, NodeId, OpenMode, RenameMode, SetAttr};

/// Directories in one another, at most, of what is removed.
const DEEPEST: usize = 2048;

/// A directory that is being emptied.
struct Emptied {
    id: NodeId,
    name: Box<[u8]>,
    cursor: DirCursor,
}

impl<B: Block> Session<'_, B> {
    /// Makes a change at a time of day.
    pub(crate) async fn apply(
        &mut self,
        change: &Change<'_>,
        now: Option<Duration>,
    ) -> Result<(), Error> {
        match *change {
            Change::Set(key, bytes) => {
                let (id, times) = self.value(key, now).await?;
                let emptied = self.driver().truncate(id, 0).await;
                emptied.map_err(translate)?;
                self.write(id, 0, bytes, &times).await
            }
            Change::SetRange(key, offset, bytes) => {
                let (id, times) = self.value(key, now).await?;
                self.write(id, offset, bytes, &times).await
            }
            Change::Remove(key) => self.remove(key).await,
            Change::Rename(from, to) => self.rename(from, to, now).await,
        }
    }

    /// The value of a key, made if there is none, and the times of its next version.
    async fn value(
        &mut self,
        key: &Key,
        now: Option<Duration>,
    ) -> Result<(NodeId, SetAttr), Error> {
        if key.is_root() {
            return Err(Error::ValueExpected);
        }
        let directory = self.make_parent(key, None, now).await?;
        match self.child(directory, key.name()).await? {
            Some(node) if node.is_dictionary() => Err(Error::ValueExpected),
            Some(node) => {
                let times = self.volume.stamps.next(now, Some(&node.metadata));
                Ok((node.id, times))
            }
            None => {
                let times = self.volume.stamps.next(now, None);
                let created = self
                    .driver()
                    .create(directory, Name::new(key.name()), &times);
                Ok((created.await.map_err(translate)?, times))
            }
        }
    }

    /// Makes the directories that a key lies in, and returns the innermost. None of them must be
    /// that which is `moved`.
    async fn make_parent(
        &mut self,
        key: &Key,
        moved: Option<NodeId>,
        now: Option<Duration>,
    ) -> Result<NodeId, Error> {
        let mut directory = self.root();
        for name in key.parent().iter().flat_map(Key::segments) {
            directory = match self.child(directory, name).await? {
                Some(node) if Some(node.id) == moved => return Err(Error::IntoItself),
                Some(node) if node.is_dictionary() => node.id,
                Some(_) => return Err(Error::DictionaryExpected),
                None => {
                    let times = self.volume.stamps.next(now, None);
                    let made = self.driver().mkdir(directory, Name::new(name), &times);
                    made.await.map_err(translate)?
                }
            };
        }
        Ok(directory)
    }

    async fn write(
        &mut self,
        id: NodeId,
        offset: u64,
        bytes: &[u8],
        times: &SetAttr,
    ) -> Result<(), Error> {
        let driver = self.driver();
        driver.open(id, OpenMode::Write).await.map_err(translate)?;
        let mut done = 0;
        while done < bytes.len() {
            let place = offset.checked_add(done as u64).ok_or(Error::NoSpace)?;
            let written = self.driver().write(id, place, &bytes[done..]).await;
            match written.map_err(translate)? {
                0 => return Err(Error::NoSpace),
                count => done += count,
            }
        }
        self.driver().close(id).await.map_err(translate)?;
        self.driver().setattr(id, times).await.map_err(translate)?;
        self.driver().forget(id, 1);
        Ok(())
    }

    async fn remove(&mut self, key: &Key) -> Result<(), Error> {
        let Some(parent) = key.parent() else {
            let root = self.root();
            return self.empty(root).await;
        };
        let directory = self.find(&parent).await?;
        let directory = directory.filter(Node::is_dictionary);
        let directory = directory.ok_or(Error::NotFound)?.id;
        let node = self.child(directory, key.name()).await?;
        let node = node.ok_or(Error::NotFound)?;
        if node.is_dictionary() {
            self.empty(node.id).await?;
        }
        self.driver().forget(node.id, 1);
        let name = Name::new(key.name());
        let removed = if node.is_dictionary() {
            self.driver().rmdir(directory, name).await
        } else {
            self.driver().unlink(directory, name).await
        };
        removed.map_err(translate)?;
        self.remove_empty(parent).await
    }

    /// Removes what lies in a directory.
    async fn empty(&mut self, id: NodeId) -> Result<(), Error> {
        let mut open = vec![Emptied::new(id, &[])];
        while let Some(directory) = open.last_mut() {
            yield_now().await;
            let id = directory.id;
            let next = self.driver().readdir(id, directory.cursor).await;
            if let Some(entry) = next.map_err(damage)? {
                directory.cursor = entry.next_cursor();
                if entry.file_type() != FileType::Dir {
                    let removed = self.driver().unlink(id, entry.name()).await;
                    removed.map_err(damage)?;
                    continue;
                }
                if open.len() == DEEPEST {
                    return Err(Error::Damaged);
                }
                let inner = self.driver().lookup(id, entry.name()).await;
                let inner = inner.map_err(damage)?;
                open.push(Emptied::new(inner, entry.name().as_bytes()));
            } else {
                self.leave(&mut open).await?;
            }
        }
        Ok(())
    }

    /// Removes the innermost of the directories, which is empty now, but not the outermost.
    async fn leave(&mut self, open: &mut Vec<Emptied>) -> Result<(), Error> {
        let Some(inner) = open.pop() else {
            return Ok(());
        };
        let Some(outer) = open.last() else {
            return Ok(());
        };
        self.driver().forget(inner.id, 1);
        let removed = self.driver().rmdir(outer.id, Name::new(&inner.name)).await;
        removed.map_err(damage)
    }

    /// Removes a directory that has become empty, and those around it that so become it.
    async fn remove_empty(&mut self, mut key: Key) -> Result<(), Error> {
        while let Some(parent) = key.parent() {
            let found = self.find(&key).await?;
            // The renamed entry may have taken the place of the directory that it left.
            let Some(directory) = found.filter(Node::is_dictionary) else {
                return Ok(());
            };
            let first = self.driver().readdir(directory.id, DirCursor::START).await;
            if first.map_err(translate)?.is_some() {
                return Ok(());
            }
            let outer = self.find(&parent).await?.ok_or(Error::Damaged)?;
            self.forget_all(directory.id);
            let name = Name::new(key.name());
            self.driver().rmdir(outer.id, name).await.map_err(damage)?;
            key = parent;
        }
        Ok(())
    }

    /// Lets go of a node, however often it was looked up.
    fn forget_all(&mut self, id: NodeId) {
        self.driver().forget(id, u64::MAX);
    }

    async fn rename(&mut self, from: &Key, to: &Key, now: Option<Duration>) -> Result<(), Error> {
        let node = self.find(from).await?.ok_or(Error::NotFound)?;
        if from == to {
            return Ok(());
        }
        let Some(parent) = from.parent() else {
            return Err(Error::IntoItself);
        };
        if to.is_root() {
            let is_value = !node.is_dictionary();
            return Err(if is_value {
                Error::ValueExpected
            } else {
                Error::AlreadyPresent
            });
        }
        let mut source = self.find(&parent).await?.ok_or(Error::Damaged)?.id;
        let mut old = from.name().to_owned();
        let moved = node.is_dictionary().then_some(node.id);
        if moved.is_none() && (from.below(to).is_some() || to.below(from).is_some()) {
            // One name makes way for the other.
            let aside = self.move_aside(source, &old).await?;
            self.remove_empty(parent.clone()).await?;
            (source, old) = (self.root(), aside);
        }
        let target = self.make_parent(to, moved, now).await?;
        match self.child(target, to.name()).await? {
            // The same one, whose name is to be written in another way.
            Some(other) if other.id == node.id => {}
            Some(_) if node.is_dictionary() => return Err(Error::AlreadyPresent),
            Some(other) if other.is_dictionary() => return Err(Error::ValueExpected),
            Some(other) => self.forget_all(other.id),
            None => {}
        }
        self.move_to(source, &old, target, to.name()).await?;
        self.remove_empty(parent).await
    }

    async fn move_to(
        &mut self,
        source: NodeId,
        old: &str,
        target: NodeId,
        new: &str,
    ) -> Result<(), Error> {
        let (old, new) = (Name::new(old), Name::new(new));
        let mode = RenameMode::Replace;
        let moved = self.driver().rename(source, old, target, new, mode).await;
        moved.map_err(translate)
    }

    /// Gives a file a name in the root that nothing else has.
    async fn move_aside(&mut self, source: NodeId, name: &str) -> Result<String, Error> {
        let root = self.root();
        let mut number = 0;
        loop {
            let aside = format!("ASIDE{number}.TMP");
            if self.child(root, &aside).await?.is_none() {
                self.move_to(source, name, root, &aside).await?;
                return Ok(aside);
            }
            number += 1;
        }
    }
}

impl Emptied {
    fn new(id: NodeId, name: &[u8]) -> Self {
        Self {
            id,
            name: name.into(),
            cursor: DirCursor::START,
        }
    }
}

/// Translates an error where a sound volume gives none.
fn damage(error: hadris_io::Error<crate::error::Fault>) -> Error {
    match translate(error) {
        error @ (Error::Disk(_) | Error::TooLarge | Error::NoSpace) => error,
        _ => Error::Damaged,
    }
}
