//! Leaves a report behind when a machine has crashed.

use std::ffi::OsString;
use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use humantime::{format_rfc3339_millis, format_rfc3339_seconds};

use crate::build::Built;
use crate::error::Error;
use crate::files::replace;
use crate::shell;
use crate::tail::Tail;
use crate::text::Printable;

/// How many reports are kept; older ones are removed.
const KEPT: usize = 20;

/// How many lines of the console go into a report.
const LINES: usize = 200;

/// Form of the end of a report's name: digits stand for themselves and all others.
const SUFFIX: &str = "-0000-00-00T000000.000Z.txt";

/// The known facts of a crash.
pub struct Crash<'a> {
    /// The image.
    pub built: &'a Built,
    /// QEMU, and its arguments.
    pub machine: (&'a Path, &'a [OsString]),
    /// The machine was emulated, not run by the processor.
    pub is_emulated: bool,
    /// The program's arguments.
    pub arguments: &'a [String],
    /// How it ended.
    pub ending: &'a str,
    /// The exit status of this tool that follows from it.
    pub status: u8,
    /// The console.
    pub console: &'a Tail,
}

impl Crash<'_> {
    /// Writes the report, removes old ones, and returns its path.
    pub fn save(&self, now: SystemTime) -> Result<PathBuf, Error> {
        let folder = self.built.directory.join("crashes");
        fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        let path = folder.join(file_name(&self.built.name, now));
        replace(&path, self.report(now).as_bytes())?;
        remove_old(&folder)?;
        Ok(path)
    }

    fn report(&self, now: SystemTime) -> String {
        let mut report = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut report, now);
        report
    }

    fn write(&self, report: &mut String, now: SystemTime) -> fmt::Result {
        let Built { name, version, .. } = self.built;
        let (qemu, line) = self.machine;
        writeln!(report, "{name} {version} crashed: {}", self.ending)?;
        let how = match self.is_emulated {
            true => "QEMU, which emulated the processor",
            false => "QEMU with KVM",
        };
        for (title, value) in [
            ("time", format_rfc3339_seconds(now).to_string()),
            ("image", self.built.image.display().to_string()),
            ("sha256", self.built.sha256.clone()),
            ("status", self.status.to_string()),
            ("arguments", shell::line(self.arguments)),
            ("run by", how.to_owned()),
            ("command", shell::command(qemu, line)),
        ] {
            writeln!(report, "{title:10} {}", Printable(&value))?;
        }
        let lines = self.console.lines(LINES);
        writeln!(report, "\nconsole, the last {} lines:\n", lines.len())?;
        lines
            .iter()
            .try_for_each(|line| writeln!(report, "{}", Printable(line)))
    }
}

fn file_name(image: &str, now: SystemTime) -> String {
    // A colon in a name is trouble elsewhere.
    let time = format_rfc3339_millis(now).to_string().replace(':', "");
    format!("{image}-{time}.txt")
}

/// Removes all reports but the last [`KEPT`].
fn remove_old(folder: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let mut reports: Vec<(String, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((time_of(&name)?.to_owned(), entry.path()))
        })
        .collect();
    reports.sort();
    let old = reports.len().saturating_sub(KEPT);
    for (_, path) in &reports[..old] {
        // Another run may have removed it.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// The end of a report's name, which sorts by time; nothing for other files.
fn time_of(name: &str) -> Option<&str> {
    let suffix = name.get(name.len().checked_sub(SUFFIX.len())?..)?;
    let fits = |(form, byte): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    SUFFIX
        .bytes()
        .zip(suffix.bytes())
        .all(fits)
        .then_some(suffix)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::{Crash, KEPT, time_of};
    use crate::build::Built;
    use crate::tail::Tail;

    fn built(folder: &Path) -> Built {
        Built {
            name: "shop".into(),
            version: "1.2.3".parse().unwrap(),
            image: "target/fata/shop.elf".into(),
            symbols: "target/fata/shop.debug".into(),
            directory: folder.into(),
            memory_end: 0,
            code: Vec::new(),
            sha256: "00ff".into(),
        }
    }

    fn crash<'a>(built: &'a Built, line: &'a [OsString], console: &'a Tail) -> Crash<'a> {
        Crash {
            built,
            machine: (Path::new("/usr/bin/qemu"), line),
            is_emulated: true,
            arguments: &[],
            ending: "it panicked",
            status: 101,
            console,
        }
    }

    #[test]
    fn a_report_says_what_ran_and_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let built = built(folder.path());
        let line = ["-append".into(), "it's a \u{1b}[2J".into()];
        let console = Tail::default();
        let mut recorder = crate::tail::Recorder::new(Vec::new(), console.clone());
        std::io::Write::write_all(&mut recorder, b"fata: panic\r\n  at 0x1 main\r\n").unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000_007);
        let path = crash(&built, &line, &console).save(now).unwrap();
        assert!(path.ends_with("crashes/shop-2001-09-09T014640.007Z.txt"));
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            r"shop 1.2.3 crashed: it panicked
time       2001-09-09T01:46:40Z
image      target/fata/shop.elf
sha256     00ff
status     101
arguments  
run by     QEMU, which emulated the processor
command    /usr/bin/qemu -append 'it'\''s a \u{1b}[2J'

console, the last 2 lines:

fata: panic
  at 0x1 main
"
        );
    }

    #[test]
    fn only_the_last_reports_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let built = built(folder.path());
        let crashes = folder.path().join("crashes");
        fs::create_dir(&crashes).unwrap();
        fs::write(crashes.join("notes.txt"), "mine").unwrap();
        let console = Tail::default();
        for second in 0..KEPT as u64 + 3 {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            crash(&built, &[], &console).save(now).unwrap();
        }
        let names = fs::read_dir(&crashes).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), KEPT + 1);
        assert_eq!(names[0], "notes.txt");
        assert_eq!(names[1], "shop-1970-01-01T000003.000Z.txt");
    }

    #[test]
    fn only_reports_have_a_time() {
        assert!(time_of("a-2001-09-09T014640.007Z.txt").is_some());
        for name in [
            "",
            "a.txt",
            "é-2001-09-09T014640.00éZ.txt",
            "a-2001-09-09T014640.007Z.txt.1",
        ] {
            assert_eq!(time_of(name), None, "{name}");
        }
    }
}
