//! Content of a slot of the disk: `LOTO`, the best number so far (big-endian), and the CRC-32 of
//! both, at the beginning of a sector.

const MAGIC: &[u8; 4] = b"LOTO";
const LENGTH: usize = 12;

/// Writes the record at the beginning of a sector.
pub fn encode(best: u32, sector: &mut [u8]) {
    sector[..4].copy_from_slice(MAGIC);
    sector[4..8].copy_from_slice(&best.to_be_bytes());
    let checksum = crc32fast::hash(&sector[..8]);
    sector[8..LENGTH].copy_from_slice(&checksum.to_be_bytes());
}

/// The best number of a sector's record, if there is one.
pub fn decode(sector: &[u8]) -> Option<u32> {
    let (body, checksum) = sector.get(..LENGTH)?.split_at(8);
    let (magic, best) = body.split_at(4);
    let sound = magic == MAGIC && checksum == crc32fast::hash(body).to_be_bytes();
    sound.then(|| u32::from_be_bytes([best[0], best[1], best[2], best[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut sector = [7; 512];
        encode(0x0102_0304, &mut sector);
        // The checksum from another implementation: zlib.crc32(b"LOTO\x01\x02\x03\x04").
        assert_eq!(sector[..8], *b"LOTO\x01\x02\x03\x04");
        assert_eq!(sector[8..12], 0x7397_acf3_u32.to_be_bytes());
        assert_eq!(decode(&sector), Some(0x0102_0304));
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let mut sector = [0; 512];
        encode(99, &mut sector);
        for bit in 0..LENGTH * 8 {
            sector[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&sector), None, "bit {bit}");
            sector[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(decode(&[0; 512]), None);
        assert_eq!(decode(&[]), None);
    }
}
