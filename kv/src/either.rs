use crate::{Change, Entry, Error, Key, KvRo, KvRw, Metadata};
use alloc::vec::Vec;

/// One of two kinds of stores: which, is known when it is opened.
#[derive(Clone, Copy, Debug)]
pub enum EitherKv<A, B> {
    /// The first kind.
    First(A),
    /// The second kind.
    Second(B),
}

impl<A, B> EitherKv<A, B> {
    /// What `first` opens, or `second` where it finds nothing of its kind. That is not begun before.
    ///
    /// # Errors
    /// [`Error::NotAStore`] if there is nothing of either kind, or the error of that whose kind it
    /// is: also [`Error::Unsupported`] of the first, as what is on a disk of another kind may be too
    /// small for it.
    pub async fn open(
        first: impl Future<Output = Result<A, Error>>,
        second: impl Future<Output = Result<B, Error>>,
    ) -> Result<Self, Error> {
        let error = match first.await {
            Err(error @ (Error::NotAStore | Error::Unsupported)) => error,
            opened => return opened.map(Self::First),
        };
        match second.await {
            Err(Error::NotAStore) => Err(error),
            opened => opened.map(Self::Second),
        }
    }
}

impl<A: KvRo, B: KvRo> KvRo for EitherKv<A, B> {
    async fn metadata(&self, key: &Key) -> Result<Metadata, Error> {
        match self {
            Self::First(store) => store.metadata(key).await,
            Self::Second(store) => store.metadata(key).await,
        }
    }

    async fn get_range(&self, key: &Key, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::First(store) => store.get_range(key, offset, buffer).await,
            Self::Second(store) => store.get_range(key, offset, buffer).await,
        }
    }

    async fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        match self {
            Self::First(store) => store.list(key, after, limit).await,
            Self::Second(store) => store.list(key, after, limit).await,
        }
    }
}

impl<A: KvRw, B: KvRw> KvRw for EitherKv<A, B> {
    async fn batch(&self, changes: &[Change<'_>]) -> Result<(), Error> {
        match self {
            Self::First(store) => store.batch(changes).await,
            Self::Second(store) => store.batch(changes).await,
        }
    }
}
