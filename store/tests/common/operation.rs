//! Random changes.

use fata_kv::{Change, Error, Key, KvRw};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A change that can be made of a store and of its model.
#[derive(Clone, Debug)]
pub enum Operation {
    Set(Key, Vec<u8>),
    SetRange(Key, u64, Vec<u8>),
    Remove(Key),
    Rename(Key, Key),
    Batch(Vec<Operation>),
}

impl Operation {
    fn change(&self) -> Change<'_> {
        match self {
            Self::Set(key, value) => Change::Set(key, value),
            Self::SetRange(key, offset, bytes) => Change::SetRange(key, *offset, bytes),
            Self::Remove(key) => Change::Remove(key),
            Self::Rename(from, to) => Change::Rename(from, to),
            Self::Batch(_) => unreachable!("batches are not nested"),
        }
    }

    pub async fn make(&self, store: &impl KvRw) -> Result<(), Error> {
        match self {
            Self::Batch(operations) => {
                let changes: Vec<_> = operations.iter().map(Self::change).collect();
                store.batch(&changes).await
            }
            one => store.batch(&[one.change()]).await,
        }
    }
}

pub struct Generator {
    random: ChaCha8Rng,
    /// The dictionary in which it makes its changes.
    inside: Key,
    /// How many names of values there are.
    names: u64,
    /// The longest value.
    longest: u64,
}

impl Generator {
    pub fn new(seed: u64, names: u64, longest: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            inside: Key::ROOT,
            names,
            longest,
        }
    }

    /// Makes its changes in a dictionary.
    pub fn inside(mut self, dictionary: Key) -> Self {
        self.inside = dictionary;
        self
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    /// A key of one to three segments, now and then a long one, or one of a dictionary.
    pub fn key(&mut self) -> Key {
        let number = self.below(self.names);
        let text = match number % 8 {
            0 => format!("dictionary/{}/value{number}", number % 5),
            1 => format!("dictionary/value{number}"),
            2 => format!("{}{number}", "long".repeat(number as usize % 110)),
            3 if self.below(30) == 0 => "dictionary".to_owned(),
            _ => format!("value{number}"),
        };
        self.inside.child(&text).expect("it is a key")
    }

    pub fn value(&mut self) -> Vec<u8> {
        let length = match self.below(10) {
            0 => self.below(self.longest),
            1 => self.below(self.longest / 8 + 1),
            2..5 => self.below(1100),
            _ => self.below(100),
        };
        let mut bytes = vec![0; length as usize];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    pub fn operation(&mut self) -> Operation {
        match self.below(20) {
            0..9 => Operation::Set(self.key(), self.value()),
            9..12 => {
                let offset = self.below(self.longest);
                Operation::SetRange(self.key(), offset, self.value())
            }
            12..17 => Operation::Remove(self.key()),
            17..19 => Operation::Rename(self.key(), self.key()),
            _ => {
                let count = 1 + self.below(4);
                Operation::Batch((0..count).map(|_| self.single()).collect())
            }
        }
    }

    fn single(&mut self) -> Operation {
        loop {
            match self.operation() {
                Operation::Batch(_) => {}
                one => return one,
            }
        }
    }
}
