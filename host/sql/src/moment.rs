//! Dates and times as texts: read as AWS documents them, and written.

use crate::batch::Millis;

/// Milliseconds of a day.
pub const DAY_MILLIS: i64 = 86_400_000;

/// Days from 1970-01-01 to a day of the Gregorian calendar, also before its beginning.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the day that leap years have is their last one.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day so many days after 1970-01-01.
fn day_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    (year + era * 400, month, day)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Reads digits from the left of a text.
struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    /// A number of at least and at most so many digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let digits = self.rest.iter().take(most);
        let count = digits.take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let number = digits
            .iter()
            .fold(0, |number, digit| number * 10 + i64::from(*digit - b'0'));
        Some(number)
    }

    fn take(&mut self, wanted: u8) -> bool {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn date(&mut self) -> Option<i64> {
        let year = self.number(4, 4)?;
        let month = self.take(b'-').then(|| self.number(1, 2))??;
        let day = self.take(b'-').then(|| self.number(1, 2))??;
        let exists = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        exists.then(|| days_of(year, month, day))
    }

    /// `18:35`, `18:35:44` or `18:35:44.123456789`. What is finer than milliseconds is cut.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(1, 2)?;
        let minute = self.take(b':').then(|| self.number(2, 2))??;
        let second = if self.take(b':') {
            self.number(2, 2)?
        } else {
            0
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut millis = 0;
        if self.take(b'.') {
            let before = self.rest.len();
            millis = self.number(1, 3)?;
            for _ in before - self.rest.len()..3 {
                millis *= 10;
            }
            while self.number(1, 9).is_some() {}
        }
        Some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
    }

    /// Milliseconds by which a time is ahead of UTC: nothing, `Z`, `+01:00` or `-0530`.
    fn zone(&mut self) -> Option<i64> {
        let sign = if self.rest.is_empty() || self.take(b'Z') || self.take(b'z') {
            return Some(0);
        } else if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let _: bool = self.take(b':');
        let minutes = self.number(2, 2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

/// Days since 1970-01-01 of `1992-02-14`, or of the date in a timestamp.
pub fn parse_date(text: &str) -> Option<i32> {
    let days = parse_timestamp(text)?.div_euclid(DAY_MILLIS);
    i32::try_from(days).ok()
}

/// Milliseconds since midnight of `18:35:44.0`, or of the time in a timestamp.
pub fn parse_time(text: &str) -> Option<i32> {
    let rest = text.trim().as_bytes();
    let mut digits = Digits { rest };
    let millis = match digits.time() {
        Some(millis) if digits.rest.is_empty() => millis,
        _ => parse_timestamp(text)?.rem_euclid(DAY_MILLIS),
    };
    i32::try_from(millis).ok()
}

/// A moment as `1992-02-14 18:35:44.0`, `1992-02-14`, or as ISO 8601 has it with `T` and a zone,
/// which is turned to UTC.
pub fn parse_timestamp(text: &str) -> Option<Millis> {
    let rest = text.trim().as_bytes();
    let mut digits = Digits { rest };
    let date = digits.date()? * DAY_MILLIS;
    if digits.rest.is_empty() {
        return Some(date);
    }
    if !(digits.take(b' ') || digits.take(b'T') || digits.take(b't')) {
        return None;
    }
    let time = digits.time()?;
    let ahead = digits.zone()?;
    digits.rest.is_empty().then_some(date + time - ahead)
}

/// Writes `number` with at least `width` digits.
fn write_padded(number: i64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    while rest > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes `2018-03-09`.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = day_of(days);
    if year < 0 {
        out.push(b'-');
    }
    write_padded(year, 4, out);
    out.push(b'-');
    write_padded(month, 2, out);
    out.push(b'-');
    write_padded(day, 2, out);
}

/// Writes `17:05:00.000`.
pub fn write_time(millis: i64, out: &mut Vec<u8>) {
    write_padded(millis / 3_600_000, 2, out);
    out.push(b':');
    write_padded(millis / 60_000 % 60, 2, out);
    out.push(b':');
    write_padded(millis / 1_000 % 60, 2, out);
    out.push(b'.');
    write_padded(millis % 1_000, 3, out);
}

/// Writes `2018-03-09 17:05:00.000`.
pub fn write_timestamp(millis: Millis, out: &mut Vec<u8>) {
    write_date(millis.div_euclid(DAY_MILLIS), out);
    out.push(b' ');
    write_time(millis.rem_euclid(DAY_MILLIS), out);
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};

    use super::*;

    fn timestamp(millis: Millis) -> String {
        let mut out = Vec::new();
        write_timestamp(millis, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_as_chrono_writes_them() {
        let mut millis = -62_135_596_800_000;
        while millis < 253_402_300_800_000 {
            let theirs = DateTime::from_timestamp_millis(millis).unwrap();
            let theirs = theirs.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
            assert_eq!(timestamp(millis), theirs);
            assert_eq!(parse_timestamp(&theirs), Some(millis));
            millis += 86_399_987 * 97;
        }
    }

    #[test]
    fn only_days_that_exist_are_dates() {
        for year in [1_899, 1_900, 2_000, 2_023, 2_024] {
            for month in 0..14 {
                for day in 0..33 {
                    let theirs = NaiveDate::from_ymd_opt(year, month, day);
                    let ours = parse_date(&format!("{year}-{month:02}-{day:02}"));
                    assert_eq!(ours.is_some(), theirs.is_some(), "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn the_formats_of_the_guide_and_of_iso_8601_are_read() {
        let expected = Some(698_092_544_000);
        for text in [
            "1992-02-14 18:35:44.0",
            "1992-02-14 18:35:44",
            "1992-02-14T18:35:44",
            "1992-02-14T18:35:44.000999Z",
            "1992-02-14T20:35:44+02:00",
            "1992-02-14 13:05:44-0530",
        ] {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
        assert_eq!(parse_timestamp("1992-02-14"), Some(698_025_600_000));
        assert_eq!(parse_time("18:35:44.25"), Some(66_944_250));
        assert_eq!(parse_time("1992-02-14 18:35:44.0"), Some(66_944_000));
        assert_eq!(parse_date("1992-02-14"), Some(8_079));
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "1992",
            "14.02.1992",
            "1992-02-14 25:00:00",
            "1992-02-14 10:00:00 h",
            "1992-02-14x",
            "1992-02-14 10:61:00",
            "92-02-14",
            "1992-02-14 10:00:00.",
            "1992-02-14T10:00:00+25:00",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }
}
