use alloc::string::String;
use core::fmt;
use core::hash::Hasher;
use core::time::Duration;

/// Kind of the entry that a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    Value,
    /// A set of keys. It is there as long as something lies in it.
    Dictionary,
}

/// Something in a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in there: one segment of a key.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
}

/// Metadata of a key: all that is known of it besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// It names a value.
    Value(ValueMetadata),
    /// It names a dictionary.
    Dictionary,
}

impl Metadata {
    /// Kind of the entry that the key names.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Value(_) => Kind::Value,
            Self::Dictionary => Kind::Dictionary,
        }
    }
}

/// Metadata of a value: all that is known of it besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueMetadata {
    /// How many bytes it has.
    pub size: u64,
    /// Another one whenever the bytes have changed.
    pub digest: Digest,
    /// When it was changed last, since the Unix epoch, if that is known.
    pub modified: Option<Duration>,
}

/// Tells versions of a value apart: the bytes of one key are the same as long as this is. It is
/// not the same for the same bytes in other stores, and no protection against forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// That of some bytes of a value of this size: their hash, or that of something that changes
    /// with them.
    pub fn of(bytes: &[u8], size: u64) -> Self {
        let mut hasher = fnv::FnvHasher::default();
        hasher.write(bytes);
        Self::from_parts(size, hasher.finish())
    }

    /// That of two numbers, one of which changes whenever the value does.
    pub fn from_parts(first: u64, second: u64) -> Self {
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&first.to_be_bytes());
        digest[8..].copy_from_slice(&second.to_be_bytes());
        Self(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
