//! The disks of a process: files and block devices of its host.

use crate::disk::choose;
use crate::{Args, ArgsError, DiskError, Env, FromArgs};
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use fata_block::FileDisk;
use fata_block::file::{Attachment, DiskFile};

/// A file or block device of the host.
pub type Disk = Rc<FileDisk>;

/// The most disks that can be attached.
const MOST: usize = 16;

/// The disks that the boot arguments attach, but for those that the program has opened.
#[derive(Clone)]
pub(crate) struct Options {
    left: Rc<RefCell<Vec<Attached>>>,
}

struct Attached {
    attachment: Attachment,
    state: State,
}

/// How far the way to a disk has been gone.
enum State {
    Named,
    File(DiskFile),
    Disk(FileDisk),
    Failed(DiskError),
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let attachments: Vec<Attachment> = args.repeated(
            "disk",
            "[NAME=]FILE[,ro]",
            "attach a disk, a file or block device, perhaps read-only; may be given several times",
        )?;
        if attachments.len() > MOST {
            return Err(ArgsError::Conflict("at most 16 disks can be attached"));
        }
        let is_twice = |(index, attachment): (usize, &Attachment)| {
            let mut before = attachments[..index].iter();
            attachment.name.is_some() && before.any(|other| other.name == attachment.name)
        };
        if attachments.iter().enumerate().any(is_twice) {
            return Err(ArgsError::Conflict("give each --disk a name of its own"));
        }
        let left = attachments.into_iter().map(|attachment| Attached {
            attachment,
            state: State::Named,
        });
        Ok(Self {
            left: Rc::new(RefCell::new(left.collect())),
        })
    }
}

impl Attached {
    /// Opens the file, if that was not done.
    fn open_file(&mut self) {
        if let State::Named = self.state {
            let file = DiskFile::open(&self.attachment.path, self.attachment.access);
            self.state = match file {
                Ok(file) => State::File(file),
                Err(error) => self.failed(error),
            };
        }
    }

    /// Starts the threads, if that was not done and the file is open.
    fn start(&mut self) {
        let state = core::mem::replace(&mut self.state, State::Named);
        self.state = match state {
            State::File(file) => match FileDisk::start(file) {
                Ok(disk) => State::Disk(disk),
                Err(error) => self.failed(format_args!("cannot start its threads: {error}")),
            },
            state => state,
        };
    }

    fn failed(&self, error: impl fmt::Display) -> State {
        State::Failed(DiskError::Device(format!(
            "disk {}: {error}",
            self.attachment.path.display()
        )))
    }

    fn into_disk(mut self) -> Result<Disk, DiskError> {
        self.open_file();
        self.start();
        match self.state {
            State::Disk(disk) => Ok(Rc::new(disk)),
            State::Failed(error) => Err(error),
            State::Named | State::File(_) => {
                unreachable!("the file was opened and its disk started")
            }
        }
    }
}

impl Options {
    /// Opens the files, which the sandbox would not allow later. Returns whether there are any.
    pub(crate) fn open_early(&self) -> bool {
        let mut left = self.left.borrow_mut();
        left.iter_mut().for_each(Attached::open_file);
        !left.is_empty()
    }

    /// Starts the disks' threads, which the sandbox would not allow later.
    pub(crate) fn start_early(&self) {
        self.left.borrow_mut().iter_mut().for_each(Attached::start);
    }
}

/// Opens the disk that `name` means, if there is one.
pub(crate) async fn open(
    _: &Env,
    options: &Options,
    name: &str,
) -> Result<Option<Disk>, DiskError> {
    let mut left = options.left.borrow_mut();
    let names = left
        .iter()
        .map(|attached| attached.attachment.name.as_deref());
    let Some(index) = choose(names, name) else {
        return Ok(None);
    };
    left.remove(index).into_disk().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split;
    use alloc::string::ToString;

    fn parse(line: &str) -> Result<Vec<Attachment>, ArgsError> {
        let mut args = Args::new(split(line)?);
        let options = Options::from_args(&mut args)?;
        args.finish()?;
        let left = options.left.take();
        Ok(left
            .into_iter()
            .map(|attached| attached.attachment)
            .collect())
    }

    #[test]
    fn several_disks() {
        let expected = ["a.img", "log=b.img,ro", "c.img"].map(|text| text.parse().unwrap());
        let attachments = parse("--disk a.img --disk=log=b.img,ro --disk c.img");
        assert_eq!(attachments, Ok(expected.into()));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn mistakes() {
        let seventeen = "--disk a ".repeat(17);
        for line in [
            "--disk",
            "--disk=",
            "--disk a=",
            "--disk ,ro",
            "--disk a=b --disk a=c",
            &seventeen,
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let mut args = Args::new(split("--disk /no/such/file").unwrap());
        let options = Options::from_args(&mut args).unwrap();
        assert!(options.open_early());
        options.start_early();
        let attached = options.left.borrow_mut().remove(0);
        let error = attached.into_disk().unwrap_err().to_string();
        assert!(
            error.contains("disk /no/such/file: no such file"),
            "{error}"
        );
    }
}
