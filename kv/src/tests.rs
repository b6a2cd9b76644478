use super::*;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use fata_task::simulate;
use proptest::prelude::*;

fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

async fn names(store: &impl KvRo, dictionary: &str, after: &str, limit: usize) -> Vec<String> {
    let entries = store.list(&key(dictionary), after, limit).await;
    let name = |entry: Entry| match entry.kind {
        Kind::Value => entry.name,
        Kind::Dictionary => entry.name + "/",
    };
    entries
        .expect("it is there")
        .into_iter()
        .map(name)
        .collect()
}

#[test]
fn values_are_set_read_and_removed() {
    simulate(|tasks| async move {
        let store = Rc::new(MemoryKv::new(&tasks, 10_000));
        let ada = key("people/ada");
        assert_eq!(store.get(&ada, 9).await, Err(Error::NotFound));
        store.set(&ada, b"Lovelace").await.unwrap();
        assert_eq!(store.get(&ada, 8).await.as_deref(), Ok(&b"Lovelace"[..]));
        assert_eq!(store.get(&ada, 7).await, Err(Error::TooLarge));
        assert_eq!(store.exists(&ada).await, Ok(Some(Kind::Value)));
        assert_eq!(
            store.exists(&key("people")).await,
            Ok(Some(Kind::Dictionary))
        );
        assert_eq!(store.exists(&key("people/ada/x")).await, Ok(None));
        let before = store.digest(&ada).await.unwrap();
        tasks.sleep(Duration::from_secs(5)).await;
        store.set_range(&ada, 10, b"!").await.unwrap();
        assert_eq!(
            store.get(&ada, 20).await.as_deref(),
            Ok(&b"Lovelace\0\0!"[..])
        );
        assert_ne!(store.digest(&ada).await.unwrap(), before);
        assert_eq!(store.last_modified(&ada).await, Ok(tasks.wall()));
        let mut buffer = [9; 4];
        assert_eq!(store.get_range(&ada, 9, &mut buffer).await, Ok(2));
        assert_eq!(store.get_range(&ada, 99, &mut buffer).await, Ok(0));
        store.remove(&ada).await.unwrap();
        assert_eq!(store.exists(&key("people")).await, Ok(None));
        assert_eq!(store.remove(&ada).await, Err(Error::NotFound));
    });
}

/// A value that has another length at each request.
struct Changing(core::cell::Cell<usize>, [usize; 4]);

impl Changing {
    fn next(&self) -> usize {
        let at = self.0.replace(self.0.get() + 1);
        self.1[at]
    }
}

impl KvRo for Changing {
    async fn metadata(&self, _: &Key) -> Result<Metadata, Error> {
        let size = self.next() as u64;
        Ok(Metadata::Value(ValueMetadata {
            size,
            digest: Digest::from_parts(size, 1),
            modified: None,
        }))
    }

    async fn get_range(&self, _: &Key, _: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let size = self.next();
        let length = size.min(buffer.len());
        buffer[..length].fill(size as u8);
        Ok(length)
    }

    async fn list(&self, _: &Key, _: &str, _: usize) -> Result<Vec<Entry>, Error> {
        Err(Error::DictionaryExpected)
    }
}

#[test]
fn a_value_that_changes_meanwhile_is_read_as_a_whole() {
    simulate(|_| async {
        let cases = [
            ([5, 10, 10, 10], Ok(vec![10; 10])),
            ([5, 10, 10, 3], Ok(vec![3; 3])),
            ([10, 5, 0, 0], Ok(vec![5; 5])),
            ([0, 1, 1, 0], Ok(vec![])),
            ([5, 10, 11, 0], Err(Error::TooLarge)),
        ];
        for (sizes, expected) in cases {
            let store = Changing(core::cell::Cell::new(0), sizes);
            assert_eq!(store.get(&key("value"), 10).await, expected, "{sizes:?}");
        }
    });
}

