//! `cargo fata disk`, as it is typed.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use fata_block::FileDisk;
use fata_block::file::{Access, DiskFile};
use fata_queue::Queue;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Runs a command in a folder.
fn disk(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cargo-fata"))
        .current_dir(folder)
        .arg("disk")
        .args(words)
        .output()
        .expect("the tool starts")
}

#[track_caller]
fn succeed(folder: &Path, words: &[&str]) -> String {
    let output = disk(folder, words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).expect("the output is text")
}

#[track_caller]
fn fail(folder: &Path, words: &[&str]) -> String {
    let output = disk(folder, words);
    assert!(!output.status.success(), "{words:?} succeeds");
    String::from_utf8(output.stderr).expect("the output is text")
}

#[test]
fn what_is_put_in_comes_out() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    let large: Vec<u8> = (0..3_000_000_u32).map(|place| (place / 3) as u8).collect();
    fs::create_dir_all(folder.join("from/inner/empty")).expect("there is room");
    fs::write(folder.join("from/large"), &large).expect("there is room");
    fs::write(folder.join("from/inner/small"), "small").expect("there is room");
    succeed(folder, &["format", "disk.img", "--size", "16M"]);
    succeed(folder, &["put", "disk.img", "from"]);
    succeed(folder, &["put", "disk.img", "from/inner/small"]);
    let words = [
        "--create",
        "--file",
        "files.tar",
        "--directory",
        "from",
        ".",
    ];
    run(folder, "tar", &words);
    succeed(folder, &["put", "disk.img", "files.tar", "archive/a"]);
    let expected = [
        "archive/a/inner/small",
        "archive/a/large",
        "inner/small",
        "large",
        "small",
    ];
    let listed = succeed(folder, &["list", "disk.img"]);
    let names: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(
        succeed(folder, &["get", "disk.img", "inner/small"]),
        "small"
    );
    succeed(folder, &["get", "disk.img", "archive/a", "to"]);
    assert!(fs::read(folder.join("to/large")).expect("it came out") == large);
    assert!(succeed(folder, &["check", "disk.img"]).contains("nothing is wrong"));
    succeed(folder, &["remove", "disk.img", "archive"]);
    assert_eq!(succeed(folder, &["list", "disk.img"]).lines().count(), 3);
}

/// Bytes that a file takes on its file system.
fn room(folder: &Path, name: &str) -> u64 {
    let metadata = fs::metadata(folder.join(name)).expect("it is there");
    std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
}

#[test]
fn what_was_removed_takes_no_room_after_a_trim() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    fs::write(folder.join("large"), vec![1; 10_000_000]).expect("there is room");
    succeed(folder, &["format", "disk.img", "--size", "32M"]);
    succeed(folder, &["put", "disk.img", "large"]);
    succeed(folder, &["put", "disk.img", "large", "other"]);
    succeed(folder, &["remove", "disk.img", "large"]);
    let before = room(folder, "disk.img");
    let output = succeed(folder, &["trim", "disk.img"]);
    assert!(output.ends_with(" bytes are free\n"), "{output}");
    let after = room(folder, "disk.img");
    // A file system that cannot punch holes keeps them, and says nothing.
    let is_given_back = after < before - 5_000_000;
    assert!(is_given_back || after == before, "{before} {after}");
    succeed(folder, &["get", "disk.img", "other", "copy"]);
    succeed(folder, &["check", "disk.img"]);
    let same = fs::read(folder.join("copy")).expect("it is there");
    assert!(same == vec![1; 10_000_000]);
}

#[test]
fn mistakes_say_what_to_do() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    let missing = fail(folder, &["format", "disk.img"]);
    assert!(missing.contains("--size 64M"), "{missing}");
    succeed(folder, &["format", "disk.img", "--size", "1M"]);
    let used = fail(folder, &["format", "disk.img"]);
    assert!(used.contains("--force"), "{used}");
    succeed(folder, &["format", "disk.img", "--force"]);
    let absent = fail(folder, &["get", "disk.img", "a/b"]);
    assert!(absent.contains("/a/b: there is no such key"), "{absent}");
    fs::write(folder.join("large"), vec![7; 2 << 20]).expect("there is room");
    let full = fail(folder, &["put", "disk.img", "large"]);
    assert!(full.contains("the store is full"), "{full}");
    assert!(succeed(folder, &["check", "disk.img"]).contains("nothing is wrong"));
    fs::write(folder.join("other"), vec![7; 1 << 20]).expect("there is room");
    let other = fail(folder, &["list", "other"]);
    assert!(other.contains("format a blank one"), "{other}");
}

