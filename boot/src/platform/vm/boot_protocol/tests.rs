use super::{Handover, Largest, Region, root_pointer};
use proptest::prelude::*;

const MULTIBOOT: u32 = 0x36d7_6289;
/// Where the pretended memory begins.
const BASE: u64 = 0x9_0000;

/// Reads from `bytes`, which lie at [`BASE`].
fn read(magic: u32, address: u32, bytes: &[u8]) -> Option<Handover<'_>> {
    Handover::read(magic, address, &|address, length| {
        let start = usize::try_from(address.checked_sub(BASE)?).ok()?;
        bytes.get(start..start.checked_add(length)?)
    })
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A memory map with a hole: below 640 KiB, the ROMs, and 127 MiB from 1 MiB on.
fn map() -> Vec<u8> {
    words(
        &[
            [0, 0, 0xa_0000, 0, 1, 0],
            [0xf_0000, 0, 0x1_0000, 0, 2, 0],
            [0x10_0000, 0, 0x7f0_0000, 0, 1, 0],
        ]
        .concat(),
    )
}

const RAM: [Region; 2] = [
    Region {
        start: 0,
        end: 0xa_0000,
    },
    Region {
        start: 0x10_0000,
        end: 0x800_0000,
    },
];

/// `hvm_start_info` at [`BASE`], the map behind it, and behind that the command line.
fn pvh(entries: u32, command_line: &[u8]) -> Vec<u8> {
    let map_at = BASE as u32 + 56;
    let text_at = map_at + map().len() as u32;
    let info = [
        [0x336e_c578, 1, 0, 0, 0, 0, text_at],
        [0, 0, 0, map_at, 0, entries, 0],
    ];
    [words(&info.concat()), map(), command_line.into()].concat()
}

fn tag(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut tag = words(&[kind, 8 + content.len() as u32]);
    tag.extend(content);
    tag.resize(tag.len().next_multiple_of(8), 0);
    tag
}

fn multiboot(tags: &[Vec<u8>]) -> Vec<u8> {
    let tags = tags.concat();
    [words(&[8 + tags.len() as u32, 0]), tags].concat()
}

fn map_tag(entry_size: u32, entries: &[u8]) -> Vec<u8> {
    tag(6, &[&words(&[entry_size, 0])[..], entries].concat())
}

fn assert_understood(handover: Option<Handover<'_>>) {
    let handover = handover.expect("it is sound");
    assert_eq!(handover.command_line, b"--port 80");
    assert!(handover.ram().eq(RAM));
}

#[test]
fn pvh_is_understood() {
    assert_understood(read(0, BASE as u32, &pvh(3, b"--port 80\0rest")));
    // A text without an end goes as far as there is memory.
    assert_understood(read(0, BASE as u32, &pvh(3, b"--port 80")));
}

#[test]
fn pvh_tells_where_the_firmwares_tables_are() {
    assert_eq!(root_pointer(0, 0x9000), Some(0x9020));
    assert_eq!(root_pointer(MULTIBOOT, 0x9000), None);
}

#[test]
fn multiboot_is_understood() {
    let text = tag(1, b"--port 80\0");
    let unknown = tag(21, &[0; 5]);
    let end = tag(0, &[]);
    let late = tag(1, b"late\0");
    let info = multiboot(&[unknown, text, map_tag(24, &map()), end, late]);
    assert_understood(read(MULTIBOOT, BASE as u32, &info));
    // Of no known protocol.
    assert!(read(0, BASE as u32, &info).is_none());
}

#[test]
fn larger_entries_and_a_missing_end_are_understood() {
    let entries: Vec<u8> = map()
        .chunks(24)
        .flat_map(|entry| [entry, &[0xff; 8]].concat())
        .collect();
    let info = multiboot(&[map_tag(32, &entries), tag(1, b"--port 80\0")]);
    assert_understood(read(MULTIBOOT, BASE as u32, &info));
}

