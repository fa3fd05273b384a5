//! Where a tail begins: how long ago, at which time, or at which end of what is kept.

use std::time::Duration;

use types::Timestamp;

const MS_PER_MINUTE: u64 = 60_000;
/// Units of a length of time, with their milliseconds. `ms` comes before those that it ends with.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", MS_PER_MINUTE),
    ("h", 60 * MS_PER_MINUTE),
    ("d", 24 * 60 * MS_PER_MINUTE),
    ("w", 7 * 24 * 60 * MS_PER_MINUTE),
];

/// Where a tail begins, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before the tail was started.
    Back(Duration),
    /// A time.
    At(Timestamp),
    /// The oldest record that is kept.
    TrimHorizon,
    /// After the newest record.
    Latest,
}

/// Where a tail begins in each shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With the first record that arrived at this time or later.
    At(Timestamp),
    /// With the oldest record that is kept.
    TrimHorizon,
    /// After the newest record, and at the beginning of shards that come later.
    Latest,
}

impl Since {
    /// What `--since` says.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "trim-horizon" | "oldest" => return Ok(Self::TrimHorizon),
            "latest" | "now" => return Ok(Self::Latest),
            _ => {}
        }
        if let Some(back) = parse_length(text) {
            return Ok(Self::Back(back));
        }
        parse_time(text).map(Self::At).ok_or_else(|| {
            "it is neither how long ago (30s, 15m, 2h, 1d, 1h30m), nor a time \
             (2026-11-29T13:05:00Z, 2026-11-29), nor TRIM_HORIZON or LATEST"
                .to_owned()
        })
    }

    /// Where that is for a tail that is started now.
    pub(crate) fn begin(self, now: Timestamp) -> Result<Begin, String> {
        match self {
            Self::Back(back) => Ok(Begin::At(now.before(back))),
            Self::At(at) if at > now => Err(format!(
                "--since {} lies in the future: it is {}",
                at.iso_8601(),
                now.iso_8601()
            )),
            Self::At(at) => Ok(Begin::At(at)),
            Self::TrimHorizon => Ok(Begin::TrimHorizon),
            Self::Latest => Ok(Begin::Latest),
        }
    }
}

/// `15m`, or several parts of which each has its unit: `1h30m`.
fn parse_length(text: &str) -> Option<Duration> {
    let mut ms: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let mut units = UNITS.iter();
        let (unit, unit_ms) = units.find(|(unit, _)| {
            let after = behind.strip_prefix(unit);
            after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphabetic()))
        })?;
        let part = number.parse::<u64>().ok()?.checked_mul(*unit_ms)?;
        ms = ms.checked_add(part)?;
        rest = &behind[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(ms))
}

/// ISO 8601: a day, or a minute or second of it, in UTC unless it says how far it is from that.
fn parse_time(text: &str) -> Option<Timestamp> {
    let Some((day, time)) = text.split_once('T') else {
        return Timestamp::parse_iso_8601(text);
    };
    let (time, ahead, minutes) = match time.find(['+', '-']) {
        Some(at) => {
            let (time, distance) = time.split_at(at);
            (
                time,
                distance.starts_with('+'),
                parse_distance(&distance[1..])?,
            )
        }
        None => (time.strip_suffix('Z').unwrap_or(time), true, 0),
    };
    let seconds = if time.len() == "13:05".len() {
        ":00"
    } else {
        ""
    };
    let there = Timestamp::parse_iso_8601(&format!("{day}T{time}{seconds}Z"))?;
    let distance = Duration::from_millis(minutes * MS_PER_MINUTE);
    Some(if ahead {
        there.before(distance)
    } else {
        there.after(distance)
    })
}

/// Minutes between a clock and UTC: `01:00` or `0100`.
fn parse_distance(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let is_distance = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = is_distance.then(|| digits.split_at(2))?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    #[test]
    fn how_long_ago_is_a_number_with_its_unit_or_several() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1d", DAY_MS),
            ("1w", 7 * DAY_MS),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            let back = Since::Back(Duration::from_millis(ms));
            assert_eq!(Since::parse(text), Ok(back), "{text}");
        }
    }

    #[test]
    fn a_time_is_of_utc_unless_it_says_how_far_from_that() {
        let five_past_one = Timestamp::parse_iso_8601("2026-11-29T13:05:00Z").unwrap();
        for text in [
            "2026-11-29T13:05:00Z",
            "2026-11-29T13:05:00",
            "2026-11-29T13:05",
            "2026-11-29T13:05Z",
            "2026-11-29T14:05:00+01:00",
            "2026-11-29T07:35-0530",
        ] {
            assert_eq!(Since::parse(text), Ok(Since::At(five_past_one)), "{text}");
        }
        let with_ms = Timestamp(five_past_one.0 + 250);
        let text = "2026-11-29T13:05:00.25";
        assert_eq!(Since::parse(text), Ok(Since::At(with_ms)));
        let midnight = Timestamp::parse_iso_8601("2026-11-29").unwrap();
        assert_eq!(Since::parse("2026-11-29"), Ok(Since::At(midnight)));
    }

    #[test]
    fn both_ends_have_the_words_of_the_api_in_any_spelling() {
        for text in ["TRIM_HORIZON", "trim-horizon", "Trim_Horizon", "oldest"] {
            assert_eq!(Since::parse(text), Ok(Since::TrimHorizon));
        }
        for text in ["LATEST", "latest", "now"] {
            assert_eq!(Since::parse(text), Ok(Since::Latest));
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_so_is_a_time_to_come() {
        for bad in [
            "",
            "15",
            "m",
            "15x",
            "15min",
            "1h30",
            "-5m",
            "99999999999999999999s",
            "99999999999999999w",
            "yesterday",
            "2026-13-01",
            "2026-11-29T25:00",
            "2026-11-29T13:05+1:00",
            "2026-11-29T13:05+99:00",
            "2026-11-29T",
        ] {
            assert!(Since::parse(bad).is_err(), "{bad}");
        }
        let now = Timestamp(DAY_MS);
        assert!(Since::At(Timestamp(DAY_MS + 1)).begin(now).is_err());
        let begin = Since::Back(Duration::from_secs(1)).begin(now);
        assert_eq!(begin, Ok(Begin::At(Timestamp(DAY_MS - 1_000))));
    }
}
