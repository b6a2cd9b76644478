//! FAT volumes, which firmware and GRUB read.

use std::io::{Cursor, Write};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};

use crate::error::Error;

/// Size of a sector in bytes.
pub const SECTOR: usize = 512;

/// The bytes that a volume needs besides its files: boot sector, root folder, folders, and what is
/// lost in the last cluster of each file.
const OVERHEAD: usize = 64 * 1024;

/// A file to put on a volume: its path, with `/` between the parts, and its content.
pub type File<'a> = (&'a str, &'a [u8]);

/// How many sectors hold these files.
pub fn sectors_for(files: &[File<'_>]) -> usize {
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    // The allocation table takes less than a hundredth.
    (bytes + bytes / 100 + OVERHEAD).div_ceil(SECTOR)
}

/// Makes a volume of so many sectors that holds these files and the folders that they are in.
/// Their dates are FAT's first, 1980-01-01, so that the same files make the same volume.
pub fn volume(sectors: usize, id: u32, files: &[File<'_>]) -> Result<Vec<u8>, Error> {
    let mut volume = vec![0; sectors * SECTOR];
    write(&mut volume, id, files).map_err(Error::system("make a FAT volume"))?;
    Ok(volume)
}

fn write(volume: &mut [u8], id: u32, files: &[File<'_>]) -> std::io::Result<()> {
    let options = FormatVolumeOptions::new()
        .volume_id(id)
        .volume_label(*b"FATA       ");
    format_volume(Cursor::new(&mut *volume), options)?;
    let system = FileSystem::new(Cursor::new(volume), FsOptions::new())?;
    for (path, content) in files {
        let root = system.root_dir();
        for (end, _) in path.match_indices('/') {
            root.create_dir(&path[..end])?;
        }
        root.create_file(path)?.write_all(content)?;
    }
    system.unmount()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use fatfs::{FileSystem, FsOptions};
    use proptest::prelude::*;

    use super::{File, SECTOR, sectors_for, volume};

    fn read(volume: &mut [u8], path: &str) -> Vec<u8> {
        let system = FileSystem::new(Cursor::new(volume), FsOptions::new()).unwrap();
        let mut content = Vec::new();
        let root = system.root_dir();
        root.open_file(path)
            .unwrap()
            .read_to_end(&mut content)
            .unwrap();
        content
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn files_fit_and_come_back(first in 0..9_000_000_usize, second in 0..500_000_usize) {
            let (first, second) = (vec![1; first], vec![2; second]);
            let files: [File<'_>; 2] = [("EFI/BOOT/BOOTX64.EFI", &first), ("boot/a.elf", &second)];
            let mut made = volume(sectors_for(&files), 7, &files).unwrap();
            prop_assert_eq!(made.len() % SECTOR, 0);
            prop_assert_eq!(&made, &volume(sectors_for(&files), 7, &files).unwrap());
            for (path, content) in files {
                prop_assert!(read(&mut made, path) == content);
            }
        }
    }

    #[test]
    fn a_volume_that_is_too_small_is_an_error() {
        let content = vec![0; 100 * SECTOR];
        assert!(volume(100, 7, &[("a", &content)]).is_err());
    }
}
