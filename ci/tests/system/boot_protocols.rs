//! The image that QEMU boots by PVH everywhere else, booted by GRUB: Multiboot 2, from a CD, with
//! both kinds of firmware.

use fata_ci::{Client, DEBUG_EXIT, Ending, Lab, Program, QEMU, image, succeed};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const Q35: [&str; 2] = ["-M", "q35"];
const PC: [&str; 2] = ["-M", "pc"];
const MEMORY: [&str; 2] = ["-m", "256"];
const BIOS: [&str; 0] = [];
const UEFI: [&str; 2] = ["-bios", "/usr/share/ovmf/OVMF.fd"];

/// How QEMU ends if the image ends with success.
const SUCCESS: Ending = Ending::Status(33);

/// A CD in a folder of its own, which is removed with it.
struct Disc {
    folder: PathBuf,
}

impl Disc {
    /// A CD from which GRUB boots the image `name` with these arguments.
    fn new(name: &str, arguments: &str) -> Self {
        let folder = format!("fata-disc-{name}-{}", std::process::id());
        let disc = Self {
            folder: std::env::temp_dir().join(folder),
        };
        let grub = disc.folder.join("root/boot/grub");
        fs::create_dir_all(&grub).expect("a folder can be made");
        fs::copy(image(name), disc.folder.join("root/boot/image.elf")).expect("it can be copied");
        let script = format!(
            "serial\nterminal_output serial\nmultiboot2 /boot/image.elf {arguments}\nboot\n"
        );
        fs::write(grub.join("grub.cfg"), script).expect("it can be written");
        let file = disc.file();
        succeed(
            "grub-mkrescue",
            [Path::new("-o"), &file, &disc.folder.join("root")],
        );
        disc
    }

    fn file(&self) -> PathBuf {
        self.folder.join("disc.iso")
    }

    /// Boots it with these arguments for QEMU.
    fn boot(&self, arguments: &[&str]) -> Program {
        let file = self.file();
        let file = file.to_str().expect("paths in the tests are UTF-8");
        Program::run([&QEMU[..], &MEMORY, &["-cdrom", file], arguments].concat())
    }
}

impl Drop for Disc {
    fn drop(&mut self) {
        // A folder that cannot be removed is only in the way.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn grub_boots_the_image_with_either_firmware() {
    let disc = Disc::new("hello", r#"--hello "Ahoy there""#);
    let running =
        [&BIOS[..], &UEFI].map(|firmware| disc.boot(&[&Q35[..], &DEBUG_EXIT, firmware].concat()));
    for mut program in running {
        let (ending, text) = program.wait();
        assert_eq!(ending, SUCCESS, "{text}");
        assert_eq!(text.matches("hello: Ahoy there").count(), 4, "{text}");
    }
}

/// If it could not be, it would be reset, and start again for ever.
#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_machine_is_switched_off_with_either_firmware() {
    let disc = Disc::new("noop", "");
    for machine in [Q35, PC] {
        let running =
            [&BIOS[..], &UEFI].map(|firmware| disc.boot(&[&machine[..], firmware].concat()));
        for mut program in running {
            let (ending, text) = program.wait();
            assert_eq!(ending, Ending::Status(0), "{machine:?}: {text}");
        }
    }
}

/// UEFI places the NIC's registers above 4 GiB.
#[test]
#[ignore = "boots a virtual machine; ci/test runs it"]
fn a_server_works_with_uefi() {
    // Port 8080 is this test's own.
    let _lab = Lab::enter();
    let disc = Disc::new("bench-guest", "");
    let network = [
        "-netdev",
        "user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80",
        "-device",
        "virtio-net-pci,netdev=net0",
    ];
    let program = disc.boot(&[&Q35[..], &UEFI, &network].concat());
    program.wait_for(crate::support::BENCH_LISTENING);
    program.wait_for("net: address");
    let mut client = Client::connect(Ipv4Addr::LOCALHOST.into(), 8080).expect("it accepts");
    assert_eq!(client.get("/").expect("it answers").status, 200);
}
