//! Archives that GNU tar and bsdtar make have the files, and the bytes of these, that both unpack.

use fata_block::RamDisk;
use fata_kv::{Key, Kind, KvRo, LeftOut, TarKv};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fata-kv-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("from")).expect("there is room");
        Self(path)
    }

    fn from(&self) -> PathBuf {
        self.0.join("from")
    }

    /// A file with holes, and with bytes where they are told.
    fn put(&self, name: &str, size: u64, parts: &[(u64, &[u8])]) {
        let path = self.from().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
        let file = File::create(path).expect("there is room");
        file.set_len(size).expect("there is room");
        for (offset, bytes) in parts {
            file.write_all_at(bytes, *offset).expect("there is room");
        }
    }

    fn put_bytes(&self, name: &str, bytes: &[u8]) {
        self.put(name, bytes.len() as u64, &[(0, bytes)]);
    }

    /// Packs what is in the folder, or these names of it.
    #[track_caller]
    fn pack(&self, program: &str, options: &str, names: &[&str]) -> PathBuf {
        let archive = self.0.join("archive.tar");
        let mut command = Command::new(program);
        command.arg("-cf").arg(&archive).arg("-C").arg(self.from());
        command.args(options.split_whitespace()).args(names);
        run(&mut command);
        archive
    }

    /// All files that a program unpacks.
    #[track_caller]
    fn unpack(&self, program: &str, archive: &Path) -> BTreeMap<String, Vec<u8>> {
        let to = self.0.join("to");
        fs::create_dir(&to).expect("there is room");
        run(Command::new(program)
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(&to));
        let mut files = BTreeMap::new();
        let mut folders = vec![to.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("it is there") {
                let entry = entry.expect("it is there");
                let kind = entry.file_type().expect("it is there");
                let name = entry.path();
                let name = name.strip_prefix(&to).expect("it lies there");
                let name = name.to_str().expect("it is text").to_owned();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    files.insert(name, fs::read(entry.path()).expect("it is there"));
                }
            }
        }
        fs::remove_dir_all(to).expect("it is there");
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.env("TZ", "UTC").output();
    let output = output.expect("tar is there, and bsdtar of libarchive-tools");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn disk(archive: &Path) -> RamDisk {
    let mut bytes = fs::read(archive).expect("it is there");
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    RamDisk::from_bytes(512, bytes)
}

type LeftOuts = Vec<(String, LeftOut)>;

/// All files of an archive, and what it says that it leaves out. Each file is read in pieces, too.
fn files(archive: &Path) -> (BTreeMap<String, Vec<u8>>, LeftOuts) {
    let disk = disk(archive);
    fata_task::simulate(|_| async move {
        let mut left_out = Vec::new();
        let told = |name: &str, reason| left_out.push((name.to_owned(), reason));
        let archive = TarKv::open(disk, 10_000, told).await.expect("an archive");
        let mut files = BTreeMap::new();
        let mut open = vec![Key::ROOT];
        while let Some(key) = open.pop() {
            for entry in archive.list(&key, "", 1000).await.expect("it is there") {
                let key = key.child(&entry.name).expect("it was listed");
                if entry.kind == Kind::Dictionary {
                    open.push(key);
                    continue;
                }
                let bytes = archive.get(&key, 1 << 30).await.expect("it was listed");
                check_ranges(&archive, &key, &bytes).await;
                files.insert(key.as_str().to_owned(), bytes);
            }
        }
        (files, left_out)
    })
}

async fn check_ranges(archive: &TarKv<RamDisk>, key: &Key, bytes: &[u8]) {
    let step = (bytes.len() / 7).max(1) + 3;
    for offset in (0..bytes.len() + 2).step_by(step) {
        for length in [1, 700, 70_000] {
            let mut part = vec![0xee; length];
            let read = archive.get_range(key, offset as u64, &mut part).await;
            let expected = bytes.get(offset..).unwrap_or_default();
            let expected = &expected[..length.min(expected.len())];
            assert_eq!(read, Ok(expected.len()), "{key}: {offset}");
            assert!(&part[..expected.len()] == expected, "{key}: {offset}");
        }
    }
}

/// Compares the files of an archive with those that both programs unpack.
#[track_caller]
fn assert_same(folder: &Folder, archive: &Path, what: &str, least: usize) -> LeftOuts {
    let (found, left_out) = files(archive);
    for program in ["tar", "bsdtar"] {
        let expected = folder.unpack(program, archive);
        assert!(expected.len() >= least, "{what}: {program}");
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{what}: {program}");
        for (name, bytes) in &expected {
            assert!(&found[name] == bytes, "{what}: {program}: {name}");
        }
    }
    left_out
}

