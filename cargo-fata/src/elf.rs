//! Looks at the program that cargo linked: can it boot, and what of it has to be loaded?

use std::fmt;
use std::ops::Range;

use object::elf::{self, FileHeader64, NoteType, ProgramHeader64, ProgramType, SymbolSection};
use object::pod;
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use object::{LittleEndian, SymbolIndex};

/// Name of the notes that Xen defined.
const XEN: &[u8] = b"Xen";

/// Type of the note that holds the 32-bit entry point of PVH (`XEN_ELFNOTE_PHYS32_ENTRY`).
const PHYS32_ENTRY: NoteType = NoteType(18);

/// How many undefined symbols a message names.
const NAMED_SYMBOLS: usize = 5;

/// A program that has passed all checks.
pub struct Image<'data> {
    data: &'data [u8],
    header: &'data FileHeader64<LittleEndian>,
    segments: &'data [ProgramHeader64<LittleEndian>],
}

/// Why a program cannot boot.
#[derive(Debug, PartialEq, Eq)]
pub enum Defect {
    /// Not an ELF file as the linker makes it.
    Malformed(String),
    /// For another machine, or not linked to fixed addresses.
    WrongKind,
    /// Has PT_INTERP or PT_DYNAMIC.
    Dynamic,
    /// Has these undefined symbols, of which the first few are listed.
    Undefined { count: usize, names: Vec<String> },
    /// Has no PVH entry point.
    NoPvhNote,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "it is no sound ELF file ({what}); remove it and build again"),
            Self::WrongKind => f.write_str(
                "it is no x86-64 program at fixed addresses; do RUSTFLAGS or .cargo/config.toml set another \
                 relocation model or linker?",
            ),
            Self::Dynamic => f.write_str(
                "it wants the dynamic linker of an operating system, so some crate calls the C library; find it \
                 with `cargo tree --invert libc` and keep it to the process: \
                 [target.'cfg(not(fata_vm))'.dependencies]",
            ),
            Self::Undefined { count, names } => write!(
                f,
                "nothing defines {count} of the symbols that it uses ({}); find the crate that wants them and keep \
                 it to the process: [target.'cfg(not(fata_vm))'.dependencies]",
                names.join(", "),
            ),
            Self::NoPvhNote => f.write_str(
                "it lacks the PVH note that tells a hypervisor where to start; main.rs needs \
                 `fata_boot::main!(FUNCTION);`",
            ),
        }
    }
}

impl From<object::Error> for Defect {
    fn from(error: object::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl<'data> Image<'data> {
    /// Accepts a program that boots without an operating system, with or without symbols.
    pub fn check(data: &'data [u8]) -> Result<Self, Defect> {
        let header = FileHeader64::<LittleEndian>::parse(data)?;
        let endian = header.endian()?;
        if header.e_machine(endian) != elf::EM_X86_64 || header.e_type(endian) != elf::ET_EXEC {
            return Err(Defect::WrongKind);
        }
        let segments = header.program_headers(endian, data)?;
        let image = Self {
            data,
            header,
            segments,
        };
        if image.end_of_segments() > data.len() as u64 {
            return Err(Defect::Malformed("its end is missing".into()));
        }
        if image.has_segment(elf::PT_INTERP) || image.has_segment(elf::PT_DYNAMIC) {
            return Err(Defect::Dynamic);
        }
        refuse_undefined_symbols(header, data)?;
        if image.pvh_entry()?.is_none() {
            return Err(Defect::NoPvhNote);
        }
        Ok(image)
    }

    /// Address of the first instruction, if the image has the PVH note.
    pub fn pvh_entry(&self) -> Result<Option<u64>, Defect> {
        for segment in self.segments {
            let Some(mut notes) = segment.notes(LittleEndian, self.data)? else {
                continue;
            };
            while let Some(note) = notes.next()? {
                if note.name() == XEN && note.n_type(LittleEndian) == PHYS32_ENTRY {
                    return Ok(Some(little_endian(note.desc())));
                }
            }
        }
        Ok(None)
    }

    /// Memory that the loaded segments take, in bytes.
    pub fn memory_size(&self) -> u64 {
        self.loaded()
            .map(|segment| segment.p_memsz(LittleEndian))
            .fold(0, u64::saturating_add)
    }

    /// First physical address behind the loaded segments.
    pub fn memory_end(&self) -> u64 {
        self.loaded()
            .map(|segment| {
                segment
                    .p_paddr(LittleEndian)
                    .saturating_add(segment.p_memsz(LittleEndian))
            })
            .fold(0, u64::max)
    }

    /// Addresses of the code.
    pub fn code(&self) -> Vec<Range<u64>> {
        self.loaded()
            .filter(|segment| segment.p_flags(LittleEndian).contains(elf::PF_X))
            .map(|segment| {
                let start = segment.p_vaddr(LittleEndian);
                start..start.saturating_add(segment.p_memsz(LittleEndian))
            })
            .collect()
    }

    /// The segments that are loaded.
    pub fn loaded(&self) -> impl Iterator<Item = &ProgramHeader64<LittleEndian>> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD)
    }

