use crate::node::Node;
use crate::record::{
    Content, GROUP, GROUP_BYTES, Group, Record, decode_group, group_key, group_of, path_of,
};
use crate::tree::{Bounds, Ref, Tree, seek};
use crate::volume::Volume;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use fata_block::Block;
use fata_kv::{Error, Key};

/// Most problems that are told one by one.
const MAX_PROBLEMS: usize = 100;

/// Nodes that are kept in memory.
const CACHED_NODES: usize = 256;

/// Findings of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many values there are.
    pub values: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// Pages of 4 KiB that are in use.
    pub used: u64,
    /// Pages that can be used.
    pub free: u64,
    /// The first hundred problems that were found.
    pub problems: Vec<Problem>,
}

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The node in this page cannot be read, or is not what leads to it expects.
    Node(u64),
    /// The page is used twice.
    Shared(u64),
    /// The page is in use and counts as free: it may be overwritten.
    Unprotected(u64),
    /// Pages count as used that are not: they are lost until the store is formatted.
    Leaked(u64),
    /// The value cannot be read as a whole.
    Value(Key),
    /// The value lies under a key that has a value itself.
    Nested(Key),
    /// An entry of the tree in this page makes no sense.
    Entry(u64),
    /// Groups of pages are listed that belong to no value, or some belong to several.
    Groups {
        /// How many are listed.
        listed: u64,
        /// How many values have.
        owned: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(page) => write!(f, "page {page} is no sound node; keys are lost"),
            Self::Shared(page) => write!(f, "page {page} is used twice"),
            Self::Unprotected(page) => write!(f, "page {page} is in use, but counts as free"),
            Self::Leaked(count) => write!(f, "{count} pages are not in use, but count as used"),
            Self::Value(key) => write!(f, "the value of {key} is damaged"),
            Self::Nested(key) => write!(f, "{key} lies under a value"),
            Self::Entry(page) => write!(f, "page {page} has an entry that makes no sense"),
            Self::Groups { listed, owned } => {
                write!(
                    f,
                    "{listed} groups of pages are listed, but values have {owned}"
                )
            }
        }
    }
}

/// Reads all that is in a store and checks that it fits together.
///
/// It takes memory for three bits a page of the disk, and a mebibyte of nodes.
///
/// # Errors
/// As for [`Store::open`](crate::Store::open). Problems inside of the store are no error, but
/// in the report.
pub async fn check<B: Block>(disk: B) -> Result<Report, Error> {
    let volume = Volume::open(disk, CACHED_NODES).await?;
    let mut checker = Checker {
        seen: vec![0; volume.layout.pages.div_ceil(64) as usize],
        volume: &volume,
        report: Report::default(),
        listed: 0,
        owned: 0,
        last: Vec::new(),
    };
    checker.walk().await?;
    checker.check_pages();
    Ok(checker.report)
}

struct Checker<'a, B> {
    volume: &'a Volume<B>,
    report: Report,
    /// A bit for each page that was met.
    seen: Vec<u64>,
    listed: u64,
    owned: u64,
    /// The last key of a value.
    last: Vec<u8>,
}

/// A node that is to be looked at.
struct Task {
    reference: Ref,
    level: u8,
    bounds: Bounds,
}

