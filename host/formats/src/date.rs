//! Days and moments as texts and numbers write them, in microseconds of UTC. AWS's formats: the
//! developer guide, "Convert input data format", and java.sql.Timestamp.valueOf.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use crate::number::{self, Scaled};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_MICRO: u32 = 1_000;
/// Digits of a fraction of a second.
const FRACTION_DIGITS_MAX: usize = 9;
/// From this on a number of the epoch is one of milliseconds (AWS was seen to do so).
const EPOCH_MILLIS_MIN: i128 = 1_000_000_000_000;
/// Days from the first of January of the year 1 to that of 1970.
const DAYS_BEFORE_EPOCH: i32 = 719_163;

/// The day that a date is, counted from 1970.
pub fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - DAYS_BEFORE_EPOCH
}

/// The moment that a day and a time of it are, `east` seconds east of Greenwich. What is finer than
/// a microsecond is left out.
pub fn micros(date: NaiveDate, time: NaiveTime, east: i64) -> Option<i64> {
    let seconds = i64::from(days(date)) * SECONDS_PER_DAY
        + i64::from(time.num_seconds_from_midnight())
        - east;
    let seconds = seconds.checked_mul(MICROS_PER_SECOND)?;
    seconds.checked_add(i64::from(time.nanosecond() / NANOS_PER_MICRO))
}

/// `yyyy-[M]M-[d]d`.
pub fn date(text: &str) -> Option<NaiveDate> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    NaiveDate::from_ymd_opt(
        i32::try_from(field(year, 4..=4)?).ok()?,
        field(month, 1..=2)?,
        field(day, 1..=2)?,
    )
}

fn field(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_field = digits.contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    is_field.then(|| text.parse().ok()).flatten()
}

/// `[h]h:[m]m:[s]s[.f]`, or with two digits for each.
fn time(text: &str, digits_min: usize) -> Option<NaiveTime> {
    let (text, fraction) = match text.split_once('.') {
        Some((text, fraction)) => (text, fraction),
        None => (text, "0"),
    };
    let mut fields = text.split(':');
    let mut next = || field(fields.next()?, digits_min..=2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    if fields.next().is_some() {
        return None;
    }
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos(fraction)?)
}

/// Nanoseconds that the digits behind a point are.
pub fn nanos(fraction: &str) -> Option<u32> {
    let digits = field(fraction, 1..=FRACTION_DIGITS_MAX)?;
    let missing = u32::try_from(FRACTION_DIGITS_MAX - fraction.len()).ok()?;
    digits.checked_mul(10_u32.checked_pow(missing)?)
}

/// `yyyy-[M]M-[d]d HH:mm:ss[.f]`, as java.sql.Timestamp.valueOf reads it.
pub fn java_timestamp(text: &str) -> Option<i64> {
    let (day, rest) = text.trim().split_once(' ')?;
    micros(date(day)?, time(rest, 1)?, 0)
}

/// That, `yyyy-MM-dd'T'HH:mm:ss[.f]'Z'`, also with an offset of hours and minutes in the place of
/// the Z, or a number of the epoch.
pub fn openx_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let Some((day, rest)) = text.split_once('T') else {
        return java_timestamp(text).or_else(|| epoch(text));
    };
    let (time_text, east) = match rest.strip_suffix('Z') {
        Some(time_text) => (time_text, 0),
        None => match rest.rfind(['+', '-']) {
            Some(at) => {
                let (time_text, offset) = rest.split_at_checked(at)?;
                (time_text, east_of(offset)?)
            }
            None => (rest, 0),
        },
    };
    if day.len() != "yyyy-MM-dd".len() {
        return None;
    }
    micros(date(day)?, time(time_text, 2)?, east)
}

/// Seconds east of Greenwich, of `+hh:mm` or `+hhmm`.
pub fn east_of(offset: &str) -> Option<i64> {
    let (is_west, rest) = match offset.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None => rest.split_at_checked(2)?,
    };
    let (hours, minutes) = (field(hours, 2..=2)?, field(minutes, 2..=2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i64::from(hours * 3_600 + minutes * 60);
    Some(if is_west { -seconds } else { seconds })
}

/// Seconds of the epoch, also with a fraction, or milliseconds of it where they are so many.
pub fn epoch(text: &str) -> Option<i64> {
    let as_millis = number::scaled(text, 0).ok()?;
    if as_millis.value.abs() >= EPOCH_MILLIS_MIN {
        return millis(text);
    }
    seconds(text)
}

/// Seconds of the epoch.
pub fn seconds(text: &str) -> Option<i64> {
    let Scaled { value, .. } = number::scaled(text, 6).ok()?;
    i64::try_from(value).ok()
}

/// Milliseconds of the epoch.
pub fn millis(text: &str) -> Option<i64> {
    let Scaled { value, .. } = number::scaled(text, 3).ok()?;
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_that_aws_lists_is_read_as_the_moment_that_it_is() {
        for (text, micros) in [
            ("2017-02-07T15:13:01.39256Z", 1_486_480_381_392_560),
            ("2017-02-07T15:13:01Z", 1_486_480_381_000_000),
            ("2017-02-07T15:13:01", 1_486_480_381_000_000),
            ("2017-02-07T17:13:01+02:00", 1_486_480_381_000_000),
            ("2017-02-07T12:43:01-0230", 1_486_480_381_000_000),
            ("2017-02-07 15:13:01.14", 1_486_480_381_140_000),
            ("2017-2-7 15:13:01", 1_486_480_381_000_000),
            ("2017-2-7 5:3:1", 1_486_443_781_000_000),
            ("2017-02-07 15:13:01.123456789", 1_486_480_381_123_456),
            ("1518033528", 1_518_033_528_000_000),
            ("1518033528123", 1_518_033_528_123_000),
            ("1518033528.123", 1_518_033_528_123_000),
            ("-1", -1_000_000),
            ("0", 0),
            ("1969-12-31T23:59:59.5Z", -500_000),
            ("0001-01-01 00:00:00", -62_135_596_800_000_000),
        ] {
            assert_eq!(openx_timestamp(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "now",
            "2017-02-07",
            "2017-02-30 00:00:00",
            "2017-2-7T15:13:01Z",
            "2017-02-07T5:13:01Z",
            "2017-02-07T15:13Z",
            "2017-02-07T25:13:01Z",
            "2017-02-07T15:13:01.1234567890Z",
            "2017-02-07T15:13:01.Z",
            "2017-02-07T15:13:01+2:00",
            "2017-02-07T15:13:01+24:00",
            "17-02-07 15:13:01",
            "1e300",
        ] {
            assert_eq!(openx_timestamp(text), None, "{text}");
        }
        assert_eq!(java_timestamp("1518033528"), None);
        assert_eq!(java_timestamp("2017-02-07T15:13:01Z"), None);
    }

    #[test]
    fn a_day_is_counted_from_1970() {
        for (text, wanted) in [("1970-01-01", 0), ("1970-1-2", 1), ("1969-12-31", -1)] {
            assert_eq!(date(text).map(days), Some(wanted));
        }
        for text in ["", "1970-01", "1970-01-01-01", "1970-13-01", "70-01-01"] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