    /// The image without what is never loaded. Linkers put sections that belong to no segment, and
    /// the table of sections, behind the last segment: there the image is cut.
    pub fn stripped(&self) -> Vec<u8> {
        let end = usize::try_from(self.end_of_segments())
            .map_or(self.data.len(), |end| end.min(self.data.len()));
        let mut image = self.data[..end].to_vec();
        if let Ok((header, _)) = pod::from_bytes_mut::<FileHeader64<LittleEndian>>(&mut image) {
            header.e_shoff.set(LittleEndian, 0);
            header.e_shnum.set(LittleEndian, 0);
            header.e_shstrndx.set(LittleEndian, SymbolSection(0));
        }
        image
    }

    /// First byte of the file behind its headers and all segments.
    fn end_of_segments(&self) -> u64 {
        let table = self.header.e_phoff(LittleEndian);
        let headers = table.saturating_add(size_of_val(self.segments) as u64);
        self.segments
            .iter()
            .map(|segment| segment.file_range(LittleEndian))
            // Memory that only has to be zero has a place in the file, but no bytes there.
            .filter(|(_, size)| *size > 0)
            .map(|(offset, size)| offset.saturating_add(size))
            .fold(headers, u64::max)
    }

    fn has_segment(&self, kind: ProgramType) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.p_type(LittleEndian) == kind)
    }
}

