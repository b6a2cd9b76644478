//! A disk with a store on it: its pages, and the state as of the last transaction.

use crate::bitmap::Bitmap;
use crate::cache::Cache;
use crate::layout::{CONFIRMATION, Layout};
use crate::node::Node;
use crate::page::{Kind, PAGE, RUN, checksum, seal, unseal};
use crate::recovery::{confirmation, recover};
use crate::superblock::Superblock;
use crate::tree::{Ref, Tree};
use crate::written::{Listed, Written};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use fata_block::{Block, runs};
use fata_kv::Error;
use fata_task::all;

/// State that a reader sees: it stays on the disk until the transaction after the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) tree: Tree,
    pub(crate) generation: u64,
}

#[derive(Debug)]
pub(crate) struct Volume<B> {
    pub(crate) disk: B,
    pub(crate) layout: Layout,
    pub(crate) identity: u64,
    pub(crate) committed: Cell<Snapshot>,
    pub(crate) next_id: Cell<u64>,
    /// The generation of the next transaction: one that no page which counts has.
    pub(crate) next_generation: Cell<u64>,
    /// Which of the two places the last superblock is in.
    superblock: Cell<u64>,
    /// True if the superblock in the other place leads to the same pages.
    is_level: Cell<bool>,
    pub(crate) bitmap: RefCell<Bitmap>,
    cache: RefCell<Cache>,
    /// Nodes of the transaction under way that are not on the disk.
    pub(crate) dirty: RefCell<BTreeMap<u64, Rc<Node>>>,
    /// Pages that the transaction under way has written.
    written: RefCell<Written>,
}

impl<B: Block> Volume<B> {
    /// Finds the store on a disk.
    pub(crate) async fn open(disk: B, cached_nodes: usize) -> Result<Self, Error> {
        let recovered = recover(&disk).await?;
        let (layout, found) = (recovered.layout, recovered.superblock);
        let volume = Self {
            disk,
            layout,
            identity: found.identity,
            committed: Cell::new(Snapshot {
                tree: found.tree,
                generation: found.generation,
            }),
            next_id: Cell::new(found.next_id),
            next_generation: Cell::new(recovered.next_generation),
            superblock: Cell::new(recovered.place),
            is_level: Cell::new(false),
            bitmap: RefCell::new(Bitmap::new(layout, found.selected)),
            cache: RefCell::new(Cache::new(cached_nodes)),
            dirty: RefCell::new(BTreeMap::new()),
            written: RefCell::default(),
        };
        volume.load_bitmap().await?;
        Ok(volume)
    }

    async fn load_bitmap(&self) -> Result<(), Error> {
        let count = self.layout.bitmaps();
        for first in (0..count).step_by(RUN) {
            let some = first..count.min(first + RUN);
            all(some.map(|index| self.load_bitmap_page(index))).await?;
        }
        Ok(())
    }

    async fn load_bitmap_page(&self, index: usize) -> Result<(), Error> {
        let page = self.bitmap.borrow().place(index);
        let bytes = self.read(page, 1).await?;
        unseal(&bytes, self.identity, page, Kind::Bitmap).ok_or(Error::Damaged)?;
        self.bitmap.borrow_mut().load(index, &bytes);
        Ok(())
    }

    /// Reads pages that follow each other.
    async fn read(&self, page: u64, count: usize) -> Result<Vec<u8>, Error> {
        let buffer = vec![0; count * PAGE];
        Ok(self.disk.read(self.layout.sector(page), buffer).await?)
    }

    /// Writes pages that follow each other and belong to the transaction under way.
    pub(crate) async fn write(&self, page: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.written.borrow_mut().note(self.identity, page, &bytes);
        self.disk.write(self.layout.sector(page), bytes).await?;
        Ok(())
    }

    /// The node that a reference leads to.
    pub(crate) async fn node(&self, reference: Ref) -> Result<Rc<Node>, Error> {
        if reference.generation == self.next_generation.get()
            && let Some(node) = self.dirty.borrow().get(&reference.page)
        {
            return Ok(Rc::clone(node));
        }
        if let Some(node) = self.cache.borrow_mut().get(reference) {
            return Ok(node);
        }
        if !self.layout.holds(reference.page) {
            return Err(Error::Damaged);
        }
        let bytes = self.read(reference.page, 1).await?;
        let generation = unseal(&bytes, self.identity, reference.page, Kind::Node);
        if generation != Some(reference.generation) {
            return Err(Error::Damaged);
        }
        let node = Rc::new(Node::decode(bytes).ok_or(Error::Damaged)?);
        self.cache.borrow_mut().insert(reference, Rc::clone(&node));
        Ok(node)
    }

