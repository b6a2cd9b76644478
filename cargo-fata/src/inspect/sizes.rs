//! Which crate takes how much of an image, as far as its symbols tell.

use std::collections::BTreeMap;

use object::LittleEndian;
use object::elf;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionIndex};
use rustc_demangle::demangle;
use serde::Serialize;

use super::names::crate_of;
use crate::manifest::stack;

/// The function that `fata_boot::main!` makes, whose name says nothing of its crate.
const MAIN: &str = "fata_main";

/// The name of the main stack, which belongs to no crate.
const STACK: &str = "(stack)";

/// The name of bytes to which no symbol with the name of a crate belongs.
const UNKNOWN: &str = "(not known)";

/// Bytes of one owner, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Code.
    pub text: u64,
    /// Constants.
    pub rodata: u64,
    /// Variables with a first value.
    pub data: u64,
    /// Variables that are zero at first.
    pub bss: u64,
}

impl Bytes {
    /// All that takes room in the file.
    pub fn in_file(&self) -> u64 {
        [self.text, self.rodata, self.data]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Adds each kind to its own.
    pub fn add_all(&mut self, other: &Self) {
        for (part, size) in [
            (Part::Text, other.text),
            (Part::Rodata, other.rodata),
            (Part::Data, other.data),
            (Part::Bss, other.bss),
        ] {
            self.add(part, size);
        }
    }

    fn add(&mut self, part: Part, size: u64) {
        let place = match part {
            Part::Text => &mut self.text,
            Part::Rodata => &mut self.rodata,
            Part::Data => &mut self.data,
            Part::Bss => &mut self.bss,
        };
        *place = place.saturating_add(size);
    }
}

/// The bytes of a crate, or of something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Name of the crate as the compiler knows it, or something in brackets.
    pub owner: String,
    /// Its bytes.
    #[serde(flatten)]
    pub bytes: Bytes,
}

#[derive(Clone, Copy)]
enum Part {
    Text,
    Rodata,
    Data,
    Bss,
}

/// A symbol, or the main stack, in a section.
struct Item {
    address: u64,
    end: u64,
    owner: Option<String>,
}

/// Every owner's share of what is loaded of `file`, the largest in the file first. Generic code
/// counts for the crate that defines it, inlined code for the crate that it is inlined into.
/// `program` is the crate with the application, which has [`MAIN`].
pub fn sizes(file: &ElfFile64<'_, LittleEndian>, program: &str) -> Vec<Share> {
    let mut items = symbols(file, program);
    let mut shares = BTreeMap::<String, Bytes>::new();
    for section in file.sections() {
        let Some(part) = part(section.flags(), section.elf_section_header()) else {
            continue;
        };
        let items = items.entry(section.index().0).or_default();
        share_out(section.address(), section.size(), items, |owner, size| {
            let owner = owner.unwrap_or(UNKNOWN);
            shares.entry(owner.into()).or_default().add(part, size);
        });
    }
    let mut shares: Vec<Share> = shares
        .into_iter()
        .map(|(owner, bytes)| Share { owner, bytes })
        .collect();
    shares.sort_by_key(|share| std::cmp::Reverse((share.bytes.in_file(), share.bytes.bss)));
    shares
}

fn part(flags: SectionFlags, header: &elf::SectionHeader64<LittleEndian>) -> Option<Part> {
    let SectionFlags::Elf { sh_flags, .. } = flags else {
        return None;
    };
    let has = |flag| sh_flags.contains(flag);
    if !has(elf::SHF_ALLOC) {
        return None;
    }
    Some(if header.sh_type.get(LittleEndian) == elf::SHT_NOBITS {
        Part::Bss
    } else if has(elf::SHF_EXECINSTR) {
        Part::Text
    } else if has(elf::SHF_WRITE) {
        Part::Data
    } else {
        Part::Rodata
    })
}

/// The symbols that have a size, by the number of the section.
fn symbols(file: &ElfFile64<'_, LittleEndian>, program: &str) -> BTreeMap<usize, Vec<Item>> {
    let mut items = BTreeMap::<usize, Vec<Item>>::new();
    let mut add = |section: Option<SectionIndex>, address: u64, size: u64, owner| {
        if let Some(section) = section
            && size > 0
        {
            items.entry(section.0).or_default().push(Item {
                address,
                end: address.saturating_add(size),
                owner,
            });
        }
    };
    for symbol in file.symbols() {
        let owner = match symbol.name() {
            Ok(MAIN) => Some(program.to_owned()),
            Ok(name) => crate_of(&format!("{:#}", demangle(name))).map(String::from),
            Err(_) => None,
        };
        add(
            symbol.section_index(),
            symbol.address(),
            symbol.size(),
            owner,
        );
    }
    if let Some(stack) = stack(file)
        && let Some(top) = file.symbol_by_name("__stack_guard")
    {
        let size = stack.end.saturating_sub(top.address());
        add(
            top.section_index(),
            top.address(),
            size,
            Some(STACK.to_owned()),
        );
    }
    items
}

/// Shares the bytes of a section out: each once, although symbols may overlap.
fn share_out(start: u64, size: u64, items: &mut [Item], mut give: impl FnMut(Option<&str>, u64)) {
    let end = start.saturating_add(size);
    items.sort_by_key(|item| (item.address, std::cmp::Reverse(item.end)));
    let mut next = start;
    for item in items {
        let (from, to) = (item.address.max(next), item.end.min(end));
        if from < to {
            if next < from {
                give(None, from - next);
            }
            give(item.owner.as_deref(), to - from);
            next = to;
        }
    }
    if next < end {
        give(None, end - next);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Item, share_out};

    fn shares(section: (u64, u64), symbols: &[(u64, u64, &str)]) -> Vec<(String, u64)> {
        let mut items: Vec<Item> = symbols
            .iter()
            .map(|&(address, size, owner)| Item {
                address,
                end: address.saturating_add(size),
                owner: Some(owner.into()),
            })
            .collect();
        let mut shares = Vec::new();
        share_out(section.0, section.1, &mut items, |owner, size| {
            shares.push((owner.unwrap_or("-").to_owned(), size));
        });
        shares
    }

    #[test]
    fn each_byte_counts_once() {
        let symbols = [
            (110, 20, "b"),
            (105, 10, "a"),
            (105, 5, "alias"),
            (190, 100, "c"),
        ];
        let expected = [("-", 5), ("a", 10), ("b", 15), ("-", 60), ("c", 10)];
        let expected = expected.map(|(owner, size)| (owner.to_owned(), size));
        assert_eq!(shares((100, 100), &symbols), expected);
    }

    proptest! {
        #[test]
        fn the_sum_is_the_section(
            start in any::<u64>(),
            size in any::<u64>(),
            symbols in prop::collection::vec((any::<u64>(), any::<u64>()), 0..8),
        ) {
            let symbols: Vec<_> = symbols.iter().map(|&(at, size)| (at, size, "a")).collect();
            let sum: u64 = shares((start, size), &symbols).iter().map(|(_, size)| size).sum();
            prop_assert_eq!(sum, start.saturating_add(size) - start);
        }
    }
}
