//! Work between two transactions, while the store stays as it is.

use crate::reader::Reader;
use crate::trim::{Part, trim_part};
use crate::volume::Volume;
use alloc::string::String;
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::{Entry, Error, Key};
use fata_task::channel::oneshot::Sender;

/// Arguments of a listing: see [`KvRo::list`](fata_kv::KvRo::list).
pub(crate) struct Listing {
    pub(crate) dictionary: Key,
    pub(crate) after: String,
    pub(crate) limit: usize,
}

/// A request, and who waits for its outcome.
pub(crate) enum Aside {
    /// Tells the disk which pages are free, the first part from this one on.
    Trim(u64, Sender<Result<Part, Error>>),
    /// Lists what transactions have changed too fast for a reader.
    List(Listing, Sender<Result<Vec<Entry>, Error>>),
}

impl Aside {
    /// Tells whether somebody still waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        match self {
            Self::Trim(_, reply) => !reply.is_closed(),
            Self::List(_, reply) => !reply.is_closed(),
        }
    }

    pub(crate) async fn run<B: Block>(self, volume: &Volume<B>) {
        match self {
            Self::Trim(from, reply) => answer(reply, trim_part(volume, from).await),
            Self::List(listing, reply) => {
                let Listing {
                    dictionary,
                    after,
                    limit,
                } = &listing;
                let reader = Reader::new(volume);
                answer(reply, reader.list_once(dictionary, after, *limit).await);
            }
        }
    }

    pub(crate) fn refuse(self) {
        match self {
            Self::Trim(_, reply) => answer(reply, Err(Error::Closed)),
            Self::List(_, reply) => answer(reply, Err(Error::Closed)),
        }
    }
}

fn answer<T>(reply: Sender<Result<T, Error>>, outcome: Result<T, Error>) {
    // Whoever asked may have lost interest.
    let _ = reply.send(outcome);
}
