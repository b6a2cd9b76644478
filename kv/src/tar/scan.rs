//! Finding out what an archive has.

use super::file::{File, LeftOut};
use super::header::{BLOCK, Header, Kind, normal, parse};
use super::reader::{Reader, Window};
use super::records::{Extension, SparseMap};
use super::sparse::{Map, read_lines, read_old};
use crate::tree::Tree;
use crate::{Error, Key};
use alloc::rc::Rc;
use alloc::string::String;
use fata_block::Block;

/// The longest name or set of records in front of an entry.
const LONGEST_RECORDS: u64 = 1 << 20;

/// State of a scan: all that is known of an archive so far.
pub(super) struct Scan<'a, B, T> {
    pub(super) reader: &'a Reader<B>,
    pub(super) window: Window,
    pub(super) files: Tree<File>,
    /// Files and stretches of files with holes, at most, and how many of these there are.
    pub(super) limit: usize,
    pub(super) stretches: usize,
    /// Properties that are told of all entries that follow, and of the next.
    pub(super) global: Extension,
    pub(super) extension: Option<Extension>,
    pub(super) tell: T,
}

impl<B: Block, T: FnMut(&str, LeftOut)> Scan<'_, B, T> {
    /// Reads all headers.
    pub(super) async fn run(mut self) -> Result<Tree<File>, Error> {
        let end = self.reader.end();
        let mut place = 0;
        while place + BLOCK <= end {
            let block = self.window.block(self.reader, place).await?;
            let is_end = block.iter().all(|byte| *byte == 0);
            if is_end && place > 0 {
                break;
            }
            let header = parse(block).filter(|_| !is_end);
            // Zeroes alone may as well be a disk that nothing was written to.
            let is_archive = place > 0 || header.is_some();
            let refused = if is_archive {
                Error::Damaged
            } else {
                Error::NotAStore
            };
            place = self.entry(header.ok_or(refused)?, place).await?;
        }
        Ok(self.files)
    }

    /// Takes an entry in, and returns the place of the next.
    async fn entry(&mut self, mut header: Header, place: u64) -> Result<u64, Error> {
        let offset = place + BLOCK;
        match header.kind {
            Kind::Extended | Kind::Global | Kind::LongName | Kind::LongLink => {
                self.extend(&header, offset).await?;
                return self.after(offset, header.size);
            }
            _ => {}
        }
        let extension = self.extension.take();
        let extension = extension.unwrap_or_else(|| self.global.clone());
        if header.has_body {
            header.size = extension.size.unwrap_or(header.size);
        }
        if let Some(name) = extension.name() {
            header.name = name.into();
        }
        if let Some(link) = extension.link() {
            header.link = link.into();
        }
        header.modified = extension.modified.unwrap_or(header.modified);
        // An old file whose name ends with a slash is a folder.
        if header.kind == Kind::File && header.name.ends_with(b"/") {
            header.kind = Kind::Folder;
        }
        let (file, next) = self.file(&header, &extension, place).await?;
        if let Err(reason) = self.add(&header, file) {
            (self.tell)(&String::from_utf8_lossy(&header.name), reason);
        }
        if self.files.len().saturating_add(self.stretches) > self.limit {
            return Err(Error::TooLarge);
        }
        Ok(next)
    }

    /// Where something of `size` bytes ends.
    fn after(&self, offset: u64, size: u64) -> Result<u64, Error> {
        let room = self.reader.end().checked_sub(offset);
        let size = size.checked_next_multiple_of(BLOCK);
        let size = size.filter(|size| room.is_some_and(|room| *size <= room));
        size.map(|size| offset + size).ok_or(Error::Damaged)
    }

    /// Takes in what is said in front of an entry.
    async fn extend(&mut self, header: &Header, offset: u64) -> Result<(), Error> {
        self.after(offset, header.size)?;
        if header.size > LONGEST_RECORDS {
            return Err(Error::Damaged);
        }
        let more = self.window.get(self.reader, offset, header.size as usize);
        let more = more.await?;
        let extension = match header.kind {
            Kind::Global => &mut self.global,
            _ => self.extension.get_or_insert_with(|| self.global.clone()),
        };
        extension.extend(header.kind, more, self.limit)
    }

    /// Where the bytes of an entry are, if it has some, and where the next entry is.
    async fn file(
        &mut self,
        header: &Header,
        extension: &Extension,
        place: u64,
    ) -> Result<(File, u64), Error> {
        let mut file = File {
            offset: place + BLOCK,
            size: header.size,
            modified: header.modified,
            map: None,
        };
        let mut stored = header.size;
        let (reader, window, limit) = (self.reader, &mut self.window, self.limit);
        let (size, map, before) = match (header.kind, extension.sparse.of(stored)) {
            (Kind::Sparse, _) => {
                let read = read_old(reader, window, place, limit).await?;
                stored = stored.checked_add(read.2).ok_or(Error::Damaged)?;
                read
            }
            (Kind::File, Some(SparseMap::InBody(size))) => {
                let body = (file.offset, stored);
                let (map, before) = read_lines(reader, window, body, limit).await?;
                (size, map, before)
            }
            (Kind::File, Some(SparseMap::Stretches(size, map))) => (size, map.to_vec(), 0),
            _ => return Ok((file, self.after(place + BLOCK, stored)?)),
        };
        self.stretches = self.stretches.saturating_add(map.len());
        let map = Map::new(&map, size, stored - before).ok_or(Error::Damaged)?;
        file.offset += before;
        file.size = size;
        file.map = Some(Rc::new(map));
        Ok((file, self.after(place + BLOCK, stored)?))
    }

    /// Takes note of an entry, as `tar` would when it unpacks the archive.
    fn add(&mut self, header: &Header, file: File) -> Result<(), LeftOut> {
        let key = |name: &[u8]| normal(name)?.parse::<Key>().ok();
        let name = key(&header.name).filter(|key| !key.is_root());
        let file = match header.kind {
            Kind::Label => return Ok(()),
            // It takes the place of a file of that name. There need not be one.
            Kind::Folder => {
                name.and_then(|name| self.files.remove(&name));
                return Ok(());
            }
            Kind::Special => {
                name.and_then(|name| self.files.remove(&name));
                return Err(LeftOut::NoFile);
            }
            Kind::Continued => return Err(LeftOut::Continued),
            Kind::Link => {
                let other = key(&header.link);
                let other = other.and_then(|other| self.files.get(&other).cloned());
                other.ok_or(LeftOut::Link)?
            }
            _ => file,
        };
        let name = name.ok_or(LeftOut::Name)?;
        self.files.check_place(&name).map_err(|_| LeftOut::Place)?;
        self.files.insert(name, file);
        Ok(())
    }
}
