use crate::Filter;
use crate::line::Line;
use alloc::boxed::Box;
use core::fmt::Write;
use fata_time::Instant;
use log::{Level, Log, Metadata, Record};

/// Makes a console the sink of the `log` crate.
///
/// A message that `filter` allows becomes one line, `[    0.123456] INFO  target: text`,
/// with the seconds of `now`, and is handed to `write` in one piece. That needs no heap.
/// Lines are at most 1,024 bytes long; control characters in them are escaped.
///
/// The first call counts, later ones change nothing.
pub fn init(filter: Filter, now: fn() -> Instant, write: fn(&[u8])) {
    let most = filter.max_level();
    // For ever: the log has no end.
    let logger = Box::leak(Box::new(Logger { filter, now, write }));
    if log::set_logger(logger).is_ok() {
        log::set_max_level(most);
    }
}

struct Logger {
    filter: Filter,
    now: fn() -> Instant,
    write: fn(&[u8]),
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.allows(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let micros = (self.now)().as_micros();
        let mut line = Line::new();
        // Writing to a line does not fail; a broken Display implementation may.
        let _ = write!(
            line,
            "[{:5}.{:06}] {} {}: {}",
            micros / 1_000_000,
            micros % 1_000_000,
            name(record.level()),
            record.target(),
            record.args()
        );
        (self.write)(line.finish());
    }

    fn flush(&self) {}
}

/// The level's name, padded to the width of the longest.
fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::vec::Vec;

    static WRITES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

    #[test]
    fn a_message_is_one_write() {
        init(
            "info,quiet:error".parse().unwrap(),
            || Instant::from_nanos(1_023_456_789),
            |bytes| WRITES.lock().unwrap().push(bytes.to_vec()),
        );
        log::info!(target: "app", "hello {}\n", 1);
        log::debug!(target: "app", "not this");
        log::warn!(target: "quiet", "nor this");
        let writes = WRITES.lock().unwrap();
        assert_eq!(
            *writes,
            [b"[    1.023456] INFO  app: hello 1\\n\n".to_vec()]
        );
    }
}
