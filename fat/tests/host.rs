//! FAT volumes that the host's programs make, fill and check.
//!
//! The tests are ignored unless asked for, as they need mkfs.fat, fsck.fat and mtools; `ci/test`
//! provides them.

mod common;
#[allow(dead_code, reason = "the store's tests use more of it")]
#[path = "../../store/tests/common/operation.rs"]
mod operation;

use common::{contents, key, names, open};
use fata_block::FileDisk;
use fata_block::file::{Access, DiskFile};
use fata_fat::FatKv;
use fata_kv::{Change, Error, Key, KvRo, KvRw};
use fata_task::{Handle, block_on};
use operation::Generator;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::{env, fs};

type Volume = FatKv<Rc<FileDisk>>;

/// A folder that goes with the test, and an image in it.
struct Image {
    folder: PathBuf,
    path: PathBuf,
}

fn run(program: &str, arguments: &[&str]) -> String {
    // mkfs.fat and fsck.fat are in /usr/sbin, which is not on everybody's PATH.
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let command = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("TZ", "UTC")
        // As `mdir` and others want to know what other disks are like.
        .env("MTOOLS_SKIP_CHECK", "1")
        .output();
    let output = command.unwrap_or_else(|error| panic!("{program}: {error}; see ci/setup"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text.into_owned()
}

impl Image {
    fn new(name: &str, megabytes: u64, options: &[&str]) -> Self {
        let folder = env::temp_dir().join(format!("fata-fat-{name}-{}", std::process::id()));
        fs::create_dir(&folder).expect("it is a new one");
        let path = folder.join("disk.img");
        let file = fs::File::create(&path).expect("there is room");
        file.set_len(megabytes << 20).expect("there is room");
        let image = Self { folder, path };
        run("mkfs.fat", &[options, &[image.name()]].concat());
        image
    }

    fn name(&self) -> &str {
        self.path.to_str().expect("it is UTF-8")
    }

    /// Copies a tree of files onto the volume.
    fn fill(&self, files: &[(&str, Vec<u8>)]) {
        let source = self.folder.join("source");
        for (path, bytes) in files {
            let path = source.join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
            fs::write(path, bytes).expect("there is room");
        }
        for entry in fs::read_dir(&source).expect("it is there") {
            let entry = entry.expect("it is there").path();
            let entry = entry.to_str().expect("it is UTF-8");
            run("mcopy", &["-i", self.name(), "-s", "-m", entry, "::/"]);
        }
    }

    /// Files on the volume, as mtools reads them.
    fn copied(&self) -> BTreeMap<Key, Vec<u8>> {
        let target = self.folder.join("target");
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target).expect("there is room");
        let root = target.to_str().expect("it is UTF-8");
        if !run("mdir", &["-b", "-i", self.name(), "::/"])
            .trim()
            .is_empty()
        {
            run("mcopy", &["-n", "-s", "-i", self.name(), "::*", root]);
        }
        let mut values = BTreeMap::new();
        collect(&target, &Key::ROOT, &mut values);
        values
    }

    fn check(&self) {
        run("fsck.fat", &["-n", "-v", self.name()]);
    }

    fn with<T>(&self, work: impl AsyncFnOnce(&Handle, Rc<FileDisk>) -> T) -> T {
        block_on(|tasks| async move {
            let file = DiskFile::open(&self.path, Access::ReadWrite).expect("it is there");
            let disk = FileDisk::start(file).expect("there are threads");
            work(&tasks, Rc::new(disk)).await
        })
    }

    fn change<T>(&self, work: impl AsyncFnOnce(Volume) -> T) -> T {
        let outcome = self.with(async |tasks, disk| work(open(tasks, disk).await).await);
        self.check();
        outcome
    }
}

fn collect(folder: &Path, place: &Key, values: &mut BTreeMap<Key, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let entry = entry.expect("it is there");
        let name = entry.file_name().into_string().expect("it is UTF-8");
        let key = place.child(&name).expect("it is a key");
        if entry.path().is_dir() {
            collect(&entry.path(), &key, values);
        } else {
            values.insert(key, fs::read(entry.path()).expect("it is there"));
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 / 7) as u8).collect()
}