impl<B: Block> Checker<'_, B> {
    fn tree(&self) -> Tree {
        self.volume.committed.get().tree
    }

    fn tell(&mut self, problem: Problem) {
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(problem);
        }
    }

    /// Notes that a page is in use; false if it was met before, or cannot be.
    fn meet(&mut self, page: u64) -> bool {
        if !self.volume.layout.holds(page) {
            return false;
        }
        let (word, bit) = ((page / 64) as usize, 1 << (page % 64));
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        if !is_new {
            self.tell(Problem::Shared(page));
        } else if !self.volume.bitmap.borrow().is_committed(page) {
            self.tell(Problem::Unprotected(page));
        }
        is_new
    }

    /// Looks at all nodes, in order of keys.
    async fn walk(&mut self) -> Result<(), Error> {
        let Some(level) = self.tree().height.checked_sub(1) else {
            return Ok(());
        };
        let mut tasks = vec![Task {
            reference: self.tree().root,
            level,
            bounds: Bounds::default(),
        }];
        while let Some(task) = tasks.pop() {
            let page = task.reference.page;
            let Some(node) = self.node(&task).await? else {
                self.tell(Problem::Node(page));
                continue;
            };
            if !self.meet(page) {
                continue;
            }
            if task.level == 0 {
                for index in 0..node.count() {
                    self.check_entry(page, &node, index).await?;
                }
            }
            for index in (0..node.count()).rev().filter(|_| task.level > 0) {
                let mut bounds = task.bounds.clone();
                bounds.narrow(&node, index);
                tasks.push(Task {
                    reference: Ref::decode(node.value(index)),
                    level: task.level - 1,
                    bounds,
                });
            }
        }
        if self.listed != self.owned {
            let (listed, owned) = (self.listed, self.owned);
            self.tell(Problem::Groups { listed, owned });
        }
        Ok(())
    }

    async fn node(&self, task: &Task) -> Result<Option<Rc<Node>>, Error> {
        let node = undamaged(self.volume.node(task.reference).await)?;
        Ok(node.filter(|node| node.level() == task.level && task.bounds.hold(node)))
    }

    async fn check_entry(&mut self, page: u64, node: &Node, index: usize) -> Result<(), Error> {
        let (key, value) = node.entry(index);
        if group_of(key).is_some() {
            self.listed += 1;
            return Ok(());
        }
        let Some(Ok(path)) = path_of(key) else {
            self.tell(Problem::Entry(page));
            return Ok(());
        };
        let is_nested = key.strip_prefix(&self.last[..]);
        if !self.last.is_empty() && is_nested.is_some_and(|rest| rest.first() == Some(&0)) {
            self.tell(Problem::Nested(path.clone()));
        } else {
            self.last = key.to_vec();
        }
        let is_sound = match Record::decode(value) {
            Ok(record) => undamaged(self.check_record(&record).await)?.is_some(),
            Err(_) => false,
        };
        if !is_sound {
            self.tell(Problem::Value(path));
        }
        Ok(())
    }

    async fn check_record(&mut self, record: &Record) -> Result<(), Error> {
        self.report.values += 1;
        self.report.bytes = self.report.bytes.saturating_add(record.size);
        let next_id = self.volume.next_id.get();
        if record.version >= next_id {
            return Err(Error::Damaged);
        }
        let Content::Pages(id) = record.content else {
            return Ok(());
        };
        if id >= next_id {
            return Err(Error::Damaged);
        }
        let mut from = group_key(id, 0);
        while let Some((key, value)) = seek(self.volume, self.tree(), &from).await? {
            let Some((_, number)) = group_of(&key).filter(|(other, _)| *other == id) else {
                break;
            };
            self.owned += 1;
            self.check_group(record, number, &decode_group(&value)?)
                .await?;
            from = group_key(id, number.checked_add(1).ok_or(Error::Damaged)?);
        }
        Ok(())
    }

    async fn check_group(
        &mut self,
        record: &Record,
        number: u64,
        group: &Group,
    ) -> Result<(), Error> {
        let start = number.checked_mul(GROUP_BYTES).ok_or(Error::Damaged)?;
        let page = GROUP_BYTES / GROUP as u64;
        for (index, entry) in group.iter().enumerate() {
            let Some((place, sum)) = entry else {
                continue;
            };
            let offset = start.saturating_add(index as u64 * page);
            if offset >= record.size || !self.meet(*place) {
                return Err(Error::Damaged);
            }
            let bytes = self.volume.data(*place, &[*sum]).await?;
            let rest = usize::try_from(record.size - offset).unwrap_or(usize::MAX);
            // Bytes after the end have to be zeroes, as the value may grow over them.
            let mut beyond = bytes.iter().skip(rest);
            if beyond.any(|byte| *byte != 0) {
                return Err(Error::Damaged);
            }
        }
        Ok(())
    }

    /// Compares what was met with the bitmap.
    fn check_pages(&mut self) {
        let mut leaked = 0;
        for page in self.volume.layout.first_free()..self.volume.layout.pages {
            let is_met = self.seen[(page / 64) as usize] >> (page % 64) & 1 == 1;
            let is_used = self.volume.bitmap.borrow().is_committed(page);
            self.report.used += u64::from(is_used);
            self.report.free += u64::from(!is_used);
            leaked += u64::from(is_used && !is_met);
        }
        if leaked > 0 {
            self.tell(Problem::Leaked(leaked));
        }
    }
}

/// Takes damage as nothing; other errors end the check.
fn undamaged<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(Error::Damaged | Error::Disk(fata_block::Error::Corrupt)) => Ok(None),
        Err(error) => Err(error),
    }
}