const LONG: &str = "a-name-of-a-folder-that-is-long";

/// Fills a folder with what archives have special forms for, and returns the names at its top.
fn fill(folder: &Folder) -> Vec<&'static str> {
    let bytes: Vec<u8> = (0..200_000_u32)
        .map(|at| ((at * 7) >> 3) as u8 | 1)
        .collect();
    let spots: Vec<(u64, &[u8])> = (0..70)
        .map(|spot| (spot * 16_384 + 4096, &bytes[spot as usize..][..4096]))
        .collect();
    folder.put_bytes("plain", &bytes);
    folder.put_bytes("empty", b"");
    folder.put_bytes("folder/page.html", b"<p>page");
    folder.put(
        "folder/holes",
        1 << 20,
        &[(0, &bytes[..5000]), (500_000, &bytes)],
    );
    folder.put("begins-with-a-hole", 300_000, &[(200_000, b"end")]);
    folder.put("hole", 100_000, &[]);
    folder.put("many", 2 << 20, &spots);
    let from = folder.from();
    fs::hard_link(from.join("plain"), from.join("same")).expect("links are possible");
    fs::hard_link(from.join("many"), from.join("same-many")).expect("links are possible");
    vec![
        "plain",
        "empty",
        "folder",
        "begins-with-a-hole",
        "hole",
        "many",
        "same",
        "same-many",
    ]
}

/// Fills a folder with files that only newer formats have a place for.
fn fill_long(folder: &Folder) {
    let long = [LONG; 9].join("/");
    folder.put_bytes(&format!("{long}/leaf"), b"leaf");
    folder.put(&format!("{long}/holes"), 90_000, &[(70_000, b"leaf")]);
    folder.put_bytes("Grüße 東京", "🚀".as_bytes());
    let from = folder.from();
    let link = from.join(format!("{LONG}/link"));
    fs::hard_link(from.join(format!("{long}/leaf")), link).expect("links are possible");
}

#[test]
fn all_formats_have_the_bytes_that_are_unpacked() {
    let folder = Folder::new("old");
    let names = fill(&folder);
    let old = [
        ("tar", "--format=v7"),
        ("tar", "--format=ustar"),
        ("bsdtar", "--format=v7tar"),
        ("bsdtar", "--format=ustar"),
    ];
    for (program, options) in old {
        let archive = folder.pack(program, options, &names);
        assert_same(&folder, &archive, options, 9);
    }
    fill_long(&folder);
    let holes = "--sparse --hole-detection=raw";
    let new = [
        ("tar", "--format=oldgnu", ""),
        ("tar", "--format=oldgnu", holes),
        ("tar", "--format=gnu", holes),
        ("tar", "--format=gnu", "--incremental"),
        (
            "tar",
            "--format=gnu",
            "--label=archive --mtime=@-5 --owner=a:3000000",
        ),
        ("tar", "--format=pax", ""),
        ("tar", "--format=pax --sparse-version=0.0", holes),
        ("tar", "--format=pax --sparse-version=0.1", holes),
        ("tar", "--format=pax --sparse-version=1.0", holes),
        ("tar", "--format=pax --hard-dereference", holes),
        (
            "tar",
            "--format=pax --pax-option=comment=all,mtime=5",
            holes,
        ),
        (
            "tar",
            "--format=pax --pax-option=mtime:=-2.5",
            "--label=archive",
        ),
        ("bsdtar", "--format=pax", ""),
        ("bsdtar", "--format=pax", "--no-read-sparse"),
        ("bsdtar", "--format=paxr", ""),
        ("bsdtar", "--format=gnutar", ""),
    ];
    for (program, format, more) in new {
        let options = format!("{format} {more}");
        let archive = folder.pack(program, &options, &["."]);
        assert_same(&folder, &archive, &options, 12);
    }
}

