use crate::{Content, Error, File, Files, Status};
use alloc::borrow::Cow;
use alloc::format;
use fata_kv::{Digest, Key, KvRo, Metadata};

/// Serves the values of a key-value store as files.
///
/// ```
/// use fata_http::{FileServer, KvFiles};
/// use fata_kv::MemoryKv;
/// use std::rc::Rc;
///
/// # fn check(_: impl fata_http::Handler) {}
/// fata_task::simulate(|tasks| async move {
///     let store = Rc::new(MemoryKv::new(&tasks, 1 << 20));
///     let site = FileServer::new(KvFiles::new(store));
/// #   check(site);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct KvFiles<K> {
    store: K,
}

/// The bytes of a value, as long as it is not changed.
#[derive(Clone, Debug)]
pub struct KvContent<K> {
    store: K,
    key: Key,
    digest: Digest,
}

impl<K: KvRo + Clone> KvFiles<K> {
    /// Serves a store, of which each file that is sent has a handle, such as an `Rc`.
    pub const fn new(store: K) -> Self {
        Self { store }
    }
}

impl<K: KvRo + Clone> Files for KvFiles<K> {
    type Content = KvContent<K>;

    async fn find(&self, path: &str) -> Result<Option<File<Self::Content>>, Error> {
        let Ok(key) = path.parse::<Key>() else {
            return Ok(None);
        };
        let value = match self.store.metadata(&key).await {
            Ok(Metadata::Value(value)) => value,
            Ok(Metadata::Dictionary) | Err(fata_kv::Error::NotFound) => return Ok(None),
            Err(error) => return Err(failed(&key, error)),
        };
        Ok(Some(File {
            size: value.size,
            etag: Cow::Owned(format!("\"{}\"", value.digest)),
            modified: value.modified.map(|modified| modified.as_secs()),
            content: KvContent {
                store: self.store.clone(),
                key,
                digest: value.digest,
            },
        }))
    }
}

impl<K: KvRo> Content for KvContent<K> {
    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let fail = |error| failed(&self.key, error);
        let read = self.store.get_range(&self.key, offset, buffer).await;
        let length = read.map_err(fail)?;
        let digest = self.store.digest(&self.key).await.map_err(fail)?;
        if digest != self.digest {
            // Half of an answer of each value would be neither.
            return Err(Error::Status(Status::SERVICE_UNAVAILABLE));
        }
        Ok(length)
    }
}

fn failed(key: &Key, error: fata_kv::Error) -> Error {
    log::warn!("cannot read {key}: {error}");
    Error::Status(Status::SERVICE_UNAVAILABLE)
}
