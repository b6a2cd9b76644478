//! The disks of a virtual machine: its virtio disks.

use super::virtio::{self, Identity};
use crate::disk::choose;
use crate::{Args, ArgsError, DiskError, Env, FromArgs};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use fata_block::VirtioBlock;
use fata_task::Semaphore;
use virtio_drivers::transport::DeviceType;

/// A virtio disk.
pub type Disk = VirtioBlock;

/// The beginning of the serial number of a disk that has a name. Monitors make up serial numbers
/// for the others.
const NAMED: &[u8] = b"disk:";

/// A virtual machine's disks have no boot arguments.
#[derive(Clone)]
pub(crate) struct Options {
    disks: Rc<Disks>,
}

struct Disks {
    /// One task at a time looks for disks.
    turn: Semaphore,
    /// Those that were started, but for those that the program has opened.
    left: RefCell<Vec<Attached>>,
}

struct Attached {
    name: Option<String>,
    disk: Disk,
}

impl FromArgs for Options {
    fn from_args(_: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            disks: Rc::new(Disks {
                turn: Semaphore::new(1),
                left: RefCell::default(),
            }),
        })
    }
}

/// Opens the disk that `name` means, if there is one.
pub(crate) async fn open(
    env: &Env,
    options: &Options,
    name: &str,
) -> Result<Option<Disk>, DiskError> {
    let disks = &options.disks;
    let _turn = disks.turn.acquire().await;
    // Each device is found once, so this goes through all of them the first time only.
    while let Some(attached) = start_next(env).await? {
        disks.left.borrow_mut().push(attached);
    }
    let mut left = disks.left.borrow_mut();
    let index = choose(left.iter().map(|attached| attached.name.as_deref()), name);
    Ok(index.map(|index| left.remove(index).disk))
}

/// Starts the next disk, which tells its name.
async fn start_next(env: &Env) -> Result<Option<Attached>, DiskError> {
    let Some(device) = virtio::find(DeviceType::Block).map_err(error)? else {
        return Ok(None);
    };
    let event = device.interrupt.event;
    let disk =
        VirtioBlock::start::<Identity>(&env.tasks, device.transport, event).map_err(error)?;
    let serial = disk.serial().await.unwrap_or_default();
    let name = serial.strip_prefix(NAMED).map(String::from_utf8_lossy);
    Ok(Some(Attached {
        name: name.map(|name| name.into_owned()),
        disk,
    }))
}

fn error(error: impl fmt::Display) -> DiskError {
    DiskError::Device(error.to_string())
}
