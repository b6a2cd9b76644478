//! Finds out whether KVM really runs guests here.
//!
//! That `/dev/kvm` exists proves little: in some sandboxes and nested machines a guest stops at its
//! first vector instruction. So a tiny guest is started that executes one.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::files::replace;
use crate::machine::tethered;

/// How long the tiny guest, which needs a few milliseconds, may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Pause between two looks at whether the tiny guest has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The value that the tiny guest writes to isa-debug-exit, and the status that QEMU makes of it.
const GUEST_VALUE: u8 = 42;
const QEMU_STATUS: i32 = (GUEST_VALUE as i32) << 1 | 1;

/// Size of the firmware image that holds the guest; QEMU takes multiples of 64 KiB.
const FIRMWARE_SIZE: usize = 64 * 1024;

/// Where in the firmware the processor starts: 16 bytes before the end.
const RESET_VECTOR: usize = FIRMWARE_SIZE - 16;

/// Where in the firmware the code is.
const CODE_OFFSET: usize = FIRMWARE_SIZE - 128;

/// The guest, in 16-bit real mode.
#[rustfmt::skip]
const CODE: [u8; 41] = [
    0x0f, 0x20, 0xc0,                   // mov eax, cr0
    0x24, 0xfb,                         // and al, ~4           no emulation
    0x0c, 0x02,                         // or al, 2             monitor coprocessor
    0x0f, 0x22, 0xc0,                   // mov cr0, eax
    0x0f, 0x20, 0xe0,                   // mov eax, cr4
    0x66, 0x0d, 0x00, 0x06, 0x00, 0x00, // or eax, 0x600        allow SSE
    0x0f, 0x22, 0xe0,                   // mov cr4, eax
    0x0f, 0x57, 0xc0,                   // xorps xmm0, xmm0
    0x66, 0x0f, 0xef, 0xc9,             // pxor xmm1, xmm1
    0x0f, 0x11, 0x06, 0x00, 0x10,       // movups [0x1000], xmm0
    0xb0, GUEST_VALUE,                  // mov al, GUEST_VALUE
    0xe6, 0xf4,                         // out 0xf4, al
    0xf4,                               // hlt
    0xeb, 0xfd,                         // jmp to the hlt
];

/// Returns whether guests run under KVM. The answer, if it is one, is kept in `directory` until
/// this computer restarts.
pub fn is_usable(qemu: &Path, directory: &Path) -> Result<bool, Error> {
    if OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(false);
    }
    let cache = directory.join("kvm");
    let key = cache_key(qemu);
    if let Some(answer) = cached(&cache, &key) {
        return Ok(answer);
    }
    let firmware = directory.join(format!("probe.{}", std::process::id()));
    fs::write(&firmware, firmware_image()).map_err(Error::file("write", &firmware))?;
    let answer = starts_guest(qemu, &firmware);
    fs::remove_file(&firmware).map_err(Error::file("remove", &firmware))?;
    keep(&cache, &key, answer?)
}

/// Keeps the answer, and returns it. A timeout is not kept.
fn keep(cache: &Path, key: &str, answer: Option<bool>) -> Result<bool, Error> {
    if let Some(answer) = answer {
        replace(cache, format!("{key} {answer}\n").as_bytes())?;
    }
    Ok(answer.unwrap_or(false))
}

/// The answer holds for one QEMU on one start of this computer's kernel.
fn cache_key(qemu: &Path) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {}", boot.trim(), qemu.display())
}

fn cached(cache: &Path, key: &str) -> Option<bool> {
    let text = fs::read_to_string(cache).ok()?;
    text.trim_end()
        .strip_prefix(key)?
        .strip_prefix(' ')?
        .parse()
        .ok()
}

fn firmware_image() -> Vec<u8> {
    const JUMP_LENGTH: usize = 3;
    let distance = (CODE_OFFSET as i64 - (RESET_VECTOR + JUMP_LENGTH) as i64) as i16;
    let mut image = vec![0; FIRMWARE_SIZE];
    image[CODE_OFFSET..][..CODE.len()].copy_from_slice(&CODE);
    image[RESET_VECTOR] = 0xe9; // jmp
    image[RESET_VECTOR + 1..][..2].copy_from_slice(&distance.to_le_bytes());
    image
}

