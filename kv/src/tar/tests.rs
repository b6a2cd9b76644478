extern crate std;

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

    /// What the host's tar makes of it, in this format.
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
                let archive = TarKv::open(disk, 100).await.expect("it is an archive");
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
        let open = |bytes: &[u8], limit| TarKv::open(disk(bytes.to_owned(), 512), limit);
        let error = |result: Result<TarKv<RamDisk>, Error>| result.err();
        assert_eq!(error(open(&[1; 2048], 9).await), Some(Error::NotAStore));
        assert_eq!(error(open(&archive, 3).await), Some(Error::TooLarge));
        assert_eq!(error(open(&archive, 4).await), None);
        // The end of the disk cuts a file.
        assert_eq!(error(open(&archive[..1536], 9).await), Some(Error::Damaged));
        let mut changed = archive.clone();
        changed[512 + 5] ^= 1;
        assert_eq!(error(open(&changed, 9).await), Some(Error::Damaged));
        let empty = open(&[0; 1024], 9)
            .await
            .expect("it is an archive without files");
        assert_eq!(empty.list(&Key::ROOT, "", 9).await, Ok(vec![]));
    });
}

proptest! {
    #[test]
    fn any_disk_is_read_or_refused(
        blocks in prop::collection::vec((0..3_u8, any::<u8>(), 0..512_usize), 1..20),
        size in "[0-7]{11}",
    ) {
        let mut bytes = vec![];
        for (kind, value, place) in blocks {
            let mut block = [0; 512];
            match kind {
                0 => block.fill(value),
                1 => block[place] = value,
                _ => {
                    block[..4].copy_from_slice(b"name");
                    block[124..135].copy_from_slice(size.as_bytes());
                    block[156] = [b'0', b'x', b'L', b'1', b'g', b'K'][usize::from(value) % 6];
                }
            }
            if kind == 2 {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
            bytes.extend(block);
        }
        fata_task::simulate(|_| async move {
            if let Ok(archive) = TarKv::open(disk(bytes, 512), 10).await {
                for entry in archive.list(&Key::ROOT, "", 10).await.expect("the root is there") {
                    let key = key(&entry.name);
                    let _ = archive.get(&key, 1 << 20).await;
                }
            }
        });
    }
}
