//! Power cuts, errors and dropped requests at any moment, under a disk with checksums: each sector
//! reads as the contract of a disk allows, and none is taken for damaged.

mod contract;

use contract::{Model, filled};
use fata_block::{Block, Checksummed, Error, Faults, FaultyDisk};
use fata_task::{Handle, join_array, select, simulate, yield_now};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::rc::Rc;

type Disk = Checksummed<Rc<FaultyDisk>>;

const SECTORS: u64 = 200;
const WORKERS: u64 = 3;
/// Sectors that lie together and are one worker's.
const STRIPE: u64 = 8;

/// A test's actions on its disk.
#[derive(Clone, Copy)]
struct Plan {
    sector_size: usize,
    seed: u64,
    cuts: u64,
    /// The faults besides the cuts.
    faults: Faults,
}

struct Worker<'a> {
    disk: &'a Disk,
    model: &'a RefCell<Model>,
    random: RefCell<ChaCha8Rng>,
    /// Which of the workers it is.
    number: u64,
}

impl Worker<'_> {
    fn below(&self, bound: u64) -> u64 {
        self.random.borrow_mut().next_u64() % bound
    }

    /// Makes requests until the power is cut; an error tells what was read that cannot be.
    async fn work(&self) -> Result<(), String> {
        loop {
            let outcome = match self.below(16) {
                0..4 => self.read().await?,
                4..6 => self.flush().await,
                6 => self.drop_a_write().await,
                _ => self.change().await,
            };
            match outcome {
                Err(Error::Gone) => return Ok(()),
                Ok(()) | Err(Error::Io) => {}
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }

    /// Sectors of this worker.
    fn sectors(&self) -> (u64, u64) {
        let stripes = self.disk.geometry().sectors / STRIPE / WORKERS;
        let stripe = self.below(stripes) * WORKERS + self.number;
        let first = self.below(STRIPE);
        (
            stripe * STRIPE + first,
            1 + self.below((STRIPE - first).min(4)),
        )
    }

    async fn read(&self) -> Result<Result<(), Error>, String> {
        let (sector, count) = self.sectors();
        let size = self.disk.geometry().sector_size;
        let buffer = vec![0; count as usize * size];
        let bytes = match self.disk.read(sector, buffer).await {
            Ok(bytes) => bytes,
            Err(Error::Corrupt) => return Err(format!("sector {sector} is damaged")),
            Err(error) => return Ok(Err(error)),
        };
        for (sector, bytes) in (sector..).zip(bytes.chunks(size)) {
            if !self.model.borrow().may_read(sector, bytes) {
                return Err(format!("sector {sector} reads {:?}", &bytes[..4]));
            }
        }
        Ok(Ok(()))
    }

    async fn flush(&self) -> Result<(), Error> {
        let number = self.model.borrow().begin_flush();
        let flushed = self.disk.flush().await;
        self.model.borrow_mut().end_flush(number, flushed.is_ok());
        flushed
    }

    async fn change(&self) -> Result<(), Error> {
        let (sector, count) = self.sectors();
        let kind = self.below(6);
        let value = match kind {
            0 => Some(0),
            1 => None,
            // The same again is a case of its own.
            2 => Some(self.below(3) as u32),
            _ => Some(self.below(1 << 32) as u32),
        };
        let sectors = sector..sector + count;
        let write = self.model.borrow_mut().begin(sectors, value);
        let length = count as usize * self.disk.geometry().sector_size;
        match (kind, value) {
            (0, _) => self.disk.write_zeroes(sector, count).await?,
            (_, None) => self.disk.discard(sector, count).await?,
            (_, Some(value)) => {
                let bytes = filled(value, length);
                self.disk.write(sector, bytes).await.map(drop)?;
            }
        }
        self.model.borrow_mut().succeed(write);
        Ok(())
    }

    async fn drop_a_write(&self) -> Result<(), Error> {
        let polls = self.below(8);
        let soon = async {
            for _ in 0..polls {
                yield_now().await;
            }
        };
        match select(self.change(), soon).await {
            fata_task::Either::First(changed) => changed,
            fata_task::Either::Second(()) => Ok(()),
        }
    }
}

/// Compares all sectors with what may be there after a cut.
async fn compare(disk: &Disk, model: &RefCell<Model>) -> Result<(), String> {
    let size = disk.geometry().sector_size;
    for sector in 0..disk.geometry().sectors {
        let bytes = disk.read(sector, vec![0; size]).await;
        let bytes = bytes.map_err(|error| format!("sector {sector}: {error:?}"))?;
        if !model.borrow_mut().may_remain(sector, &bytes) {
            return Err(format!("sector {sector} has {:?}", &bytes[..8]));
        }
    }
    Ok(())
}

async fn open(tasks: &Handle, disk: &Rc<FaultyDisk>) -> Result<Disk, String> {
    let disk = Checksummed::open(tasks, Rc::clone(disk)).await;
    disk.map_err(|error| format!("{error:?}"))
}

/// Cuts the power again and again; an error tells what came of it.
fn run(plan: Plan) -> Result<(), String> {
    simulate(|tasks| async move {
        let mut noise = vec![0; SECTORS as usize * plan.sector_size];
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        random.fill_bytes(&mut noise);
        let disk = FaultyDisk::from_bytes(plan.sector_size, noise, plan.seed);
        let formatted = Checksummed::format(&disk).await;
        formatted.map_err(|error| format!("{error:?}"))?;
        let mut bytes = disk.cut();
        let model = RefCell::new(Model::new(SECTORS));
        for round in 0..plan.cuts {
            let seed = random.next_u64();
            let disk = Rc::new(FaultyDisk::from_bytes(plan.sector_size, bytes, seed));
            let sums = open(&tasks, &disk).await?;
            let compared = compare(&sums, &model).await;
            compared.map_err(|error| format!("{round}: {error}"))?;
            disk.set_faults(Faults {
                cut_after: Some(random.next_u64() % 400),
                delay: (seed % 4) as u32,
                ..plan.faults
            });
            let workers: [Worker<'_>; WORKERS as usize] = std::array::from_fn(|number| Worker {
                disk: &sums,
                model: &model,
                random: RefCell::new(ChaCha8Rng::seed_from_u64(random.next_u64())),
                number: number as u64,
            });
            for outcome in join_array(workers.each_ref().map(|worker| worker.work())).await {
                outcome.map_err(|error| format!("{round}: {error}"))?;
            }
            bytes = disk.cut();
        }
        Ok(())
    })
}

