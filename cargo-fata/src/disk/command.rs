//! The commands for disks, as they can be typed.

use std::path::PathBuf;

use clap::Subcommand;

use crate::hardware::Memory;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Programs open the store with the crate fata-store. A program that runs has its disk to itself.
All but `format` also take images with a FAT volume, of mkfs.fat; `check` also takes those with a
queue, of the crate fata-queue.

Examples:
  cargo fata disk format disk.img --size 64M
  cargo fata disk put disk.img public       all files of the folder public
  cargo fata disk put disk.img logo.svg images/logo.svg
  cargo fata disk list disk.img images
  cargo fata disk get disk.img images copy  into the folder copy
  cargo fata disk trim disk.img             after much was removed
  cargo fata disk check disk.img            the exit status is 1 if something is wrong";

#[derive(Debug, Subcommand)]
pub enum DiskCommand {
    /// Makes an empty store
    Format {
        /// File of the disk; it is made if it is not there
        image: PathBuf,
        /// Least size of the file: a number and K, M or G
        #[arg(long, value_name = "SIZE")]
        size: Option<Memory>,
        /// Formats the disk even if something is on it, which is lost
        #[arg(long)]
        force: bool,
    },
    /// Puts a file, a folder, or the files of a tar archive into a store
    ///
    /// A value takes the place of another when all of it is there, so the store needs room for
    /// both. Devices and other things that are no files, and links to folders, are left out.
    Put {
        /// File of the disk
        image: PathBuf,
        /// Source: a file, a folder, an archive *.tar, or `-` for standard input
        from: PathBuf,
        /// Key of the value, or of the dictionary for a folder's or archive's files
        /// [default: the file's name, or the root]
        key: Option<String>,
    },
    /// Writes a value, or all values of a dictionary
    Get {
        /// File of the disk
        image: PathBuf,
        /// Key of the value or dictionary
        key: String,
        /// File, or folder for a dictionary [default: standard output]
        to: Option<PathBuf>,
    },
    /// Lists the values and their sizes in bytes
    List {
        /// File of the disk
        image: PathBuf,
        /// Dictionary [default: the root]
        key: Option<String>,
    },
    /// Removes a value, or a dictionary with all that lies in it
    Remove {
        /// File of the disk
        image: PathBuf,
        /// Key of the value or dictionary
        key: String,
    },
    /// Gives the room that a store does not use back to this computer
    Trim {
        /// File of the disk
        image: PathBuf,
    },
    /// Looks whether all of a store, FAT volume or queue can be read and makes sense
    Check {
        /// File of the disk
        image: PathBuf,
    },
}
