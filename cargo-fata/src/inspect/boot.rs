//! The boot protocols that an image offers.

use serde::Serialize;

/// Start of a Multiboot 2 header (Multiboot 2 specification 3.1.1).
const MULTIBOOT2_MAGIC: u32 = 0xe852_50d6;

/// The header lies in this many first bytes of the file, and is aligned.
const MULTIBOOT2_REACH: usize = 32768;
const MULTIBOOT2_ALIGNMENT: usize = 8;

/// A way into an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "protocol")]
pub enum Boot {
    /// QEMU, Firecracker, Cloud Hypervisor and Xen know it.
    #[serde(rename = "PVH")]
    Pvh {
        /// Address of the first instruction.
        entry: u64,
    },
    /// GRUB knows it.
    #[serde(rename = "Multiboot 2")]
    Multiboot2 {
        /// Place of the header in the file.
        offset: usize,
    },
}

/// Finds the Multiboot 2 header of a file.
pub fn multiboot2(file: &[u8]) -> Option<Boot> {
    let reach = &file[..file.len().min(MULTIBOOT2_REACH)];
    let word = |at: usize| {
        let bytes = reach.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    (0..reach.len())
        .step_by(MULTIBOOT2_ALIGNMENT)
        .filter(|at| word(*at) == Some(MULTIBOOT2_MAGIC))
        .find(|at| {
            // Magic, architecture, length and checksum add up to zero.
            let mut words = (0..4).map(|index| word(at + 4 * index));
            words.try_fold(0, |sum: u32, word| Some(sum.wrapping_add(word?))) == Some(0)
        })
        .map(|offset| Boot::Multiboot2 { offset })
}

#[cfg(test)]
mod tests {
    use super::{Boot, multiboot2};

    /// A file with these words from `offset` on.
    fn file(offset: usize, words: [u32; 4]) -> Vec<u8> {
        let mut file = vec![0; offset];
        file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        file
    }

    #[test]
    fn a_multiboot_header_is_found_where_it_may_be() {
        let sound = [0xe852_50d6, 0, 24, 0u32.wrapping_sub(0xe852_50d6 + 24)];
        for offset in [0, 184, 32768 - 16] {
            let found = multiboot2(&file(offset, sound));
            assert_eq!(found, Some(Boot::Multiboot2 { offset }));
        }
        for offset in [4, 32768 - 8, 32768] {
            assert_eq!(multiboot2(&file(offset, sound)), None);
        }
        assert_eq!(multiboot2(&file(0, [0xe852_50d6, 0, 24, 0])), None);
        assert_eq!(multiboot2(&file(64, sound)[..70]), None);
    }
}