#[test]
fn values_and_dictionaries_exclude_each_other() {
    simulate(|tasks| async move {
        let store = MemoryKv::new(&tasks, 10_000);
        store.set(&key("a/b"), b"1").await.unwrap();
        assert_eq!(store.set(&key("a"), b"").await, Err(Error::ValueExpected));
        assert_eq!(store.set(&Key::ROOT, b"").await, Err(Error::ValueExpected));
        let inside = store.set(&key("a/b/c/d"), b"").await;
        assert_eq!(inside, Err(Error::DictionaryExpected));
        assert_eq!(store.get(&key("a"), 9).await, Err(Error::ValueExpected));
        let listed = store.list(&key("a/b"), "", 9).await;
        assert_eq!(listed, Err(Error::DictionaryExpected));
        assert_eq!(store.list(&key("x"), "", 9).await, Err(Error::NotFound));
        assert_eq!(store.list(&Key::ROOT, "", 9).await.unwrap().len(), 1);
    });
}

#[test]
fn dictionaries_are_listed_in_order_and_in_parts() {
    simulate(|tasks| async move {
        let store = MemoryKv::new(&tasks, 10_000);
        for path in ["d/x/1", "d/x/2", "d/x-y", "d/a", "d/z/1", "e"] {
            store.set(&key(path), b"").await.unwrap();
        }
        assert_eq!(names(&store, "d", "", 9).await, ["a", "x/", "x-y", "z/"]);
        assert_eq!(names(&store, "d", "a", 2).await, ["x/", "x-y"]);
        assert_eq!(names(&store, "d", "x", 9).await, ["x-y", "z/"]);
        assert_eq!(names(&store, "", "", 1).await, ["d/"]);
        store.remove(&key("d")).await.unwrap();
        assert_eq!(names(&store, "", "", 9).await, ["e"]);
        store.remove(&Key::ROOT).await.unwrap();
        assert!(names(&store, "", "", 9).await.is_empty());
    });
}

#[test]
fn values_and_dictionaries_are_renamed() {
    simulate(|tasks| async move {
        let store = MemoryKv::new(&tasks, 10_000);
        for (path, value) in [("a/x", "1"), ("a/y/z", "2"), ("b", "3")] {
            store.set(&key(path), value.as_bytes()).await.unwrap();
        }
        store.rename(&key("a"), &key("c/d")).await.unwrap();
        assert_eq!(
            store.get(&key("c/d/y/z"), 9).await.as_deref(),
            Ok(&b"2"[..])
        );
        assert_eq!(store.exists(&key("a")).await, Ok(None));
        store.rename(&key("c/d/x"), &key("b")).await.unwrap();
        assert_eq!(store.get(&key("b"), 9).await.as_deref(), Ok(&b"1"[..]));
        for (from, to, error) in [
            ("nothing", "x", Error::NotFound),
            ("c", "c/e", Error::IntoItself),
            ("c", "b", Error::AlreadyPresent),
            ("c", "b/e", Error::DictionaryExpected),
            ("b", "c/d", Error::ValueExpected),
        ] {
            let renamed = store.rename(&key(from), &key(to)).await;
            assert_eq!(renamed, Err(error), "{from} to {to}");
        }
        let long = "n".repeat(Key::MAX_LENGTH);
        assert_eq!(
            store.rename(&key("c"), &key(&long)).await,
            Err(Error::TooLarge)
        );
        assert_eq!(names(&store, "", "", 9).await, ["b", "c/"]);
    });
}

#[test]
fn a_batch_is_made_as_a_whole_or_not_at_all() {
    simulate(|tasks| async move {
        let store = MemoryKv::new(&tasks, 1000);
        let (a, b, c) = (key("a"), key("b"), key("c"));
        let changes = [
            Change::Set(&a, b"1"),
            Change::Set(&b, b"2"),
            Change::Rename(&a, &c),
        ];
        store.batch(&changes).await.unwrap();
        assert_eq!(names(&store, "", "", 9).await, ["b", "c"]);
        let changes = [
            Change::Remove(&b),
            Change::SetRange(&c, 0, b"9"),
            Change::Set(&a, &[0; 1000]),
        ];
        assert_eq!(store.batch(&changes).await, Err(Error::NoSpace));
        assert_eq!(names(&store, "", "", 9).await, ["b", "c"]);
        assert_eq!(store.get(&c, 9).await.as_deref(), Ok(&b"1"[..]));
        let huge = store.set_range(&a, u64::MAX, b"1").await;
        assert_eq!(huge, Err(Error::NoSpace));
        let room = 1000 - 2 * (64 + 2) - 64 - 1;
        store.set(&a, &vec![0; room]).await.unwrap();
        assert_eq!(store.set(&key("d"), b"").await, Err(Error::NoSpace));
    });
}

