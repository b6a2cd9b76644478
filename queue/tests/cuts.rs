//! Power cuts and errors of the disk at random moments: what was acknowledged is there, bit for
//! bit and in order; what was removed stays away; what was neither is there whole or not at all.
//!
//! `FATA_CUTS` says how many cuts there are.

mod support;

use fata_block::{Faults, FaultyDisk};
use fata_queue::{OpenError, Queue};
use fata_task::{select, simulate, yield_now};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::rc::Rc;
use support::load::load;
use support::model::Model;
use support::{SLOTS, drain};

/// Cuts unless the environment says another number.
const CUTS: u64 = 100;
/// Cuts that one disk lives through.
const LIVES: u64 = 10;
/// Draws of what each cut may leave.
const DRAWS: u64 = 3;
/// Steps of the disk in a life, at most.
const MOST_STEPS: u64 = 2000;

fn cuts() -> u64 {
    let given = std::env::var("FATA_CUTS").ok();
    given.map_or(CUTS, |text| text.parse().expect("FATA_CUTS is a number"))
}

/// One disk: loaded, cut, checked, and loaded again.
fn live(seed: u64, faults: impl Fn(&mut ChaCha8Rng) -> Faults) -> Result<(), String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // From one that is always full to one that never is.
    let sectors = SLOTS + 20 + random.next_u64() % 400;
    let model = Rc::new(RefCell::new(Model::default()));
    let mut bytes = vec![0; sectors as usize * 512];
    for life in 0..LIVES {
        let disk = Rc::new(FaultyDisk::from_bytes(512, bytes, random.next_u64()));
        disk.set_faults(faults(&mut random));
        let in_life = |error| format!("life {life}: {error}");
        survive(&disk, &model, &mut random).map_err(in_life)?;
        for _ in 1..DRAWS {
            let found = contents(disk.cut());
            let checked = found.and_then(|found| model.borrow().check(&found));
            checked.map_err(in_life)?;
        }
        bytes = disk.cut();
        let found = contents(bytes.clone());
        let settled = found.and_then(|found| model.borrow_mut().settle(&found));
        settled.map_err(in_life)?;
    }
    Ok(())
}

fn contents(bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
    simulate(|tasks| async move { drain(bytes, &tasks).await })
}

/// Loads a disk until it is gone. Before that the program is killed up to
/// twice, and started again: what it had written is there, and need not be durable.
fn survive(
    disk: &Rc<FaultyDisk>,
    model: &Rc<RefCell<Model>>,
    random: &mut ChaCha8Rng,
) -> Result<(), String> {
    for kills_left in (0..=random.next_u64() % 3).rev() {
        let rounds = match kills_left {
            0 => u64::MAX,
            _ => random.next_u64() % 200,
        };
        let seed = random.next_u64() / 100;
        simulate(|tasks| async move {
            let opened = Queue::open(Rc::clone(disk), tasks.clone(), 3).await;
            let queue = match opened {
                Ok(queue) => queue,
                Err(OpenError::Disk(_)) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            let killed = async {
                for _ in 0..rounds {
                    yield_now().await;
                }
            };
            select(load(disk, &queue, model, seed, &tasks), killed).await;
            Ok(())
        })?;
    }
    Ok(())
}

fn cut_somewhere(random: &mut ChaCha8Rng) -> Faults {
    Faults {
        cut_after: Some(random.next_u64() % MOST_STEPS),
        delay: (random.next_u64() % 4) as u32,
        ..Faults::default()
    }
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing() {
    for seed in 0..cuts() / LIVES {
        live(seed, cut_somewhere).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// The same test finds out that flushes do nothing.
#[test]
fn a_disk_that_does_not_flush_is_caught() {
    let lies = |random: &mut ChaCha8Rng| Faults {
        flush_lies: true,
        ..cut_somewhere(random)
    };
    let caught = (0..10).filter(|seed| live(*seed, lies).is_err()).count();
    assert!(caught >= 9, "only {caught} of 10 disks were caught");
}

#[test]
fn errors_of_the_disk_and_then_a_cut_lose_nothing() {
    let errors = |random: &mut ChaCha8Rng| Faults {
        fail_one_in: Some(1 << (3 + random.next_u64() % 7)),
        ..cut_somewhere(random)
    };
    for seed in 0..cuts() / LIVES {
        live(seed, errors).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Data that a failed flush has lost is read until the cut, also by the program that comes next.
#[test]
fn flushes_that_fail_before_a_restart_lose_nothing() {
    let failures = |random: &mut ChaCha8Rng| Faults {
        fail_flush_one_in: Some(2 + (random.next_u64() % 6) as u32),
        cut_after: Some(random.next_u64() % 100),
        ..Faults::default()
    };
    for seed in 0..cuts() {
        live(seed, failures).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
