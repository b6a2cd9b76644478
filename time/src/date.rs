use core::fmt;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_PER_DAY: u64 = 86_400;

/// A date and time of day in the proleptic Gregorian calendar, in UTC.
///
/// Its `Display` form is ISO 8601: `2026-11-23T08:47:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// The year, 1970 or later.
    pub year: u32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
}

impl DateTime {
    /// The date that lies `seconds` after 1970-01-01T00:00:00Z.
    pub const fn from_unix(seconds: u64) -> Self {
        // Years are counted from 1 March, so that the leap day ends a year; 719,468 days
        // lie between 0000-03-01 and 1970-01-01, and 146,097 make 400 years.
        let days = seconds / SECONDS_PER_DAY + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let second_of_day = seconds % SECONDS_PER_DAY;
        Self {
            year: (year_of_era + era * 400) as u32 + (month <= 2) as u32,
            month: month as u8,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8,
            hour: (second_of_day / 3_600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
        }
    }

    /// Seconds from 1970-01-01T00:00:00Z to this date, the inverse of
    /// [`from_unix`](Self::from_unix). Zero for a date before that.
    pub const fn to_unix(self) -> u64 {
        let year = self.year as u64 - (self.month <= 2) as u64;
        let month_from_march = (self.month as u64 + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day as u64 - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
        let second_of_day = self.hour as u64 * 3_600 + self.minute as u64 * 60 + self.second as u64;
        (days.saturating_sub(719_468)) * SECONDS_PER_DAY + second_of_day
    }

    /// The form of HTTP's `Date` and `Last-Modified` (RFC 9110, section 5.6.7):
    /// `Mon, 23 Nov 2026 08:47:00 GMT`.
    pub const fn http(self) -> impl fmt::Display {
        HttpDate(self)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

struct HttpDate(DateTime);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DateTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.0;
        // 1970-01-01 was a Thursday, the fourth of DAYS.
        let weekday = DAYS[((self.0.to_unix() / SECONDS_PER_DAY + 3) % 7) as usize];
        let month = MONTHS[(month as usize).clamp(1, 12) - 1];
        write!(
            f,
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn known_dates() {
        // The example of RFC 9110, and `date -u -d @1795423620`.
        assert_eq!(
            DateTime::from_unix(784_111_777).http().to_string(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            DateTime::from_unix(1_795_423_620).to_string(),
            "2026-11-23T08:47:00Z"
        );
        assert_eq!(DateTime::from_unix(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            DateTime::from_unix(951_782_400).to_string(),
            "2000-02-29T00:00:00Z"
        );
    }

    #[test]
    fn every_day_round_trips() {
        let mut last = DateTime::from_unix(0);
        for day in 1..200_000 {
            let seconds = day * SECONDS_PER_DAY + 12_345;
            let date = DateTime::from_unix(seconds);
            assert_eq!(date.to_unix(), seconds);
            assert!(date > last);
            last = date;
        }
    }
}
