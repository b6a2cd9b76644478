use super::{RESERVE, Transaction};
use crate::queue::OwnedChange;
use crate::record::{Content, MAX_INLINE, Record, inside, name_key};
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::{Error, Key, Kind};

/// The end of the largest value: offsets beyond it cannot be meant.
const MAX_SIZE: u64 = 1 << 60;

impl<B: Block> Transaction<'_, B> {
    /// Makes one change. On an error it may have made a part of it, if `changes` has grown.
    pub(crate) async fn apply(&mut self, change: &OwnedChange) -> Result<(), Error> {
        self.editor.reserve = match change {
            OwnedChange::Remove(_) => 0,
            _ => RESERVE,
        };
        match change {
            OwnedChange::Set(key, bytes) => self.set(key, bytes).await,
            OwnedChange::SetRange(key, offset, bytes) => self.set_range(key, *offset, bytes).await,
            OwnedChange::Remove(key) => self.remove(key).await,
            OwnedChange::Rename(from, to) => self.rename(from, to).await,
        }
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, Error> {
        let bytes = self.get(&name_key(key)).await?;
        bytes.map(|bytes| Record::decode(&bytes)).transpose()
    }

    async fn kind(&self, key: &Key) -> Result<Option<Kind>, Error> {
        if key.is_root() {
            return Ok(Some(Kind::Dictionary));
        }
        if self.get(&name_key(key)).await?.is_some() {
            return Ok(Some(Kind::Value));
        }
        let first = self.first_inside(&inside(key)).await?;
        Ok(first.map(|_| Kind::Dictionary))
    }

    /// The first key that begins so, with its value.
    async fn first_inside(&self, prefix: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, Error> {
        let found = self.seek(prefix).await?;
        Ok(found.filter(|(key, _)| key.starts_with(prefix)))
    }

    /// Checks that a key can have a value.
    async fn check_place(&self, key: &Key) -> Result<(), Error> {
        let mut parent = key.parent();
        while let Some(key) = parent.filter(|key| !key.is_root()) {
            if self.get(&name_key(&key)).await?.is_some() {
                return Err(Error::DictionaryExpected);
            }
            parent = key.parent();
        }
        match self.kind(key).await? {
            Some(Kind::Dictionary) => Err(Error::ValueExpected),
            _ => Ok(()),
        }
    }

    async fn set(&mut self, key: &Key, bytes: &[u8]) -> Result<(), Error> {
        self.check_place(key).await?;
        self.check_room(bytes.len())?;
        let old = self.record(key).await?;
        self.release_content(old.as_ref()).await?;
        let content = if bytes.len() <= MAX_INLINE {
            Content::Inline(bytes.to_vec())
        } else {
            let id = self.next_id();
            self.write_pages(id, 0, bytes).await?;
            Content::Pages(id)
        };
        self.put_record(key, bytes.len() as u64, content).await
    }

    /// Gives a key a new version of its value, whose pages are written.
    async fn put_record(&mut self, key: &Key, size: u64, content: Content) -> Result<(), Error> {
        let record = Record {
            version: self.next_id(),
            modified: self.now,
            size,
            content,
        };
        self.insert(&name_key(key), &record.encode()).await
    }

    async fn set_range(&mut self, key: &Key, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.check_place(key).await?;
        let end = offset.checked_add(bytes.len() as u64);
        let end = end.filter(|end| *end <= MAX_SIZE).ok_or(Error::NoSpace)?;
        self.check_room(bytes.len() + MAX_INLINE)?;
        let old = self.record(key).await?;
        let (old_size, old_content) = match old {
            Some(record) => (record.size, record.content),
            None => (0, Content::Inline(Vec::new())),
        };
        let size = if bytes.is_empty() {
            old_size
        } else {
            end.max(old_size)
        };
        let content = match old_content {
            Content::Inline(mut content) if size <= MAX_INLINE as u64 => {
                content.resize(size as usize, 0);
                if !bytes.is_empty() {
                    content[offset as usize..end as usize].copy_from_slice(bytes);
                }
                Content::Inline(content)
            }
            Content::Inline(content) => {
                let id = self.next_id();
                self.write_pages(id, 0, &content).await?;
                self.write_pages(id, offset, bytes).await?;
                Content::Pages(id)
            }
            Content::Pages(id) => {
                self.write_pages(id, offset, bytes).await?;
                Content::Pages(id)
            }
        };
        self.put_record(key, size, content).await
    }

    /// Gives the pages of a value back that is replaced or removed.
    async fn release_content(&mut self, record: Option<&Record>) -> Result<(), Error> {
        match record.map(|record| &record.content) {
            Some(Content::Pages(id)) => self.release_pages(*id).await,
            _ => Ok(()),
        }
    }

    async fn remove(&mut self, key: &Key) -> Result<(), Error> {
        if let Some(record) = self.record(key).await? {
            self.release_content(Some(&record)).await?;
            return self.remove_key(&name_key(key)).await;
        }
        let prefix = inside(key);
        let mut is_empty = true;
        while let Some((name, value)) = self.first_inside(&prefix).await? {
            is_empty = false;
            let record = Record::decode(&value)?;
            self.release_content(Some(&record)).await?;
            self.remove_key(&name).await?;
        }
        if is_empty && !key.is_root() {
            return Err(Error::NotFound);
        }
        Ok(())
    }

    async fn rename(&mut self, from: &Key, to: &Key) -> Result<(), Error> {
        let kind = self.kind(from).await?.ok_or(Error::NotFound)?;
        if from == to {
            return Ok(());
        }
        match kind {
            Kind::Value => self.rename_value(from, to).await,
            Kind::Dictionary => self.rename_dictionary(from, to).await,
        }
    }

    async fn rename_value(&mut self, from: &Key, to: &Key) -> Result<(), Error> {
        let record = self.record(from).await?.ok_or(Error::Damaged)?;
        self.remove_key(&name_key(from)).await?;
        self.check_place(to).await?;
        let replaced = self.record(to).await?;
        self.release_content(replaced.as_ref()).await?;
        self.insert(&name_key(to), &record.encode()).await
    }

    async fn rename_dictionary(&mut self, from: &Key, to: &Key) -> Result<(), Error> {
        if to.below(from).is_some() {
            return Err(Error::IntoItself);
        }
        if self.kind(to).await?.is_some() {
            return Err(Error::AlreadyPresent);
        }
        self.check_place(to).await?;
        let (prefix, new_prefix) = (inside(from), inside(to));
        while let Some((name, value)) = self.first_inside(&prefix).await? {
            let renamed = [&new_prefix, &name[prefix.len()..]].concat();
            if renamed.len() > 1 + Key::MAX_LENGTH {
                return Err(Error::TooLarge);
            }
            self.remove_key(&name).await?;
            self.insert(&renamed, &value).await?;
        }
        Ok(())
    }
}
