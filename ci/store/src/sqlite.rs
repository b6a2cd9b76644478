use crate::figures::{AT_ONCE, BATCH, EACH, Figures, ONE, READS, VALUE, name, timed};
use rusqlite::Connection;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

/// Sets values in one transaction.
fn set(connection: &mut Connection, numbers: Range<usize>, byte: u8) {
    let transaction = connection.transaction().expect("it can be written");
    {
        let statement = "INSERT OR REPLACE INTO store VALUES (?, ?)";
        let mut statement = transaction.prepare_cached(statement).expect("it is SQL");
        for number in numbers {
            let row = (name(number), [byte; VALUE]);
            statement.execute(row).expect("there is room");
        }
    }
    transaction.commit().expect("there is room");
}

/// With a write-ahead log that each transaction flushes, as fast as SQLite is when it loses nothing.
pub fn measure(path: &Path) -> Figures {
    let mut connection = Connection::open(path).expect("there is room");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE store (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;",
        )
        .expect("it is SQL");
    let one = timed(ONE, || {
        (0..ONE).for_each(|number| set(&mut connection, number..number + 1, 1));
    });
    // SQLite has one writer at a time, so the threads share it.
    let shared = Mutex::new(connection);
    let at_once = timed(AT_ONCE * EACH, || {
        thread::scope(|scope| {
            for worker in 0..AT_ONCE {
                let shared = &shared;
                scope.spawn(move || {
                    let first = 1000 + worker * EACH;
                    for number in first..first + EACH {
                        let mut connection = shared.lock().expect("nobody panics");
                        set(&mut connection, number..number + 1, 2);
                    }
                });
            }
        });
    });
    let mut connection = shared.into_inner().expect("nobody panics");
    let batch = timed(10 * BATCH, || {
        for batch in 0..10 {
            let first = 10_000 + batch * BATCH;
            set(&mut connection, first..first + BATCH, 3);
        }
    });
    let gets = timed(READS, || {
        let mut statement = connection
            .prepare("SELECT value FROM store WHERE key = ?")
            .expect("it is SQL");
        for number in 0..READS {
            let key = [name(10_000 + number * 7 % (10 * BATCH))];
            let value: Vec<u8> = statement
                .query_row(key, |row| row.get(0))
                .expect("it is there");
            assert_eq!(value, [3; VALUE]);
        }
    });
    Figures([one, at_once, batch, gets])
}