/// Nothing if the guest did not end in time for no reason that is known.
fn starts_guest(qemu: &Path, firmware: &Path) -> Result<Option<bool>, Error> {
    let mut arguments: Vec<_> = "-M q35 -m 2 -nodefaults -no-user-config -display none -no-reboot \
         -device isa-debug-exit,iobase=0xf4,iosize=4"
        .split_whitespace()
        .map(Into::into)
        .collect();
    arguments.extend([
        "-accel".into(),
        "kvm".into(),
        "-cpu".into(),
        "host".into(),
        "-bios".into(),
        firmware.into(),
    ]);
    let mut child = tethered(qemu, &arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::system("start QEMU"))?;
    let status = wait_until(&mut child, Instant::now() + TIME_LIMIT)
        .map_err(Error::system("wait for QEMU"))?;
    if let Some(status) = status {
        return Ok(Some(status.code() == Some(QEMU_STATUS)));
    }
    let mut messages = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut messages)
            .map_err(Error::system("read what QEMU says"))?;
    }
    Ok(kvm_gave_up(&messages).then_some(false))
}

/// Returns whether QEMU says that KVM cannot run the guest, which QEMU then stops, but does not
/// end.
fn kvm_gave_up(messages: &[u8]) -> bool {
    let mut lines = messages.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"KVM") || line.starts_with(b"error: kvm run failed"))
}

/// Waits for the end of `child`, and kills it at the `deadline`.
fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(PAUSE);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{
        CODE_OFFSET, FIRMWARE_SIZE, RESET_VECTOR, cache_key, cached, firmware_image, keep,
        kvm_gave_up, wait_until,
    };

    #[test]
    fn the_reset_vector_jumps_to_the_code() {
        let image = firmware_image();
        assert_eq!(image.len(), FIRMWARE_SIZE);
        let [jump, low, high] = image[RESET_VECTOR..][..3] else {
            unreachable!()
        };
        assert_eq!(jump, 0xe9);
        let target = RESET_VECTOR as i64 + 3 + i64::from(i16::from_le_bytes([low, high]));
        assert_eq!(target, CODE_OFFSET as i64);
    }

    #[test]
    fn an_answer_for_another_boot_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kvm");
        let key = cache_key("/usr/bin/qemu".as_ref());
        assert_eq!(cached(&file, &key), None);
        std::fs::write(&file, format!("{key} false\n")).unwrap();
        assert_eq!(cached(&file, &key), Some(false));
        assert_eq!(cached(&file, "other"), None);
        std::fs::write(&file, "garbage").unwrap();
        assert_eq!(cached(&file, &key), None);
    }

    #[test]
    fn only_an_answer_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |name: &str, answer| {
            let file = folder.path().join(name);
            let usable = keep(&file, "key", answer).unwrap();
            (usable, cached(&file, "key"))
        };
        assert_eq!(kept("yes", Some(true)), (true, Some(true)));
        assert_eq!(kept("no", Some(false)), (false, Some(false)));
        assert_eq!(kept("unknown", None), (false, None));
    }

    #[test]
    fn a_guest_that_kvm_stops_is_told_from_a_slow_one() {
        assert!(kvm_gave_up(
            b"KVM internal error. Suberror: 1\nextra data[0]: 0x1\n"
        ));
        assert!(kvm_gave_up(b"warning\nerror: kvm run failed Bad address\n"));
        for messages in ["", "qemu: warning: KVM lacks a feature\n"] {
            assert!(!kvm_gave_up(messages.as_bytes()), "{messages}");
        }
    }

    #[test]
    fn who_does_not_end_in_time_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(wait_until(&mut child, soon).unwrap(), None);
        assert!(!Path::new("/proc").join(child.id().to_string()).exists());
    }
}
