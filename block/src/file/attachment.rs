use super::Access;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

/// The longest name of a disk: the serial number of a virtio disk has room for it.
const LONGEST_NAME: usize = 15;

/// A disk on a command line: `[NAME=]FILE[,ro]`.
///
/// A name has at most 15 letters, digits, `-` and `_`. A file whose name looks as if another one
/// came first is given as `./a=b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The program's name of the disk, if it matters which one it gets.
    pub name: Option<String>,
    /// The file or block device.
    pub path: PathBuf,
    /// The program's access to it.
    pub access: Access,
}

/// An [`Attachment`] without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFile;

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("give the name of a file or block device, as in disk.img or data=disk.img,ro")
    }
}

impl core::error::Error for NoFile {}

impl FromStr for Attachment {
    type Err = NoFile;

    fn from_str(text: &str) -> Result<Self, NoFile> {
        let (text, access) = match text.strip_suffix(",ro") {
            Some(text) => (text, Access::ReadOnly),
            None => (text, Access::ReadWrite),
        };
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if is_name(name) => (Some(name.to_string()), path),
            _ => (None, text),
        };
        if path.is_empty() {
            return Err(NoFile);
        }
        Ok(Self {
            name,
            path: path.into(),
            access,
        })
    }
}

fn is_name(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_have_names_and_rights() {
        for (text, name, path, access) in [
            ("a.img", None, "a.img", Access::ReadWrite),
            ("log=b.img", Some("log"), "b.img", Access::ReadWrite),
            ("data=c=d,ro", Some("data"), "c=d", Access::ReadOnly),
            ("./e=f", None, "./e=f", Access::ReadWrite),
            ("/dev/vdb,ro", None, "/dev/vdb", Access::ReadOnly),
            ("no name=a", None, "no name=a", Access::ReadWrite),
            (
                "abcdefghijklmnop=a",
                None,
                "abcdefghijklmnop=a",
                Access::ReadWrite,
            ),
        ] {
            let expected = Attachment {
                name: name.map(str::to_string),
                path: path.into(),
                access,
            };
            assert_eq!(text.parse(), Ok(expected));
        }
        for text in ["", ",ro", "a=", "a=,ro"] {
            assert_eq!(text.parse::<Attachment>(), Err(NoFile), "{text}");
        }
    }
}
