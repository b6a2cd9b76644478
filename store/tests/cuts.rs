//! Power cuts at any moment, under concurrent changes: what was acknowledged is there, and what
//! was not is there as a whole or not at all.

mod common;

use common::operation::{Generator, Operation};
use common::{Disk, LIMITS, amount, contents, contents_of, copy, formatted, key};
use fata_block::{Faults, FaultyDisk};
use fata_kv::{Error, Key, KvRo, KvRw, MemoryKv};
use fata_store::{Store, check};
use fata_task::{Handle, JoinHandle, simulate};
use std::collections::BTreeMap;
use std::rc::Rc;

const WORKERS: usize = 4;

type Values = BTreeMap<Key, Vec<u8>>;

/// Plan of what a test does to its disk.
#[derive(Clone, Copy)]
struct Plan {
    sector_size: usize,
    seed: u64,
    cuts: u64,
    /// Faults of the disk besides the cuts.
    faults: Faults,
    /// True if free pages are discarded beside the changes.
    trims: bool,
    /// True if another program goes on without a power cut when all workers have met errors.
    reopens: bool,
}

/// Knowledge of a worker about its dictionary when the power is cut.
struct Outcome {
    /// Its values after the acknowledged changes.
    acknowledged: Values,
    /// The same with the change that was under way, if there was one.
    possible: Option<Values>,
}

/// Makes changes in a dictionary of its own until one fails for good.
async fn work(
    tasks: Handle,
    store: Store<Disk>,
    mut generator: Generator,
    values: Values,
) -> Outcome {
    let model = copy(&tasks, &values).await;
    loop {
        let operation = generator.operation();
        let before = contents(&model).await;
        let expected = operation.make(&model).await;
        match operation.make(&store).await {
            Err(Error::NoSpace) => undo(&model, &before).await,
            Err(Error::Disk(_) | Error::Closed) => {
                return Outcome {
                    acknowledged: before,
                    possible: Some(contents(&model).await),
                };
            }
            made => assert_eq!(made, expected, "{operation:?}"),
        }
    }
}

async fn undo(model: &MemoryKv, values: &Values) {
    model
        .remove(&Key::ROOT)
        .await
        .expect("there always is a root");
    for (key, value) in values {
        let set = Operation::Set(key.clone(), value.clone());
        set.make(model).await.expect("it was there before");
    }
}

fn dictionary(worker: usize) -> Key {
    key(&format!("worker{worker}"))
}

/// Discards what is free until the power is cut.
async fn trim(store: Store<Disk>) {
    while !matches!(
        store.trim().await,
        Err(Error::Disk(fata_block::Error::Gone) | Error::Closed)
    ) {}
}

/// Lets workers change a store until each has met an error, such as that the power is cut.
async fn work_side_by_side(
    tasks: &Handle,
    store: &Store<Disk>,
    known: &[Values],
    plan: Plan,
    seed: u64,
) -> Vec<Outcome> {
    let start = |(worker, values): (usize, &Values)| {
        let seed = seed * WORKERS as u64 + worker as u64;
        let generator = Generator::new(seed, 40, 30_000).inside(dictionary(worker));
        tasks.spawn(work(
            tasks.clone(),
            store.clone(),
            generator,
            values.clone(),
        ))
    };
    let workers: Vec<JoinHandle<Outcome>> = known.iter().enumerate().map(start).collect();
    let trimmer = plan.trims.then(|| tasks.spawn(trim(store.clone())));
    let mut outcomes = Vec::new();
    for worker in workers {
        outcomes.push(worker.await.expect("it ends by itself"));
    }
    if let Some(trimmer) = trimmer {
        trimmer.await.expect("it ends by itself");
    }
    outcomes
}