/// How many cuts each test makes; ten thousand are a thorough run, best of a release build.
fn cuts() -> u64 {
    let cuts = std::env::var("FATA_CHECKSUM_CUTS").ok();
    cuts.map_or(150, |cuts| cuts.parse().expect("it is a number"))
}

fn plan(sector_size: usize, seed: u64, faults: Faults) -> Plan {
    Plan {
        sector_size,
        seed,
        cuts: cuts(),
        faults,
    }
}

#[test]
fn cuts_damage_nothing_512() {
    assert_eq!(run(plan(512, 1, Faults::default())), Ok(()));
}

#[test]
fn cuts_damage_nothing_4096() {
    assert_eq!(run(plan(4096, 2, Faults::default())), Ok(()));
}

/// Requests fail, flushes among them, before the power is cut.
#[test]
fn errors_damage_nothing() {
    let faults = Faults {
        fail_one_in: Some(30),
        ..Faults::default()
    };
    assert_eq!(run(plan(512, 3, faults)), Ok(()));
}

/// The tests above are worth something: without flushes they fail.
#[test]
fn flushes_left_out_are_noticed() {
    for seed in 4..8 {
        let faults = Faults {
            flush_lies: true,
            ..Faults::default()
        };
        assert!(run(plan(512, seed, faults)).is_err(), "seed {seed}");
    }
}