    /// Reads pages of a value, which follow each other, and checks them.
    pub(crate) async fn data(&self, page: u64, sums: &[u64]) -> Result<Vec<u8>, Error> {
        let last = page.saturating_add(sums.len() as u64 - 1);
        if !self.layout.holds(page) || !self.layout.holds(last) {
            return Err(Error::Damaged);
        }
        let bytes = self.read(page, sums.len()).await?;
        let mut pages = (page..).zip(bytes.chunks(PAGE)).zip(sums);
        let is_sound =
            pages.all(|((page, bytes), sum)| checksum(self.identity, page, bytes) == *sum);
        if is_sound {
            Ok(bytes)
        } else {
            Err(Error::Damaged)
        }
    }

    /// Writes the nodes of the transaction under way, those that lie together at once.
    pub(crate) async fn write_dirty(&self) -> Result<(), Error> {
        let generation = self.next_generation.get();
        let dirty = core::mem::take(&mut *self.dirty.borrow_mut());
        let pages = dirty.iter().map(|(page, node)| {
            let mut bytes = node.bytes().to_vec();
            seal(&mut bytes, self.identity, *page, generation, Kind::Node);
            (*page, bytes)
        });
        let runs = runs(pages, RUN * PAGE).into_iter();
        all(runs.map(|(page, run)| self.write(page, run))).await?;
        let mut cache = self.cache.borrow_mut();
        for (page, node) in dirty {
            cache.insert(Ref { page, generation }, node);
        }
        Ok(())
    }

    /// Writes the pages of the bitmap that the transaction under way changed.
    pub(crate) async fn write_bitmap(&self) -> Result<(), Error> {
        let generation = self.next_generation.get();
        let changes = self.bitmap.borrow().changes();
        // A transaction can change thousands of them, and each takes memory while it is written.
        for some in changes.chunks(RUN) {
            all(some.iter().map(|(index, place)| {
                let bitmap = self.bitmap.borrow();
                let bytes = bitmap.page(*index, self.identity, *place, generation);
                self.write(*place, bytes)
            }))
            .await?;
        }
        Ok(())
    }

    /// Makes durable what the transaction under way has written, if that is more than its
    /// superblock can tell of.
    pub(crate) async fn flush_many(&self) -> Result<(), Error> {
        if self.written.borrow().is_too_long() {
            self.disk.flush().await?;
        }
        Ok(())
    }

    /// The pages that the transaction under way has written, for its superblock.
    fn listed(&self) -> Listed {
        let bitmap = self.bitmap.borrow();
        let is_used = |page| !self.layout.holds(page) || bitmap.is_used(page);
        self.written.borrow().list(is_used)
    }

    /// Makes the transaction under way the last one, after all that it wrote was written, and
    /// what is too much for the list was flushed.
    pub(crate) async fn write_superblock(&self, tree: Tree) -> Result<(), Error> {
        let generation = self.next_generation.get();
        let place = 1 - self.superblock.get();
        let superblock = Superblock {
            identity: self.identity,
            pages: self.layout.pages,
            generation,
            tree,
            next_id: self.next_id.get(),
            selected: self.bitmap.borrow().next_selected(),
            listed: self.listed(),
        };
        let sector = self.layout.sector(place);
        self.disk.write(sector, superblock.encode(place)).await?;
        self.disk.flush().await?;
        self.superblock.set(place);
        self.is_level.set(self.committed.get().tree == tree);
        self.bitmap.borrow_mut().commit();
        self.written.take();
        self.committed.set(Snapshot { tree, generation });
        self.next_generation.set(generation + 1);
        Ok(())
    }

    /// Writes down that the last transaction is durable, so that what is wrong with it later is
    /// damage, and not the mark of a cut. It may be lost, as then the pages tell.
    pub(crate) async fn confirm(&self) -> Result<(), Error> {
        if self.is_level.get() {
            // If one of the superblocks rots, the other may take its place.
            return Ok(());
        }
        let size = self.disk.geometry().sector_size;
        let bytes = confirmation(size, self.identity, self.committed.get().generation);
        let sector = self.layout.sector(CONFIRMATION);
        self.disk.write(sector, bytes).await?;
        Ok(())
    }