#[test]
fn what_fails_leaves_all_as_it_was() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    fs::write(folder.join("value"), vec![1; 1_500_000]).expect("there is room");
    fs::write(folder.join("larger"), vec![2; 5_000_000]).expect("there is room");
    succeed(folder, &["format", "disk.img", "--size", "6M"]);
    succeed(folder, &["put", "disk.img", "value"]);
    let full = fail(folder, &["put", "disk.img", "larger", "value"]);
    assert!(full.contains("/value: the store is full"), "{full}");
    let listed = succeed(folder, &["list", "disk.img"]);
    assert_eq!(listed, "     1500000  value\n");
    succeed(folder, &["get", "disk.img", "value", "copy"]);
    fail(folder, &["get", "disk.img", "valve", "copy"]);
    let copy = fs::read(folder.join("copy")).expect("it is there");
    assert!(copy == vec![1; 1_500_000]);
    fail(folder, &["format", "disk.img", "--size", "8M"]);
    let image = fs::metadata(folder.join("disk.img"));
    assert_eq!(image.expect("it is there").len(), 6 << 20);
}

/// Runs a program of this computer in a folder.
fn run(folder: &Path, program: &str, words: &[&str]) {
    let status = Command::new(program)
        .current_dir(folder)
        .args(words)
        .status();
    assert!(status.expect("the program is there").success());
}

#[test]
fn links_are_files_and_what_is_no_file_is_left_out() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    let site = folder.join("site");
    fs::create_dir(&site).expect("there is room");
    fs::write(site.join("a"), vec![3; 2_000_000]).expect("there is room");
    fs::hard_link(site.join("a"), site.join("hard")).expect("it is there");
    std::os::unix::fs::symlink("a", site.join("soft")).expect("there is room");
    std::os::unix::fs::symlink(".", site.join("loop")).expect("there is room");
    run(&site, "mkfifo", &["pipe"]);
    succeed(&site, &["format", "disk.img", "--size", "32M"]);
    let said = disk(&site, &["put", "disk.img", ".", "folder"]).stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("./loop is left out"), "{said}");
    assert!(said.contains("./pipe is left out"), "{said}");
    let words = ["--create", "--file", "../a.tar", "--exclude=disk.img", "."];
    run(&site, "tar", &words);
    let said = disk(&site, &["put", "disk.img", "../a.tar", "archive"]).stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("soft is left out"), "{said}");
    let listed = succeed(&site, &["list", "disk.img"]);
    let expected = [
        "archive/a",
        "archive/hard",
        "folder/a",
        "folder/hard",
        "folder/soft",
    ];
    let expected = expected.map(|name| format!("     2000000  {name}\n"));
    assert_eq!(listed, expected.concat());
    succeed(&site, &["get", "disk.img", "archive/hard", "copy"]);
    assert!(fs::read(site.join("copy")).expect("it is there") == vec![3; 2_000_000]);
}

#[test]
fn archives_are_put_in_as_they_are_unpacked() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    let from = folder.join("from");
    fs::create_dir(&from).expect("there is room");
    let mut holes = vec![0; 3_000_000];
    holes[1_500_000..1_600_000].fill(7);
    holes[2_999_900..].fill(8);
    fs::write(from.join("holes"), &holes).expect("there is room");
    succeed(folder, &["format", "disk.img", "--size", "16M"]);
    for version in ["0.0", "0.1", "1.0"] {
        let version = format!("--sparse-version={version}");
        let words = ["-cSf", "../files.tar", "--format=pax", &version, "holes"];
        run(&from, "tar", &words);
        // Without its end, as others may leave it.
        let bytes = fs::read(folder.join("files.tar")).expect("it is there");
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .expect("it is full");
        fs::write(folder.join("files.tar"), &bytes[..=end]).expect("there is room");
        succeed(folder, &["put", "disk.img", "files.tar"]);
        let listed = succeed(folder, &["list", "disk.img"]);
        assert_eq!(listed, "     3000000  holes\n", "{version}");
        succeed(folder, &["get", "disk.img", "holes", "copy"]);
        let copy = fs::read(folder.join("copy")).expect("it is there");
        assert!(copy == holes, "{version}");
    }
    for (bytes, said) in [
        (&b"no archive"[..], "no tar archive"),
        (b"", "no tar archive"),
    ] {
        fs::write(folder.join("files.tar"), bytes).expect("there is room");
        let failed = fail(folder, &["put", "disk.img", "files.tar"]);
        assert!(failed.contains(said), "{failed}");
    }
}

