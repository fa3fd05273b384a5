//! Days, times and timestamps: their numbers, their calendar, and how they are written.

use chrono::{Datelike, NaiveDate};

use crate::ast::TimeUnit;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// 1970-01-01, counted from the first day of the first year, which is 1.
const EPOCH_FROM_CE: i32 = 719_163;

/// 0001-01-01 and 9999-12-31: what has four digits of a year.
const DAYS_MIN: i64 = -719_162;
const DAYS_MAX: i64 = 2_932_896;

/// 1970-01-04, the first Sunday: weeks begin with one.
const FIRST_SUNDAY: i64 = 3 * DAY;

/// Units that are always equally long: their length, and where one of them begins.
pub(super) fn fixed(unit: TimeUnit) -> Option<(i64, i64)> {
    match unit {
        TimeUnit::Millisecond => Some((1, 0)),
        TimeUnit::Second => Some((SECOND, 0)),
        TimeUnit::Minute => Some((MINUTE, 0)),
        TimeUnit::Hour => Some((HOUR, 0)),
        TimeUnit::Day => Some((DAY, 0)),
        TimeUnit::Week => Some((7 * DAY, FIRST_SUNDAY)),
        _ => None,
    }
}

/// Units that are some months long.
pub(super) fn months_of(unit: TimeUnit) -> Option<i32> {
    match unit {
        TimeUnit::Month => Some(1),
        TimeUnit::Quarter => Some(3),
        TimeUnit::Year => Some(12),
        _ => None,
    }
}

/// The day, if it is one of the calendar that is written with four digits of a year.
pub(super) fn date(days: i64) -> Option<NaiveDate> {
    if !(DAYS_MIN..=DAYS_MAX).contains(&days) {
        return None;
    }
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?.checked_add(EPOCH_FROM_CE)?)
}

/// The number of a day since 1970-01-01.
pub(super) fn days(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce() - EPOCH_FROM_CE)
}

/// The number of the day of a year, month and day.
pub(super) fn days_of(year: i32, month: u32, day: u32) -> Option<i64> {
    let days = days(NaiveDate::from_ymd_opt(year, month, day)?);
    (DAYS_MIN..=DAYS_MAX).contains(&days).then_some(days)
}

/// The number of a day that is counted within its year.
pub(super) fn days_of_year(year: i32, day: u32) -> Option<i64> {
    let days = days(NaiveDate::from_yo_opt(year, day)?);
    (DAYS_MIN..=DAYS_MAX).contains(&days).then_some(days)
}

/// A timestamp, if it is one of the calendar.
pub(super) fn timestamp(millis: i64) -> Option<i64> {
    let days = millis.div_euclid(DAY);
    (DAYS_MIN..=DAYS_MAX).contains(&days).then_some(millis)
}

/// Its day, and the milliseconds since it began.
pub(super) fn split(millis: i64) -> Option<(NaiveDate, i64)> {
    Some((date(millis.div_euclid(DAY))?, millis.rem_euclid(DAY)))
}

/// The same day so many months later, or the last one of that month if it is shorter.
pub(super) fn add_months(date: NaiveDate, months: i32) -> Option<NaiveDate> {
    let count = chrono::Months::new(months.unsigned_abs());
    if months < 0 {
        date.checked_sub_months(count)
    } else {
        date.checked_add_months(count)
    }
}

/// Months since the first year, for differences of them.
pub(super) fn months(date: NaiveDate) -> Option<i64> {
    Some(i64::from(date.year()) * 12 + i64::from(date.month0()))
}

/// `2024-02-29`.
pub(super) fn write_date(days: i64) -> Option<String> {
    let date = date(days)?;
    let (year, month, day) = (date.year(), date.month(), date.day());
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// `13:48:23`, with milliseconds where there are some.
pub(super) fn write_time(millis: i64) -> String {
    let (hour, minute) = (millis / HOUR, millis % HOUR / MINUTE);
    let (second, rest) = (millis % MINUTE / SECOND, millis % SECOND);
    if rest == 0 {
        format!("{hour:02}:{minute:02}:{second:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}.{rest:03}")
    }
}

/// `2024-02-29 13:48:23`, with milliseconds where there are some.
pub(super) fn write_timestamp(millis: i64) -> Option<String> {
    let date = write_date(millis.div_euclid(DAY))?;
    Some(format!("{date} {}", write_time(millis.rem_euclid(DAY))))
}

/// `3 04:05:06`: an interval of days to seconds.
pub(super) fn write_day_interval(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let size = millis.unsigned_abs();
    let day = DAY.unsigned_abs();
    match i64::try_from(size % day) {
        Ok(rest) => format!("{sign}{} {}", size / day, write_time(rest)),
        Err(_) => format!("{sign}{size} MILLISECONDS"),
    }
}

/// `3-04`: an interval of years and months.
pub(super) fn write_year_interval(months: i32) -> String {
    let sign = if months < 0 { "-" } else { "" };
    let size = months.unsigned_abs();
    format!("{sign}{}-{:02}", size / 12, size % 12)
}

/// A day, written as `2024-2-29`.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    days_of(
        i32::try_from(number(year, 4)?).ok()?,
        u32::try_from(number(month, 2)?).ok()?,
        u32::try_from(number(day, 2)?).ok()?,
    )
}

/// A time of the day, written as `13:48`, `13:48:23` or `13:48:23.456`.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = parts.next().unwrap_or("0");
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let second = number(second, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(hour * HOUR + minute * MINUTE + second * SECOND + millis(fraction)?)
}

/// A day and a time, with a space or a `T` between them, or a day alone.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => {
            let time = time.trim_end_matches(['Z', 'z']);
            Some(parse_date(date)? * DAY + parse_time(time)?)
        }
        None => Some(parse_date(text)? * DAY),
    }
}

/// `1 02:03:04.5`, `1 02:03` or `02:03:04`, with a sign or without.
pub(super) fn parse_day_interval(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (days, time) = match text.split_once(' ') {
        Some((days, time)) => (number(days, 9)?, time),
        None => (0, text),
    };
    Some(sign * (days * DAY + parse_time(time)?))
}

/// Up to so many digits and nothing else.
fn number(text: &str, digits_max: usize) -> Option<i64> {
    if text.is_empty() || text.len() > digits_max || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The milliseconds of a fraction of a second; digits beyond them are cut.
fn millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(*b"000").take(3);
    Some(digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}
