//! Stores that hand every call on to another one, so that what that one does better than a default
//! is not lost on the way.

use crate::EitherKv;
use crate::{Change, Digest, Entry, Error, Key, Kind, KvRo, KvRw, Metadata, ValueMetadata};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

/// All methods of `KvRo`, each by `$through!(self, store => the call)`.
macro_rules! delegate_ro {
    ($through:ident: $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        async fn $name(&self, $($argument: $type),*) -> Result<$answer, Error> {
            $through!(self, store => store.$name($($argument),*).await)
        }
    )*};
    ($through:ident) => {
        delegate_ro! { $through:
            metadata(key: &Key) -> Metadata;
            get_range(key: &Key, offset: u64, buffer: &mut [u8]) -> usize;
            list(key: &Key, after: &str, limit: usize) -> Vec<Entry>;
            exists(key: &Key) -> Option<Kind>;
            get(key: &Key, limit: usize) -> Vec<u8>;
            value_metadata(key: &Key) -> ValueMetadata;
            digest(key: &Key) -> Digest;
            size(key: &Key) -> u64;
            last_modified(key: &Key) -> Option<Duration>;
        }
    };
}

/// The same for `KvRw`.
macro_rules! delegate_rw {
    ($through:ident) => {
        delegate_ro! { $through:
            batch(changes: &[Change<'_>]) -> ();
            set(key: &Key, value: &[u8]) -> ();
            set_range(key: &Key, offset: u64, bytes: &[u8]) -> ();
            remove(key: &Key) -> ();
            rename(from: &Key, to: &Key) -> ();
        }
    };
}

macro_rules! through_handle {
    ($self:expr, $store:ident => $call:expr) => {{
        let $store = &**$self;
        $call
    }};
}

macro_rules! through_either {
    ($self:expr, $store:ident => $call:expr) => {
        match $self {
            EitherKv::First($store) => $call,
            EitherKv::Second($store) => $call,
        }
    };
}

impl<K: KvRo> KvRo for &K {
    delegate_ro!(through_handle);
}

impl<K: KvRw> KvRw for &K {
    delegate_rw!(through_handle);
}

impl<K: KvRo> KvRo for Rc<K> {
    delegate_ro!(through_handle);
}

impl<K: KvRw> KvRw for Rc<K> {
    delegate_rw!(through_handle);
}

impl<A: KvRo, B: KvRo> KvRo for EitherKv<A, B> {
    delegate_ro!(through_either);
}

impl<A: KvRw, B: KvRw> KvRw for EitherKv<A, B> {
    delegate_rw!(through_either);
}

#[cfg(test)]
mod tests {
    use super::*;
    use fata_task::simulate;

    /// A store that does by itself what the traits do by default.
    struct Own;

    impl KvRo for Own {
        async fn metadata(&self, _: &Key) -> Result<Metadata, Error> {
            Err(Error::NotFound)
        }

        async fn get_range(&self, _: &Key, _: u64, _: &mut [u8]) -> Result<usize, Error> {
            Err(Error::NotFound)
        }

        async fn list(&self, _: &Key, _: &str, _: usize) -> Result<Vec<Entry>, Error> {
            Err(Error::NotFound)
        }

        async fn exists(&self, _: &Key) -> Result<Option<Kind>, Error> {
            Ok(Some(Kind::Value))
        }

        async fn get(&self, _: &Key, limit: usize) -> Result<Vec<u8>, Error> {
            Ok(alloc::vec![7; limit])
        }

        async fn value_metadata(&self, _: &Key) -> Result<ValueMetadata, Error> {
            Err(Error::Closed)
        }

        async fn digest(&self, _: &Key) -> Result<Digest, Error> {
            Ok(Digest([1; 16]))
        }

        async fn size(&self, _: &Key) -> Result<u64, Error> {
            Ok(5)
        }

        async fn last_modified(&self, _: &Key) -> Result<Option<Duration>, Error> {
            Ok(Some(Duration::from_secs(6)))
        }
    }

    impl KvRw for Own {
        async fn batch(&self, _: &[Change<'_>]) -> Result<(), Error> {
            Err(Error::NotFound)
        }

        async fn set(&self, _: &Key, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }

        async fn set_range(&self, _: &Key, _: u64, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }

        async fn remove(&self, _: &Key) -> Result<(), Error> {
            Ok(())
        }

        async fn rename(&self, _: &Key, _: &Key) -> Result<(), Error> {
            Ok(())
        }
    }

    async fn assert_own(store: impl KvRw) {
        let key: Key = "a".parse().expect("a key");
        assert_eq!(store.exists(&key).await, Ok(Some(Kind::Value)));
        assert_eq!(store.get(&key, 2).await, Ok(alloc::vec![7; 2]));
        assert_eq!(store.value_metadata(&key).await, Err(Error::Closed));
        assert_eq!(store.digest(&key).await, Ok(Digest([1; 16])));
        assert_eq!(store.size(&key).await, Ok(5));
        let modified = store.last_modified(&key).await;
        assert_eq!(modified, Ok(Some(Duration::from_secs(6))));
        assert_eq!(store.set(&key, &[]).await, Ok(()));
        assert_eq!(store.set_range(&key, 0, &[]).await, Ok(()));
        assert_eq!(store.remove(&key).await, Ok(()));
        assert_eq!(store.rename(&key, &key).await, Ok(()));
        assert_eq!(store.batch(&[]).await, Err(Error::NotFound));
    }

    #[test]
    fn every_method_reaches_the_store() {
        simulate(|_| async {
            assert_own(&Own).await;
            assert_own(Rc::new(Own)).await;
            assert_own(EitherKv::<Own, Own>::First(Own)).await;
            assert_own(EitherKv::<Own, Own>::Second(Own)).await;
        });
    }
}
