//! Which partition a record goes to (model, DynamicPartitioningConfiguration; developer guide,
//! "Partition streaming data in Amazon Data Firehose"). Pure.
//!
//! The values that a prefix wants come from a query, which is asked of what is delivered, or from
//! the plugin. A record that does not have all of them goes to the error output with AWS's code and
//! its text for one that is missing, null or empty; the other sentences under that code are ours.
//! AWS documents none of them. A value that would make a name that no object can have is a failure
//! with a code of ours.

use std::sync::Arc;

use bincode::{Decode, Encode};
use formats::Refusal;
use types::Invalid;
use types::limits::OBJECT_KEY_BYTES_MAX;

use crate::object_name::has_form_of_a_name;
use crate::prefix::{EVALUATED_CHARS_MAX, KeyName, KeySource, Moment, Prefix, RANDOM_BYTES};
use crate::query::{Failed, Member, Meter, Query, Spent};
use crate::zone::Local;

/// How long AWS goes on trying to put into a prefix unless it is said (model, RetryOptions).
pub const RETRY_SECONDS_DEFAULT: u32 = 300;
/// Steps that a query may take for one record, each of some ten nanoseconds; ours.
const QUERY_STEPS_MAX: u64 = 50_000;
/// Bytes of memory that a query may take for one record, which is read into it: some seven bytes
/// for each of most records, up to thirty for one of short numbers alone; ours.
const QUERY_BYTES_MAX: u64 = 24 * 1024 * 1024;
/// Of what a plugin makes of a batch at once, this often all the steps that a query may take for
/// one record are left, which is two seconds. What is behind these fails.
const BATCH_QUERIES: u64 = 4_000;
/// Bytes of a folder's name, as a file system has it: objects are files where buckets are folders,
/// and may be copied into some elsewhere.
const FOLDER_BYTES_MAX: usize = 255;

/// AWS's code of a record whose keys could not be had.
pub const NOT_EXTRACTED: &str = "DynamicPartitioning.MetadataExtractionFailed";
/// AWS's text for a key that is missing, null or empty.
pub const MISSING: &str = "partitionKeys values must not be null or empty";
/// The code of a record whose keys make a name that no object can have; ours.
pub const NOT_NAMED: &str = "Millrace.PartitionNotNamed";

/// What dynamic partitioning and the processor `MetadataExtraction` come to. It is a part of the
/// destination, and so kept with each cut: another build asks the same within the same limits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Partitioning {
    /// Kept and given back: an object is put for as long as it takes.
    pub retry_seconds: u32,
    /// The query for the values of `partitionKeyFromQuery`, while its processor is in force.
    pub query: Option<String>,
    /// Steps that the query may take for one record.
    pub query_steps_max: u64,
    /// Bytes of memory that it may take.
    pub query_bytes_max: u64,
}

impl Partitioning {
    /// As it is configured from now on.
    pub fn new(retry_seconds: u32) -> Self {
        Self {
            retry_seconds,
            query: None,
            query_steps_max: QUERY_STEPS_MAX,
            query_bytes_max: QUERY_BYTES_MAX,
        }
    }
}

/// The values of a partition, in the order in which its prefix names their keys.
pub type Values = Arc<[String]>;

/// Why a record has no partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// It never has: code and sentence of its line.
    Failed(&'static str, String),
    /// It has one, and no row can be made of it.
    Unconverted(Refusal),
    /// There is no memory to find it.
    NoRoom,
    /// It cannot be known, through no fault of the record.
    Broken(String),
}

/// Says which partition each record of a cut goes to.
pub struct Partitioner {
    terms: Partitioning,
    query: Option<Query>,
    prefix: Prefix,
    local: Local,
    /// Bytes of an object's name behind its prefix, at most.
    name_bytes: usize,
    /// Steps that queries took since they were asked for.
    steps: u64,
}

