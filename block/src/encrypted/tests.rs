extern crate std;

use super::*;
use crate::{Faults, FaultyDisk, RamDisk};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use fata_task::simulate;
use proptest::prelude::*;

/// The key, and the first bytes of the sector that is encrypted, of IEEE 1619-2007, annex B,
/// vector 10: sector 0xff is the bytes 0, 1, 2 and so on.
const KEY: &str = "2718281828459045235360287471352662497757247093699959574966967627\
    3141592653589793238462643383279502884197169399375105820974944592";
const ENCRYPTED: &str = "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b\
    5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd";
/// The last 16 bytes.
const ENCRYPTED_END: &str = "c4f36ffda9fcea70b9c6e693e148c151";

fn key() -> Zeroizing<[u8; 64]> {
    let byte = |index| u8::from_str_radix(&KEY[2 * index..2 * index + 2], 16).expect("it is hex");
    Zeroizing::new(core::array::from_fn(byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn counting() -> Vec<u8> {
    (0..512).map(|index| index as u8).collect()
}

#[test]
fn it_is_the_standards_cipher() {
    let on_disk = simulate(|_| async {
        let disk = Encrypted::new(RamDisk::new(512, 300), key()).expect("the key is good");
        assert_eq!(disk.write(0xff, counting()).await, Ok(counting()));
        assert_eq!(disk.read(0xff, vec![0; 512]).await, Ok(counting()));
        disk.disk.into_bytes()
    });
    let sector = &on_disk[0xff * 512..][..512];
    assert_eq!(hex(&sector[..64]), ENCRYPTED);
    assert_eq!(hex(&sector[496..]), ENCRYPTED_END);
}

#[test]
fn a_sector_is_read_only_with_its_key_and_at_its_place() {
    simulate(|_| async {
        let disk = RamDisk::new(512, 4);
        let mine = Encrypted::new(&disk, key()).expect("the key is good");
        mine.write(1, counting()).await.unwrap();
        let mut other = key();
        other[63] ^= 1;
        let other = Encrypted::new(&disk, other).expect("the key is good");
        assert_ne!(other.read(1, vec![0; 512]).await, Ok(counting()));
        let moved = disk.read(1, vec![0; 512]).await.unwrap();
        disk.write(2, moved).await.unwrap();
        assert_ne!(mine.read(2, vec![0; 512]).await, Ok(counting()));
    });
}

#[test]
fn a_key_of_equal_halves_is_refused() {
    let disk = Encrypted::new(RamDisk::new(512, 1), Zeroizing::new([7; 64]));
    assert_eq!(disk.err(), Some(EqualHalves));
}

#[test]
fn errors_of_the_disk_and_its_bounds_remain() {
    simulate(|_| async {
        let disk = FaultyDisk::new(512, 4, 1);
        let encrypted = Encrypted::new(&disk, key()).expect("the key is good");
        assert_eq!(encrypted.write(0, vec![0; 5]).await, Err(Error::Misaligned));
        assert_eq!(encrypted.write_zeroes(3, 2).await, Err(Error::OutOfRange));
        assert_eq!(
            encrypted.read(4, vec![0; 512]).await,
            Err(Error::OutOfRange)
        );
        disk.set_faults(Faults {
            fail_after: Some(0),
            ..Faults::default()
        });
        assert_eq!(encrypted.read(0, vec![0; 512]).await, Err(Error::Io));
        assert_eq!(encrypted.flush().await, Err(Error::Io));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Writes and zeroes of any size and place leave what they leave on a plain disk.
    #[test]
    fn it_is_a_disk(
        steps in prop::collection::vec((0..300_u64, 0..150_u64, any::<Option<u8>>()), 1..8),
        size in prop::sample::select(vec![512_usize, 4096]),
    ) {
        simulate(|_| async move {
            let plain = RamDisk::new(size, 300);
            let disk = Encrypted::new(RamDisk::new(size, 300), key()).expect("the key is good");
            let length = 300 * size;
            let same = plain.write(0, vec![1; length]).await;
            assert_eq!(disk.write(0, vec![1; length]).await, same);
            for (sector, count, value) in steps {
                match value {
                    Some(value) => {
                        let bytes = vec![value; count as usize * size];
                        let same = plain.write(sector, bytes.clone()).await;
                        assert_eq!(disk.write(sector, bytes).await, same);
                    }
                    None => {
                        let same = plain.write_zeroes(sector, count).await;
                        assert_eq!(disk.write_zeroes(sector, count).await, same);
                    }
                }
            }
            let same = plain.read(0, vec![0; length]).await;
            assert_eq!(disk.read(0, vec![0; length]).await, same);
        });
    }
}
