//! GRUB 2, which loads the image where a firmware starts: its programs and files on this computer,
//! and the configuration for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::{Content, scratch};
use crate::error::Error;
use crate::programs::Tool;
use crate::shell;

/// Where GRUB's packages put their files.
const FOLDER: &str = "/usr/lib/grub";

/// Path of the configuration on the volume that GRUB starts from.
pub const CONFIGURATION: &str = "boot/grub.cfg";

/// A firmware with its way of starting GRUB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS that starts from a disk.
    BiosDisk,
    /// A BIOS that starts from a CD (El Torito).
    BiosCd,
    /// UEFI.
    Uefi,
}

impl Firmware {
    /// GRUB's name for the form of its image.
    fn format(self) -> &'static str {
        match self {
            Self::BiosDisk => "i386-pc",
            Self::BiosCd => "i386-pc-eltorito",
            Self::Uefi => "x86_64-efi",
        }
    }

    /// Folder of GRUB's files, and the package that has them.
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::BiosDisk | Self::BiosCd => ("i386-pc", "grub-pc-bin"),
            Self::Uefi => ("x86_64-efi", "grub-efi-amd64-bin"),
        }
    }

    /// Modules that this firmware needs besides those of [`MODULES`] and of the volume.
    fn modules(self) -> &'static [&'static str] {
        match self {
            Self::BiosDisk | Self::BiosCd => &["biosdisk"],
            Self::Uefi => &[],
        }
    }
}

/// Modules that every GRUB here needs.
const MODULES: [&str; 4] = ["normal", "multiboot2", "serial", "terminal"];

/// GRUB as it is to start on one firmware.
pub struct Core<'a> {
    pub firmware: Firmware,
    /// Where it finds [`CONFIGURATION`]: a folder, with or without a device.
    pub prefix: &'a str,
    /// Modules that read the volume.
    pub modules: &'a [&'a str],
    /// Its commands before it reads the configuration.
    pub first: &'a str,
}

/// The host's GRUB.
#[derive(Debug)]
pub struct Grub {
    mkimage: Tool,
}

impl Grub {
    /// Finds GRUB for both firmwares.
    pub fn find() -> Result<Self, Error> {
        let mkimage = Tool::find("grub-mkimage", "grub-common")?;
        for firmware in [Firmware::BiosDisk, Firmware::Uefi] {
            let (name, package) = firmware.files();
            let folder = Path::new(FOLDER).join(name);
            if !folder.join("kernel.img").is_file() {
                return Err(Error::GrubMissing { folder, package });
            }
        }
        Ok(Self { mkimage })
    }

    /// Links GRUB with the modules that it needs, as the firmware starts it.
    pub fn link(&self, core: &Core<'_>) -> Result<Vec<u8>, Error> {
        let scratch = scratch()?;
        let (first, output) = (
            scratch.path().join("first.cfg"),
            scratch.path().join("core"),
        );
        let mut command = self.mkimage.command();
        command
            .args(["--format", core.firmware.format(), "--prefix", core.prefix])
            .arg("--directory")
            .arg(Path::new(FOLDER).join(core.firmware.files().0))
            .arg("--output")
            .arg(&output);
        if !core.first.is_empty() {
            fs::write(&first, core.first).map_err(Error::file("write", &first))?;
            command.arg("--config").arg(&first);
        }
        command
            .args(MODULES)
            .args(core.modules)
            .args(core.firmware.modules());
        self.mkimage.run(&mut command)?;
        fs::read(&output).map_err(Error::file("read", &output))
    }

    /// Path of one of GRUB's own files for BIOS.
    pub fn bios_file(&self, name: &str) -> PathBuf {
        Path::new(FOLDER)
            .join(Firmware::BiosDisk.files().0)
            .join(name)
    }

    /// The error for a file of [`bios_file`](Self::bios_file) that is not as it should be.
    pub fn unknown(&self, name: &str) -> Error {
        Error::GrubUnknown {
            file: self.bios_file(name),
            package: Firmware::BiosDisk.files().1,
        }
    }
}

/// Path of the program on the volume that GRUB starts from.
pub fn kernel_path(content: &Content<'_>) -> String {
    format!("boot/{}.elf", content.name)
}

/// Refuses boot arguments that GRUB would not pass on as they are. It puts a word with blanks between
/// double quotes, and a backslash before quotes of both kinds, where only the double ones need it.
pub fn check(arguments: &[String]) -> Result<(), Error> {
    let is_lost = |word: &&String| {
        let is_garbled = word.contains('\'') && word.contains(' ');
        word.is_empty() || is_garbled || word.contains(char::is_control)
    };
    match arguments.iter().find(is_lost) {
        Some(word) => Err(Error::ArgumentForGrub(word.clone())),
        None => Ok(()),
    }
}

/// The file that GRUB reads when it has started. GRUB asks nothing: it speaks on the serial line,
/// too, loads the program and starts it.
pub fn configuration(content: &Content<'_>) -> String {
    let kernel = format!("/{}", kernel_path(content));
    let words = ["multiboot2", &kernel].into_iter().chain(content.words());
    format!(
        "serial --unit=0 --speed=115200\nterminal_input console serial\nterminal_output console serial\n{}\nboot\n",
        shell::line(words)
    )
}

#[cfg(test)]
mod tests {
    use super::{Content, check, configuration};
    use crate::error::Error;

    #[test]
    fn the_configuration_has_the_arguments_quoted() {
        let arguments = ["--hello=two words", "--price=$5"].map(String::from);
        let text = configuration(&Content {
            name: "shop",
            kernel: b"",
            arguments: &arguments,
        });
        let line = r"multiboot2 /boot/shop.elf '--hello=two words' '--price=$5'";
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(text.ends_with("\nboot\n"), "{text}");
    }

    #[test]
    fn arguments_that_grub_would_lose_are_refused() {
        let check = |word: &str| check(&["--a".into(), word.into()]);
        for word in ["--hello=", "it's", "two words"] {
            assert!(check(word).is_ok(), "{word}");
        }
        for word in ["", "a\nb", "\t", "it's two"] {
            assert!(
                matches!(check(word), Err(Error::ArgumentForGrub(_))),
                "{word:?}"
            );
        }
    }
}
