//! Measures the store beside redb and SQLite on files of one folder, each as durable as the other:
//! what was set is on the disk when the call returns. Prints medians and ratios.

mod fata;
mod figures;
mod redb_peer;
mod sqlite;

use figures::Figures;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 5;

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
