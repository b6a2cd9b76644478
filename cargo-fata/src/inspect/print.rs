//! The report on an image, for people.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use super::boot::Boot;
use super::report::{Area, Crate, Report};
use super::sizes::{Bytes, Share};
use crate::error::Error;
use crate::text::Printable;

/// Writes to standard output; a reader who has seen enough may leave.
pub fn write(text: &str) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::system("write to standard output")(error))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Printable(&self.name), Printable(&self.version))?;
        if let Some(description) = &self.description {
            write!(f, ": {}", Printable(description))?;
        }
        writeln!(
            f,
            "\n  built    for {}, profile {}, by Rust {}",
            Printable(&self.target),
            Printable(&self.profile),
            Printable(&self.rust),
        )?;
        writeln!(f, "  file     {} bytes", self.file_size)?;
        for boot in &self.boot {
            writeln!(f, "  boots    by {boot}")?;
        }
        let least = self.memory.least / 1024;
        write!(f, "  memory   {least} KiB at least, to load it")?;
        if let Some(stack) = self.memory.stack {
            write!(f, " (stack: {} KiB)", stack / 1024)?;
        }
        writeln!(f, "; what there is beyond is the heap\n")?;
        areas_title(f, "segments")?;
        areas(f, &self.segments)?;
        writeln!(f)?;
        areas_title(f, "sections")?;
        areas(f, &self.sections)?;
        crates(f, &self.crates)?;
        match &self.sizes {
            Some(shares) => sizes(f, shares),
            None => f.write_str(
                "\nNo size by crate: the file of the symbols, NAME.debug, is not beside the image.\n",
            ),
        }
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pvh { entry } => write!(f, "PVH, entered at {entry:#x}"),
            Self::Multiboot2 { offset } => {
                write!(f, "Multiboot 2, header at byte {offset} of the file")
            }
        }
    }
}

fn areas_title(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f, "{title:23}address    in file  in memory")
}

fn areas(f: &mut fmt::Formatter<'_>, areas: &[Area]) -> fmt::Result {
    for area in areas {
        let name = area.name.as_deref().map(|name| Printable(name).to_string());
        let name = name.unwrap_or_default();
        match area.address {
            Some(address) => writeln!(
                f,
                "  {} {name:14}  {address:#8x} {:>10} {:>10}",
                area.permissions, area.file_size, area.memory_size
            )?,
            None => writeln!(f, "  --- {name:14} not loaded{:>10}", area.file_size)?,
        }
    }
    Ok(())
}

fn crates(f: &mut fmt::Formatter<'_>, crates: &[Crate]) -> fmt::Result {
    let (tools, linked): (Vec<&Crate>, _) = crates.iter().partition(|one| one.only_to_build);
    writeln!(f, "\n{} crates in the image", linked.len())?;
    for one in linked {
        let license = one.license.as_deref().unwrap_or("no licence declared");
        writeln!(f, "  {:32} {}", title(one), Printable(license))?;
    }
    if !tools.is_empty() {
        writeln!(f, "\n{} crates only to build it", tools.len())?;
    }
    tools
        .iter()
        .try_for_each(|one| writeln!(f, "  {}", title(one)))
}

fn title(one: &Crate) -> String {
    let title = format!("{} {}", Printable(&one.name), Printable(&one.version));
    match one.source.as_str() {
        "crates.io" => title,
        source => format!("{title} ({})", Printable(source)),
    }
}

fn sizes(f: &mut fmt::Formatter<'_>, shares: &[Share]) -> fmt::Result {
    let line = |f: &mut fmt::Formatter<'_>, owner: &str, bytes: &Bytes| {
        let Bytes {
            text,
            rodata,
            data,
            bss,
        } = bytes;
        let owner = Printable(owner).to_string();
        writeln!(f, "  {owner:24} {text:>8} {rodata:>8} {data:>8} {bss:>8}")
    };
    writeln!(
        f,
        "\nbytes by crate                 text   rodata     data      bss"
    )?;
    let mut sum = Bytes::default();
    for share in shares {
        line(f, &share.owner, &share.bytes)?;
        sum.add_all(&share.bytes);
    }
    line(f, "all", &sum)
}
