use alloc::borrow::ToOwned;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// The name of a value or of a dictionary: segments joined by `/`.
///
/// No segment is empty, `.` or `..`, and none has a NUL. A `/` in front or at the end of what a
/// key is made from does not matter. Keys are in order by their segments, so that what lies in a
/// dictionary comes right after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    path: String,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// A segment is empty, `.` or `..`.
    Segment,
    /// There is a NUL in it.
    Nul,
    /// It is longer than [`Key::MAX_LENGTH`].
    TooLong,
}

impl Key {
    /// The dictionary that holds everything: the key without segments.
    pub const ROOT: Self = Self {
        path: String::new(),
    };

    /// How many bytes a key may have, with the `/` between its segments.
    pub const MAX_LENGTH: usize = 512;

    /// Tells whether this is [`ROOT`](Self::ROOT).
    pub fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// The key as text, without a `/` in front.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Its segments, the outermost dictionary first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment; empty for the root.
    pub fn name(&self) -> &str {
        match self.path.rfind('/') {
            Some(at) => &self.path[at + 1..],
            None => &self.path,
        }
    }

    /// The dictionary that it lies in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.path.rfind('/').unwrap_or(0);
        Some(Self {
            path: self.path[..end].to_owned(),
        })
    }

    /// The key of `name`, one segment or several, in this dictionary.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn child(&self, name: &str) -> Result<Self, KeyError> {
        let mut path = self.path.clone();
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name.strip_suffix('/').unwrap_or(name));
        if path.is_empty() {
            return Err(KeyError::Segment);
        }
        check(&path)?;
        Ok(Self { path })
    }

    /// The rest of the key below `dictionary`: empty if both are the same; `None` if the key is
    /// elsewhere.
    pub fn below<'a>(&'a self, dictionary: &Self) -> Option<&'a str> {
        if dictionary.is_root() {
            return Some(&self.path);
        }
        let rest = self.path.strip_prefix(dictionary.as_str())?;
        if rest.is_empty() {
            return Some(rest);
        }
        rest.strip_prefix('/')
    }
}

fn check(path: &str) -> Result<(), KeyError> {
    if path.len() > Key::MAX_LENGTH {
        return Err(KeyError::TooLong);
    }
    if path.contains('\0') {
        return Err(KeyError::Nul);
    }
    let is_bad = |segment: &str| matches!(segment, "" | "." | "..");
    if !path.is_empty() && path.split('/').any(is_bad) {
        return Err(KeyError::Segment);
    }
    Ok(())
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let path = text.strip_prefix('/').unwrap_or(text);
        let path = path.strip_suffix('/').unwrap_or(path);
        check(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        // As if `/` came before every other byte; NUL is in no key.
        let order = |byte: u8| if byte == b'/' { 0 } else { byte };
        self.path
            .bytes()
            .map(order)
            .cmp(other.path.bytes().map(order))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Segment => "a segment of a key must not be empty, `.` or `..`",
            Self::Nul => "a key must not have a NUL in it",
            Self::TooLong => "a key has at most 512 bytes; choose a shorter one",
        })
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn key(text: &str) -> Key {
        text.parse().expect("it is a key")
    }

    #[test]
    fn keys_are_made_of_sound_segments() {
        assert_eq!(key("/a/b c/ü/").as_str(), "a/b c/ü");
        assert_eq!(key("a/b").to_string(), "/a/b");
        assert!(key("/").is_root() && key("").is_root());
        for text in ["a//b", "///", "a/./b", "..", "a/../b", "/../x"] {
            assert_eq!(text.parse::<Key>(), Err(KeyError::Segment), "{text}");
        }
        assert_eq!("a\0b".parse::<Key>(), Err(KeyError::Nul));
        assert_eq!("x".repeat(513).parse::<Key>(), Err(KeyError::TooLong));
        assert!("x".repeat(512).parse::<Key>().is_ok());
        let message = KeyError::TooLong.to_string();
        assert!(message.contains(&Key::MAX_LENGTH.to_string()));
    }

    #[test]
    fn keys_lie_in_dictionaries() {
        let long = key("a/b/c");
        assert_eq!(long.segments().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(
            (long.name(), key("a").name(), Key::ROOT.name()),
            ("c", "a", "")
        );
        assert_eq!(long.parent(), Some(key("a/b")));
        assert_eq!(key("a").parent(), Some(Key::ROOT));
        assert_eq!(Key::ROOT.parent(), None);
        assert_eq!(Key::ROOT.child("a"), Ok(key("a")));
        assert_eq!(key("a").child("b/c"), Ok(long.clone()));
        assert_eq!(key("a").child(""), Err(KeyError::Segment));
        assert_eq!(Key::ROOT.child("/"), Err(KeyError::Segment));
        assert_eq!(key("a").child(".."), Err(KeyError::Segment));
        assert_eq!(long.below(&key("a")), Some("b/c"));
        assert_eq!(long.below(&Key::ROOT), Some("a/b/c"));
        assert_eq!(long.below(&long), Some(""));
        assert_eq!(key("ab").below(&key("a")), None);
    }

    #[test]
    fn a_dictionary_is_followed_by_what_lies_in_it() {
        let mut keys: Vec<_> = ["a-b", "a/b", "b", "a", "a/b/c", "a/a"].map(key).into();
        keys.sort();
        assert_eq!(keys, ["a", "a/a", "a/b", "a/b/c", "a-b", "b"].map(key));
    }
}