impl Partitioner {
    /// For a cut whose names have this prefix and time, and so many bytes behind the prefix.
    ///
    /// # Errors
    /// When the query is none: it was one when it was configured.
    pub fn begin(
        terms: &Partitioning,
        prefix: &Prefix,
        (local, name_bytes): (Local, usize),
    ) -> Result<Self, Invalid> {
        let query = terms.query.as_deref().map(Query::parse);
        Ok(Self {
            terms: terms.clone(),
            query: query.transpose()?,
            prefix: prefix.clone(),
            local,
            name_bytes,
            steps: 0,
        })
    }

    /// Steps that queries may take for all that a plugin makes of a batch.
    pub fn batch_steps_max(&self) -> u64 {
        self.terms.query_steps_max.saturating_mul(BATCH_QUERIES)
    }

    /// Steps that queries took since the last call.
    pub fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.steps)
    }

    /// The values for what is delivered, and what the plugin has said about it. `may_hold` says
    /// whether there may be so many bytes of memory in use to find them.
    pub fn values(
        &mut self,
        data: &[u8],
        said: &[(&str, &str)],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Values, Unplaced> {
        let members = match &self.query {
            Some(query) => {
                let (steps_max, bytes_max) =
                    (self.terms.query_steps_max, self.terms.query_bytes_max);
                // A byte that is read is no step of the query.
                let reading = data.len() as u64;
                let mut meter = Meter::new(steps_max + reading, bytes_max, may_hold);
                let names = self.prefix.keys().iter();
                let names = names.filter(|key| key.source == KeySource::Query);
                let names: Vec<&str> = names.map(|key| key.name.as_str()).collect();
                let found = query.members(data, (&names, OBJECT_KEY_BYTES_MAX), &mut meter);
                self.steps += (steps_max + reading).saturating_sub(meter.steps_left());
                found.map_err(|failed| unplaced(failed, &self.terms))?
            }
            None => Vec::new(),
        };
        let values = self.prefix.keys().iter().map(|key| {
            let KeyName { source, name } = key;
            let value = match source {
                KeySource::Query => {
                    let found = members.iter().find(|(known, _)| known == name);
                    match found.map(|(_, member)| member) {
                        Some(Member::Text(text)) => Some(text.as_str()),
                        Some(Member::Null) | None => None,
                        Some(Member::Nested) => {
                            let what = format!("partition key {name} is an array or an object");
                            return Err(Unplaced::Failed(NOT_EXTRACTED, what));
                        }
                        Some(Member::Long(bytes)) => return Err(too_long(name, *bytes)),
                    }
                }
                KeySource::Lambda => {
                    let found = said.iter().find(|(known, _)| known == name);
                    found.map(|(_, value)| *value)
                }
            };
            match value {
                Some(value) if value.len() > OBJECT_KEY_BYTES_MAX => {
                    Err(too_long(name, value.len()))
                }
                Some(value) if !value.is_empty() => Ok(value.to_owned()),
                _ => Err(Unplaced::Failed(NOT_EXTRACTED, MISSING.to_owned())),
            }
        });
        values.collect::<Result<Vec<String>, _>>().map(Values::from)
    }

    /// Whether objects can have the names of a partition. That follows from the cut alone, and not
    /// from where its objects go.
    ///
    /// # Errors
    /// Code and sentence of the lines of its records.
    pub fn check(&self, values: &Values) -> Result<(), Unplaced> {
        let moment = Moment {
            local: self.local,
            random: &[0; RANDOM_BYTES],
            values,
        };
        let text = self.prefix.evaluate_whole(moment);
        let wrong = |what: String| Err(Unplaced::Failed(NOT_NAMED, what));
        let (chars, bytes) = (text.chars().count(), text.len() + self.name_bytes);
        if chars > EVALUATED_CHARS_MAX {
            let most = EVALUATED_CHARS_MAX;
            return wrong(format!(
                "the prefix has {chars} characters once it is evaluated, not up to {most}"
            ));
        }
        if bytes > OBJECT_KEY_BYTES_MAX {
            let most = OBJECT_KEY_BYTES_MAX;
            return wrong(format!(
                "the key of an object has {bytes} bytes, not up to {most}"
            ));
        }
        if text.chars().any(char::is_control) {
            return wrong("the prefix has a control character".to_owned());
        }
        let count = |text: &str, is_meant: &dyn Fn(&str) -> bool| {
            let folders = text.rsplit_once('/').map(|(folders, _)| folders.split('/'));
            folders.map_or(0, |folders| folders.filter(|it| is_meant(it)).count())
        };
        let plain = self.prefix.any_values();
        let plain = self.prefix.evaluate_whole(Moment {
            values: &plain,
            ..moment
        });
        // Those that the prefix itself has are no fault of a record.
        let has_more =
            |is_meant: &dyn Fn(&str) -> bool| count(&text, is_meant) > count(&plain, is_meant);
        if has_more(&str::is_empty) {
            return wrong("the prefix has a folder without a name".to_owned());
        }
        // An object may be there that is called so, and where objects are files nothing can lie
        // below one.
        if has_more(&has_form_of_a_name) {
            return wrong("the prefix has a folder with a name like an object's".to_owned());
        }
        let mut folders = text.split('/').peekable();
        while let Some(folder) = folders.next() {
            let is_last = folders.peek().is_none();
            let bytes = folder.len() + if is_last { self.name_bytes } else { 0 };
            if bytes > FOLDER_BYTES_MAX {
                let most = FOLDER_BYTES_MAX;
                return wrong(format!(
                    "a folder of the prefix, or the name behind it, has {bytes} bytes, not up to \
                     {most}"
                ));
            }
            if !is_last && matches!(folder, "." | "..") {
                return wrong(format!(
                    "the prefix has a folder '{folder}', which no key can"
                ));
            }
        }
        Ok(())
    }
}

