//! Tables of partitions that the host's programs have made.
//!
//! They are ignored unless asked for, as they need sfdisk and sgdisk; `ci/test` provides them.

use fata_block::{
    Error, Faults, FaultyDisk, PartitionEntry, PartitionError, PartitionKind, RamDisk, partitions,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const SIZE: u64 = 64 << 20;

/// A file that goes with the test.
struct Image(PathBuf);

impl Image {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fata-{name}-{}", std::process::id()));
        let file = fs::File::create(&path).expect("there is room");
        file.set_len(SIZE).expect("there is room");
        Self(path)
    }

    fn sfdisk(&self, script: &str) {
        let child = Command::new("sfdisk")
            .arg("--quiet")
            .arg(&self.0)
            .stdin(Stdio::piped())
            .spawn();
        let mut child = child.expect("sfdisk is there");
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(script.as_bytes()).expect("sfdisk reads");
        drop(input);
        assert!(child.wait().expect("it ends").success());
    }

    fn sgdisk(&self, options: &[&str]) {
        let status = Command::new("sgdisk")
            .args(options)
            .arg(&self.0)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("sgdisk is there").success());
    }

    fn write(&self, place: u64, bytes: &[u8]) {
        let file = fs::File::options().write(true).open(&self.0);
        let written = file.and_then(|file| file.write_all_at(bytes, place));
        written.expect("there is room");
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).expect("it is there")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn read(bytes: Vec<u8>) -> Result<Vec<PartitionEntry>, PartitionError> {
    fata_task::simulate(|_| async { partitions(&RamDisk::from_bytes(512, bytes)).await })
}

#[test]
#[ignore = "needs sfdisk; ci/test runs it"]
fn dos_tables_of_sfdisk() {
    let image = Image::new("mbr");
    image.sfdisk("label: dos\n2048,8M,L\n,16M,E\n,20M,c\n\n");
    let found = read(image.bytes()).expect("it is a table");
    assert_eq!(
        (found[0].number, found[0].first, found[0].sectors),
        (1, 2048, 16_384)
    );
    assert_eq!(found[0].kind, PartitionKind::Mbr(0x83));
    assert_eq!(found[1].kind, PartitionKind::Mbr(0x0c));
    assert_eq!(found[1].sectors, 40_960);

    let image = Image::new("logical");
    image.sfdisk("label: dos\n2048,8M,L\n,1M,L\n,1M,L\n,,E\n,5M,L\n,6M,L\n,7M,82\n");
    let found = read(image.bytes()).expect("it is a table");
    let numbers: Vec<_> = found
        .iter()
        .map(|entry| (entry.number, entry.sectors))
        .collect();
    let expected = [
        (1, 16_384),
        (2, 2_048),
        (3, 2_048),
        (5, 10_240),
        (6, 12_288),
        (7, 14_336),
    ];
    assert_eq!(numbers, expected);
}

#[test]
#[ignore = "needs sgdisk; ci/test runs it"]
fn guid_tables_of_sgdisk_and_their_second_copy() {
    let image = Image::new("gpt");
    image.sgdisk(&[
        "--new=1:2048:+8M",
        "--change-name=1:böot",
        "--new=3:0:+16M",
        "--typecode=3:8200",
    ]);
    let bytes = image.bytes();
    let found = read(bytes.clone()).expect("it is a table");
    let places: Vec<_> = found
        .iter()
        .map(|entry| (entry.number, entry.first, entry.sectors))
        .collect();
    assert_eq!(places, [(1, 2048, 16_384), (3, 18_432, 32_768)]);
    assert_eq!(found[0].name, "böot");
    assert_ne!(found[0].kind, found[1].kind);
    // Any byte of the first copy may be damaged.
    for place in [512, 512 + 40, 1024, 1024 + 60] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert_eq!(read(damaged.clone()), Ok(found.clone()), "byte {place}");
        let last = damaged.len() - 512;
        damaged[last] ^= 1;
        assert_eq!(read(damaged), Err(PartitionError::Damaged), "byte {place}");
    }
    // Or cannot be read; but the first sector has to be.
    let read_without = |sector| {
        let disk = FaultyDisk::from_bytes(512, bytes.clone(), 1);
        disk.set_faults(Faults {
            unreadable: Some(sector),
            ..Faults::default()
        });
        fata_task::simulate(|_| async move { partitions(&disk).await })
    };
    for sector in [1, 2, 33] {
        assert_eq!(read_without(sector), Ok(found.clone()), "sector {sector}");
    }
    assert_eq!(read_without(0), Err(PartitionError::Disk(Error::Io)));
}

/// Returns whether libblkid finds a table.
fn has_table(image: &Image) -> bool {
    let output = Command::new("/sbin/blkid")
        .args(["--probe", "--match-tag", "PTTYPE", "--output", "value"])
        .arg(&image.0)
        .output();
    let text = String::from_utf8(output.expect("blkid is there").stdout);
    // It tells of a GPT's protection, too, where there is no such table.
    text.expect("it is text").lines().any(|kind| kind != "PMBR")
}

#[test]
#[ignore = "needs mkfs.fat, sfdisk, and sgdisk; ci/test runs it"]
fn there_is_a_table_where_libblkid_finds_one() {
    let assert_same = |image: &Image, expected: bool, what: &str| {
        assert_eq!(has_table(image), expected, "{what}");
        let found = read(image.bytes());
        let none = Err(PartitionError::NoTable);
        assert_eq!(found != none, expected, "{what}: {found:?}");
        assert_ne!(found, Err(PartitionError::Damaged), "{what}");
    };
    // Code and text of other programs where a table has its entries.
    let text = *b"\x80Remove disks or other media.\xff\r\nDisk error\xff\r\nPress any key to re";
    let mut table = [0; 64];
    table[..16].copy_from_slice(&[
        0x80, 0, 0, 0, 0x0c, 0, 0, 0, 8, 0, 0, 0, 0xff, 0xff, 0xff, 0xf,
    ]);
    for (kind, size, code) in [
        ("12", "64", text),
        ("16", "8", text),
        ("32", "1", text),
        ("16", "8", table),
        ("32", "1", table),
    ] {
        let image = Image::new("found-fat");
        let status = Command::new("/sbin/mkfs.fat")
            .args(["-F", kind, "-s", size])
            .arg(&image.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let is_made = status.expect("mkfs.fat is there").success();
        assert!(is_made, "FAT{kind}");
        image.write(446, &code);
        assert_same(&image, false, &format!("FAT{kind}"));
    }
    let image = Image::new("found-mbr");
    image.sfdisk("label: dos\n2048,8M,L\n,16M,c\n");
    assert_same(&image, true, "MBR");
    // One entry beyond the disk, and one of no length.
    image.write(446 + 16 + 12, &[0xff; 4]);
    image.write(
        446 + 32,
        &[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    );
    assert_same(&image, true, "odd entries");
    let found = read(image.bytes()).expect("it is a table");
    let places: Vec<_> = found
        .iter()
        .map(|entry| (entry.number, entry.first))
        .collect();
    assert_eq!(places, [(1, 2048)]);
    image.write(446 + 32, &[1]);
    assert_same(&image, false, "a mark that is none");
    let image = Image::new("found-gpt");
    image.sgdisk(&["--new=1:2048:+8M"]);
    assert_same(&image, true, "GPT");
    image.write(512, &[0; 512]);
    assert_same(&image, true, "the second copy");
    image.write(SIZE - 512, &[0; 512]);
    assert!(!has_table(&image));
    assert_eq!(read(image.bytes()), Err(PartitionError::Damaged));
}