/// Begins to put a large value in from standard input, and returns when a part of it is there.
fn begin_to_put(folder: &Path) -> (Child, ChildStdin) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-fata"))
        .current_dir(folder)
        .args(["disk", "put", "disk.img", "-", "value"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut input = child.stdin.take().expect("it is piped");
    // A pipe holds less than a mebibyte, so more than two were read.
    let written = input.write_all(&vec![7; 3 << 20]);
    written.expect("the tool reads");
    (child, input)
}

#[test]
fn what_was_interrupted_leaves_nothing() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    succeed(folder, &["format", "disk.img", "--size", "16M"]);
    for signal in [Signal::INT, Signal::TERM] {
        let (mut child, _input) = begin_to_put(folder);
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        assert_eq!(succeed(folder, &["list", "disk.img"]), "");
    }
    let (mut child, input) = begin_to_put(folder);
    drop(input);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(
        succeed(folder, &["list", "disk.img"]),
        "     3145728  value\n"
    );
}

#[test]
fn what_a_killed_put_leaves_is_told_and_removed() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    succeed(folder, &["format", "disk.img", "--size", "16M"]);
    let (mut child, _input) = begin_to_put(folder);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let part = format!("fata-put-{}", child.id());
    assert!(succeed(folder, &["list", "disk.img"]).contains(&part));
    let checked = disk(folder, &["check", "disk.img"]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.contains(&part), "{said}");
    fs::write(folder.join("fata-put-it"), "no part").expect("there is room");
    let put = disk(folder, &["put", "disk.img", "fata-put-it"]);
    let said = String::from_utf8_lossy(&put.stderr).into_owned();
    assert!(
        put.status.success() && said.contains("is removed"),
        "{said}"
    );
    succeed(folder, &["put", "disk.img", "fata-put-it"]);
    assert_eq!(
        succeed(folder, &["list", "disk.img"]),
        "           7  fata-put-it\n"
    );
}

#[test]
fn a_check_finds_damage() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    succeed(folder, &["format", "disk.img", "--size", "1M"]);
    fs::write(folder.join("value"), vec![0x5a; 100_000]).expect("there is room");
    succeed(folder, &["put", "disk.img", "value"]);
    let path = folder.join("disk.img");
    let mut image = fs::read(&path).expect("it is there");
    let place = image
        .windows(64)
        .position(|window| window == [0x5a; 64])
        .expect("the value is on the disk");
    image[place + 1000] ^= 1;
    fs::write(&path, image).expect("there is room");
    let output = disk(folder, &["check", "disk.img"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("/value"), "{text}");
}

/// Makes a queue of three items in an image, of which the first one has had its turn.
fn make_queue(path: &Path) {
    let file = fs::File::create(path).expect("there is room");
    file.set_len(1 << 20).expect("there is room");
    let file = DiskFile::open(path, Access::ReadWrite).expect("it is there");
    let disk = FileDisk::start(file).expect("there is a thread for it");
    fata_task::block_on(async |tasks| {
        let queue = Queue::open(disk, tasks, 1).await?;
        for length in [100, 5_000, 7_000, 345] {
            let mut upload = queue.upload(length).await?;
            upload.write(&vec![0x5a; length as usize]).await?;
            upload.finish().await?;
        }
        let mut download = queue.download().await;
        assert_eq!(download.next().await?, [0x5a; 100]);
        queue.remove().await?;
        Ok::<(), Box<dyn std::error::Error>>(())
    })
    .expect("the queue has room");
}

#[test]
fn a_queue_is_checked_and_nothing_else() {
    let folder = TempDir::new().expect("there is room");
    let folder = folder.path();
    let path = folder.join("disk.img");
    make_queue(&path);
    let output = succeed(folder, &["check", "disk.img"]);
    assert_eq!(output, "3 items of 12345 bytes; nothing is wrong\n");
    fs::write(folder.join("value"), "value").expect("there is room");
    for words in [
        &["put", "disk.img", "value"][..],
        &["get", "disk.img", "value"],
        &["list", "disk.img"],
        &["remove", "disk.img", "value"],
        &["trim", "disk.img"],
    ] {
        let error = fail(folder, words);
        assert!(error.contains("is a queue"), "{words:?}: {error}");
    }
    let used = fail(folder, &["format", "disk.img"]);
    assert!(used.contains("--force"), "{used}");
    let mut image = fs::read(&path).expect("it is there");
    // The first sector of the oldest item, behind that of the one that is gone.
    let place = (128 << 10) + 512;
    assert_eq!(image[place], 0x5a);
    image[place] = 0;
    fs::write(&path, &image).expect("there is room");
    let output = disk(folder, &["check", "disk.img"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let expected = "item 1 is not what was uploaded\n3 items of 12345 bytes; 1 problems\n";
    assert_eq!(text, expected);
    // Neither of its indices is whole.
    image[20] ^= 1;
    image[(64 << 10) + 20] ^= 1;
    fs::write(&path, &image).expect("there is room");
    let error = fail(folder, &["check", "disk.img"]);
    assert!(
        error.contains("the queue on the disk is damaged"),
        "{error}"
    );
}
