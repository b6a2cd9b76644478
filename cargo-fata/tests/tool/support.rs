//! A small workspace, and the tool in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A copy of `tests/fixture` and a folder for programs, both of which go when the test ends.
pub struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"),
            &folder.path().join("work"),
        );
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { folder }
    }

    /// Where a file of the workspace is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Puts a shell script in QEMU's place. It is not asked whether KVM works.
    pub fn install_qemu(&self, script: &str) {
        let script = format!("case \"$*\" in *-bios*) exit 1;; esac\n{script}");
        self.install("qemu-system-x86_64", &script);
    }

    /// Puts a shell script in a program's place.
    pub fn install(&self, name: &str, script: &str) {
        let program = self.folder.path().join("bin").join(name);
        let script = format!("#!/bin/sh\n{script}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The tool in the folder of `app`, where installed scripts go before the host's programs.
    pub fn tool(&self, arguments: &str) -> Command {
        self.tool_at(env!("CARGO_BIN_EXE_cargo-fata").as_ref(), arguments)
    }

    /// The same with a copy of the tool.
    pub fn tool_at(&self, program: &Path, arguments: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::env::split_paths(&path).collect::<Vec<_>>();
        let folders = [self.folder.path().join("bin")].into_iter().chain(folders);
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path("app"))
            .env("CARGO", env!("CARGO"))
            .env("PATH", std::env::join_paths(folders).unwrap())
            .stdin(Stdio::null());
        for name in ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the tool to its end. Returns its output.
    pub fn run(&self, arguments: &str) -> Output {
        self.tool(arguments).output().unwrap()
    }

    /// Checks that a command is refused before anything is built, with none of the host's programs
    /// at hand.
    #[track_caller]
    pub fn refuses(&self, words: &str, status: i32, hint: &str) {
        let mut command = self.tool(words);
        let command = command.env("PATH", self.folder.path().join("bin"));
        let output = command.output().unwrap();
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words}: {messages}");
        assert!(messages.contains(hint), "{words}: {messages}");
        assert!(!self.path("target").exists());
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
