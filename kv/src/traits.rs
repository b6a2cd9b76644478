#![allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]

use crate::{Change, Digest, Entry, Error, Key, Kind, Metadata, ValueMetadata};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// A store of values that can be read.
///
/// Any number of requests can be under way at once. Each sees what all changes that had returned
/// when it began have made of the store, and of a value never parts of two versions.
pub trait KvRo {
    /// Returns the kind of the entry that a key names, with all that is known of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], also if a part of the key is a value; errors of the store.
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error>;

    /// Reads a value's bytes from `offset` on into `buffer`, and returns how many there are:
    /// fewer than fit only at the value's end.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ValueExpected`], errors of the store.
    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error>;

    /// Returns the entries of a dictionary, in order of names: the first `limit` after the name
    /// `after`, which need not be there and at first is empty.
    ///
    /// # Errors
    /// [`Error::NotFound`], but not for the root; [`Error::DictionaryExpected`]; errors of the
    /// store.
    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Returns the kind of the entry that a key names, if there is one.
    ///
    /// # Errors
    /// Those of the store.
    async fn exists(&self, key: &Key) -> Result<Option<Kind>, Error> {
        match self.metadata(key).await {
            Ok(metadata) => Ok(Some(metadata.kind())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The value of a key, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ValueExpected`], [`Error::TooLarge`], errors of the store.
    async fn get(&self, key: &Key, limit: usize) -> Result<Vec<u8>, Error> {
        loop {
            let size = usize::try_from(self.size(key).await?).ok();
            let size = size.filter(|size| *size <= limit).ok_or(Error::TooLarge)?;
            // The value may have changed since: a byte more tells whether there is more of it.
            let mut value = vec![0; size.saturating_add(1)];
            let length = self.get_range(key, 0, &mut value).await?;
            if length <= size {
                value.truncate(length);
                return Ok(value);
            }
        }
    }

    /// Returns the metadata of a value: all that is known of it besides its bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ValueExpected`], errors of the store.
    async fn value_metadata(&self, key: &Key) -> Result<ValueMetadata, Error> {
        match self.metadata(key).await? {
            Metadata::Value(value) => Ok(value),
            Metadata::Dictionary => Err(Error::ValueExpected),
        }
    }

    /// Changes whenever the value does.
    ///
    /// # Errors
    /// As for [`value_metadata`](Self::value_metadata).
    async fn digest(&self, key: &Key) -> Result<Digest, Error> {
        Ok(self.value_metadata(key).await?.digest)
    }

    /// How many bytes a value has.
    ///
    /// # Errors
    /// As for [`value_metadata`](Self::value_metadata).
    async fn size(&self, key: &Key) -> Result<u64, Error> {
        Ok(self.value_metadata(key).await?.size)
    }

    /// When a value was changed last, since the Unix epoch, if that is known.
    ///
    /// # Errors
    /// As for [`value_metadata`](Self::value_metadata).
    async fn last_modified(&self, key: &Key) -> Result<Option<Duration>, Error> {
        Ok(self.value_metadata(key).await?.modified)
    }
}

/// A store of values that can be changed.
///
/// A change has been made for good when it returns: no power cut loses it. A request that is
/// dropped before may have been made or not, but never in part.
pub trait KvRw: KvRo {
    /// Makes changes one after another: all of them, or none.
    ///
    /// # Errors
    /// Those of the first change that cannot be made: see the other functions.
    async fn batch(&self, changes: &[Change<'_>]) -> Result<(), Error>;

    /// Gives a key a value in place of what value it has.
    ///
    /// # Errors
    /// [`Error::ValueExpected`] if it is a dictionary, [`Error::DictionaryExpected`] if a part of
    /// it is a value, [`Error::BadName`], [`Error::NoSpace`], [`Error::ReadOnly`], errors of the
    /// store.
    async fn set(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        self.batch(&[Change::Set(key, value)]).await
    }

    /// Writes bytes into a key's value from `offset` on. The value grows as needed, by zeroes up
    /// to the offset, and becomes one if there is none.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    async fn set_range(&self, key: &Key, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.batch(&[Change::SetRange(key, offset, bytes)]).await
    }

    /// Removes a value, or a dictionary with all that lies in it.
    ///
    /// # Errors
    /// [`Error::NotFound`], but not for the root; [`Error::ReadOnly`]; errors of the store.
    async fn remove(&self, key: &Key) -> Result<(), Error> {
        self.batch(&[Change::Remove(key)]).await
    }

    /// Gives a value or dictionary another name. A value takes the place of the value that had
    /// that name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IntoItself`]; [`Error::ValueExpected`] for a value in place
    /// of a dictionary, [`Error::AlreadyPresent`] for a dictionary in place of anything;
    /// [`Error::DictionaryExpected`] if a part of the new name is a value; as for
    /// [`set`](Self::set).
    async fn rename(&self, from: &Key, to: &Key) -> Result<(), Error> {
        self.batch(&[Change::Rename(from, to)]).await
    }
}
