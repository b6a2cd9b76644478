//! Values in memory by their keys, and the dictionaries that follow from them.

use crate::{Entry, Error, Key, Kind};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

pub(crate) struct Tree<V> {
    values: BTreeMap<Key, V>,
}

impl<V> Tree<V> {
    pub(crate) const fn new() -> Self {
        Self {
            values: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of a key, if it has one.
    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        self.values.get(key)
    }

    /// Puts a value in, and returns that which was there.
    pub(crate) fn insert(&mut self, key: Key, value: V) -> Option<V> {
        self.values.insert(key, value)
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<V> {
        self.values.remove(key)
    }

    pub(crate) fn kind(&self, key: &Key) -> Option<Kind> {
        if self.values.contains_key(key) {
            return Some(Kind::Value);
        }
        let is_dictionary = key.is_root() || self.inside(key).next().is_some();
        is_dictionary.then_some(Kind::Dictionary)
    }

    /// The keys in a dictionary, and what is left of them below it.
    pub(crate) fn inside(&self, key: &Key) -> impl Iterator<Item = (&Key, &str)> {
        let range = (Bound::Excluded(key), Bound::Unbounded);
        self.values
            .range(range)
            .map_while(move |(inner, _)| Some((inner, inner.below(key)?)))
    }

    /// The value of a key, or why it has none.
    pub(crate) fn value(&self, key: &Key) -> Result<&V, Error> {
        match self.values.get(key) {
            Some(value) => Ok(value),
            None if self.kind(key).is_some() => Err(Error::ValueExpected),
            None => Err(Error::NotFound),
        }
    }

    /// Checks that a key can have a value.
    pub(crate) fn check_place(&self, key: &Key) -> Result<(), Error> {
        let mut parent = key.parent();
        while let Some(key) = parent {
            if self.values.contains_key(&key) {
                return Err(Error::DictionaryExpected);
            }
            parent = key.parent();
        }
        match self.kind(key) {
            Some(Kind::Dictionary) => Err(Error::ValueExpected),
            _ => Ok(()),
        }
    }

    /// As [`KvRo::list`](crate::KvRo::list).
    pub(crate) fn list(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        if self.kind(key).ok_or(Error::NotFound)? == Kind::Value {
            return Err(Error::DictionaryExpected);
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (_, rest) in self.inside(key) {
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, Kind::Dictionary),
                None => (rest, Kind::Value),
            };
            if name <= after || entries.last().is_some_and(|last| last.name == name) {
                continue;
            }
            if entries.len() == limit {
                break;
            }
            entries.push(Entry {
                name: name.to_owned(),
                kind,
            });
        }
        Ok(entries)
    }
}
