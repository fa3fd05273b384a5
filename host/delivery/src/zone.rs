//! The time zones that prefixes and names can be in. Pure: the moment is an argument.
//!
//! The rules of zones are those of the tz database that is built in, whatever the machine has: two
//! machines with one build give the same names. Another build may know other rules. So what they
//! say of a cut, its [`Clocks`], is decided and kept with the cut.

mod names;

use std::sync::LazyLock;

use bincode::{Decode, Encode};
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use types::{Invalid, Timestamp};

pub use self::names::Names;

/// The zone that is meant where none is named (model, CustomTimeZone).
const UTC: &str = "UTC";
/// Namibia has left the summer's time in 2017. As Java reads the rules, it is the winter's that it
/// has left. Only what its time is called differs.
const ALWAYS_SUMMER: &str = "Africa/Windhoek";
/// Days that a calendar must still have after a moment: it may be tomorrow elsewhere, and the week
/// that it lies in ends later.
const DAYS_AFTER: TimeDelta = TimeDelta::days(8);

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone by its id in the tz database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    id: &'static str,
    rules: TimeZone,
}

/// How the clocks of a zone stand at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Clocks {
    /// Seconds that they are ahead of UTC.
    east_seconds: i32,
    /// Whether they go by the summer's time.
    is_summer: bool,
}

/// A moment as the clocks of a zone show it.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// What they show.
    pub time: DateTime<FixedOffset>,
    /// The Saturday of the week.
    pub end_of_week: NaiveDate,
    /// The zone's id.
    pub zone: &'static str,
    /// What the zone's time is called then.
    pub names: Names,
}

impl Clocks {
    /// Those of UTC.
    pub const UTC: Self = Self {
        east_seconds: 0,
        is_summer: false,
    };

    /// Milliseconds that they are ahead of UTC.
    pub fn east_ms(self) -> i64 {
        i64::from(self.east_seconds) * 1_000
    }

    /// The same with what the winter's time is called, and with what the summer's is.
    pub fn by_either_name(self) -> [Self; 2] {
        [false, true].map(|is_summer| Self { is_summer, ..self })
    }
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self {
            id: UTC,
            rules: TimeZone::UTC,
        }
    }

    /// The zone of this id, by upper and lower case as Java has it; UTC if it is empty.
    ///
    /// # Errors
    /// A sentence that names the id, where there is no such zone.
    pub fn parse(id: &str) -> Result<Self, Invalid> {
        if id.is_empty() || id == UTC {
            return Ok(Self::utc());
        }
        let unknown = || Invalid(format!("'{id}' is no time zone that is known here"));
        let id = names::ids()
            .find(|known| *known == id)
            .ok_or_else(unknown)?;
        let rules = DATABASE.get(id).map_err(|_| unknown())?;
        Ok(Self { id, rules })
    }

    /// How its clocks stand at a moment. After the year 9999 they stand as at its end.
    pub fn clocks_at(&self, at: Timestamp) -> Clocks {
        let millis = i64::try_from(at.0).ok();
        let at = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        let info = self
            .rules
            .to_offset_info(at.unwrap_or(jiff::Timestamp::MAX));
        Clocks {
            east_seconds: info.offset().seconds(),
            is_summer: info.dst().is_dst() || self.id == ALWAYS_SUMMER,
        }
    }

    /// What its clocks show at a moment, when they stand so.
    ///
    /// # Errors
    /// When the moment lies after the last years that a calendar has here, about 262,142.
    pub fn local(&self, at: Timestamp, clocks: Clocks) -> Result<Local, Invalid> {
        let no_date = || Invalid(format!("no date is {} ms after 1970", at.0));
        let millis = i64::try_from(at.0).ok();
        let date = millis.and_then(DateTime::from_timestamp_millis);
        let date = date.filter(|date| date.checked_add_signed(DAYS_AFTER).is_some());
        let date = date.ok_or_else(no_date)?;
        let east = FixedOffset::east_opt(clocks.east_seconds).ok_or_else(|| {
            let seconds = clocks.east_seconds;
            Invalid(format!("no clocks are {seconds} seconds ahead of UTC"))
        })?;
        let time = date.with_timezone(&east);
        let week = time.date_naive().week(Weekday::Sun);
        let [winter, summer] = names::of(self.id).ok_or_else(|| {
            let id = self.id;
            Invalid(format!("it is not known what the time of {id} is called"))
        })?;
        Ok(Local {
            time,
            end_of_week: week.checked_last_day().ok_or_else(no_date)?,
            zone: self.id,
            names: if clocks.is_summer { summer } else { winter },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_zone_is_refused_by_name() {
        for id in ["Mars/Olympus", "EST", "europe/berlin", "PST", "/", "Europe"] {
            let Invalid(why) = Zone::parse(id).unwrap_err();
            assert_eq!(why, format!("'{id}' is no time zone that is known here"));
        }
        assert_eq!(Zone::parse("").unwrap(), Zone::utc());
        assert_eq!(Zone::parse("UTC").unwrap(), Zone::utc());
    }

    #[test]
    fn there_are_rules_for_every_zone_that_has_a_name() {
        let ids: Vec<&str> = names::ids().collect();
        assert!(ids.len() > 500, "{}", ids.len());
        for id in ids {
            Zone::parse(id).unwrap();
        }
    }

    #[test]
    fn the_last_moments_of_all_are_refused_and_those_before_are_shown() {
        let zone = Zone::parse("Pacific/Kiritimati").unwrap();
        let shown = |at| zone.local(at, zone.clocks_at(at)).map(|local| local.time);
        for at in [
            0,
            1_700_000_000_000,
            253_402_300_800_000,
            8_000_000_000_000_000,
        ] {
            let ahead = shown(Timestamp(at)).unwrap().offset().local_minus_utc();
            assert_eq!(ahead, if at == 0 { -38_400 } else { 50_400 });
        }
        for at in [
            DateTime::<chrono::Utc>::MAX_UTC.timestamp_millis(),
            i64::MAX,
        ] {
            shown(Timestamp(u64::try_from(at).unwrap())).unwrap_err();
        }
        shown(Timestamp(u64::MAX)).unwrap_err();
    }
}
