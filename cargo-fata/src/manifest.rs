//! An image's account of itself, in two sections that nothing loads: which packages it is made of,
//! in the format of cargo-auditable, which scanners for known vulnerabilities read; and beside it,
//! what only `cargo fata inspect` reads.

use std::ops::Range;

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use object::LittleEndian;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Unreadable;
use crate::linked::Linked;
use crate::project;

/// Section of the list of packages (cargo-auditable's PARSING.md): JSON, compressed with zlib.
const PACKAGES_SECTION: &str = ".dep-v0";

/// Section of [`Facts`]: JSON, compressed with zlib.
const FACTS_SECTION: &str = ".fata.manifest";

/// Both.
pub const SECTIONS: [&str; 2] = [PACKAGES_SECTION, FACTS_SECTION];

/// Best compression of miniz_oxide.
const COMPRESSION: u8 = 10;

/// Longest JSON text that is read, in bytes.
const LONGEST: usize = 4 << 20;

/// The page under the stack, which is unmapped.
const STACK_GUARD_SIZE: u64 = 4096;

/// An image's account of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The packages, sorted by name and version.
    pub packages: VersionInfo,
    /// The rest.
    pub facts: Facts,
}

/// Facts for which cargo-auditable's format has no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Description in the package's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Target that the image was compiled for.
    pub target: String,
    /// Profile that cargo built it with.
    pub profile: String,
    /// Version of the compiler.
    pub rust: String,
    /// Size of the stack in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<u64>,
    /// The licences of those packages whose code is in the image, in their order; empty where a
    /// package declares none.
    pub licenses: Vec<String>,
}

impl Manifest {
    /// The manifest of an image: made from the package `root` of `packages`, which is all that
    /// cargo knows, of which `linked` was used. `facts` has everything but the licences.
    pub fn new(
        packages: &[project::Package],
        root: &project::Package,
        linked: &Linked,
        facts: Facts,
    ) -> Self {
        let mut used: Vec<_> = packages
            .iter()
            .filter_map(|package| Some((package, linked.is_in_image(&package.id)?)))
            .collect();
        used.sort_by_key(|(package, _)| (&package.name, &package.version, &package.source));
        let in_image = used.iter().filter(|(_, is_in_image)| *is_in_image);
        Self {
            facts: Facts {
                licenses: in_image.map(|(package, _)| license(package)).collect(),
                ..facts
            },
            packages: VersionInfo {
                packages: used
                    .into_iter()
                    .map(|(package, is_in_image)| {
                        entry(package, is_in_image, package.id == root.id)
                    })
                    .collect(),
                // Said in no word, which is what the number 0 stands for, to save bytes.
                format: 0,
            },
        }
    }

    /// The sections: names and contents.
    pub fn sections(&self) -> [(&'static str, Vec<u8>); 2] {
        [
            (PACKAGES_SECTION, packed(&self.packages)),
            (FACTS_SECTION, packed(&self.facts)),
        ]
    }

    /// Reads what `file` says of itself.
    pub fn read(file: &ElfFile64<'_, LittleEndian>) -> Result<Self, Unreadable> {
        Ok(Self {
            facts: unpacked(file, FACTS_SECTION)?,
            packages: unpacked(file, PACKAGES_SECTION)?,
        })
    }

    /// The package that the image was made from.
    pub fn root(&self) -> Option<&Package> {
        self.packages.packages.iter().find(|package| package.root)
    }
}

/// Addresses of the stack of an image that has its symbols.
pub fn stack(file: &ElfFile64<'_, LittleEndian>) -> Option<Range<u64>> {
    let address = |name| Some(file.symbol_by_name(name)?.address());
    let start = address("__stack_guard")?.checked_add(STACK_GUARD_SIZE)?;
    let end = address("__stack_top")?;
    (start < end).then_some(start..end)
}

fn entry(package: &project::Package, is_in_image: bool, root: bool) -> Package {
    Package {
        name: package.name.clone(),
        version: package.version.clone(),
        source: source(package.source.as_deref()),
        kind: if is_in_image {
            DependencyKind::Runtime
        } else {
            DependencyKind::Build
        },
        // Who depends on whom would cost a quarter more.
        dependencies: Vec::new(),
        root,
    }
}

/// The kind of a source, without the address.
fn source(source: Option<&str>) -> Source {
    match source {
        None => Source::Local,
        Some(
            "registry+https://github.com/rust-lang/crates.io-index"
            | "sparse+https://index.crates.io/",
        ) => Source::CratesIo,
        Some(source) if source.starts_with("git+") => Source::Git,
        Some(_) => Source::Registry,
    }
}

/// The licence as SPDX writes it; old packages have a slash for "or".
fn license(package: &project::Package) -> String {
    let license = package.license.as_deref().unwrap_or_default();
    license
        .split('/')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" OR ")
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    let text = serde_json::to_vec(value).expect("it has text for keys, and its numbers are finite");
    compress_to_vec_zlib(&text, COMPRESSION)
}

