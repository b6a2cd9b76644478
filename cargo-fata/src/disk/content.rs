//! Values into a store and out of it.

use std::fmt::Display;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fata_kv::{Entry, Key, Kind, KvRo, KvRw, TarKv};

use super::archive::ArchiveFile;
use super::error::{Error, failed};
use super::interrupt::{self, Input};
use super::names;

/// Bytes that are read or written at once.
pub const AT_ONCE: usize = 1 << 20;

/// Standard input or output.
const STANDARD: &str = "-";

/// The beginning of the name of a value that is not whole; a number of this process follows.
const PART: &str = "fata-put-";

/// How many of them are looked for at once.
const MOST_PARTS: usize = 256;

/// Puts a file, a folder, the files of a tar archive, or standard input under a key.
pub async fn put(
    store: &impl KvRw,
    image: &Path,
    from: &Path,
    key: Option<Key>,
) -> Result<(), Error> {
    if from == Path::new(STANDARD) {
        let key = key.ok_or_else(|| Error::NoName(from.into()))?;
        return put_value(store, &key, reading(io::stdin().lock(), from)).await;
    }
    if from.is_dir() {
        return put_folder(store, image, from, key.unwrap_or(Key::ROOT)).await;
    }
    if from.extension().is_some_and(|extension| extension == "tar") {
        return put_archive(store, from, &key.unwrap_or(Key::ROOT)).await;
    }
    let key = match key {
        Some(key) => key,
        None => {
            let name = from.file_name().and_then(|name| name.to_str());
            names::parse(name.ok_or_else(|| Error::NoName(from.into()))?)?
        }
    };
    put_file(store, &key, from).await
}

async fn put_folder(store: &impl KvRw, image: &Path, folder: &Path, key: Key) -> Result<(), Error> {
    let image = fs::metadata(image).map_err(|error| Error::File(image.into(), error))?;
    let is_image = |found: &Metadata| (found.dev(), found.ino()) == (image.dev(), image.ino());
    let mut open = vec![(folder.to_owned(), key)];
    while let Some((folder, key)) = open.pop() {
        let failed = |error| Error::File(folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| Error::NoName(path.clone()))?;
            let failed = |error| Error::File(path.clone(), error);
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            let found = fs::metadata(&path).map_err(failed)?;
            // A link to a folder may lead back to where it is.
            if found.is_dir() && !is_link {
                open.push((path, names::child(&key, name)?));
            } else if found.is_file() && !is_image(&found) {
                put_file(store, &names::child(&key, name)?, &path).await?;
            } else {
                leave_out(path.display(), "it is no file");
            }
        }
    }
    Ok(())
}

/// Tells that something is not put into a store.
fn leave_out(name: impl Display, reason: impl Display) {
    eprintln!("fata: {name} is left out: {reason}");
}

async fn put_file(store: &impl KvRw, key: &Key, path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(|error| Error::File(path.into(), error))?;
    put_value(store, key, reading(file, path)).await
}

async fn put_archive(store: &impl KvRw, path: &Path, top: &Key) -> Result<(), Error> {
    let file = ArchiveFile::open(path).map_err(|error| Error::File(path.into(), error))?;
    let archive = TarKv::open(file, usize::MAX, |name, reason| leave_out(name, reason)).await;
    let archive = archive.map_err(|error| Error::Archive(path.into(), error))?;
    names::walk(&archive, Key::ROOT, async |key, _| {
        let to = names::child(top, key.as_str())?;
        put_value(store, &to, copying(&archive, key)).await
    })
    .await
}

/// A function that fills a buffer as far as there is more, for [`put_value`]. It is told how much
/// came before.
trait Source: AsyncFnMut(u64, &mut [u8]) -> Result<usize, Error> {}

impl<S: AsyncFnMut(u64, &mut [u8]) -> Result<usize, Error>> Source for S {}

/// The bytes of a file.
fn reading(input: impl Read + AsFd, path: &Path) -> impl Source {
    let mut input = Input(input);
    async move |_, buffer: &mut [u8]| {
        read_full(&mut input, buffer).map_err(|error| Error::File(path.into(), error))
    }
}

/// The bytes of another value.
fn copying(store: &impl KvRo, key: &Key) -> impl Source {
    async move |offset, buffer: &mut [u8]| {
        let read = store.get_range(key, offset, buffer).await;
        read.map_err(|error| failed(key, error))
    }
}

/// Reads up to a buffer's length, less only at the end.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Gives a key a value. If that fails, it keeps what it had.
async fn put_value(store: &impl KvRw, key: &Key, mut source: impl Source) -> Result<(), Error> {
    let mut buffer = vec![0; AT_ONCE];
    let length = source(0, &mut buffer).await?;
    if length < AT_ONCE {
        let stored = store.set(key, &buffer[..length]).await;
        return stored.map_err(|error| failed(key, error));
    }
    let part = names::parse(&format!("{PART}{}", std::process::id()))?;
    interrupt::in_order(async {
        let put = put_large(store, key, &part, buffer, source).await;
        if put.is_err() {
            // It may not have come to be. The first error is what counts.
            let _ = store.remove(&part).await;
        }
        put
    })
    .await
}

/// The values that puts have left that were killed.
pub async fn parts(store: &impl KvRo) -> Result<Vec<Key>, Error> {
    let listed = store.list(&Key::ROOT, PART, MOST_PARTS).await;
    let listed = listed.map_err(|error| failed(&Key::ROOT, error))?;
    let is_part = |entry: &Entry| {
        let number = entry.name.strip_prefix(PART);
        let is_number = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
        entry.kind == Kind::Value && number.is_some_and(is_number)
    };
    let parts = listed.into_iter().filter(is_part);
    parts.map(|entry| names::parse(&entry.name)).collect()
}

/// Puts a value together under another name, and then in its place.
async fn put_large(
    store: &impl KvRw,
    key: &Key,
    part: &Key,
    mut buffer: Vec<u8>,
    mut source: impl Source,
) -> Result<(), Error> {
    let failed = |error| failed(key, error);
    store.set(part, &buffer).await.map_err(failed)?;
    let mut offset = buffer.len() as u64;
    loop {
        interrupt::check()?;
        let length = source(offset, &mut buffer).await?;
        let piece = &buffer[..length];
        store.set_range(part, offset, piece).await.map_err(failed)?;
        if length < buffer.len() {
            return store.rename(part, key).await.map_err(failed);
        }
        offset += length as u64;
    }
}

/// Writes a value to a file or to standard output, or a dictionary's values into a folder.
pub async fn get(store: &impl KvRo, key: &Key, to: Option<&Path>) -> Result<(), Error> {
    let to = to.unwrap_or(Path::new(STANDARD));
    let kind = names::kind(store, key).await?;
    // Before a file is made, or emptied, in vain.
    let kind = kind.ok_or_else(|| failed(key, fata_kv::Error::NotFound))?;
    if kind == Kind::Value {
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