/// Goes on with a store as another program, in which nothing fails until the power is cut.
async fn reopen(
    tasks: &Handle,
    disk: &Disk,
    outcomes: Vec<Outcome>,
    plan: Plan,
    seed: u64,
) -> Result<Vec<Outcome>, String> {
    let cut_after = |bound| Faults {
        cut_after: Some(Generator::new(seed, 1, 1).below(bound)),
        ..Faults::default()
    };
    disk.set_faults(cut_after(200));
    let opened = Store::open(tasks, Rc::clone(disk), LIMITS).await;
    if disk.is_gone() {
        return Ok(outcomes);
    }
    disk.set_faults(Faults::default());
    let store = opened.map_err(|error| error.to_string())?;
    let known = compare(&store, &outcomes).await?;
    disk.set_faults(cut_after(500));
    Ok(work_side_by_side(tasks, &store, &known, plan, seed).await)
}

/// Compares what is there after a cut with what may be, and tells what is there.
async fn compare(store: &Store<Disk>, outcomes: &[Outcome]) -> Result<Vec<Values>, String> {
    let mut known = Vec::new();
    for (worker, outcome) in outcomes.iter().enumerate() {
        let found = contents_of(store, &dictionary(worker)).await;
        if found != outcome.acknowledged && Some(&found) != outcome.possible.as_ref() {
            let changed = outcome
                .acknowledged
                .iter()
                .find(|(key, value)| found.get(key) != Some(value));
            return Err(format!(
                "worker {worker}, such as {:?}",
                changed.map(|(key, _)| key)
            ));
        }
        known.push(found);
    }
    Ok(known)
}

/// Cuts the power again and again; an error tells what was lost.
fn run(plan: Plan) -> Result<(), String> {
    simulate(|tasks| async move {
        let mut bytes = formatted(plan.sector_size, 4 << 10, plan.seed).await.cut();
        let mut known = vec![Values::new(); WORKERS];
        for round in 0..plan.cuts {
            let seed = plan.seed * 1_000_000 + round;
            let disk = Rc::new(FaultyDisk::from_bytes(plan.sector_size, bytes, seed));
            let store = Store::open(&tasks, Rc::clone(&disk), LIMITS).await;
            let store = store.map_err(|error| format!("{round}: {error}"))?;
            disk.set_faults(Faults {
                cut_after: Some(Generator::new(seed, 1, 1).below(500)),
                delay: (seed % 4) as u32,
                ..plan.faults
            });
            let mut outcomes = work_side_by_side(&tasks, &store, &known, plan, seed).await;
            if plan.reopens && !disk.is_gone() {
                let reopened = reopen(&tasks, &disk, outcomes, plan, seed).await;
                outcomes = reopened.map_err(|lost| format!("{round}, opened again: {lost}"))?;
            }
            bytes = disk.cut();
            let disk = Rc::new(FaultyDisk::from_bytes(
                plan.sector_size,
                bytes.clone(),
                seed,
            ));
            let report = check(&disk)
                .await
                .map_err(|error| format!("{round}: {error}"))?;
            if !report.problems.is_empty() {
                return Err(format!("{round}: {:?}", report.problems));
            }
            let store = Store::open(&tasks, disk, LIMITS).await;
            let store = store.map_err(|error| format!("{round}: {error}"))?;
            known = compare(&store, &outcomes)
                .await
                .map_err(|lost| format!("{round}: {lost}"))?;
        }
        Ok(())
    })
}

/// How many cuts each test makes; ten thousand are a thorough run, best of a release build.
fn cuts() -> u64 {
    amount("FATA_STORE_CUTS", 60)
}

#[test]
fn cuts_lose_nothing_512() {
    let plan = Plan {
        sector_size: 512,
        seed: 1,
        cuts: cuts(),
        faults: Faults::default(),
        trims: false,
        reopens: false,
    };
    assert_eq!(run(plan), Ok(()));
}

#[test]
fn cuts_lose_nothing_4096() {
    let plan = Plan {
        sector_size: 4096,
        seed: 2,
        cuts: cuts(),
        faults: Faults::default(),
        trims: false,
        reopens: false,
    };
    assert_eq!(run(plan), Ok(()));
}

