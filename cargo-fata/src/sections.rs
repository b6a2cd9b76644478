//! Adds sections to a finished ELF file, where nothing loads them.

use object::elf::{self, FileHeader64, SectionHeader64, SectionType, SymbolSection};
use object::pod;
use object::read::elf::{FileHeader, SectionHeader};
use object::{LittleEndian, U32, U64};

/// Alignment of the table of sections.
const TABLE_ALIGNMENT: usize = 8;

/// The names of sections for a file without sections.
const FIRST_NAMES: &[u8] = b"\0.shstrtab\0";

type Header = SectionHeader64<LittleEndian>;

/// The ELF file `file`, which may have sections or none, with `added` behind it: pairs of a
/// section's name and content.
pub fn with_sections(file: &[u8], added: &[(&str, &[u8])]) -> Result<Vec<u8>, object::Error> {
    let (mut table, names_index, mut names) = sections(file)?;
    let mut result = file.to_vec();
    for (name, content) in added {
        let mut header = section(names.len(), elf::SHT_PROGBITS);
        append(&mut result, &mut header, content);
        names.extend(name.bytes().chain([0]));
        table.push(header);
    }
    append(&mut result, &mut table[names_index], &names);
    result.resize(result.len().next_multiple_of(TABLE_ALIGNMENT), 0);
    let table_offset = result.len() as u64;
    result.extend_from_slice(pod::bytes_of_slice(&table));
    if let Ok((header, _)) = pod::from_bytes_mut::<FileHeader64<LittleEndian>>(&mut result) {
        header.e_shoff.set(LittleEndian, table_offset);
        header
            .e_shentsize
            .set(LittleEndian, size_of::<Header>() as u16);
        header.e_shnum.set(LittleEndian, table.len() as u16);
        let names = SymbolSection::new(names_index as u32);
        header.e_shstrndx.set(LittleEndian, names);
    }
    Ok(result)
}

/// The table of sections, the place in it of the section of names, and those names.
fn sections(file: &[u8]) -> Result<(Vec<Header>, usize, Vec<u8>), object::Error> {
    let header = FileHeader64::<LittleEndian>::parse(file)?;
    let table = header.section_headers(LittleEndian, file)?.to_vec();
    if table.is_empty() {
        let table = vec![section(0, elf::SHT_NULL), section(1, elf::SHT_STRTAB)];
        return Ok((table, 1, FIRST_NAMES.into()));
    }
    let index = header.section_strings_index(LittleEndian, file)?;
    let names = header.sections(LittleEndian, file)?.section(index)?;
    let names = names.data(LittleEndian, file)?.to_vec();
    Ok((table, index.0, names))
}

/// A section without content, whose name is `name` bytes into the names.
fn section(name: usize, kind: SectionType) -> Header {
    let zero = U64::new(LittleEndian, 0);
    Header {
        sh_name: U32::new(LittleEndian, name as u32),
        sh_type: U32::new(LittleEndian, kind),
        sh_flags: U64::new(LittleEndian, elf::SectionFlags(0)),
        sh_addr: zero,
        sh_offset: zero,
        sh_size: zero,
        sh_link: U32::new(LittleEndian, 0),
        sh_info: U32::new(LittleEndian, 0),
        sh_addralign: U64::new(LittleEndian, u64::from(kind != elf::SHT_NULL)),
        sh_entsize: zero,
    }
}

fn append(file: &mut Vec<u8>, header: &mut Header, content: &[u8]) {
    header.sh_offset.set(LittleEndian, file.len() as u64);
    header.sh_size.set(LittleEndian, content.len() as u64);
    file.extend_from_slice(content);
}

#[cfg(test)]
pub mod tests {
    use object::elf::FileHeader64;
    use object::read::elf::ElfFile64;
    use object::{LittleEndian, Object, ObjectSection, pod};

    use super::with_sections;

    /// A file that has nothing but its header.
    pub fn bare() -> Vec<u8> {
        let mut file = vec![0; size_of::<FileHeader64<LittleEndian>>()];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file
    }

    fn content<'a>(file: &'a [u8], name: &str) -> &'a [u8] {
        let file = ElfFile64::<LittleEndian>::parse(file).unwrap();
        file.section_by_name(name).unwrap().data().unwrap()
    }

    #[test]
    fn sections_are_added_to_none_and_to_others() {
        let first = with_sections(&bare(), &[(".a", b"one"), (".b", b"")]).unwrap();
        assert_eq!(content(&first, ".a"), b"one");
        assert_eq!(content(&first, ".b"), b"");
        let second = with_sections(&first, &[(".c", b"three")]).unwrap();
        for (name, expected) in [(".a", &b"one"[..]), (".b", b""), (".c", b"three")] {
            assert_eq!(content(&second, name), expected);
        }
        assert_eq!(content(&second, ".shstrtab"), b"\0.shstrtab\0.a\0.b\0.c\0");
        // The old content stays where it was, but for the header.
        let header = size_of::<FileHeader64<LittleEndian>>();
        assert_eq!(second[header..first.len()], first[header..]);
    }

    #[test]
    fn damaged_files_are_refused_without_panic() {
        let file = with_sections(&bare(), &[(".a", b"one")]).unwrap();
        for position in 0..file.len() {
            let mut damaged = file.clone();
            damaged[position] ^= 0xff;
            let _ = with_sections(&damaged, &[(".b", b"two")]);
            let _ = with_sections(&file[..position], &[(".b", b"two")]);
        }
        let (header, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(&file).unwrap();
        assert_eq!(header.e_shnum.get(LittleEndian), 3);
    }
}
