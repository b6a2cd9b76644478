//! Keys of a store.

use fata_kv::{Key, Kind, KvRo};

use super::error::{Error, failed};

/// How many names are asked for at once.
const AT_ONCE: usize = 256;

pub fn parse(text: &str) -> Result<Key, Error> {
    text.parse().map_err(|error| Error::Key(text.into(), error))
}

pub fn child(key: &Key, name: &str) -> Result<Key, Error> {
    key.child(name)
        .map_err(|error| Error::Key(name.into(), error))
}

/// The kind of thing that a key names, if any.
pub async fn kind(store: &impl KvRo, key: &Key) -> Result<Option<Kind>, Error> {
    store.exists(key).await.map_err(|error| failed(key, error))
}

/// Visits all values under a key with their sizes, in their order; or the value itself.
pub async fn walk(
    store: &impl KvRo,
    key: Key,
    mut visit: impl AsyncFnMut(&Key, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    // Dictionaries that were begun, and the last name in each that was seen.
    let mut open = vec![(key, String::new())];
    if kind(store, &open[0].0).await? == Some(Kind::Value) {
        let (key, _) = open.remove(0);
        let size = store
            .size(&key)
            .await
            .map_err(|error| failed(&key, error))?;
        return visit(&key, size).await;
    }
    while let Some((key, after)) = open.pop() {
        let entries = store.list(&key, &after, AT_ONCE).await;
        let entries = entries.map_err(|error| failed(&key, error))?;
        let is_last = entries.len() < AT_ONCE;
        let mut last = after;
        let mut inner = None;
        for entry in entries {
            let child = child(&key, &entry.name)?;
            last = entry.name;
            if entry.kind == Kind::Dictionary {
                inner = Some(child);
                break;
            }
            let size = store
                .size(&child)
                .await
                .map_err(|error| failed(&child, error))?;
            visit(&child, size).await?;
        }
        if !is_last || inner.is_some() {
            open.push((key, last));
        }
        open.extend(inner.map(|inner| (inner, String::new())));
    }
    Ok(())
}