/// The volumes that mkfs.fat makes.
const KINDS: [(&str, u64, &[&str]); 5] = [
    ("12", 4, &["-F", "12"]),
    ("16", 20, &["-F", "16"]),
    ("16-one-table", 20, &["-F", "16", "-f", "1", "-s", "1"]),
    ("32", 64, &["-F", "32"]),
    ("4096", 80, &["-F", "16", "-S", "4096", "-s", "1"]),
];

#[test]
#[ignore = "needs mkfs.fat and mtools; ci/test runs it"]
fn what_mcopy_writes_is_read_and_the_other_way_round() {
    for (name, megabytes, options) in KINDS {
        let image = Image::new(&format!("read-{name}"), megabytes, options);
        image.fill(&[
            ("index.html", b"<h1>Hello</h1>".to_vec()),
            ("empty", Vec::new()),
            ("A folder/of folders/with a long name.txt", b"deep".to_vec()),
            ("A folder/large file.bin", bytes(1_500_000)),
            ("UPPER.TXT", b"upper".to_vec()),
        ]);
        let (before, after) = image.change(async |volume| {
            let before = contents(&volume).await;
            let modified = volume.last_modified(&key("index.html")).await;
            assert!(modified.expect("it is there").is_some());
            let top = names(&volume, "", "", 9).await;
            assert_eq!(top, ["A folder/", "UPPER.TXT", "empty", "index.html"]);
            let inner = key("A folder/of folders/with a long name.txt");
            volume.remove(&inner).await.unwrap();
            let (large, moved) = (key("A folder/large file.bin"), key("Moved file, large.bin"));
            volume.rename(&large, &moved).await.unwrap();
            let ending = b"the end".as_slice();
            volume.set_range(&moved, 1_600_000, ending).await.unwrap();
            let new = [key("new/one with a long name"), key("new/TWO")];
            let changes = new.each_ref().map(|key| Change::Set(key, b"new"));
            volume.batch(&changes).await.unwrap();
            volume.set(&key("index.html"), &bytes(5000)).await.unwrap();
            (before, contents(&volume).await)
        });
        assert_eq!(before.len(), 5, "{name}");
        assert_eq!(before[&key("A folder/large file.bin")], bytes(1_500_000));
        let copied = image.copied();
        assert_eq!(copied.len(), after.len(), "{name}");
        for (key, value) in after {
            assert!(copied.get(&key) == Some(&value), "{name}: {key}");
        }
    }
}

#[test]
#[ignore = "needs mkfs.fat and mtools; ci/test runs it"]
fn random_changes_leave_what_fsck_finds_in_order() {
    for (seed, (name, megabytes, options)) in (0..).zip(KINDS) {
        let image = Image::new(&format!("random-{name}"), megabytes, options);
        let mut generator = Generator::new(seed, 60, 40_000);
        for _ in 0..5 {
            let expected = image.change(async |volume| {
                for _ in 0..100 {
                    // Keys that are not there are among them.
                    let _ = generator.operation().make(&volume).await;
                }
                contents(&volume).await
            });
            assert!(expected.len() > 5);
            assert_eq!(image.copied(), expected, "{name}");
        }
    }
}

#[test]
#[ignore = "needs mkfs.fat and mtools; ci/test runs it"]
fn a_volume_is_filled_emptied_and_filled_again() {
    for (name, megabytes, options) in KINDS {
        let image = Image::new(&format!("full-{name}"), megabytes, options);
        let mut counts = Vec::new();
        for _ in 0..3 {
            let count = image.change(async |volume| {
                volume.remove(&Key::ROOT).await.unwrap();
                let value = bytes(1_000_000);
                for number in 0.. {
                    let key = key(&format!("folder/value {number}"));
                    match volume.set(&key, &value).await {
                        Ok(()) => {}
                        Err(error) => {
                            assert_eq!(error, Error::NoSpace);
                            return number;
                        }
                    }
                }
                unreachable!("no disk is endless")
            });
            assert_eq!(image.copied().len(), count, "{name}");
            counts.push(count);
        }
        assert!(counts[0] as u64 >= megabytes - 2, "{name}: {counts:?}");
        assert!(
            counts.iter().all(|count| *count == counts[0]),
            "{name}: {counts:?}"
        );
    }
}