fn unpacked<T: DeserializeOwned>(
    file: &ElfFile64<'_, LittleEndian>,
    name: &'static str,
) -> Result<T, Unreadable> {
    let section = file
        .section_by_name(name)
        .ok_or(Unreadable::Missing(name))?;
    let malformed = || Unreadable::Malformed(name);
    let content = section.data().map_err(|_| malformed())?;
    let text = decompress_to_vec_zlib_with_limit(content, LONGEST).map_err(|_| malformed())?;
    serde_json::from_slice(&text).map_err(|_| malformed())
}

#[cfg(test)]
pub mod tests {
    use object::LittleEndian;
    use object::read::elf::ElfFile64;
    use proptest::prelude::*;

    use super::{
        FACTS_SECTION, Facts, LONGEST, Manifest, PACKAGES_SECTION, Unreadable, compress_to_vec_zlib,
    };
    use crate::linked::Linked;
    use crate::project::{Package, parse_json};
    use crate::sections::{tests::bare, with_sections};

    fn package(name: &str, license: &str, source: &str) -> Package {
        let text = format!(
            r#"{{"id": "{name}", "name": "{name}", "version": "1.2.3", "license": {license}, "source": {source},
                 "manifest_path": "/home/me/{name}/Cargo.toml", "targets": []}}"#
        );
        parse_json(text.as_bytes()).unwrap()
    }

    fn facts() -> Facts {
        Facts {
            description: None,
            target: "x86_64-unknown-none".into(),
            profile: "kernel".into(),
            rust: "1.91.0".into(),
            stack: Some(65536),
            licenses: Vec::new(),
        }
    }

    /// An image of `shop`, which uses `old` and, for a macro, `syn`.
    pub fn manifest() -> Manifest {
        let index = r#""registry+https://github.com/rust-lang/crates.io-index""#;
        let packages = [
            package("syn", r#""MIT""#, index),
            package("shop", "null", "null"),
            package(
                "old",
                r#""MIT / Apache-2.0""#,
                r#""git+https://example.org/old""#,
            ),
            package("unused", "null", index),
        ];
        let mut linked = Linked::default();
        for (package, folder) in [
            ("old", "none/kernel"),
            ("shop", "none/kernel"),
            ("syn", "kernel"),
        ] {
            linked.add(package.into(), &[folder.into()], "none", "kernel");
        }
        Manifest::new(&packages, &packages[1], &linked, facts())
    }

    fn read(sections: &[(&str, &[u8])]) -> Result<Manifest, Unreadable> {
        let file = with_sections(&bare(), sections).unwrap();
        Manifest::read(&ElfFile64::<LittleEndian>::parse(&*file).unwrap())
    }

    #[test]
    fn packages_have_the_form_that_others_read() {
        let manifest = manifest();
        assert_eq!(
            serde_json::to_string(&manifest.packages).unwrap(),
            concat!(
                r#"{"packages":[{"name":"old","version":"1.2.3","source":"git"},"#,
                r#"{"name":"shop","version":"1.2.3","source":"local","root":true},"#,
                r#"{"name":"syn","version":"1.2.3","source":"crates.io","kind":"build"}]}"#,
            )
        );
        assert_eq!(manifest.facts.licenses, ["MIT OR Apache-2.0", ""]);
        assert_eq!(manifest.root().unwrap().name, "shop");
    }

    #[test]
    fn what_is_written_can_be_read() {
        let manifest = manifest();
        let sections = manifest.sections();
        let sections = sections
            .each_ref()
            .map(|(name, content)| (*name, content.as_slice()));
        assert_eq!(read(&sections), Ok(manifest));
        let missing = Unreadable::Missing(FACTS_SECTION);
        assert_eq!(read(&sections[..1]).unwrap_err(), missing);
        let cut = [sections[0], (FACTS_SECTION, &sections[1].1[..9])];
        let malformed = Unreadable::Malformed(FACTS_SECTION);
        assert_eq!(read(&cut).unwrap_err(), malformed);
    }

    #[test]
    fn what_grows_too_large_is_refused() {
        let [packages, _] = manifest().sections();
        let mut text = serde_json::to_vec(&facts()).unwrap();
        for (length, is_read) in [(LONGEST, true), (LONGEST + 1, false), (LONGEST * 16, false)] {
            text.resize(length, b' ');
            let bomb = compress_to_vec_zlib(&text, 1);
            let sections = [(packages.0, &*packages.1), (FACTS_SECTION, &bomb)];
            assert_eq!(read(&sections).is_ok(), is_read, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(read(&[(FACTS_SECTION, &bytes), (PACKAGES_SECTION, &bytes)]).is_err());
            let packed = compress_to_vec_zlib(&bytes, 1);
            prop_assert!(read(&[(FACTS_SECTION, &packed), (PACKAGES_SECTION, &packed)]).is_err());
        }
    }
}
