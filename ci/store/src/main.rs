//! Measures the store beside redb and SQLite on files of one folder, each as durable as the other:
//! what was set is on the disk when the call returns. Prints medians and ratios.

mod fata;
mod redb_peer;
mod sqlite;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of each value.
const VALUE: usize = 100;
/// Values that are set one at a time, by each of 32 at once, and in each batch.
const ONE: usize = 200;
const AT_ONCE: usize = 32;
const EACH: usize = 20;
const BATCH: usize = 1_000;
/// Values that are read.
const READS: usize = 20_000;
const ROUNDS: usize = 5;

/// What is measured, in operations a second.
#[derive(Clone, Copy)]
struct Figures([f64; 4]);

const NAMES: [&str; 4] = [
    "sets, one at a time",
    "sets, 32 at once",
    "sets in batches of 1,000",
    "gets",
];

fn main() {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .expect("name a folder for the files")
        .into();
    let mut rounds: [Vec<Figures>; 3] = Default::default();
    for _ in 0..ROUNDS {
        rounds[0].push(fata::measure(&fresh(&folder, "fata.img")));
        rounds[1].push(redb_peer::measure(&fresh(&folder, "redb")));
        rounds[2].push(sqlite::measure(&fresh(&folder, "sqlite")));
    }
    println!(
        "{:<26}{:>10}{:>10}{:>10}  fata/redb  fata/sqlite",
        "a second", "fata", "redb", "sqlite"
    );
    for (index, name) in NAMES.iter().enumerate() {
        let [fata, redb, sqlite] = rounds.each_ref().map(|rounds| median(rounds, index));
        println!(
            "{name:<26}{fata:>10.0}{redb:>10.0}{sqlite:>10.0}{:>11.2}{:>13.2}",
            fata / redb,
            fata / sqlite
        );
    }
}

/// A file that is not there yet.
fn fresh(folder: &Path, name: &str) -> PathBuf {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let is_old = path
            .file_name()
            .is_some_and(|old| old.to_string_lossy().starts_with(name));
        if is_old {
            std::fs::remove_file(&path).expect("it can be removed");
        }
    }
    folder.join(name)
}

fn median(rounds: &[Figures], index: usize) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(|round| round.0[index]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Operations a second.
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn timed(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    rate(count, start.elapsed())
}

/// The key of a number: neighbours are far apart.
fn name(number: usize) -> String {
    format!("{:08x}", (number as u32).wrapping_mul(0x9e37_79b9))
}