/// Free pages are discarded at any moment: what is left of them is noise, zeroes, or old.
#[test]
fn cuts_while_trimming_lose_nothing() {
    let plan = Plan {
        sector_size: 512,
        seed: 5,
        cuts: cuts(),
        faults: Faults {
            fail_one_in: Some(1000),
            ..Faults::default()
        },
        trims: true,
        reopens: false,
    };
    assert_eq!(run(plan), Ok(()));
}

/// Requests fail, flushes among them, before the power is cut.
#[test]
fn errors_lose_nothing() {
    let plan = Plan {
        sector_size: 512,
        seed: 3,
        cuts: cuts(),
        faults: Faults {
            fail_one_in: Some(100),
            ..Faults::default()
        },
        trims: false,
        reopens: false,
    };
    assert_eq!(run(plan), Ok(()));
}

/// After errors another program opens the store, before the power is cut.
#[test]
fn errors_before_another_program_lose_nothing() {
    for trims in [false, true] {
        let plan = Plan {
            sector_size: 512,
            seed: 6,
            cuts: cuts(),
            faults: Faults {
                fail_one_in: Some(1000),
                fail_flush_one_in: Some(10),
                ..Faults::default()
            },
            trims,
            reopens: true,
        };
        assert_eq!(run(plan), Ok(()), "with trims: {trims}");
    }
}

/// The host of the disk has room for less than the disk's size.
#[test]
fn a_full_host_loses_nothing() {
    let plan = Plan {
        sector_size: 512,
        seed: 4,
        cuts: cuts(),
        faults: Faults {
            capacity: Some(1500),
            ..Faults::default()
        },
        trims: false,
        reopens: false,
    };
    assert_eq!(run(plan), Ok(()));
}

/// The tests above are worth something: without flushes they fail.
#[test]
fn flushes_left_out_are_noticed() {
    for seed in 5..10 {
        let plan = Plan {
            sector_size: 512,
            seed,
            cuts: 100,
            faults: Faults {
                flush_lies: true,
                ..Faults::default()
            },
            trims: false,
            reopens: false,
        };
        assert!(run(plan).is_err(), "seed {seed}");
    }
}

/// A cut leaves the last transaction without one of its pages, whichever that is. It stays undone,
/// also when that page is written later.
#[test]
fn what_was_cut_off_does_not_come_back() {
    const PAGE: usize = 4096;
    simulate(|tasks| async move {
        let disk = formatted(512, 2048, 1).await;
        let store = common::open(&tasks, &disk).await;
        let old = vec![1; 20_000];
        let new = vec![2; 20_000];
        store.set(&key("value"), &old).await.unwrap();
        let before = disk.contents();
        store.set(&key("value"), &new).await.unwrap();
        let mut after = disk.contents();
        // It was not confirmed yet.
        after[2 * PAGE..3 * PAGE].copy_from_slice(&before[2 * PAGE..3 * PAGE]);
        let get = async |bytes: &[u8]| {
            let disk = Rc::new(FaultyDisk::from_bytes(512, bytes.to_vec(), 1));
            let store = common::open(&tasks, &disk).await;
            let value = store.get(&key("value"), 20_000).await.unwrap();
            (value, disk.contents())
        };
        assert!(get(&after).await.0 == new);
        let pages = (3..after.len() / PAGE).map(|page| page * PAGE..(page + 1) * PAGE);
        let changed: Vec<_> = pages
            .filter(|page| before[page.clone()] != after[page.clone()])
            .collect();
        assert!(changed.len() >= 7, "five of the value, a node, the bitmap");
        for page in changed {
            let mut torn = after.clone();
            torn[page.clone()].copy_from_slice(&before[page.clone()]);
            let (value, mut found) = get(&torn).await;
            assert!(value == old);
            found[page.clone()].copy_from_slice(&after[page]);
            assert!(get(&found).await.0 == old);
        }
    });
}
