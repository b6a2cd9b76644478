use crate::device::{Budget, Device};
use crate::error::{is_bad_name, translate};
use crate::places::Found;
use crate::volume::Volume;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::{Entry, Error, Key, Kind};
use hadris_fat::async_::FatFs;
use hadris_fat_raw::Slot;
use hadris_fat_raw::io::Fat;
use hadris_fs::{DirCursor, ErrorKind, Extent, FileType, MountOptions, Name, NodeId};

/// The volume as one request sees it, with its own changes.
pub(crate) struct Session<'a, B: Block> {
    pub(crate) volume: &'a Volume<B>,
    driver: Box<FatFs<Device<'a, B>>>,
    budget: Budget,
}

/// A file or directory.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) metadata: hadris_fs::Metadata,
}

impl Node {
    pub(crate) fn is_dictionary(&self) -> bool {
        self.metadata.file_type() == FileType::Dir
    }
}

impl<'a, B: Block> Session<'a, B> {
    /// Mounts the volume.
    pub(crate) async fn open(volume: &'a Volume<B>) -> Result<Self, Error> {
        volume.check_disk()?;
        let device = Device::new(volume);
        let budget = device.budget();
        let mounted = FatFs::mount(device, MountOptions::new()).await;
        Ok(Self {
            volume,
            driver: Box::new(mounted.map_err(|error| translate(error.into_error()))?),
            budget,
        })
    }

    /// The driver, for another step of the request.
    pub(crate) fn driver(&mut self) -> &mut FatFs<Device<'a, B>> {
        self.budget.renew();
        &mut self.driver
    }

    /// Tells whether the volume was left in the middle of a change.
    pub(crate) fn is_unclean(&self) -> bool {
        self.driver.was_dirty()
    }

    /// Brings everything to the device, and returns that.
    pub(crate) async fn finish(mut self) -> Result<Device<'a, B>, Error> {
        self.driver().sync().await.map_err(translate)?;
        Ok(self.driver.into_inner())
    }

    pub(crate) fn root(&self) -> NodeId {
        self.driver.root()
    }

    /// The node that has a name in a directory.
    pub(crate) async fn child(
        &mut self,
        directory: NodeId,
        name: &str,
    ) -> Result<Option<Node>, Error> {
        let found = self.driver().lookup(directory, Name::new(name)).await;
        let id = match found {
            Ok(id) => id,
            Err(error) if is_bad_name(&error) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(translate(error)),
        };
        let metadata = self.driver().stat(id).await.map_err(translate)?;
        Ok(Some(Node { id, metadata }))
    }

    /// The node that a key names.
    pub(crate) async fn find(&mut self, key: &Key) -> Result<Option<Node>, Error> {
        let id = self.root();
        let metadata = self.driver().stat(id).await.map_err(translate)?;
        let mut node = Node { id, metadata };
        for name in key.segments() {
            if !node.is_dictionary() {
                return Ok(None);
            }
            match self.child(node.id, name).await? {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    async fn require(&mut self, key: &Key) -> Result<Node, Error> {
        self.find(key).await?.ok_or(Error::NotFound)
    }

    /// The file of a key; `None` if that is a directory.
    pub(crate) async fn file(&mut self, key: &Key) -> Result<Option<Found>, Error> {
        let node = self.require(key).await?;
        if node.is_dictionary() {
            return Ok(None);
        }
        let mut record = [Extent::new(0, 0)];
        let records = self.driver().records(node.id, &mut record).await;
        records.map_err(translate)?;
        let mut entry = [0; 32];
        let read = self.driver().read_raw(record[0].offset(), &mut entry);
        read.await.map_err(translate)?;
        let Slot::Short(entry) = Slot::parse(&entry) else {
            return Err(Error::Damaged);
        };
        Ok(Some(Found {
            metadata: node.metadata,
            first: entry.first_cluster(self.driver.info().kind()),
        }))
    }

    /// Description of the volume's tables.
    pub(crate) fn fat(&self) -> Fat {
        Fat::new(*self.driver.info())
    }

    pub(crate) async fn list(
        &mut self,
        key: &Key,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let node = self.require(key).await?;
        if !node.is_dictionary() {
            return Err(Error::DictionaryExpected);
        }
        // A directory is in no order: those that come first are kept.
        let mut first: BTreeMap<String, Kind> = BTreeMap::new();
        let mut cursor = DirCursor::START;
        self.budget.renew();
        while let Some(entry) = self
            .driver
            .readdir(node.id, cursor)
            .await
            .map_err(translate)?
        {
            cursor = entry.next_cursor();
            let Some(name) = entry.name().to_str().ok().filter(|name| *name > after) else {
                continue;
            };
            if Key::ROOT.child(name).is_ok() {
                first.insert(name.to_owned(), kind(entry.file_type()));
            }
            if first.len() > limit {
                first.pop_last();
            }
        }
        let entries = first.into_iter();
        Ok(entries.map(|(name, kind)| Entry { name, kind }).collect())
    }
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::Dir => Kind::Dictionary,
        _ => Kind::Value,
    }
}
