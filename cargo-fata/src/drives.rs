//! Disks of a virtual machine in QEMU.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, absolute};

use fata_block::file::{Access, Attachment, DiskFile};

use crate::error::Error;

/// Refuses disks that the program could not tell apart.
pub fn check(disks: &[Attachment]) -> Result<(), Error> {
    for (index, disk) in disks.iter().enumerate() {
        let mut before = disks[..index].iter();
        if let Some(name) = &disk.name
            && before.any(|other| other.name == disk.name)
        {
            return Err(Error::SameDisk(name.clone()));
        }
    }
    Ok(())
}

/// Opens and locks the files, so that no process uses them while the machine does: QEMU's own
/// locks keep only other machines away.
pub fn open(disks: &[Attachment]) -> Result<Vec<DiskFile>, Error> {
    let open = |disk: &Attachment| {
        DiskFile::open(&disk.path, disk.access).map_err(|source| Error::Disk {
            path: disk.path.clone(),
            source,
        })
    };
    disks.iter().map(open).collect()
}

/// The values of QEMU's options `-drive` and `-device` for the disk of that number; `device` is its
/// kind.
///
/// QEMU writes through this computer's page cache, as `cache=writeback` says: what a guest has
/// flushed was handed to `fdatasync`.
pub fn arguments(disk: &Attachment, index: usize, device: &str) -> (OsString, OsString) {
    let read_only = match disk.access {
        Access::ReadOnly => "on",
        Access::ReadWrite => "off",
    };
    let mut drive = OsString::from(format!(
        "if=none,id=disk{index},format=raw,cache=writeback,discard=unmap,readonly={read_only},file="
    ));
    drive.push(escaped(&disk.path));
    let mut device = format!("{device},drive=disk{index}");
    if let Some(name) = &disk.name {
        // `fata_boot::Env::disk` looks for it.
        device.push_str(&format!(",serial=disk:{name}"));
    }
    (drive, device.into())
}

/// The path as QEMU takes it: a comma is doubled, and what is absolute does not look like the name of
/// a protocol.
fn escaped(path: &Path) -> OsString {
    let path = absolute(path).unwrap_or_else(|_| path.into());
    let bytes = path.as_os_str().as_bytes().iter();
    let double = |byte: &u8| match byte {
        b',' => vec![b',', b','],
        byte => vec![*byte],
    };
    OsString::from_vec(bytes.flat_map(double).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(disk: &str) -> (String, String) {
        let (drive, device) = arguments(&disk.parse().unwrap(), 3, "virtio-blk-device");
        (drive.into_string().unwrap(), device.into_string().unwrap())
    }

    #[test]
    fn disks_reach_qemu() {
        let options = "if=none,id=disk3,format=raw,cache=writeback,discard=unmap";
        assert_eq!(
            text("data=/a/b,c.img"),
            (
                format!("{options},readonly=off,file=/a/b,,c.img"),
                "virtio-blk-device,drive=disk3,serial=disk:data".to_owned()
            )
        );
        let (drive, device) = text("nbd:x,ro");
        assert!(
            drive.contains(",readonly=on,file=/") && drive.ends_with("/nbd:x"),
            "{drive}"
        );
        assert_eq!(device, "virtio-blk-device,drive=disk3");
    }

    #[test]
    fn names_are_used_once() {
        let disks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let check = |texts: &[&str]| check(&Vec::<Attachment>::from_iter::<Vec<_>>(disks(texts)));
        assert!(check(&["a=1", "b=1", "2", "3"]).is_ok());
        assert!(matches!(check(&["a=1", "b=1", "a=2"]), Err(Error::SameDisk(name)) if name == "a"));
    }

    #[test]
    fn files_are_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let disk: Attachment = path.to_str().unwrap().parse().unwrap();
        let refused = |disk: &Attachment| open(std::slice::from_ref(disk)).unwrap_err().to_string();
        assert!(
            refused(&disk).contains("no such file"),
            "{}",
            refused(&disk)
        );
        std::fs::write(&path, [0; 1024]).unwrap();
        let locked = open(std::slice::from_ref(&disk)).unwrap();
        assert!(
            refused(&disk).contains("another program"),
            "{}",
            refused(&disk)
        );
        drop(locked);
        open(&[disk]).unwrap();
    }
}
