extern crate std;

use super::sparse::Map;
use super::*;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::{format, vec};
use fata_block::RamDisk;
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

/// A folder of the host with files for `tar`.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fata-tar-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("there is room");
        Self(path)
    }

    fn put(&self, name: &str, content: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
        fs::write(path, content).expect("there is room");
    }

    /// The archive that the host's tar makes of it, in this format.
    fn archive(&self, format: &str) -> Vec<u8> {
        let output = Command::new("tar")
            .args(["--create", "--format", format, "--directory"])
            .arg(&self.0)
            .arg(".")
            .output()
            .expect("tar is there");
        assert!(output.status.success(), "tar: {output:?}");
        output.stdout
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn disk(mut bytes: Vec<u8>, sector_size: usize) -> RamDisk {
    bytes.resize(bytes.len().next_multiple_of(sector_size), 0);
    RamDisk::from_bytes(sector_size, bytes)
}

#[test]
fn archives_of_the_hosts_tar_are_read() {
    let folder = Folder::new("formats");
    let large: Vec<u8> = (0..300_000_u32)
        .map(|place| ((place * 7) >> 3) as u8)
        .collect();
    let deep = format!("{}/leaf.txt", ["quite-a-long-name"; 12].join("/"));
    folder.put("large", &large);
    folder.put("empty", b"");
    folder.put("a/b/page.html", b"<p>page");
    fs::hard_link(folder.0.join("large"), folder.0.join("same")).expect("links are possible");
    std::os::unix::fs::symlink("large", folder.0.join("pointer")).expect("links are possible");
    for (format, has_deep) in [("gnu", true), ("pax", true), ("ustar", false)] {
        if has_deep {
            folder.put(&deep, b"leaf");
        } else {
            fs::remove_dir_all(folder.0.join("quite-a-long-name")).expect("it is there");
        }
        for sector_size in [512, 4096] {
            let disk = disk(folder.archive(format), sector_size);
            let expected = large.clone();
            let deep = key(&deep);
            fata_task::simulate(|_| async move {
                let archive = TarKv::open(disk, 100, |_, _| {})
                    .await
                    .expect("it is an archive");
                for name in ["large", "same"] {
                    let read = archive.get(&key(name), 1 << 20).await;
                    assert!(read.as_deref() == Ok(&expected[..]), "{format}: {name}");
                }
                assert_eq!(
                    archive.get(&key("a/b/page.html"), 100).await,
                    Ok(b"<p>page".to_vec())
                );
                assert_eq!(archive.get(&key("empty"), 100).await, Ok(vec![]));
                assert_eq!(archive.exists(&key("pointer")).await, Ok(None));
                assert_eq!(archive.get(&deep, 100).await.is_ok(), has_deep, "{format}");
                assert_eq!(
                    archive.get(&key("a/b"), 100).await,
                    Err(Error::ValueExpected)
                );
                let mut part = [0; 10];
                let read = archive.get_range(&key("large"), 299_995, &mut part).await;
                assert_eq!((read, &part[..5]), (Ok(5), &expected[299_995..]));
                let names = archive
                    .list(&Key::ROOT, "", 3)
                    .await
                    .expect("it is a folder");
                let names: Vec<String> = names.into_iter().map(|entry| entry.name).collect();
                assert_eq!(names, ["a", "empty", "large"]);
                let modified = archive.last_modified(&key("large")).await;
                assert!(modified.is_ok_and(|time| time.is_some()));
            });
        }
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    let folder = Folder::new("damage");
    for number in 0..4 {
        folder.put(&number.to_string(), &[1; 700]);
    }
    let archive = folder.archive("ustar");
    fata_task::simulate(|_| async move {
        let open = |bytes: &[u8], limit| TarKv::open(disk(bytes.to_owned(), 512), limit, |_, _| {});
        let error = |result: Result<TarKv<RamDisk>, Error>| result.err();
        assert_eq!(error(open(&[1; 2048], 9).await), Some(Error::NotAStore));
        assert_eq!(error(open(&archive, 3).await), Some(Error::TooLarge));
        assert_eq!(error(open(&archive, 4).await), None);
        // The end of the disk cuts a file.
        assert_eq!(error(open(&archive[..1536], 9).await), Some(Error::Damaged));
        let mut changed = archive.clone();
        changed[512 + 5] ^= 1;
        assert_eq!(error(open(&changed, 9).await), Some(Error::Damaged));
        // An archive without files cannot be told from a disk without anything.
        assert_eq!(error(open(&[0; 1024], 9).await), Some(Error::NotAStore));
        assert_eq!(error(open(&[], 9).await), Some(Error::NoSectors));
    });
}

/// A header of a file or folder with this size, and with its checksum.
fn header(kind: u8, name: &[u8], size: usize) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    put_checksum(&mut block, u64::from);
    block
}

fn put_checksum(block: &mut [u8; 512], value: impl Fn(u8) -> u64) {
    block[148..156].fill(b' ');
    let sum = block
        .iter()
        .map(|byte| value(*byte))
        .fold(0, u64::wrapping_add);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn headers_of_other_programs_are_read() {
    let mut signed = header(b'0', "ünïcödé".as_bytes(), 5);
    put_checksum(&mut signed, |byte| i64::from(byte.cast_signed()) as u64);
    let mut spaced = header(b'Z', b"unknown", 5);
    spaced[124..136].copy_from_slice(b"    5 \0xyz\0 ");
    put_checksum(&mut spaced, u64::from);
    let body = |text: &[u8]| {
        let mut block = [0; 512];
        block[..text.len()].copy_from_slice(text);
        block
    };
    let bytes = [
        signed,
        body(b"bytes"),
        // Such sizes are none of bytes that follow.
        header(b'5', b"folder", 100_000),
        header(b'2', b"symbolic", 100_000),
        header(b'1', b"link", 100_000),
        spaced,
        body(b"other"),
        header(b'x', b"more", 512),
        body(b"13 path=long\n"),
        header(b'0', b"short", 0),
        [0; 512],
    ];
    fata_task::simulate(|_| async move {
        let mut left_out = vec![];
        let told = |name: &str, reason| left_out.push((name.to_owned(), reason));
        let archive = TarKv::open(disk(bytes.concat(), 512), 9, told).await;
        let archive = archive.expect("it is an archive");
        for (name, expected) in [("ünïcödé", "bytes"), ("unknown", "other"), ("long", "")] {
            let read = archive.get(&key(name), 9).await;
            assert_eq!(read.as_deref(), Ok(expected.as_bytes()), "{name}");
        }
        let expected = [("symbolic", LeftOut::NoFile), ("link", LeftOut::Link)];
        assert_eq!(left_out, expected.map(|(name, why)| (name.to_owned(), why)));
    });
}

#[test]
fn the_stretches_of_a_file_are_bounded() {
    let stretches = |count: usize| {
        let mut map = format!("{count}\n");
        for stretch in 0..count {
            map += &format!("{}\n1\n", stretch * 2);
        }
        map
    };
    let archive = |map: String, size: usize| {
        let records = [("major", "1".to_owned()), ("realsize", size.to_string())];
        let records: String = records
            .map(|(name, value)| {
                let record = format!(" GNU.sparse.{name}={value}\n");
                format!("{}{record}", record.len() + 2)
            })
            .concat();
        let mut body = map.into_bytes();
        body.resize(body.len().next_multiple_of(512), 0);
        let mapped = body.len();
        body.resize(mapped + 1024, 7);
        let mut records = records.into_bytes();
        let extended = header(b'x', b"x", records.len());
        records.resize(512, 0);
        let header = header(b'0', b"file", mapped + 1000);
        [&extended[..], &records, &header, &body].concat()
    };
    fata_task::simulate(|_| async move {
        let open = async |bytes: &[u8], limit| {
            let opened = TarKv::open(disk(bytes.to_owned(), 512), limit, |_, _| {}).await;
            opened.map(|archive| archive.files.len())
        };
        let bytes = archive(stretches(100), 1000);
        assert_eq!(open(&bytes, 101).await, Ok(1));
        assert_eq!(open(&bytes, 100).await, Err(Error::TooLarge));
        // More than the file has, out of order, more bytes than there are, and none at all.
        for map in ["1\n999\n2\n", "2\n10\n1\n9\n1\n", "1\n0\n1001\n", "1\n0\n"] {
            let bytes = archive(map.to_owned(), 1000);
            assert_eq!(open(&bytes, 100).await, Err(Error::Damaged), "{map}");
        }
        let beyond = archive("18446744073709551615\n".to_owned(), 1000);
        assert!(open(&beyond, 100).await.is_err());
    });
}

proptest! {
    #[test]
    fn stretches_are_spread_over_their_file(
        parts in prop::collection::vec((0..50_usize, 0..50_usize), 0..8),
        tail in 0..40_usize,
        offset in 0..300_usize,
        length in 0..300_usize,
    ) {
        let (mut file, mut stored, mut stretches) = (vec![], vec![], vec![]);
        for (hole, bytes) in parts {
            file.resize(file.len() + hole, 0);
            stretches.push((file.len() as u64, bytes as u64));
            let bytes = (0..bytes).map(|byte| (stored.len() + byte) as u8 | 1);
            let bytes: Vec<u8> = bytes.collect();
            file.extend(&bytes);
            stored.extend(bytes);
        }
        file.resize(file.len() + tail, 0);
        let map = Map::new(&stretches, file.len() as u64, stored.len() as u64);
        let map = map.expect("it is in order");
        let offset = offset.min(file.len());
        let mut buffer = vec![0xee; length.min(file.len() - offset)];
        let (place, count) = map.stored(offset as u64, buffer.len());
        buffer[..count].copy_from_slice(&stored[place as usize..][..count]);
        map.spread(offset as u64, &mut buffer);
        prop_assert_eq!(&buffer[..], &file[offset..offset + buffer.len()]);
    }

    #[test]
    fn any_disk_is_read_or_refused(
        blocks in prop::collection::vec((0..3_u8, any::<u8>(), 0..512_usize), 1..20),
        size in "[0-7]{11}",
    ) {
        let mut bytes = vec![];
        for (kind, value, place) in blocks {
            let mut block = [0_u8; 512];
            match kind {
                0 => block.fill(value),
                1 => block[place] = value,
                _ => {
                    block[..4].copy_from_slice(b"name");
                    block[124..135].copy_from_slice(size.as_bytes());
                    block[156] = b"0xL1gKSM"[usize::from(value) % 8];
                    block[257..263].copy_from_slice(b"ustar ");
                    block[386..482].fill(b'1');
                    block[482] = value >> 6;
                }
            }
            if kind == 2 {
                put_checksum(&mut block, u64::from);
            }
            bytes.extend(block);
        }
        fata_task::simulate(|_| async move {
            if let Ok(archive) = TarKv::open(disk(bytes, 512), 10, |_, _| {}).await {
                for entry in archive.list(&Key::ROOT, "", 10).await.expect("the root is there") {
                    let key = key(&entry.name);
                    let _ = archive.get(&key, 1 << 20).await;
                }
            }
        });
    }
}
