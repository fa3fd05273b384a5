//! A record that a producer put several into becomes each of them (the processor
//! `RecordDeAggregation`; developer guide, "Apply dynamic partitioning to aggregated data"). Pure.
//!
//! It is done before a plugin sees records, and what a record becomes counts each for itself, as
//! the records of an aggregate of the Kinesis Producer Library do: how many they are is found when
//! a cut is gathered, and found again when it is worked on. A record that cannot be taken apart is
//! one record, and fails as a whole. AWS says no code for these; it is ours.

use std::ops::Range;

use bincode::{Decode, Encode};
use memchr::memmem;
use serde::de::IgnoredAny;

/// Records that one may become (the same page: "capped at 500 per record").
const RECORDS_MAX: u32 = 500;
/// The code of a record that cannot be taken apart; ours.
pub const NOT_DEAGGREGATED: &str = "Millrace.DeAggregationFailed";

/// What the processor `RecordDeAggregation` comes to. It is a part of the destination, and so kept
/// with each cut.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Deaggregation {
    /// What lies in a record.
    pub sub_records: SubRecords,
    /// Records that one may become. One that is more is failed.
    pub records_max: u32,
}

/// What lies in a record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SubRecords {
    /// Objects of JSON, one after the other, with or without white space between them.
    Json,
    /// What stands between these bytes. Where nothing does, that is no record.
    Delimited(Vec<u8>),
}

/// Why a record cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undivided {
    /// Something in it is no object of JSON.
    NotJson,
    /// It has more records than one may have.
    TooMany,
}

impl Deaggregation {
    /// As it is configured from now on.
    pub fn new(sub_records: SubRecords) -> Self {
        Self {
            sub_records,
            records_max: RECORDS_MAX,
        }
    }

    /// Where the records lie in one, in order.
    pub fn divide(&self, data: &[u8]) -> Result<Vec<Range<usize>>, Undivided> {
        let found = match &self.sub_records {
            SubRecords::Json => self.objects(data)?,
            SubRecords::Delimited(delimiter) => self.between(delimiter, data)?,
        };
        Ok(found)
    }

    /// How many records one counts as. One with none in it, which is left out, and one that cannot
    /// be taken apart are one.
    pub fn count(&self, data: &[u8]) -> u64 {
        self.divide(data)
            .map_or(1, |found| found.len().max(1) as u64)
    }

    fn has_room(&self, found: &[Range<usize>]) -> Result<(), Undivided> {
        let count = u32::try_from(found.len()).ok();
        if count.is_some_and(|count| count < self.records_max) {
            Ok(())
        } else {
            Err(Undivided::TooMany)
        }
    }

    fn objects(&self, data: &[u8]) -> Result<Vec<Range<usize>>, Undivided> {
        let mut found = Vec::new();
        let mut rest = data.trim_ascii_start();
        while !rest.is_empty() {
            if !rest.starts_with(b"{") {
                return Err(Undivided::NotJson);
            }
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            if values.next().is_none_or(|value| value.is_err()) {
                return Err(Undivided::NotJson);
            }
            self.has_room(&found)?;
            let begin = data.len() - rest.len();
            let (object, behind) = rest.split_at(values.byte_offset());
            found.push(begin..begin + object.len());
            rest = behind.trim_ascii_start();
        }
        Ok(found)
    }

    fn between(&self, delimiter: &[u8], data: &[u8]) -> Result<Vec<Range<usize>>, Undivided> {
        let (mut found, mut begin) = (Vec::new(), 0);
        let delimiters = memmem::find_iter(data, delimiter);
        for end in delimiters.chain([data.len()]) {
            if begin < end {
                self.has_room(&found)?;
                found.push(begin..end);
            }
            begin = end + delimiter.len();
        }
        Ok(found)
    }

    /// Code and sentence of a record that cannot be taken apart. They are the same in every try.
    pub fn words(&self, why: Undivided) -> (&'static str, String) {
        let what = match why {
            Undivided::NotJson => {
                "The record is not JSON objects one after the other, as the deaggregation wants it"
                    .to_owned()
            }
            Undivided::TooMany => {
                let most = self.records_max;
                format!("The record deaggregates to more than {most} records")
            }
        };
        (NOT_DEAGGREGATED, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(sub_records: SubRecords, data: &str) -> Result<Vec<&str>, Undivided> {
        let found = Deaggregation::new(sub_records).divide(data.as_bytes())?;
        Ok(found.into_iter().map(|range| &data[range]).collect())
    }

    #[test]
    fn objects_of_json_follow_each_other_with_or_without_space() {
        let json = |data| divided(SubRecords::Json, data);
        // The guide's examples.
        assert_eq!(
            json("{\"a\":1}{\"a\":2}"),
            Ok(vec!["{\"a\":1}", "{\"a\":2}"])
        );
        assert_eq!(
            json("{\"a\":1}\n{\"a\":2}\n"),
            Ok(vec!["{\"a\":1}", "{\"a\":2}"])
        );
        assert_eq!(json("[{\"a\":1}, {\"a\":2}]"), Err(Undivided::NotJson));
        assert_eq!(json(" {\"}{\": {}} \t{}"), Ok(vec!["{\"}{\": {}}", "{}"]));
        assert_eq!(json(" \n"), Ok(Vec::new()));
        for other in [
            "{\"a\":1},{}",
            "{\"a\":1",
            "{}1",
            "{}x",
            "\"a\"",
            "{} {\u{0}}",
        ] {
            assert_eq!(json(other), Err(Undivided::NotJson), "{other}");
        }
    }

    #[test]
    fn what_stands_between_delimiters_is_a_record_unless_it_is_nothing() {
        let delimited = |data| divided(SubRecords::Delimited(b"##".to_vec()), data);
        assert_eq!(delimited("a##b#c##d"), Ok(vec!["a", "b#c", "d"]));
        assert_eq!(delimited("a"), Ok(vec!["a"]));
        assert_eq!(delimited("##a####b##"), Ok(vec!["a", "b"]));
        assert_eq!(delimited("###a#"), Ok(vec!["#a#"]));
        assert_eq!(delimited(""), Ok(Vec::new()));
        assert_eq!(delimited("####"), Ok(Vec::new()));
    }

    #[test]
    fn a_record_becomes_500_and_not_one_more() {
        for sub_records in [SubRecords::Json, SubRecords::Delimited(b"\n".to_vec())] {
            let deaggregation = Deaggregation::new(sub_records);
            let most = "{}\n".repeat(500);
            assert_eq!(deaggregation.divide(most.as_bytes()).unwrap().len(), 500);
            assert_eq!(deaggregation.count(most.as_bytes()), 500);
            let more = most + "{}\n";
            let divided = deaggregation.divide(more.as_bytes());
            assert_eq!(divided, Err(Undivided::TooMany));
            assert_eq!(deaggregation.count(more.as_bytes()), 1);
            assert_eq!(deaggregation.count(b""), 1);
        }
    }

    #[test]
    fn a_record_of_a_record_is_that_record() {
        let deaggregation = Deaggregation::new(SubRecords::Json);
        let data = b"{\"a\":1} {\"b\":[{}]}";
        for range in deaggregation.divide(data).unwrap() {
            let part = &data[range];
            let again = deaggregation.divide(part).unwrap();
            assert_eq!(again, std::iter::once(0..part.len()).collect::<Vec<_>>());
        }
    }
}
