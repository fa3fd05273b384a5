//! Moments as ISO 8601 writes them: `2026-11-29T13:05:00Z`.

use crate::Timestamp;

const MS_PER_SECOND: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// The last year that has four digits.
const YEAR_MAX: u64 = 9_999;

impl Timestamp {
    /// A day, `2026-11-29`, or a second of it in UTC, `2026-11-29T13:05:00Z`, with or without
    /// decimals, of the years 1970 to 9999. Decimals behind the third are left out.
    pub fn parse_iso_8601(text: &str) -> Option<Self> {
        let (day, time) = match text.strip_suffix('Z') {
            Some(moment) => moment
                .split_once('T')
                .map(|(day, time)| (day, Some(time)))?,
            None => (text, None),
        };
        let days = parse_day(day)?;
        let in_day = time.map_or(Some(0), parse_time)?;
        Some(Self(days * SECONDS_PER_DAY * MS_PER_SECOND + in_day))
    }

    /// The second that this lies in, as [`Timestamp::parse_iso_8601`] reads it.
    pub fn iso_8601(self) -> String {
        let seconds = self.0 / MS_PER_SECOND;
        let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Days since 1970-01-01.
fn parse_day(text: &str) -> Option<u64> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    let is_year = (1970..=YEAR_MAX).contains(&year) && (1..=12).contains(&month);
    if !is_year || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let days = days_before(year) + (1..month).map(|m| days_in_month(year, m)).sum::<u64>();
    Some(days + day - 1)
}

/// Milliseconds since midnight.
fn parse_time(text: &str) -> Option<u64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let [hour, minute, second] = numbers(whole, ':', [2, 2, 2])?;
    if hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    let ms = decimals.map_or(Some(0), parse_decimals)?;
    Some((hour * 3_600 + minute * 60 + second) * MS_PER_SECOND + ms)
}

/// Thousandths.
fn parse_decimals(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = text.bytes().chain([b'0'; 3]).take(3);
    Some(digits.fold(0, |ms, digit| ms * 10 + u64::from(digit - b'0')))
}

/// Three numbers of so many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut next = |digits: usize| {
        let part = parts.next()?;
        let fits = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        if fits { part.parse().ok() } else { None }
    };
    let found = [next(digits[0])?, next(digits[1])?, next(digits[2])?];
    parts.next().is_none().then_some(found)
}

/// Year, month and day of a day since 1970-01-01.
fn date_of(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut left = days - days_before(year);
    let mut month = 1;
    while days_in_month(year, month) <= left {
        left -= days_in_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// Days from 1970 to the beginning of a year.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days until the year 10000.
    const DAYS: u64 = 2_932_897;

    #[test]
    fn a_moment_reads_as_it_is_written() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2026-11-29T13:05:00Z", 1_795_957_500_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] {
            assert_eq!(
                Timestamp::parse_iso_8601(text),
                Some(Timestamp(ms)),
                "{text}"
            );
            assert_eq!(Timestamp(ms).iso_8601(), text);
        }
        for day in (0..DAYS).step_by(97) {
            let midnight = Timestamp(day * SECONDS_PER_DAY * MS_PER_SECOND);
            let text = midnight.iso_8601();
            assert_eq!(Timestamp::parse_iso_8601(&text), Some(midnight), "{text}");
            assert_eq!(Timestamp::parse_iso_8601(&text[..10]), Some(midnight));
        }
    }

    #[test]
    fn decimals_are_read_down_to_the_millisecond() {
        for (text, ms) in [("5", 500), ("05", 50), ("1239", 123), ("0", 0)] {
            let text = format!("1970-01-01T00:00:00.{text}Z");
            assert_eq!(Timestamp::parse_iso_8601(&text), Some(Timestamp(ms)));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "Z",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "1969-12-31",
            "10000-01-01",
            "2026-1-01",
            "2026-11-29T13:05:00",
            "2026-11-29T13:05Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T13:60:00Z",
            "2026-11-29T13:05:00.Z",
            "2026-11-29T13:05:00.xZ",
            "2026-11-29T13:05:00+01:00",
            "2026-11-29Z",
            "2026-11-29 13:05:00Z",
            "+026-11-29",
            "2026-11-29-01",
        ] {
            assert_eq!(Timestamp::parse_iso_8601(bad), None, "{bad}");
        }
    }
}
