//! The report on an image.

use std::collections::HashMap;
use std::path::Path;

use auditable_serde::DependencyKind;
use object::elf::{self, ProgramFlags};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object, ObjectSection, SectionFlags};
use serde::Serialize;

use super::boot::{Boot, multiboot2};
use super::sizes::{Share, sizes};
use crate::elf::Image;
use crate::error::{Error, Unreadable};
use crate::manifest::Manifest;

/// The report on an image.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Name of the package.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// Description of the package.
    pub description: Option<String>,
    /// Target that the image was compiled for.
    pub target: String,
    /// Profile that cargo built it with.
    pub profile: String,
    /// Version of the compiler.
    pub rust: String,
    /// Size of the file in bytes.
    pub file_size: usize,
    /// The ways into it.
    pub boot: Vec<Boot>,
    /// The memory that it needs.
    pub memory: MemoryNeeds,
    /// Its parts as they are loaded.
    pub segments: Vec<Area>,
    /// Its parts as the linker knows them, those that are not loaded without an address.
    pub sections: Vec<Area>,
    /// The packages that it is made of.
    pub crates: Vec<Crate>,
    /// The uses of its room; nothing without symbols.
    pub sizes: Option<Vec<Share>>,
}

/// Memory that an image needs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct MemoryNeeds {
    /// First address behind the loaded image.
    pub image_end: u64,
    /// Size of the stack in bytes, which is part of the image.
    pub stack: Option<u64>,
    /// Memory of the smallest machine into which it can be loaded, in bytes. The heap, which comes
    /// on top, is what the machine has beyond.
    pub least: u64,
}

/// A segment or section.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Area {
    /// Name of the section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// First address; none if it is not loaded.
    pub address: Option<u64>,
    /// Bytes in the file.
    pub file_size: u64,
    /// Bytes in memory.
    pub memory_size: u64,
    /// May be read, written and executed, as `ls` writes it.
    pub permissions: String,
}

/// A package.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is from: crates.io, another registry, git, local.
    pub source: String,
    /// It was only used to build the image.
    pub only_to_build: bool,
    /// Licence of a crate whose code is in the image, if it declares one.
    pub license: Option<String>,
}

/// Memory is counted in pages.
const PAGE: u64 = 4096;

impl Report {
    /// Reads the image `file`, whose name is `path`; `symbols` is the content of the file that may
    /// have its symbols.
    pub fn of(path: &Path, file: &[u8], symbols: Option<&[u8]>) -> Result<Self, Error> {
        let no_manifest = |reason| Error::NoManifest(path.into(), reason);
        let elf = ElfFile64::parse(file).map_err(|_| no_manifest(Unreadable::NotElf))?;
        let manifest = Manifest::read(&elf).map_err(no_manifest)?;
        let bad_image = |defect| Error::BadImage {
            image: path.into(),
            defect,
        };
        let image = Image::check(file).map_err(bad_image)?;
        let with_symbols = [Some(file), symbols]
            .into_iter()
            .flatten()
            .filter(|other| has_symbols_of(&image, other))
            .find_map(|other| ElfFile64::parse(other).ok());
        let pvh = image.pvh_entry().map_err(bad_image)?;
        let pvh = pvh.map(|entry| Boot::Pvh { entry });
        let (name, version) = manifest.root().map_or_else(Default::default, |root| {
            (root.name.clone(), root.version.to_string())
        });
        Ok(Self {
            version,
            file_size: file.len(),
            boot: pvh.into_iter().chain(multiboot2(file)).collect(),
            memory: MemoryNeeds {
                image_end: image.memory_end(),
                stack: manifest.facts.stack,
                least: image
                    .memory_end()
                    .checked_next_multiple_of(PAGE)
                    .unwrap_or(u64::MAX),
            },
            segments: image.loaded().map(segment).collect(),
            sections: section_areas(with_symbols.as_ref().unwrap_or(&elf)),
            crates: crates(&manifest),
            sizes: with_symbols.map(|file| named_sizes(&file, &name, &manifest)),
            description: manifest.facts.description,
            target: manifest.facts.target,
            profile: manifest.facts.profile,
            rust: manifest.facts.rust,
            name,
        })
    }

    /// All of it, for programs.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("it has text for keys, and its numbers are finite") + "\n"
    }
}

/// The sizes, with the names of packages in place of those that the compiler knows.
fn named_sizes(
    file: &ElfFile64<'_, LittleEndian>,
    program: &str,
    manifest: &Manifest,
) -> Vec<Share> {
    let identifier = |name: &str| name.replace('-', "_");
    let packages = &manifest.packages.packages;
    let names: HashMap<_, _> = packages
        .iter()
        .map(|package| (identifier(&package.name), &package.name))
        .collect();
    let mut shares = sizes(file, &identifier(program));
    for share in &mut shares {
        if let Some(name) = names.get(&share.owner) {
            share.owner = (*name).clone();
        }
    }
    shares
}

