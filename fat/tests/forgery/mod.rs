//! Volumes that were changed by somebody who means harm, or by a broken disk.

use fata_block::{Block, Error as DiskError, Geometry, RamDisk};
use fata_fat::{FatKv, check};
use fata_kv::{Error, Key, Kind, KvRo, KvRw};
use fata_task::{Handle, simulate};
use hadris_fat::{FatKind, FatOptions};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

const SECTOR: usize = 512;

/// Most keys that are read of one volume, as a forged one can have any number of files.
const MOST_KEYS: usize = 50;

/// A sound volume.
struct Sound {
    bytes: Vec<u8>,
    /// Its sectors that are not empty.
    used: Vec<usize>,
}

/// A disk of bytes that are shared, with changes of its own.
struct Forged {
    sound: Arc<Sound>,
    changed: RefCell<BTreeMap<u64, Vec<u8>>>,
}

impl Block for Forged {
    fn geometry(&self) -> Geometry {
        Geometry {
            sector_size: SECTOR,
            sectors: (self.sound.bytes.len() / SECTOR) as u64,
            read_only: false,
        }
    }

    async fn read(&self, sector: u64, mut buffer: Vec<u8>) -> Result<Vec<u8>, DiskError> {
        self.geometry().check_read(sector, buffer.len())?;
        let sound = &self.sound.bytes[sector as usize * SECTOR..];
        let length = buffer.len();
        buffer.copy_from_slice(&sound[..length]);
        let end = sector + (buffer.len() / SECTOR) as u64;
        for (changed, bytes) in self.changed.borrow().range(sector..end) {
            let start = (changed - sector) as usize * SECTOR;
            buffer[start..start + SECTOR].copy_from_slice(bytes);
        }
        Ok(buffer)
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, DiskError> {
        self.geometry().check_write(sector, buffer.len())?;
        let parts = (sector..).zip(buffer.chunks(SECTOR));
        let parts = parts.map(|(sector, part)| (sector, part.to_vec()));
        self.changed.borrow_mut().extend(parts);
        Ok(buffer)
    }

    async fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), DiskError> {
        self.geometry().check_change(sector, count)
    }

    async fn write_zeroes(&self, _: u64, _: u64) -> Result<(), DiskError> {
        unreachable!("volumes write no zeroes")
    }
}

fn key(text: &str) -> Key {
    text.parse().expect("it is a key")
}

/// A volume with a few files of several clusters, and folders in folders.
fn make(kind: FatKind) -> Arc<Sound> {
    let bytes = match kind {
        FatKind::Fat12 => 100 << 10,
        FatKind::Fat16 => 3 << 20,
        _ => 34 << 20,
    };
    let bytes = simulate(|tasks| async move {
        let mut image = vec![0; bytes];
        let options = FatOptions::new().with_kind(kind).with_cluster_size(512);
        let made = hadris_fat::async_::format(&mut image, &options).await;
        made.expect("it is large enough");
        let disk = Rc::new(RamDisk::from_bytes(SECTOR, image));
        let volume = FatKv::open(&tasks, Rc::clone(&disk), 1 << 20).await;
        let volume = volume.expect("there is a volume");
        for (name, length) in [
            ("short.txt", 3000),
            ("A long name, of three entries.txt", 1000),
            ("folder/inner folder/value", 600),
            ("folder/empty", 0),
            ("folder/more", 2000),
        ] {
            let value: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            volume.set(&key(name), &value).await.expect("it has room");
        }
        for number in 0..8 {
            let name = key(&format!("folder/number {number}"));
            volume.set(&name, &[number]).await.expect("it has room");
        }
        volume
            .remove(&key("folder/number 7"))
            .await
            .expect("it is there");
        drop(volume);
        let last = (bytes / SECTOR) as u64;
        disk.read(0, vec![0; last as usize * SECTOR])
            .await
            .expect("it is there")
    });
    let sectors = bytes.chunks(SECTOR).enumerate();
    let used = sectors.filter(|(_, sector)| sector.iter().any(|byte| *byte != 0));
    let used = used.map(|(index, _)| index).collect();
    Arc::new(Sound { bytes, used })
}

/// Changes a volume as `plan` says, then does all that can be done with it.
pub fn run(plan: &[u8]) {
    static SOUND: [OnceLock<Arc<Sound>>; 3] = [const { OnceLock::new() }; 3];
    let Some((choice, plan)) = plan.split_first() else {
        return;
    };
    // The larger ones take longer.
    let (choice, kind) = match choice % 8 {
        0..4 => (0, FatKind::Fat12),
        4..7 => (1, FatKind::Fat16),
        _ => (2, FatKind::Fat32),
    };
    let sound = SOUND[choice].get_or_init(|| make(kind));
    let disk = Rc::new(forge(sound, plan));
    simulate(|tasks| async move {
        let _ = check(&disk, |finding| assert!(!finding.to_string().is_empty())).await;
        match FatKv::open(&tasks, disk, 1 << 20).await {
            Ok(volume) => use_it(&tasks, &volume).await,
            Err(Error::NotAStore | Error::Damaged | Error::Unsupported) => {}
            Err(error) => panic!("{error:?}"),
        }
    });
}

/// Each three bytes of a plan are a place in what is used of the volume, and another byte for it.
fn forge(sound: &Arc<Sound>, plan: &[u8]) -> Forged {
    let mut changed: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for step in plan.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([step[0], step[1]]));
        let sector = sound.used[place / SECTOR % sound.used.len()];
        let old = &sound.bytes[sector * SECTOR..][..SECTOR];
        let bytes = changed.entry(sector as u64).or_insert_with(|| old.to_vec());
        bytes[place % SECTOR] = step[2];
    }
    Forged {
        sound: Arc::clone(sound),
        changed: RefCell::new(changed),
    }
}

async fn use_it(tasks: &Handle, volume: &FatKv<Rc<Forged>>) {
    let found = read_all(volume).await;
    tasks.sleep(core::time::Duration::from_secs(3)).await;
    for (index, (key, kind)) in found.iter().enumerate() {
        let _ = match (index % 5, kind) {
            (0, _) => volume.remove(key).await,
            (1, Kind::Value) => volume.set(key, &[1; 3000]).await,
            (2, Kind::Value) => volume.set_range(key, 5000, &[2; 700]).await,
            (3, _) => volume.rename(key, &self::key("new folder/moved")).await,
            _ => {
                volume
                    .set(&key.child("new").unwrap_or_default(), b"new")
                    .await
            }
        };
    }
    read_all(volume).await;
    let _ = volume.remove(&Key::ROOT).await;
}

async fn read_all(volume: &impl KvRo) -> Vec<(Key, Kind)> {
    let mut found = vec![(Key::ROOT, Kind::Dictionary)];
    let mut next = 0;
    while let Some((key, kind)) = found.get(next).cloned() {
        next += 1;
        if kind == Kind::Value {
            let mut buffer = [0; 100];
            let _ = volume.get_range(&key, 1111, &mut buffer).await;
            let _ = volume.get(&key, 10_000).await;
            continue;
        }
        let entries = volume.list(&key, "", MOST_KEYS).await.unwrap_or_default();
        for entry in entries {
            if found.len() < MOST_KEYS
                && let Ok(inner) = key.child(&entry.name)
            {
                found.push((inner, entry.kind));
            }
        }
    }
    found
}