/// No name has room for the value of a key.
fn too_long(name: &str, bytes: usize) -> Unplaced {
    let most = OBJECT_KEY_BYTES_MAX;
    let what = format!("partition key {name} has {bytes} bytes, not up to {most}");
    Unplaced::Failed(NOT_NAMED, what)
}

fn unplaced(failed: Failed, terms: &Partitioning) -> Unplaced {
    let what = match failed {
        Failed::Wrong(what) => what,
        Failed::Spent(Spent::NoRoom) => return Unplaced::NoRoom,
        Failed::Spent(Spent::Steps) => {
            let most = terms.query_steps_max;
            format!("the query takes more than {most} steps for the record")
        }
        Failed::Spent(Spent::Bytes) => {
            let most = terms.query_bytes_max;
            format!("the query takes more than {most} bytes of memory for the record")
        }
        Failed::Spent(Spent::Depth) => {
            "the record, or the query with it, is nested too deeply".to_owned()
        }
    };
    Unplaced::Failed(NOT_EXTRACTED, what)
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;
    use crate::prefix::Prefixes;
    use crate::zone::Zone;

    fn partitioner(prefix: &str, query: Option<&str>) -> Partitioner {
        let prefixes = Prefixes::parse(Some(prefix), Some("e/"), true).unwrap();
        let zone = Zone::utc();
        let at = Timestamp(1_535_365_805_678);
        let local = zone.local(at, zone.clocks_at(at)).unwrap();
        let terms = Partitioning {
            query: query.map(str::to_owned),
            ..Partitioning::new(300)
        };
        Partitioner::begin(&terms, &prefixes.delivered, (local, 80)).unwrap()
    }

    fn place(
        of: &mut Partitioner,
        data: &str,
        said: &[(&str, &str)],
    ) -> Result<Vec<String>, String> {
        let values = of.values(data.as_bytes(), said, &mut |_| true);
        let values = values.and_then(|values| of.check(&values).map(|()| values));
        match values {
            Ok(values) => Ok(values.to_vec()),
            Err(Unplaced::Failed(code, what)) => Err(format!("{code}: {what}")),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    const PREFIX: &str = "a=!{partitionKeyFromQuery:a}/b=!{partitionKeyFromLambda:b}/\
                          !{timestamp:yyyy}/!{partitionKeyFromQuery:a}/";

    #[test]
    fn values_come_from_the_query_and_from_the_plugin_in_the_order_of_the_prefix() {
        let mut of = partitioner(PREFIX, Some("{a:.x, b:.x}"));
        let said = [("a", "not this"), ("b", "of lambda")];
        for (data, wanted) in [
            ("{\"x\":\"y\"}", "y"),
            ("{\"x\":7}", "7"),
            ("{\"x\":1.50}", "1.5"),
            ("{\"x\":true}", "true"),
        ] {
            let wanted = Ok(vec![wanted.to_owned(), "of lambda".to_owned()]);
            assert_eq!(place(&mut of, data, &said), wanted);
        }
    }

    #[test]
    fn a_value_that_is_missing_null_or_empty_fails_its_record_in_awss_words() {
        let mut of = partitioner(PREFIX, Some("{a:.x}"));
        let missing = format!("{NOT_EXTRACTED}: {MISSING}");
        for (data, said) in [
            ("{}", ("b", "x")),
            ("{\"x\":null}", ("b", "x")),
            ("{\"x\":\"\"}", ("b", "x")),
            ("{\"x\":\"y\"}", ("c", "x")),
        ] {
            assert_eq!(
                place(&mut of, data, &[said]),
                Err(missing.clone()),
                "{data}"
            );
        }
    }

    #[test]
    fn what_the_query_cannot_work_on_fails_under_the_same_code() {
        let mut of = partitioner("!{partitionKeyFromQuery:a}/", Some("{a:.x[0]}"));
        for (data, what) in [
            ("", "no JSON"),
            ("x", "no JSON"),
            ("{}{}", "more than one value"),
            (
                "{\"x\":5}",
                "the query fails: Cannot index number with number",
            ),
            ("{\"x\":[[]]}", "is an array or an object"),
        ] {
            let told = place(&mut of, data, &[]).unwrap_err();
            assert!(
                told.starts_with(NOT_EXTRACTED) && told.contains(what),
                "{told}"
            );
        }
        let mut of = partitioner("!{partitionKeyFromQuery:a}/", Some(".x"));
        let told = place(&mut of, "{\"x\":5}", &[]).unwrap_err();
        assert!(told.contains("type number, not an object"), "{told}");
        let mut of = partitioner("!{partitionKeyFromQuery:a}/", Some("{a:last(range(1e9))}"));
        let told = place(&mut of, "{}", &[]).unwrap_err();
        assert!(told.contains("more than 50000 steps"), "{told}");
    }

    #[test]
    fn a_value_that_no_object_can_have_in_its_name_fails_its_record() {
        let mut of = partitioner("x/!{partitionKeyFromLambda:k}/", None);
        let mut told = |value: &str| place(&mut of, "any", &[("k", value)]);
        for fine in [
            "a",
            "a/b",
            "..a",
            "é".repeat(100).as_str(),
            &"a".repeat(255),
        ] {
            assert_eq!(told(fine), Ok(vec![fine.to_owned()]));
        }
        for (value, what) in [
            ("..", "has a folder '..'"),
            ("a/../b", "has a folder '..'"),
            (".", "has a folder '.'"),
            ("/a", "a folder without a name"),
            ("a/", "a folder without a name"),
            ("a//b", "a folder without a name"),
            ("a\nb", "control character"),
            (OBJECT, "a name like an object's"),
            (&format!("a/x{OBJECT}.gz/b"), "a name like an object's"),
            (&"a".repeat(256), "256 bytes, not up to 255"),
            (&"é/".repeat(260), "523 characters"),
            (&"\u{1f600}/".repeat(200), "1083 bytes, not up to 1024"),
            (
                &"a".repeat(1025),
                "partition key k has 1025 bytes, not up to 1024",
            ),
        ] {
            let told = told(value).unwrap_err();
            assert!(told.starts_with(NOT_NAMED) && told.contains(what), "{told}");
        }
    }

    /// What an object is called.
    const OBJECT: &str = "clicks-3-2018-08-27-10-30-05-00000000-0004-8005-a012-123456789abc";

    #[test]
    fn what_only_looks_a_little_like_an_object_is_a_folder() {
        let mut of = partitioner("x/!{partitionKeyFromLambda:k}/", None);
        for value in [
            &OBJECT[..OBJECT.len() - 1],
            &OBJECT.replace("-8005-", "-4005-"),
            &OBJECT.replace("2018", "year"),
            "00000000-0004-8005-a012-123456789abc",
        ] {
            let placed = place(&mut of, "any", &[("k", value)]);
            assert_eq!(placed, Ok(vec![value.to_owned()]));
        }
        let mut of = partitioner(&format!("{OBJECT}/!{{partitionKeyFromLambda:k}}/"), None);
        let placed = place(&mut of, "any", &[("k", "a")]);
        assert_eq!(placed, Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn folders_without_a_name_of_the_prefix_itself_are_no_fault_of_records() {
        let mut of = partitioner("/x//!{partitionKeyFromLambda:k}/", None);
        assert_eq!(
            place(&mut of, "any", &[("k", "a")]),
            Ok(vec!["a".to_owned()])
        );
        let told = place(&mut of, "any", &[("k", "a//b")]).unwrap_err();
        assert!(told.starts_with(NOT_NAMED), "{told}");
    }

    #[test]
    fn a_record_of_a_mebibyte_fits_into_what_a_query_may_take() {
        let mut of = partitioner("!{partitionKeyFromQuery:a}/", Some("{a:.a}"));
        let data = format!("{{\"a\":\"x\",\"b\":[{}1]}}", "12,".repeat(320 * 1024));
        assert_eq!(place(&mut of, &data, &[]), Ok(vec!["x".to_owned()]));
        let objects = "{\"name\":\"value\",\"number\":12345},".repeat(29 * 1024);
        let data = format!("{{\"a\":\"x\",\"b\":[{objects}1]}}");
        assert_eq!(place(&mut of, &data, &[]), Ok(vec!["x".to_owned()]));
        let much = format!("[{}1]", "1,".repeat(1024 * 1024));
        let told = place(&mut of, &much, &[]).unwrap_err();
        assert!(told.contains("more than 25165824 bytes"), "{told}");
    }

    /// The members share one text, which is not copied for each of them.
    #[test]
    fn members_that_no_key_asks_for_and_texts_that_no_name_holds_are_not_copied() {
        let query = "(\"x\"*1000000) as $x|{b:.b,c:\"y\"}+\
                     ([range(100)|{key:tostring,value:$x}]|from_entries)";
        let mut of = partitioner("!{partitionKeyFromQuery:b}/", Some(query));
        assert_eq!(place(&mut of, "{\"b\":1}", &[]), Ok(vec!["1".to_owned()]));
        let long = format!("{{\"b\":\"{}\"}}", "x".repeat(1025));
        let told = place(&mut of, &long, &[]).unwrap_err();
        let what = "partition key b has 1025 bytes, not up to 1024";
        assert_eq!(told, format!("{NOT_NAMED}: {what}"));
    }

    #[test]
    fn no_more_memory_is_taken_than_there_is() {
        let mut of = partitioner("!{partitionKeyFromQuery:a}/", Some("{a:.a}"));
        let values = of.values(b"{\"a\":1}", &[], &mut |_| false);
        assert_eq!(values, Err(Unplaced::NoRoom));
    }
}
