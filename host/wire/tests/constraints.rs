//! Every kind of constraint, in AWS's words. The facts are those of the service's own answers as
//! kinesalite's tests record them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde::Deserialize;
use wire::VALUE_CHARS_MAX;
use wire::json::parse;
use wire::members::{Blob, Integer, List, Map, Structure, Text, Time};
use wire::shape::{
    Anything, BlobRule, Check, Fields, ListRule, MapRule, NumberRule, Shape, TextRule, pattern,
};

const STREAM_NAME: TextRule = TextRule::chars(1, 128).matching(pattern::NAME);
const KIND: TextRule = TextRule::one_of(&["AT_TIMESTAMP", "LATEST"]);
const LIMIT: NumberRule = NumberRule::within(1, 10_000);
const SHARD_COUNT: NumberRule = NumberRule::at_least(1);
const DATA: BlobRule = BlobRule::at_most(4);
const PARTITION_KEY: TextRule = TextRule::chars(1, 256);
const HASH_KEY: TextRule = TextRule::ANY.matching(pattern::HASH_KEY);
const TAG_KEY: TextRule = TextRule::chars(1, 128);
const TAG_KEYS: ListRule<TextRule> = ListRule::of(1, 3, TAG_KEY);
const KINDS: ListRule<TextRule> = ListRule::of(1, 3, KIND);
const TAGS: MapRule = MapRule::of(1, 3, TAG_KEY, TextRule::chars(0, 256));
const RECORDS: ListRule<Fields> = ListRule::of(1, 500, Fields);

/// Declares an input with one member and its rule.
macro_rules! input {
    ($input:ident, $member:literal, $type:ty, $need:ident, $rule:expr) => {
        #[derive(Debug, Deserialize)]
        struct $input<'a> {
            #[serde(borrow, rename = $member)]
            member: Option<$type>,
            #[serde(skip)]
            _body: std::marker::PhantomData<&'a ()>,
        }
        impl Shape for $input<'_> {
            fn check(&self, check: &mut Check) {
                check.$need($member, &self.member, $rule);
            }
        }
    };
}