/// Returns whether `file` has symbols, and what it loads is the same as what `image` loads.
fn has_symbols_of(image: &Image, file: &[u8]) -> bool {
    let has_symbols =
        ElfFile64::<LittleEndian>::parse(file).is_ok_and(|file| file.symbols().next().is_some());
    has_symbols && Image::check(file).is_ok_and(|other| other.stripped() == image.stripped())
}

fn segment(header: &elf::ProgramHeader64<LittleEndian>) -> Area {
    let flags = header.p_flags(LittleEndian);
    let may = |flag: ProgramFlags| flags.contains(flag);
    Area {
        name: None,
        address: Some(header.p_vaddr(LittleEndian)),
        file_size: header.p_filesz(LittleEndian),
        memory_size: header.p_memsz(LittleEndian),
        permissions: permissions(may(elf::PF_R), may(elf::PF_W), may(elf::PF_X)),
    }
}

/// The sections that are loaded, and those in which the image says what it is.
fn section_areas(file: &ElfFile64<'_, LittleEndian>) -> Vec<Area> {
    file.sections()
        .filter_map(|section| area(&section))
        .collect()
}

fn area<'data>(section: &impl ObjectSection<'data>) -> Option<Area> {
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
        return None;
    };
    let name = section.name().ok()?;
    let has = |flag| sh_flags.contains(flag);
    let is_loaded = has(elf::SHF_ALLOC);
    if !is_loaded && !crate::manifest::SECTIONS.contains(&name) {
        return None;
    }
    Some(Area {
        name: Some(name.into()),
        address: is_loaded.then(|| section.address()),
        file_size: section.file_range().map_or(0, |(_, size)| size),
        memory_size: if is_loaded { section.size() } else { 0 },
        permissions: permissions(is_loaded, has(elf::SHF_WRITE), has(elf::SHF_EXECINSTR)),
    })
}

fn permissions(read: bool, write: bool, execute: bool) -> String {
    [(read, 'r'), (write, 'w'), (execute, 'x')]
        .map(|(may, letter)| if may { letter } else { '-' })
        .iter()
        .collect()
}

fn crates(manifest: &Manifest) -> Vec<Crate> {
    let mut licenses = manifest.facts.licenses.iter();
    let packages = &manifest.packages.packages;
    packages
        .iter()
        .map(|package| {
            let only_to_build = package.kind == DependencyKind::Build;
            let license = if only_to_build { None } else { licenses.next() };
            Crate {
                name: package.name.clone(),
                version: package.version.to_string(),
                source: package.source.clone().into(),
                only_to_build,
                license: license.filter(|license| !license.is_empty()).cloned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::Report;
    use crate::elf::tests::sound_program;
    use crate::manifest::tests::manifest;
    use crate::sections::with_sections;

    fn image() -> Vec<u8> {
        let sections = manifest().sections();
        let sections = sections
            .each_ref()
            .map(|(name, content)| (*name, content.as_slice()));
        with_sections(&sound_program(), &sections).unwrap()
    }

    /// The report on `image`, which is also tried as the file of its own symbols.
    fn report(image: &[u8]) -> Option<Report> {
        let report = Report::of(Path::new("shop.elf"), image, Some(image)).ok()?;
        // Neither form may fail on what it is made of.
        assert!(!report.to_string().is_empty());
        assert!(!report.to_json().is_empty());
        Some(report)
    }

    #[test]
    fn an_image_tells_all() {
        let report = report(&image()).unwrap();
        assert_eq!((&*report.name, &*report.version), ("shop", "1.2.3"));
        assert_eq!(report.memory.image_end, 0x10_3000);
        assert_eq!(report.segments[0].permissions, "r-x");
        let names: Vec<_> = report.crates.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["old", "shop", "syn"]);
        assert_eq!(
            report.crates[0].license.as_deref(),
            Some("MIT OR Apache-2.0")
        );
        assert_eq!(report.crates[1].license, None);
        assert!(report.crates[2].only_to_build);
    }

    #[test]
    fn a_cut_image_is_refused_without_panic() {
        let image = image();
        for length in 0..image.len() {
            assert_eq!(report(&image[..length]), None, "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_damaged_image_never_panics(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut image = image();
            for (place, byte) in damage {
                let place = place.index(image.len());
                image[place] = byte;
            }
            report(&image);
        }

        #[test]
        fn garbage_never_panics(tail in prop::collection::vec(any::<u8>(), 0..400)) {
            report(&[b"\x7fELF\x02\x01\x01".as_slice(), &tail].concat());
            report(&tail);
        }
    }
}