#[test]
fn of_two_kinds_that_is_opened_which_is_there() {
    type Opened = Result<EitherKv<u8, u8>, Error>;
    let open = |first: Result<u8, Error>, second: Result<u8, Error>| -> Opened {
        fata_task::simulate(|_| EitherKv::open(async move { first }, async move { second }))
    };
    let is = |opened: Opened, expected: Result<(u8, u8), Error>| {
        let opened = opened.map(|opened| match opened {
            EitherKv::First(first) => (first, 0),
            EitherKv::Second(second) => (0, second),
        });
        assert_eq!(opened, expected);
    };
    is(open(Ok(1), Ok(2)), Ok((1, 0)));
    is(open(Err(Error::NotAStore), Ok(2)), Ok((0, 2)));
    is(open(Err(Error::Unsupported), Ok(2)), Ok((0, 2)));
    is(open(Err(Error::NoSectors), Ok(2)), Err(Error::NoSectors));
    is(open(Err(Error::Damaged), Ok(2)), Err(Error::Damaged));
    let second = Err(Error::NotAStore);
    is(
        open(Err(Error::Unsupported), second),
        Err(Error::Unsupported),
    );
    is(
        open(Err(Error::NotAStore), Err(Error::Damaged)),
        Err(Error::Damaged),
    );
}

#[test]
fn a_store_of_either_kind_is_a_store() {
    type Either = EitherKv<MemoryKv, MemoryKv>;
    simulate(|tasks| async move {
        let kinds: [fn(MemoryKv) -> Either; 2] = [Either::First, Either::Second];
        for kind in kinds {
            let store = kind(MemoryKv::new(&tasks, 1000));
            store.set(&key("d/a"), b"1").await.unwrap();
            assert_eq!(store.get(&key("d/a"), 9).await.as_deref(), Ok(&b"1"[..]));
            assert_eq!(names(&store, "", "", 9).await, ["d/"]);
        }
    });
}

#[test]
fn compiled_in_files_are_a_store() {
    const fn file(path: &'static str, content: &'static [u8]) -> FileEntry {
        FileEntry {
            path,
            content,
            etag: "\"1\"",
            modified: 7,
        }
    }
    static FILES: &[FileEntry] = &[
        file("a-b", b"1"),
        file("a/x", b"22"),
        file("a/y/z", b"333"),
        file("ab", b"4444"),
    ];
    simulate(|_| async {
        let files = FileTable::new(FILES);
        assert_eq!(
            files.get(&key("a/y/z"), 9).await.as_deref(),
            Ok(&b"333"[..])
        );
        let modified = files.last_modified(&key("ab")).await;
        assert_eq!(modified, Ok(Some(Duration::from_secs(7))));
        assert_eq!(names(&files, "", "", 9).await, ["a/", "a-b", "ab"]);
        assert_eq!(names(&files, "a", "x", 9).await, ["y/"]);
        assert_eq!(files.get(&key("a"), 9).await, Err(Error::ValueExpected));
        let mut buffer = [0; 2];
        let read = files.get_range(&key("a"), 0, &mut buffer).await;
        assert_eq!(read, Err(Error::ValueExpected));
        assert_eq!(files.exists(&key("a/xy")).await, Ok(None));
        let listed = files.list(&key("ab"), "", 9).await;
        assert_eq!(listed, Err(Error::DictionaryExpected));
    });
}

proptest! {
    #[test]
    fn any_text_is_a_key_or_an_error(text in "[a./\0-]{0,8}") {
        if let Ok(key) = text.parse::<Key>() {
            let again = key.segments().try_fold(Key::ROOT, |key, name| key.child(name));
            prop_assert_eq!(again.as_ref(), Ok(&key));
            if let Some(parent) = key.parent() {
                prop_assert!(parent < key);
                prop_assert_eq!(parent.child(key.name()), Ok(key));
            }
        }
    }
}