input!(Name, "StreamName", Text<'a>, required, STREAM_NAME);
input!(OptionalName, "StreamName", Text<'a>, optional, STREAM_NAME);
input!(Kind, "ShardIteratorType", Text<'a>, required, KIND);
input!(
    Arn,
    "StreamARN",
    Text<'a>,
    optional,
    TextRule::ANY.matching(pattern::STREAM_ARN)
);
input!(TagKeys, "TagKeys", List<Text<'a>>, required, TAG_KEYS);
input!(Kinds, "Kinds", List<Text<'a>>, required, KINDS);
input!(Tags, "Tags", Map<'a>, required, TAGS);
input!(
    Records,
    "Records",
    List<Structure<Record<'a>>>,
    required,
    RECORDS
);
input!(Single, "Record", Structure<Record<'a>>, required, Fields);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
}

impl Shape for Record<'_> {
    fn check(&self, check: &mut Check) {
        check.required("PartitionKey", &self.partition_key, PARTITION_KEY);
        check.required("Data", &self.data, DATA);
        check.optional("ExplicitHashKey", &self.explicit_hash_key, HASH_KEY);
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Numbers {
    limit: Option<Integer>,
    shard_count: Option<Integer>,
    timestamp: Option<Time>,
}

impl Shape for Numbers {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIMIT);
        check.optional("ShardCount", &self.shard_count, SHARD_COUNT);
        check.optional("Timestamp", &self.timestamp, Anything);
    }
}

fn refusal<'a, T: Shape + Deserialize<'a> + std::fmt::Debug>(body: &'a str) -> String {
    let error = parse::<T>(body.as_bytes()).unwrap_err();
    assert_eq!((error.code(), error.status()), ("ValidationException", 400));
    error.message().to_owned()
}

fn one(value: &str, path: &str, constraint: &str) -> String {
    format!(
        "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: \
         {constraint}"
    )
}

#[test]
fn a_missing_member_is_refused_where_it_is_required() {
    let message = one("null", "streamName", "Member must not be null");
    assert_eq!(refusal::<Name<'_>>("{}"), message);
    assert_eq!(refusal::<Name<'_>>(r#"{"StreamName":null}"#), message);
    assert!(parse::<OptionalName<'_>>(b"{}").is_ok());
}

#[test]
fn an_empty_name_breaks_its_pattern_and_its_length() {
    assert_eq!(
        refusal::<Name<'_>>(r#"{"StreamName":""}"#),
        "2 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at \
         'streamName' failed to satisfy constraint: Member must have length greater than or equal \
         to 1"
    );
}

#[test]
fn a_length_is_counted_in_characters() {
    let name = "a".repeat(129);
    assert_eq!(
        refusal::<OptionalName<'_>>(&format!(r#"{{"StreamName":"{name}"}}"#)),
        one(
            &format!("'{name}'"),
            "streamName",
            "Member must have length less than or equal to 128"
        )
    );
    let record = |key: &str| format!(r#"{{"Record":{{"Data":"","PartitionKey":"{key}"}}}}"#);
    assert!(parse::<Single<'_>>(record(&"é".repeat(256)).as_bytes()).is_ok());
    assert!(parse::<Single<'_>>(record(&"é".repeat(257)).as_bytes()).is_err());
}

#[test]
fn a_value_outside_an_enumeration_names_all_of_it() {
    assert_eq!(
        refusal::<Kind<'_>>(r#"{"ShardIteratorType":"latest"}"#),
        one(
            "'latest'",
            "shardIteratorType",
            "Member must satisfy enum value set: [AT_TIMESTAMP, LATEST]"
        )
    );
    assert!(parse::<Kind<'_>>(br#"{"ShardIteratorType":"LATEST"}"#).is_ok());
}

#[test]
fn only_the_first_letter_of_a_member_is_lowered() {
    assert_eq!(
        refusal::<Arn<'_>>(r#"{"StreamARN":"clicks"}"#),
        one(
            "'clicks'",
            "streamARN",
            &format!(
                "Member must satisfy regular expression pattern: {}",
                r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+"
            )
        )
    );
}

#[test]
fn numbers_outside_their_range_are_refused() {
    let below = "Member must have value greater than or equal to 1";
    let above = "Member must have value less than or equal to";
    for (body, expected) in [
        (r#"{"Limit":0}"#, one("'0'", "limit", below)),
        (r#"{"Limit":-1}"#, one("'-1'", "limit", below)),
        (
            r#"{"Limit":10001}"#,
            one("'10001'", "limit", &format!("{above} 10000")),
        ),
        (r#"{"ShardCount":0}"#, one("'0'", "shardCount", below)),
        (
            r#"{"ShardCount":2147483648}"#,
            one("'2147483648'", "shardCount", &format!("{above} 2147483647")),
        ),
    ] {
        assert_eq!(refusal::<Numbers>(body), expected);
    }
    let body = br#"{"Limit":10000,"ShardCount":2147483647,"Timestamp":0}"#;
    let numbers: Numbers = parse(body).unwrap();
    assert_eq!(numbers.limit, Some(Integer(10_000)));
}

#[test]
fn a_blob_is_measured_decoded_and_shown_as_java_shows_it() {
    assert_eq!(
        refusal::<Single<'_>>(r#"{"Record":{"Data":"AAAAAAA=","PartitionKey":"a"}}"#),
        one(
            "'java.nio.HeapByteBuffer[pos=0 lim=5 cap=5]'",
            "record.data",
            "Member must have length less than or equal to 4"
        )
    );
    let body = br#"{"Record":{"Data":"AAAAAA==","PartitionKey":"a"}}"#;
    assert!(parse::<Single<'_>>(body).is_ok());
}

#[test]
fn members_of_a_list_are_counted_from_one_in_the_path() {
    let body = r#"{"Records":[{"Data":"","PartitionKey":"a"},
        {"Data":"","PartitionKey":"","ExplicitHashKey":"01"},{}]}"#;
    assert_eq!(
        refusal::<Records<'_>>(body),
        "4 validation errors detected: Value '' at 'records.2.member.partitionKey' failed to \
         satisfy constraint: Member must have length greater than or equal to 1; Value '01' at \
         'records.2.member.explicitHashKey' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: 0|([1-9]\\d{0,38}); Value null at \
         'records.3.member.partitionKey' failed to satisfy constraint: Member must not be null; \
         Value null at 'records.3.member.data' failed to satisfy constraint: Member must not be \
         null"
    );
}

#[test]
fn a_list_has_a_size() {
    assert_eq!(
        refusal::<Records<'_>>(r#"{"Records":[]}"#),
        one(
            "'[]'",
            "records",
            "Member must have length greater than or equal to 1"
        )
    );
    for count in [501, 1_500] {
        let records = vec![r#"{"Data":"","PartitionKey":"a"}"#; count].join(",");
        assert_eq!(
            refusal::<Records<'_>>(&format!(r#"{{"Records":[{records}]}}"#)),
            one(
                &format!("'[{count} members]'"),
                "records",
                "Member must have length less than or equal to 500"
            )
        );
    }
    assert_eq!(
        refusal::<TagKeys<'_>>(r#"{"TagKeys":["1","2","3","4"]}"#),
        one(
            "'[1, 2, 3, 4]'",
            "tagKeys",
            "Member must have length less than or equal to 3"
        )
    );
}

#[test]
fn a_list_or_map_that_is_too_long_is_reported_without_its_members() {
    let records = vec!["{}"; 501].join(",");
    assert_eq!(
        refusal::<Records<'_>>(&format!(r#"{{"Records":[{records}]}}"#)),
        one(
            "'[501 members]'",
            "records",
            "Member must have length less than or equal to 500"
        )
    );
    assert_eq!(
        refusal::<TagKeys<'_>>(r#"{"TagKeys":["","2","3","4"]}"#),
        one(
            "'[, 2, 3, 4]'",
            "tagKeys",
            "Member must have length less than or equal to 3"
        )
    );
    let tags: Vec<_> = (0..3).map(|n| format!(r#""{n}":"""#)).collect();
    let text = refusal::<Tags<'_>>(&format!(r#"{{"Tags":{{"":"",{}}}}}"#, tags.join(",")));
    assert!(text.starts_with("1 validation error detected: "), "{text}");
    assert!(text.ends_with("Member must have length less than or equal to 3"));
}

#[test]
fn a_blob_that_is_not_base64_is_found_before_any_broken_constraint() {
    let body = r#"{"Records":[{"Data":"AA==","PartitionKey":""},{"Data":"AA=A"}]}"#;
    let error = parse::<Records<'_>>(body.as_bytes()).unwrap_err();
    assert_eq!(error.code(), "SerializationException");
    assert!(
        error
            .message()
            .starts_with("'AA=A' can not be converted to a Blob")
    );
}

#[test]
fn the_texts_of_a_list_are_judged_together() {
    let long = "k".repeat(129);
    assert_eq!(
        refusal::<TagKeys<'_>>(&format!(r#"{{"TagKeys":["a","{long}","b"]}}"#)),
        one(
            &format!("'[a, {long}, b]'"),
            "tagKeys",
            "Member must satisfy constraint: [Member must have length less than or equal to 128, \
             Member must have length greater than or equal to 1]"
        )
    );
    assert_eq!(
        refusal::<Kinds<'_>>(r#"{"Kinds":["LATEST","x"]}"#),
        one(
            "'[LATEST, x]'",
            "kinds",
            "Member must satisfy constraint: [Member must satisfy enum value set: [AT_TIMESTAMP, \
             LATEST]]"
        )
    );
}

#[test]
fn the_keys_and_values_of_a_map_are_judged_together() {
    let (key, value) = ("k".repeat(129), "v".repeat(257));
    let bounds = |noun: &str, max: usize, min: usize| {
        format!(
            "{noun} must satisfy constraint: [Member must have length less than or equal to \
             {max}, Member must have length greater than or equal to {min}]"
        )
    };
    assert_eq!(
        refusal::<Tags<'_>>(&format!(r#"{{"Tags":{{"a":"1","{key}":"2"}}}}"#)),
        one(
            &format!("'{{a=1, {key}=2}}'"),
            "tags",
            &bounds("Map keys", 128, 1)
        )
    );
    assert_eq!(
        refusal::<Tags<'_>>(&format!(r#"{{"Tags":{{"a":"{value}"}}}}"#)),
        one(
            &format!("'{{a={value}}}'"),
            "tags",
            &bounds("Map value", 256, 0)
        )
    );
    assert_eq!(
        refusal::<Tags<'_>>(r#"{"Tags":{}}"#),
        one(
            "'{}'",
            "tags",
            "Member must have length greater than or equal to 1"
        )
    );
}

#[test]
fn an_answer_names_ten_violations_and_no_megabytes() {
    let records = vec!["{}"; 400].join(",");
    let message = refusal::<Records<'_>>(&format!(r#"{{"Records":[{records}]}}"#)).to_owned();
    assert!(message.starts_with("10 validation errors detected: "));
    assert_eq!(message.matches("Member must not be null").count(), 10);

    let long = "é".repeat(1_000_000);
    for message in [
        refusal::<Name<'_>>(&format!(r#"{{"StreamName":"{long}"}}"#)),
        refusal::<TagKeys<'_>>(&format!(r#"{{"TagKeys":["{long}","{long}"]}}"#)),
        refusal::<Tags<'_>>(&format!(r#"{{"Tags":{{"{long}":"{long}"}}}}"#)),
    ] {
        assert!(message.len() < 5 * VALUE_CHARS_MAX, "{}", message.len());
    }
}
