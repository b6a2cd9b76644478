use crate::figures::{AT_ONCE, BATCH, EACH, Figures, ONE, READS, VALUE, name, timed};
use redb::{Database, ReadableDatabase, TableDefinition};
use std::ops::Range;
use std::path::Path;
use std::thread;

const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("values");

/// Sets values in one transaction.
fn set(database: &Database, numbers: Range<usize>, byte: u8) {
    let transaction = database.begin_write().expect("it can be written");
    {
        let mut table = transaction.open_table(TABLE).expect("it is a table");
        for number in numbers {
            let value = [byte; VALUE];
            table
                .insert(&*name(number), &value[..])
                .expect("there is room");
        }
    }
    transaction.commit().expect("there is room");
}

pub fn measure(path: &Path) -> Figures {
    let database = Database::create(path).expect("there is room");
    Figures([
        timed(ONE, || {
            (0..ONE).for_each(|number| set(&database, number..number + 1, 1))
        }),
        timed(AT_ONCE * EACH, || {
            thread::scope(|scope| {
                for worker in 0..AT_ONCE {
                    let database = &database;
                    scope.spawn(move || {
                        let first = 1000 + worker * EACH;
                        (first..first + EACH)
                            .for_each(|number| set(database, number..number + 1, 2));
                    });
                }
            });
        }),
        timed(10 * BATCH, || {
            for batch in 0..10 {
                let first = 10_000 + batch * BATCH;
                set(&database, first..first + BATCH, 3);
            }
        }),
        timed(READS, || {
            for number in 0..READS {
                let transaction = database.begin_read().expect("it can be read");
                let table = transaction.open_table(TABLE).expect("it is a table");
                let key = name(10_000 + number * 7 % (10 * BATCH));
                let value = table
                    .get(&*key)
                    .expect("it can be read")
                    .expect("it is there");
                assert_eq!(value.value(), [3; VALUE]);
            }
        }),
    ])
}