    /// Sees to it that both superblocks lead to the pages of the last transaction, while none is
    /// under way: no other page is needed then, even if one of the two is lost.
    pub(crate) async fn level(&self) -> Result<(), Error> {
        if self.is_level.get() {
            return Ok(());
        }
        let written = self.write_superblock(self.committed.get().tree).await;
        if written.is_err() {
            // Whichever superblock there is now, it leads to these pages or is not the newest.
            self.roll_back();
        }
        written
    }

    /// Tells the disk that nothing is in pages that follow each other.
    pub(crate) async fn discard(&self, page: u64, count: u64) -> Result<(), Error> {
        let sectors = self.layout.sector(count);
        Ok(self.disk.discard(self.layout.sector(page), sectors).await?)
    }

    /// Forgets the transaction under way, of which nothing is being written.
    pub(crate) fn roll_back(&self) {
        self.dirty.borrow_mut().clear();
        self.bitmap.borrow_mut().roll_back();
        self.written.take();
        // Its pages must never be taken for those of the next one.
        self.next_generation.set(self.next_generation.get() + 1);
    }
}

/// Makes an empty store on a disk; what was on it is lost.
///
/// `identity` tells stores apart, so that what an earlier one left on the disk is never taken for
/// a part of this one: best a random number.
///
/// # Errors
/// [`Error::Unsupported`] for a disk of less than half a mebibyte or with sectors of more than
/// 4,096 bytes; errors of the disk. Then nothing is there.
pub async fn format<B: Block>(disk: &B, identity: u64) -> Result<(), Error> {
    let layout = Layout::of_disk(&disk.geometry())?;
    let write = async |page, bytes| disk.write(layout.sector(page), bytes).await.map(drop);
    for page in [0, 1, CONFIRMATION] {
        write(page, vec![0; PAGE]).await?;
    }
    disk.flush().await?;
    let bitmap = Bitmap::empty(layout);
    for index in 0..layout.bitmaps() {
        let place = bitmap.place(index);
        write(place, bitmap.page(index, identity, place, 0)).await?;
    }
    disk.flush().await?;
    let superblock = Superblock {
        identity,
        pages: layout.pages,
        generation: 0,
        tree: Tree::EMPTY,
        next_id: 1,
        selected: bitmap.next_selected(),
        listed: Listed::default(),
    };
    write(0, superblock.encode(0)).await?;
    Ok(disk.flush().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::BITS;
    use fata_block::{Error as DiskError, Geometry};
    use fata_task::{simulate, yield_now};

    /// A large disk that keeps what is written, and counts the writes under way.
    #[derive(Default)]
    struct Large {
        sectors: RefCell<BTreeMap<u64, Vec<u8>>>,
        under_way: Cell<usize>,
        most: Cell<usize>,
    }

    impl Block for Large {
        fn geometry(&self) -> Geometry {
            Geometry {
                sector_size: PAGE,
                sectors: 100 * BITS,
                read_only: false,
            }
        }

        async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, DiskError> {
            let kept = self.sectors.borrow().get(&sector).cloned();
            Ok(kept.unwrap_or(buffer))
        }

        async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, DiskError> {
            self.under_way.set(self.under_way.get() + 1);
            self.most.set(self.most.get().max(self.under_way.get()));
            yield_now().await;
            let pages = (sector..).zip(buffer.chunks(PAGE));
            let pages = pages.map(|(sector, bytes)| (sector, bytes.to_vec()));
            self.sectors.borrow_mut().extend(pages);
            self.under_way.set(self.under_way.get() - 1);
            Ok(buffer)
        }

        async fn flush(&self) -> Result<(), DiskError> {
            Ok(())
        }

        async fn discard(&self, _: u64, _: u64) -> Result<(), DiskError> {
            Ok(())
        }

        async fn write_zeroes(&self, _: u64, _: u64) -> Result<(), DiskError> {
            Ok(())
        }
    }

    #[test]
    fn few_pages_of_the_bitmap_are_written_at_once() {
        simulate(|_| async {
            let disk = Large::default();
            format(&disk, 1).await.unwrap();
            let volume = Volume::open(&disk, 1).await.unwrap();
            disk.most.set(0);
            let allocated = volume.bitmap.borrow_mut().allocate(u64::MAX);
            assert!(allocated.is_some_and(|(_, count)| count > 99 * BITS));
            volume.write_bitmap().await.unwrap();
            assert_eq!(disk.most.get(), RUN);
            volume.write_superblock(Tree::EMPTY).await.unwrap();
            let reopened = Volume::open(&disk, 1).await.unwrap();
            assert_eq!(reopened.bitmap.borrow().free(), 0);
        });
    }
}
