use crate::machine::Machine;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file that a program has as a disk, on either platform.
#[derive(Clone, Debug)]
pub struct Attached {
    file: PathBuf,
    name: Option<String>,
    is_read_only: bool,
}

impl Attached {
    /// The file, without a name for the program, writable.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            name: None,
            is_read_only: false,
        }
    }

    /// Sets the program's name of it.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The program can only read it.
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// The boot argument of a process.
    pub(crate) fn process_argument(&self) -> OsString {
        let mut argument = OsString::from("--disk=");
        if let Some(name) = &self.name {
            argument.push(format!("{name}="));
        }
        argument.push(&self.file);
        argument.push(if self.is_read_only { ",ro" } else { "" });
        argument
    }

    /// QEMU's arguments for the disk of that number, with more options of the device.
    pub(crate) fn qemu_arguments(
        &self,
        index: usize,
        machine: Machine,
        options: &str,
    ) -> [OsString; 4] {
        let read_only = if self.is_read_only { "on" } else { "off" };
        let mut drive = OsString::from(format!(
            "if=none,id=disk{index},format=raw,cache=writeback,discard=unmap,readonly={read_only},file="
        ));
        drive.push(&self.file);
        let serial = self.name.as_ref();
        let serial = serial.map(|name| format!(",serial=disk:{name}"));
        let device = format!(
            "{},drive=disk{index}{options}{}",
            machine.disk(),
            serial.unwrap_or_default()
        );
        ["-drive".into(), drive, "-device".into(), device.into()]
    }
}
