//! A tar archive on a disk, its checksums mended so that what lies behind them is reached.
#![no_main]

use fata_block::RamDisk;
use fata_kv::{Key, KvRo, TarKv};
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    for block in bytes.chunks_exact_mut(BLOCK) {
        // Every other block, as if it were a header; some are the bytes of files.
        if block[511] & 1 == 0 {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
    fata_task::simulate(|_| async move {
        let disk = RamDisk::from_bytes(BLOCK, bytes);
        let Ok(archive) = TarKv::open(disk, 1000, |_, _| {}).await else {
            return;
        };
        let mut open = vec![Key::ROOT];
        while let Some(key) = open.pop() {
            let Ok(entries) = archive.list(&key, "", 1000).await else {
                let _ = archive.get(&key, 1 << 20).await;
                continue;
            };
            open.extend(
                entries
                    .iter()
                    .map(|entry| key.child(&entry.name).expect("a key")),
            );
        }
    });
});
