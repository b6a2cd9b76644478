//! The CMOS real-time clock (Motorola MC146818A): date and time to the second, in UTC.

use crate::DateTime;

/// Register B: the hours count to 24.
const HOURS_24: u8 = 0x02;
/// Register B: numbers are binary, not two decimal digits a byte.
const BINARY: u8 = 0x04;
/// With 12 hours: the afternoon's bit of the hour.
const AFTERNOON: u8 = 0x80;

/// The registers as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) second: u8,
    pub(crate) minute: u8,
    pub(crate) hour: u8,
    pub(crate) day: u8,
    pub(crate) month: u8,
    pub(crate) year: u8,
    pub(crate) format: u8,
}

impl Registers {
    /// The date that the registers mean, if they mean one. Two digits of year are taken
    /// as 2000 to 2099.
    pub(crate) fn date(self) -> Option<DateTime> {
        let number = |value: u8| match self.format & BINARY {
            0 => (value >> 4) * 10 + (value & 0xf),
            _ => value,
        };
        let afternoon = self.format & HOURS_24 == 0 && self.hour & AFTERNOON != 0;
        let mut hour = number(self.hour & !AFTERNOON);
        if self.format & HOURS_24 == 0 {
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        let date = DateTime {
            year: 2000 + u32::from(number(self.year)),
            month: number(self.month),
            day: number(self.day),
            hour,
            minute: number(self.minute),
            second: number(self.second),
        };
        let valid = (1..=12).contains(&date.month)
            && (1..=31).contains(&date.day)
            && date.hour < 24
            && date.minute < 60
            && date.second < 60;
        valid.then_some(date)
    }
}

/// Reads the clock of this machine, twice, until both agree: an update may come between.
#[cfg(fata_vm)]
pub(crate) fn read() -> Option<DateTime> {
    /// An update takes 2 ms; more tries than this mean that there is no clock.
    const TRIES: usize = 10_000;
    let mut last = None;
    for _ in 0..TRIES {
        let registers = (register(0x0a) & 0x80 == 0).then(|| {
            let [second, minute, hour, day, month, year, format] =
                [0, 2, 4, 7, 8, 9, 0x0b].map(register);
            Registers {
                second,
                minute,
                hour,
                day,
                month,
                year,
                format,
            }
        });
        if registers.is_some() && registers == last {
            return registers?.date();
        }
        last = registers;
    }
    None
}

#[cfg(fata_vm)]
fn register(index: u8) -> u8 {
    use x86_64::instructions::port::Port;
    // SAFETY: these ports belong to the clock; bit 7 set keeps the NMI off, as it was.
    unsafe {
        Port::new(0x70).write(0x80 | index);
        Port::new(0x71).read()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const SAMPLE: Registers = Registers {
        second: 0x59,
        minute: 0x47,
        hour: 0x18,
        day: 0x23,
        month: 0x11,
        year: 0x26,
        format: HOURS_24,
    };

    #[test]
    fn reads_every_format() {
        let date = |registers: Registers| registers.date().map(|date| date.to_string());
        let expected = Some("2026-11-23T18:47:59Z".to_string());
        assert_eq!(date(SAMPLE), expected);
        let twelve_hours = Registers {
            hour: 0x06 | AFTERNOON,
            format: 0,
            ..SAMPLE
        };
        assert_eq!(date(twelve_hours), expected);
        let binary = Registers {
            second: 59,
            minute: 47,
            hour: 18,
            day: 23,
            month: 11,
            year: 26,
            format: HOURS_24 | BINARY,
        };
        assert_eq!(date(binary), expected);
        let noon = Registers {
            hour: 0x12 | AFTERNOON,
            format: 0,
            ..SAMPLE
        };
        assert_eq!(noon.date().map(|date| date.hour), Some(12));
    }

    #[test]
    fn no_clock_gives_no_date() {
        let nothing = Registers {
            second: 0xff,
            minute: 0xff,
            hour: 0xff,
            day: 0xff,
            month: 0xff,
            year: 0xff,
            format: 0xff,
        };
        assert_eq!(nothing.date(), None);
    }
}
