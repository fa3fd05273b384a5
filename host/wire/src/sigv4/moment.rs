//! The two ways in which a request says when it was signed.

use std::fmt;

use types::Timestamp;

const SECONDS_PER_DAY: u64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A second between the years 1970 and 9999, printed as `20150830T123600Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    seconds: u64,
}

impl Moment {
    /// The second that `timestamp` lies in.
    pub(super) fn of(timestamp: Timestamp) -> Self {
        Self {
            seconds: timestamp.0 / 1000,
        }
    }

    /// `20150830T123600Z` (ISO 8601, basic format).
    pub(super) fn parse_basic(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        if date.len() != 8 || time.len() != 6 {
            return None;
        }
        Self::new(
            (
                number(date, 0, 4)?,
                number(date, 4, 6)?,
                number(date, 6, 8)?,
            ),
            (
                number(time, 0, 2)?,
                number(time, 2, 4)?,
                number(time, 4, 6)?,
            ),
        )
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT`, as the `Date` header of HTTP writes it.
    pub(super) fn parse_http(text: &str) -> Option<Self> {
        let (_weekday, rest) = text.split_once(", ")?;
        let rest = rest.strip_suffix(" GMT")?;
        if rest.len() != "30 Aug 2015 12:36:00".len() || !rest.is_ascii() {
            return None;
        }
        let month = MONTHS
            .iter()
            .position(|name| rest.get(3..6) == Some(name))?;
        Self::new(
            (
                number(rest, 7, 11)?,
                u64::try_from(month).ok()? + 1,
                number(rest, 0, 2)?,
            ),
            (
                number(rest, 12, 14)?,
                number(rest, 15, 17)?,
                number(rest, 18, 20)?,
            ),
        )
    }

    fn new(
        (year, month, day): (u64, u64, u64),
        (hour, minute, second): (u64, u64, u64),
    ) -> Option<Self> {
        let valid = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !valid {
            return None;
        }
        let days = days_before_year(year)
            + (1..month).map(|m| days_in_month(year, m)).sum::<u64>()
            + (day - 1);
        Some(Self {
            seconds: days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second,
        })
    }

    /// `20150830T123600Z`, as bytes of a known length.
    pub(super) fn basic(self) -> [u8; 16] {
        // Past the year 9999 there is no such text; no clock shows that.
        let mut days = self.seconds / SECONDS_PER_DAY;
        let mut year = (1970 + days / 366).min(9999);
        while year < 9999 && days_before_year(year + 1) <= days {
            year += 1;
        }
        days = days.saturating_sub(days_before_year(year));
        let mut month = 1;
        while month < 12 && days_in_month(year, month) <= days {
            days -= days_in_month(year, month);
            month += 1;
        }
        let second = self.seconds % SECONDS_PER_DAY;
        let mut out = *b"00000000T000000Z";
        for (value, at, digits) in [
            (year, 0, 4),
            (month, 4, 2),
            ((days + 1).min(31), 6, 2),
            (second / 3600, 9, 2),
            (second / 60 % 60, 11, 2),
            (second % 60, 13, 2),
        ] {
            let mut left = value;
            for place in out.iter_mut().skip(at).take(digits).rev() {
                let digit = (left % 10) as u8;
                *place = b'0' + digit;
                left /= 10;
            }
        }
        out
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let basic = self.basic();
        f.pad(std::str::from_utf8(&basic).map_err(|_| fmt::Error)?)
    }
}

fn number(text: &str, from: usize, to: usize) -> Option<u64> {
    let digits = text.get(from..to)?;
    // `parse` alone would take a sign.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of January of `year`.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |before: u64| before / 4 - before / 100 + before / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_is_written() {
        for text in [
            "19700101T000000Z",
            "20000229T235959Z",
            "20150830T123600Z",
            "21000301T000000Z",
            "99991231T235959Z",
        ] {
            assert_eq!(Moment::parse_basic(text).unwrap().to_string(), text);
        }
        let moment = Moment::parse_basic("20150830T123600Z").unwrap();
        assert_eq!(Moment::of(Timestamp(1_440_938_160_000)), moment);
        assert_eq!(Moment::of(Timestamp(1_440_938_160_999)), moment);
    }

    #[test]
    fn every_day_of_400_years_reads_back() {
        for day in 0..146_097 {
            let moment = Moment {
                seconds: day * SECONDS_PER_DAY + day % SECONDS_PER_DAY,
            };
            assert_eq!(Moment::parse_basic(&moment.to_string()), Some(moment));
        }
    }

    #[test]
    fn the_date_header_names_the_same_moments() {
        assert_eq!(
            Moment::parse_http("Sun, 30 Aug 2015 12:36:00 GMT"),
            Moment::parse_basic("20150830T123600Z")
        );
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "Z",
            "TZ",
            "20150830T123600",
            "20150830T123600z",
            "2015-08-30T12:36:00Z",
            "20150230T123600Z",
            "20151301T123600Z",
            "20150830T240000Z",
            "20150830T126000Z",
            "19690830T123600Z",
            "+0150830T123600Z",
            "２０15083T123600Z",
        ] {
            assert_eq!(Moment::parse_basic(bad), None, "{bad}");
        }
        for bad in [
            "",
            "Sun, 30 Aug 2015 12:36:00 CET",
            "Sun, 31 Feb 2015 12:36:00 GMT",
            "Sun, 30 aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:0é GMT",
        ] {
            assert_eq!(Moment::parse_http(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_clock_gone_mad_still_prints_a_moment() {
        assert_eq!(Moment::of(Timestamp(u64::MAX)).basic().len(), 16);
    }
}