/// The number in the first bytes, up to eight of them.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rfold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn refuse_undefined_symbols(
    header: &FileHeader64<LittleEndian>,
    data: &[u8],
) -> Result<(), Defect> {
    let sections = header.sections(LittleEndian, data)?;
    let symbols = sections.symbols(LittleEndian, data, elf::SHT_SYMTAB)?;
    let mut count = 0;
    let mut names = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        // The first symbol stands for "none".
        if index == SymbolIndex(0) || !symbol.is_undefined(LittleEndian) {
            continue;
        }
        count += 1;
        if names.len() < NAMED_SYMBOLS {
            names.push(
                String::from_utf8_lossy(symbols.symbol_name(LittleEndian, symbol)?).into_owned(),
            );
        }
    }
    if count > 0 {
        return Err(Defect::Undefined { count, names });
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use object::elf::{self, FileHeader64};
    use object::{LittleEndian, pod};

    use super::{Defect, Image};

    const NOTE_OFFSET: usize = 64 + 2 * 56;
    const NOTE: &[u8] = b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0\0\0\x10\0";

    /// A program that passes all checks.
    pub fn sound_program() -> Vec<u8> {
        Parts::default().program()
    }

    /// The parts of the hand-made program.
    struct Parts {
        machine: elf::Machine,
        kind: elf::FileType,
        note: &'static [u8],
        segment: elf::ProgramType,
        undefined: Vec<String>,
    }

    impl Default for Parts {
        fn default() -> Self {
            Self {
                machine: elf::EM_X86_64,
                kind: elf::ET_EXEC,
                note: NOTE,
                segment: elf::PT_LOAD,
                undefined: Vec::new(),
            }
        }
    }

    /// Little-endian fields of an ELF structure.
    #[derive(Default)]
    struct Fields(Vec<u8>);

    impl Fields {
        fn half(mut self, values: &[u16]) -> Self {
            self.0
                .extend(values.iter().flat_map(|value| value.to_le_bytes()));
            self
        }

        fn word(mut self, values: &[u32]) -> Self {
            self.0
                .extend(values.iter().flat_map(|value| value.to_le_bytes()));
            self
        }

        fn long(mut self, values: &[usize]) -> Self {
            self.0.extend(
                values
                    .iter()
                    .flat_map(|value| (*value as u64).to_le_bytes()),
            );
            self
        }
    }

    impl Parts {
        /// Headers, the note (in two segments), and behind the segments a symbol table.
        fn program(&self) -> Vec<u8> {
            let (symbols, names) = self.symbol_table();
            let symbols_offset = NOTE_OFFSET + self.note.len();
            let names_offset = symbols_offset + symbols.len();
            let sections_offset = names_offset + names.len();
            let file = Fields(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".into())
                .half(&[self.kind.0, self.machine.0])
                .word(&[1])
                .long(&[0x10_0000, 64, sections_offset])
                .word(&[0])
                .half(&[64, 56, 2, 64, 3, 2]);
            let segment = |kind: elf::ProgramType, memory| {
                let size = self.note.len();
                let fields = Fields::default().word(&[kind.0, 5]);
                fields
                    .long(&[NOTE_OFFSET, 0x10_0000, 0x10_0000, size, memory, 4])
                    .0
            };
            let section = |kind: u32, offset, size, link, item| {
                let fields = Fields::default()
                    .word(&[0, kind])
                    .long(&[0, 0, offset, size]);
                fields.word(&[link, 1]).long(&[8, item]).0
            };
            [
                file.0,
                segment(self.segment, 0x3000),
                segment(elf::PT_NOTE, self.note.len()),
                self.note.into(),
                symbols.clone(),
                names.clone(),
                section(0, 0, 0, 0, 0),
                section(elf::SHT_SYMTAB.0, symbols_offset, symbols.len(), 2, 24),
                section(elf::SHT_STRTAB.0, names_offset, names.len(), 0, 0),
            ]
            .concat()
        }

        fn symbol_table(&self) -> (Vec<u8>, Vec<u8>) {
            let mut symbols = vec![0; 24];
            let mut names = vec![0];
            for name in &self.undefined {
                let fields = Fields::default().word(&[names.len() as u32, 0x10]);
                symbols.extend(fields.long(&[0, 0]).0);
                names.extend(name.bytes().chain([0]));
            }
            (symbols, names)
        }

        fn defect(&self) -> Defect {
            Image::check(&self.program()).err().expect("a defect")
        }
    }

    #[test]
    fn a_sound_image_is_cut_behind_its_segments() {
        let parts = Parts::default();
        let program = parts.program();
        let image = Image::check(&program).unwrap();
        assert_eq!(image.memory_size(), 0x3000);
        assert_eq!(image.memory_end(), 0x10_3000);
        assert_eq!(image.code().first(), Some(&(0x10_0000..0x10_3000)));
        assert_eq!(image.pvh_entry(), Ok(Some(0x10_0000)));
        let stripped = image.stripped();
        assert!(stripped.ends_with(parts.note));
        assert_eq!(stripped.len(), NOTE_OFFSET + NOTE.len());
        let (header, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(&stripped).unwrap();
        assert_eq!(header.e_shoff.get(LittleEndian), 0);
        assert_eq!(header.e_shnum.get(LittleEndian), 0);
        // It is still an image.
        assert_eq!(Image::check(&stripped).unwrap().stripped(), stripped);
    }

    #[test]
    fn defects_are_named() {
        let wrong_machine = Parts {
            machine: elf::EM_AARCH64,
            ..Parts::default()
        };
        assert_eq!(wrong_machine.defect(), Defect::WrongKind);
        let movable = Parts {
            kind: elf::ET_DYN,
            ..Parts::default()
        };
        assert_eq!(movable.defect(), Defect::WrongKind);
        for segment in [elf::PT_INTERP, elf::PT_DYNAMIC] {
            let dynamic = Parts {
                segment,
                ..Parts::default()
            };
            assert_eq!(dynamic.defect(), Defect::Dynamic);
        }
        let unbootable = Parts {
            note: b"\x04\0\0\0\x04\0\0\0\x12\0\0\0XEN\0\0\0\x10\0",
            ..Parts::default()
        };
        assert_eq!(unbootable.defect(), Defect::NoPvhNote);
    }

    #[test]
    fn undefined_symbols_are_listed_up_to_a_bound() {
        let undefined = (0..7).map(|number| format!("symbol{number}")).collect();
        let Defect::Undefined { count, names } = (Parts {
            undefined,
            ..Parts::default()
        })
        .defect() else {
            panic!("another defect");
        };
        assert_eq!(count, 7);
        assert_eq!(
            names,
            ["symbol0", "symbol1", "symbol2", "symbol3", "symbol4"]
        );
    }

    #[test]
    fn a_damaged_file_is_refused_without_panic() {
        let program = Parts::default().program();
        for length in 0..NOTE_OFFSET + NOTE.len() {
            assert!(
                matches!(Image::check(&program[..length]), Err(Defect::Malformed(_))),
                "{length}"
            );
        }
        for position in 0..program.len() {
            let mut damaged = program.clone();
            damaged[position] ^= 0xff;
            if let Ok(image) = Image::check(&damaged) {
                assert!(image.stripped().len() <= damaged.len());
            }
        }
    }
}