#[test]
fn without_a_memory_map_there_is_nothing() {
    assert!(read(MULTIBOOT, BASE as u32, &multiboot(&[tag(1, b"a\0")])).is_none());
    for entry_size in [0, 8, 23] {
        let info = multiboot(&[map_tag(entry_size, &map())]);
        assert!(read(MULTIBOOT, BASE as u32, &info).is_none());
    }
    let mut old = pvh(3, b"");
    old[4] = 0;
    assert!(read(0, BASE as u32, &old).is_none());
    let mut nowhere = pvh(3, b"");
    nowhere[40..48].fill(0);
    assert!(read(0, BASE as u32, &nowhere).is_none());
    assert!(read(0, BASE as u32, &pvh(u32::MAX, b"")).is_none());
}

#[test]
fn a_tag_that_is_too_small_ends_the_list() {
    let broken = words(&[1, 7]);
    let info = multiboot(&[map_tag(24, &map()), broken, tag(1, b"a\0")]);
    let handover = read(MULTIBOOT, BASE as u32, &info).expect("the map came before");
    assert!(handover.command_line.is_empty());
}

#[test]
fn an_endless_text_is_cut_off() {
    let text = vec![b'x'; 1 << 20];
    let info = pvh(3, &text);
    let handover = read(0, BASE as u32, &info).expect("it is sound");
    assert_eq!(handover.command_line.len(), 64 * 1024);
    let info = multiboot(&[tag(1, &text[..100_000]), map_tag(24, &map())]);
    let handover = read(MULTIBOOT, BASE as u32, &info).expect("it is sound");
    assert_eq!(handover.command_line.len(), 64 * 1024);
}

#[test]
fn a_region_has_parts_around_a_hole() {
    let region = |start, end| Region { start, end };
    let without = |hole| region(10, 20).without(hole).map(Region::size);
    assert_eq!(
        region(10, 20).without(region(12, 13)),
        [region(10, 12), region(13, 20)]
    );
    assert_eq!(without(region(0, 10)), [0, 10]);
    assert_eq!(without(region(20, 30)), [10, 0]);
    assert_eq!(without(region(0, 30)), [0, 0]);
}

#[test]
fn whole_pages_are_cut_off_the_end() {
    let mut region = Region {
        start: 100,
        end: 20_000,
    };
    let cut = region.cut_off(5000);
    assert_eq!((cut.start, cut.end, region.end), (12_288, 20_000, 12_288));
    let all = region.cut_off(1 << 20);
    assert_eq!((all.start, all.end), (4096, 12_288));
    assert_eq!((region.start, region.end), (100, 4096));
}

proptest! {
    #[test]
    fn any_memory_is_read_in_bounds(
        magic in prop::sample::select(vec![0, MULTIBOOT]),
        address in BASE as u32..BASE as u32 + 64,
        mut bytes in prop::collection::vec(any::<u8>(), 0..512),
        sound in any::<bool>(),
    ) {
        // Half of them with a beginning that makes sense.
        if sound && bytes.len() >= 16 {
            let start = if magic == 0 { [0x336e_c578, 1, 0, 0] } else { [400, 0, 6, 200] };
            bytes[..16].copy_from_slice(&words(&start));
        }
        if let Some(handover) = read(magic, address, &bytes) {
            prop_assert!(handover.command_line.len() <= bytes.len());
            prop_assert!(handover.ram().count() <= bytes.len() / 24);
        }
    }

    #[test]
    fn the_largest_regions_are_kept(sizes in prop::collection::vec(0..1000_u64, 0..64)) {
        let mut largest = Largest::NONE;
        for &size in &sizes {
            largest.add(Region { start: 4096, end: 4096 + size });
        }
        let mut expected = sizes;
        expected.sort_unstable_by(|a, b| b.cmp(a));
        expected.resize(16, 0);
        prop_assert_eq!(largest.0.map(Region::size).to_vec(), expected);
    }
}
