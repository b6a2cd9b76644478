//! Values into a store and out of it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use fata_kv::{Key, Kind, KvRo, KvRw};

use super::{AT_ONCE, Error, failed, names, read_full};

/// Standard input or output.
const STANDARD: &str = "-";

/// Puts a file, a folder, the files of a tar archive, or standard input under a key.
pub async fn put(store: &impl KvRw, from: &Path, key: Option<Key>) -> Result<(), Error> {
    let failed = |error| Error::File(from.into(), error);
    if from == Path::new(STANDARD) {
        let key = key.ok_or_else(|| Error::NoName(from.into()))?;
        return put_value(store, &key, &mut io::stdin().lock(), from).await;
    }
    if from.is_dir() {
        return put_folder(store, from, key.unwrap_or(Key::ROOT)).await;
    }
    let mut file = File::open(from).map_err(failed)?;
    if from.extension().is_some_and(|extension| extension == "tar") {
        return put_archive(store, file, from, &key.unwrap_or(Key::ROOT)).await;
    }
    let key = match key {
        Some(key) => key,
        None => {
            let name = from.file_name().and_then(|name| name.to_str());
            names::parse(name.ok_or_else(|| Error::NoName(from.into()))?)?
        }
    };
    put_value(store, &key, &mut file, from).await
}

async fn put_folder(store: &impl KvRw, folder: &Path, key: Key) -> Result<(), Error> {
    let mut open = vec![(folder.to_owned(), key)];
    while let Some((folder, key)) = open.pop() {
        let failed = |error| Error::File(folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| Error::NoName(path.clone()))?;
            let key = names::child(&key, name)?;
            if path.is_dir() {
                open.push((path, key));
            } else {
                let failed = |error| Error::File(path.clone(), error);
                let mut file = File::open(&path).map_err(failed)?;
                put_value(store, &key, &mut file, &path).await?;
            }
        }
    }
    Ok(())
}

async fn put_archive(store: &impl KvRw, file: File, path: &Path, key: &Key) -> Result<(), Error> {
    let failed = |error| Error::File(path.into(), error);
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.into_owned();
        let name = name.strip_prefix(".").unwrap_or(&name);
        let name = name.to_str().ok_or_else(|| Error::NoName(name.into()))?;
        let key = names::child(key, name)?;
        put_value(store, &key, &mut entry, path).await?;
    }
    Ok(())
}

/// Sets a value to what comes in, piece by piece: what was there before is lost first.
async fn put_value(
    store: &impl KvRw,
    key: &Key,
    input: &mut impl Read,
    from: &Path,
) -> Result<(), Error> {
    let mut buffer = vec![0; AT_ONCE];
    let mut offset = 0;
    loop {
        let length = read_full(input, &mut buffer);
        let length = length.map_err(|error| Error::File(from.into(), error))?;
        let piece = &buffer[..length];
        let stored = match offset {
            0 => store.set(key, piece).await,
            _ => store.set_range(key, offset, piece).await,
        };
        stored.map_err(|error| failed(key, error))?;
        if length < AT_ONCE {
            return Ok(());
        }
        offset += length as u64;
    }
}

/// Writes a value to a file or to standard output, or a dictionary's values into a folder.
pub async fn get(store: &impl KvRo, key: &Key, to: Option<&Path>) -> Result<(), Error> {
    let to = to.unwrap_or(Path::new(STANDARD));
    let is_dictionary = super::kind(store, key).await? == Some(Kind::Dictionary);
    if !is_dictionary {
        if to == Path::new(STANDARD) {
            return get_value(store, key, &mut io::stdout().lock(), to).await;
        }
        return get_file(store, key, to).await;
    }
    if to == Path::new(STANDARD) {
        return Err(failed(key, fata_kv::Error::ValueExpected));
    }
    names::walk(store, key.clone(), async |inner, _| {
        let below = inner.below(key).unwrap_or_default();
        let path = to.join(below);
        let folder = path.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|error| Error::File(folder.into(), error))?;
        get_file(store, inner, &path).await
    })
    .await
}

async fn get_file(store: &impl KvRo, key: &Key, to: &Path) -> Result<(), Error> {
    let mut file = File::create(to).map_err(|error| Error::File(to.into(), error))?;
    get_value(store, key, &mut file, to).await
}

async fn get_value(
    store: &impl KvRo,
    key: &Key,
    output: &mut impl Write,
    to: &Path,
) -> Result<(), Error> {
    let mut buffer = vec![0; AT_ONCE];
    let mut offset = 0;
    loop {
        let read = store.get_range(key, offset, &mut buffer).await;
        let length = read.map_err(|error| failed(key, error))?;
        let written = output.write_all(&buffer[..length]);
        written.map_err(|error| Error::File(to.into(), error))?;
        if length < AT_ONCE {
            return output
                .flush()
                .map_err(|error| Error::File(to.into(), error));
        }
        offset += length as u64;
    }
}
