//! Dates of header fields (RFC 9110, section 5.6.7).

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt::{self, Write};
use fata_task::Handle;
use fata_time::DateTime;

/// The end of a line, and the name of the field behind it.
const FIELD: &[u8] = b"\r\nDate: ";
/// The length of that and a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const LENGTH: usize = FIELD.len() + 29;

struct Appender<'a>(&'a mut Vec<u8>);

impl Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Appends a date, given in seconds since the Unix epoch.
pub(crate) fn push_date(out: &mut Vec<u8>, seconds: u64) {
    // Appending never fails.
    let _ = write!(Appender(out), "{}", DateTime::from_unix(seconds).http());
}

/// The field `Date`, written once a second at most.
pub(crate) struct DateCache {
    tasks: Handle,
    second: Cell<u64>,
    text: Cell<[u8; LENGTH]>,
}

impl DateCache {
    pub(crate) fn new(tasks: Handle) -> Self {
        Self {
            tasks,
            second: Cell::new(u64::MAX),
            text: Cell::new([0; LENGTH]),
        }
    }

    /// The field with the time now, after the end of the line before it. `None` if nothing tells
    /// the wall-clock time: such a server sends no `Date` (RFC 9110, section 6.6.1).
    pub(crate) fn now(&self) -> Option<[u8; LENGTH]> {
        let second = self.tasks.wall()?.as_secs();
        if self.second.replace(second) != second {
            let mut text = Vec::with_capacity(LENGTH);
            text.extend_from_slice(FIELD);
            push_date(&mut text, second);
            self.text.set(text.try_into().ok()?);
        }
        Some(self.text.get())
    }
}

/// Parses a date in any of the three forms. `None` if it is malformed.
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    let text = text.trim();
    let (_, rest) = text.split_once([',', ' '])?;
    if text.as_bytes().get(3) == Some(&b' ') {
        return parse_asctime(rest);
    }
    let rest = rest.strip_prefix(' ')?.strip_suffix(" GMT")?;
    let (date, time) = rest.rsplit_once(' ')?;
    let separator = if date.contains('-') { '-' } else { ' ' };
    let mut parts = date.split(separator);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let year = match (number(year)?, year.len()) {
        (year, 4) => year,
        // Two digits, of the obsolete form: 70 to 99 lie in the last century.
        (year @ 70.., 2) => 1900 + year,
        (year, 2) => 2000 + year,
        _ => return None,
    };
    to_unix(year, month, number(day)?, time)
}

/// Parses what follows the weekday in `Sun Nov  6 08:49:37 1994`.
fn parse_asctime(text: &str) -> Option<u64> {
    let mut parts = text.split(' ').filter(|part| !part.is_empty());
    let (month, day, time) = (parts.next()?, parts.next()?, parts.next()?);
    to_unix(number(parts.next()?)?, month, number(day)?, time)
}

fn number(text: &str) -> Option<u32> {
    let is_short = (1..=4).contains(&text.len());
    (is_short && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn to_unix(year: u32, month: &str, day: u32, time: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let position = MONTHS
        .find(month)
        .filter(|at| at % 3 == 0 && month.len() == 3)?;
    let mut parts = time.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let date = DateTime {
        year,
        month: (position / 3 + 1) as u8,
        day: day as u8,
        hour: number(hour)? as u8,
        minute: number(minute)? as u8,
        second: number(second)?.min(59) as u8,
    };
    let valid = year >= 1970 && (1..=31).contains(&day) && date.hour < 24 && date.minute < 60;
    valid.then(|| date.to_unix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_date(form), Some(784_111_777), "{form}");
        }
    }

    #[test]
    fn round_trip() {
        for seconds in [0, 951_782_399, 1_795_423_620, 4_102_444_800] {
            let mut text = Vec::new();
            push_date(&mut text, seconds);
            assert_eq!(text.len(), LENGTH - FIELD.len());
            assert_eq!(
                parse_date(core::str::from_utf8(&text).unwrap()),
                Some(seconds)
            );
        }
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "x",
            ",",
            "Sun, ",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun Nov 6",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1894 08:49:37 GMT",
            "\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }
}