#[test]
fn the_last_of_a_name_counts() {
    let folder = Folder::new("last");
    let from = folder.from();
    for name in ["file", "becomes-a-link", "becomes-a-folder"] {
        folder.put_bytes(name, b"old");
    }
    fs::hard_link(from.join("file"), from.join("link")).expect("links are possible");
    let first = ["file", "becomes-a-link", "becomes-a-folder", "link"];
    let archive = folder.pack("tar", "--format=gnu", &first);
    folder.put_bytes("new", b"new and longer");
    for name in first {
        fs::remove_file(from.join(name)).expect("it is there");
    }
    fs::rename(from.join("new"), from.join("file")).expect("it is there");
    symlink("file", from.join("becomes-a-link")).expect("links are possible");
    fs::create_dir(from.join("becomes-a-folder")).expect("there is room");
    let mut append = Command::new("tar");
    append.arg("-rf").arg(&archive).arg("-C").arg(&from);
    run(append.args(&first[..3]));
    let left_out = assert_same(&folder, &archive, "append", 2);
    assert_eq!(left_out, [("becomes-a-link".to_owned(), LeftOut::NoFile)]);
    // Bytes after the end do not count, though an archive is among them.
    let mut two = fs::read(&archive).expect("it is there");
    two.extend_from_within(..);
    two.extend(b"garbage");
    fs::write(&archive, two).expect("there is room");
    assert_same(&folder, &archive, "two", 2);
}

#[test]
fn a_file_of_gibibytes_has_a_size_in_binary() {
    const SIZE: u64 = 9 << 30;
    let folder = Folder::new("huge");
    folder.put("huge", SIZE, &[(0, b"first"), (SIZE - 6, b"second")]);
    for format in ["--format=gnu", "--format=pax"] {
        let archive = disk(&folder.pack("tar", &format!("{format} --sparse"), &["huge"]));
        fata_task::simulate(|_| async move {
            let archive = TarKv::open(archive, 10, |_, _| {}).await;
            let archive = archive.expect("an archive");
            let huge: Key = "huge".parse().expect("a key");
            assert_eq!(archive.size(&huge).await, Ok(SIZE), "{format}");
            let mut part = [1; 16];
            for (offset, expected) in [
                (0, &b"first\0\0\0\0\0\0\0\0\0\0\0"[..]),
                (4 << 30, &[0; 16]),
                (SIZE - 16, b"\0\0\0\0\0\0\0\0\0\0second"),
                (SIZE - 3, b"ond"),
                (SIZE, b""),
            ] {
                let read = archive.get_range(&huge, offset, &mut part).await;
                assert_eq!(read, Ok(expected.len()), "{format}: {offset}");
                assert_eq!(&part[..expected.len()], expected, "{format}: {offset}");
            }
        });
    }
}

#[test]
fn what_is_left_out_is_told() {
    let folder = Folder::new("told");
    let from = folder.from();
    folder.put_bytes("page", b"page");
    folder.put_bytes("target", b"target");
    fs::hard_link(from.join("target"), from.join("to-nothing")).expect("links are possible");
    symlink("page", from.join("symbolic")).expect("links are possible");
    let long = format!("{}/leaf", [LONG; 17].join("/"));
    folder.put_bytes(&long, b"leaf");
    let names = ["page", "symbolic", LONG, "target", "to-nothing"];
    let rename = "-P --format=pax --transform=s,^target,../target,";
    let archive = folder.pack("tar", rename, &names);
    let (files, left_out) = files(&archive);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["page"]);
    let expected = [
        ("symbolic", LeftOut::NoFile),
        (long.as_str(), LeftOut::Name),
        ("../target", LeftOut::Name),
        ("to-nothing", LeftOut::Link),
    ];
    assert_eq!(
        left_out,
        expected.map(|(name, reason)| (name.to_owned(), reason))
    );
}

#[test]
fn of_several_volumes_each_has_what_begins_in_it() {
    let folder = Folder::new("volumes");
    folder.put_bytes("first", &[1; 60_000]);
    folder.put_bytes("second", b"second");
    let volumes = [1, 2].map(|number| folder.0.join(format!("volume{number}.tar")));
    let mut pack = Command::new("tar");
    pack.args(["-c", "-M", "-L", "40", "--format=gnu", "-f"]);
    pack.arg(&volumes[0]).arg("-f").arg(&volumes[1]);
    pack.arg("-C").arg(folder.from());
    run(pack.args(["first", "second"]));
    let (files, left_out) = files(&volumes[1]);
    assert_eq!(
        files,
        BTreeMap::from([("second".to_owned(), b"second".to_vec())])
    );
    assert_eq!(left_out, [("first".to_owned(), LeftOut::Continued)]);
    let first = disk(&volumes[0]);
    fata_task::simulate(|_| async move {
        let error = TarKv::open(first, 10, |_, _| {}).await.err();
        assert_eq!(error, Some(fata_kv::Error::Damaged));
    });
}
