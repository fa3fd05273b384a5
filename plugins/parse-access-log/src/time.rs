//! `[10/Oct/2000:13:55:36 -0700]` as `2000-10-10T13:55:36-07:00`.

use millrace_sdk::Error;

use crate::reader::{Reader, value};

/// The names of the months as logs have them, their numbers, and how many days they can have.
const MONTHS: [(&[u8; 3], &[u8; 2], u32); 12] = [
    (b"Jan", b"01", 31),
    (b"Feb", b"02", 29),
    (b"Mar", b"03", 31),
    (b"Apr", b"04", 30),
    (b"May", b"05", 31),
    (b"Jun", b"06", 30),
    (b"Jul", b"07", 31),
    (b"Aug", b"08", 31),
    (b"Sep", b"09", 30),
    (b"Oct", b"10", 31),
    (b"Nov", b"11", 30),
    (b"Dec", b"12", 31),
];

/// A time that exists, in slices of the record.
#[derive(Debug)]
pub struct Time<'a> {
    year: &'a [u8],
    month: &'static [u8; 2],
    day: &'a [u8],
    /// `13:55:36`.
    clock: &'a [u8],
    /// `-07`.
    offset_hours: &'a [u8],
    offset_minutes: &'a [u8],
}

impl<'a> Time<'a> {
    /// Reads a time with its brackets.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        reader.byte(b'[', "a [ before the time")?;
        let start = reader.at();
        let day = reader.digits(2, 99, "a day of two digits")?;
        reader.byte(b'/', "a / after the day")?;
        let (month, days_max) = month(reader)?;
        reader.byte(b'/', "a / after the month")?;
        let year = reader.digits(4, 9999, "a year of four digits")?;
        if !has_day(year, month, days_max, day) {
            return Err(reader.stopped_at(start, "a day that the month has"));
        }
        reader.byte(b':', "a : after the year")?;
        let start = reader.at();
        reader.digits(2, 23, "an hour from 00 to 23")?;
        reader.byte(b':', "a : after the hour")?;
        reader.digits(2, 59, "a minute from 00 to 59")?;
        reader.byte(b':', "a : after the minute")?;
        // 60 is a leap second.
        reader.digits(2, 60, "a second from 00 to 60")?;
        let clock = reader.since(start);
        reader.byte(b' ', "a space after the second")?;
        let start = reader.at();
        reader.one_of(b"+-", "an offset that begins with + or -")?;
        reader.digits(2, 23, "the hours of the offset, from 00 to 23")?;
        let offset_hours = reader.since(start);
        let offset_minutes = reader.digits(2, 59, "the minutes of the offset, from 00 to 59")?;
        reader.byte(b']', "a ] after the time")?;
        Ok(Self {
            year,
            month,
            day,
            clock,
            offset_hours,
            offset_minutes,
        })
    }

    /// Writes it as ISO 8601 has it.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (before, part) in [
            (&b""[..], self.year),
            (b"-", self.month),
            (b"-", self.day),
            (b"T", self.clock),
            (b"", self.offset_hours),
            (b":", self.offset_minutes),
        ] {
            out.extend_from_slice(before);
            out.extend_from_slice(part);
        }
    }
}

fn month(reader: &mut Reader<'_>) -> Result<(&'static [u8; 2], u32), Error> {
    let start = reader.at();
    let name = reader.take(3).unwrap_or_default();
    let found = MONTHS.iter().find(|(month, ..)| *month == name);
    match found {
        Some((_, number, days_max)) => Ok((number, *days_max)),
        None => Err(reader.stopped_at(start, "a month from Jan to Dec")),
    }
}

fn has_day(year: &[u8], month: &[u8], days_max: u32, day: &[u8]) -> bool {
    let (Some(year), Some(day)) = (value(year), value(day)) else {
        return false;
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = if month == b"02" && !is_leap {
        28
    } else {
        days_max
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Result<String, String> {
        let mut reader = Reader::new(text.as_bytes());
        let time = Time::read(&mut reader).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        time.write(&mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_time_is_written_in_iso_8601_with_its_offset() {
        for (text, wanted) in [
            ("[10/Oct/2000:13:55:36 -0700]", "2000-10-10T13:55:36-07:00"),
            ("[01/Jan/1970:00:00:00 +0000]", "1970-01-01T00:00:00+00:00"),
            ("[31/Dec/2016:23:59:60 +0545]", "2016-12-31T23:59:60+05:45"),
            ("[29/Feb/2000:01:02:03 +1400]", "2000-02-29T01:02:03+14:00"),
        ] {
            assert_eq!(iso(text).as_deref(), Ok(wanted));
        }
        for (name, number, _) in MONTHS {
            let name = str::from_utf8(name).unwrap();
            let wanted = format!("2000-{}-10T13:55:36-07:00", str::from_utf8(number).unwrap());
            assert_eq!(iso(&format!("[10/{name}/2000:13:55:36 -0700]")), Ok(wanted));
        }
    }

    #[test]
    fn a_time_that_does_not_exist_is_refused_where_it_goes_wrong() {
        for (from, to, reason) in [
            ("10/", "00/", "column 2: expected a day that the month has"),
            (
                "10/Oct",
                "31/Sep",
                "column 2: expected a day that the month has",
            ),
            (
                "10/Oct/2000",
                "30/Feb/2000",
                "column 2: expected a day that the month has",
            ),
            (
                "10/Oct/2000",
                "29/Feb/1900",
                "column 2: expected a day that the month has",
            ),
            ("Oct", "OCT", "column 5: expected a month from Jan to Dec"),
            ("Oct", "O", "column 5: expected a month from Jan to Dec"),
            ("2000", "20x0", "column 9: expected a year of four digits"),
            (":13", ":24", "column 14: expected an hour from 00 to 23"),
            (":55", ":60", "column 17: expected a minute from 00 to 59"),
            (":36", ":61", "column 20: expected a second from 00 to 60"),
            (":36", ":3", "column 20: expected a second from 00 to 60"),
            (
                "-0",
                "0",
                "column 23: expected an offset that begins with + or -",
            ),
            (
                "07",
                "24",
                "column 24: expected the hours of the offset, from 00 to 23",
            ),
            (
                "700",
                "79",
                "column 26: expected the minutes of the offset, from 00 to 59",
            ),
            ("]", "", "column 28: expected a ] after the time"),
        ] {
            let bad = "[10/Oct/2000:13:55:36 -0700]".replacen(from, to, 1);
            assert_eq!(iso(&bad), Err(reason.to_owned()), "{bad}");
        }
    }
}
