//! Programs of this computer that the tool calls.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::Error;

/// Finds a program on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(is_program)
}

/// A program that does one step of making an image.
#[derive(Debug)]
pub struct Tool {
    name: &'static str,
    path: PathBuf,
}

impl Tool {
    /// Finds the program `name`, which Debian has in `package`.
    pub fn find(name: &'static str, package: &'static str) -> Result<Self, Error> {
        let path = find(name).ok_or(Error::ToolMissing {
            program: name,
            package,
        })?;
        Ok(Self { name, path })
    }

    /// A command that starts it, for [`run`](Self::run).
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Runs a command to its end. Its output is shown only if it fails.
    pub fn run(&self, command: &mut Command) -> Result<(), Error> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(Error::file("start", &self.path))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::ToolFailed {
            program: self.name,
            status: output.status,
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
