//! The wall clock, spelled as Docker spells it: RFC 3339 in UTC, nanoseconds without trailing zeros; and as syslog does.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    seconds: u64,
    nanoseconds: u32,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
    }

    #[cfg(test)]
    pub(crate) fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self { seconds: nanoseconds / 1_000_000_000, nanoseconds: (nanoseconds % 1_000_000_000) as u32 }
    }

    /// Since 1970.
    pub(crate) fn nanoseconds(self) -> u64 {
        self.seconds * 1_000_000_000 + u64::from(self.nanoseconds)
    }

    /// Since 1970.
    pub(crate) fn seconds(self) -> i64 {
        self.seconds.cast_signed()
    }

    /// The parts of a local time that is `offset` seconds ahead of UTC.
    fn local(self, offset: i32) -> ((u64, u64, u64), u64) {
        let seconds = self.seconds.saturating_add_signed(offset.into());
        (date_of(seconds / 86400), seconds % 86400)
    }

    /// As RFC 3164 has it: `Jan  2 03:04:05`, without year or zone.
    pub(crate) fn stamp(self, offset: i32) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let ((_, month, day), second) = self.local(offset);
        let month = MONTHS[month as usize - 1];
        format!("{month} {day:2} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// As RFC 5424 has it: with the zone, to the second or the microsecond.
    pub(crate) fn zoned(self, offset: i32, micro: bool) -> String {
        let ((year, month, day), second) = self.local(offset);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = if micro { format!(".{:06}", self.nanoseconds / 1000) } else { String::new() };
        let zone = match offset / 60 {
            0 => "Z".to_owned(),
            ahead if ahead > 0 => format!("+{:02}:{:02}", ahead / 60, ahead % 60),
            behind => format!("-{:02}:{:02}", -behind / 60, -behind % 60),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = date_of(self.seconds / 86400);
        let second = self.seconds % 86400;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanoseconds != 0 {
            let digits = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// The Gregorian date of a day counted from 1970-01-01.
fn date_of(day: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is the last of its year; an era is 400 years.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_go_writes_them() {
        let table = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (951_868_800, 120_000_000, "2000-03-01T00:00:00.12Z"),
            (1_763_692_799, 999_999_999, "2025-11-21T02:39:59.999999999Z"),
            (4_107_542_399, 100, "2100-02-28T23:59:59.0000001Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, nanoseconds, text) in table {
            assert_eq!(Moment { seconds, nanoseconds }.to_string(), text);
        }
    }
}
