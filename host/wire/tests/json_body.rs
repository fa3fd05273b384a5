//! Bodies in and out: types, borrowing, wrong types in AWS's words, and garbage.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use types::Timestamp;
use wire::json::{
    answer, base64_len, escaped_len, parse, write_base64, write_epoch_seconds, write_string,
};
use wire::members::{
    Blob, Boolean, Integer, LIST_MEMBERS_KEPT, List, MAP_ENTRIES_KEPT, Map, Structure, Text, Time,
};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError};

/// One member of each type, without constraints.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    count: Option<Integer>,
    switch: Option<Boolean>,
    at: Option<Time>,
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    names: Option<List<Text<'a>>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
    #[serde(borrow)]
    entries: Option<List<Structure<Entry<'a>>>>,
    #[serde(borrow)]
    entry: Option<Structure<Entry<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    key: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, _: &mut Check) {}
}

const WHOLE: &str = r#"{"Name":"clicks","Count":-3,"Switch":true,"At":1700000000.123,
    "Data":"AAEC","Names":["a","b"],"Tags":{"k":"v","l":""},"Other":[{"x":[null,1e9]}],
    "Entries":[{"Data":"","Key":"\u00e9"},{"Key":"b"}],"Entry":{"Data":"QUI="}}"#;

fn decoded(blob: &Blob<'_>) -> Result<Vec<u8>, ApiError> {
    let mut out = b"before".to_vec();
    let result = blob.decode_onto(&mut out);
    assert!(out.starts_with(b"before"));
    result.map(|()| {
        assert_eq!(out.len() - 6, blob.decoded_len());
        out.split_off(6)
    })
}

fn refusal(body: &str) -> String {
    let error = parse::<Input<'_>>(body.as_bytes()).unwrap_err();
    assert_eq!(error.code(), "SerializationException");
    assert_eq!(error.status(), 400);
    error.message().to_owned()
}

#[test]
fn every_type_of_member_is_read() {
    let input: Input<'_> = parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(input.name.unwrap().as_str(), "clicks");
    assert_eq!(input.count, Some(Integer(-3)));
    assert_eq!(input.switch, Some(Boolean(true)));
    assert_eq!(input.at, Some(Time(Timestamp(1_700_000_000_123))));
    assert_eq!(decoded(&input.data.unwrap()).unwrap(), [0, 1, 2]);
    let names = input.names.unwrap();
    assert_eq!((names.count(), names[1].as_str()), (2, "b"));
    let tags = input.tags.unwrap();
    assert_eq!(tags.count(), 2);
    let entries = input.entries.unwrap().into_members();
    assert_eq!(entries[0].key.as_ref().unwrap().as_str(), "é");
    assert_eq!(entries[0].data.as_ref().unwrap().decoded_len(), 0);
    assert!(entries[1].data.is_none());
    let entry = input.entry.unwrap();
    assert_eq!(decoded(entry.data.as_ref().unwrap()).unwrap(), b"AB");
}

#[test]
fn an_empty_body_and_null_members_are_absent_members() {
    for body in [
        "",
        "{}",
        " {} ",
        r#"{"Name":null,"Data":null,"Entries":null}"#,
    ] {
        let input: Input<'_> = parse(body.as_bytes()).unwrap();
        assert!(input.name.is_none() && input.data.is_none() && input.entries.is_none());
    }
}

#[test]
fn text_borrows_from_the_body_unless_it_is_escaped() {
    let body = br#"{"Name":"plain","Entry":{"Key":"es\tcaped"},
        "Names":["plain"],"Tags":{"plain":"plain"}}"#;
    let input: Input<'_> = parse(body).unwrap();
    let borrows = |text: &Text<'_>| matches!(text.0, Cow::Borrowed(_));
    assert!(borrows(input.name.as_ref().unwrap()));
    assert!(borrows(&input.names.as_ref().unwrap()[0]));
    let tags = input.tags.unwrap();
    assert!(
        tags.iter()
            .all(|(key, value)| borrows(key) && borrows(value))
    );
    let entry = input.entry.unwrap().0;
    assert!(!borrows(entry.key.as_ref().unwrap()));
}

#[test]
fn wrong_types_are_named_in_awss_words() {
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    let list = "Start of list found where not expected".to_owned();
    let map = "Start of structure or map found where not expected.".to_owned();
    let null = "Null found where not expected".to_owned();
    let convert = |class: &str, to: &str| format!("{class} can not be converted to {to}");
    let cases = [
        (
            "Name",
            "true",
            convert("class java.lang.Boolean", "an String"),
        ),
        ("Name", "23", convert(number, "an String")),
        ("Name", "-2147483648", convert(number, "an String")),
        ("Name", "34.56", convert(number, "an String")),
        ("Name", "[]", list.clone()),
        ("Name", "{}", map.clone()),
        (
            "Count",
            r#""23""#,
            convert("class java.lang.String", "an Integer"),
        ),
        (
            "Count",
            "true",
            convert("class java.lang.Boolean", "an Integer"),
        ),
        ("Count", "1.5", convert(number, "an Integer")),
        ("Count", "[]", list.clone()),
        ("Count", "{}", map.clone()),
        (
            "Switch",
            r#""23""#,
            convert("class java.lang.String", "an Boolean"),
        ),
        ("Switch", "23", convert(number, "an Boolean")),
        (
            "At",
            r#""23""#,
            convert("class java.lang.String", "a Timestamp"),
        ),
        ("Data", "true", convert("class java.lang.Boolean", "a Blob")),
        ("Data", "23", convert(number, "a Blob")),
        ("Data", "34.56", convert(number, "a Blob")),
        ("Data", "[]", list.clone()),
        ("Data", "{}", map.clone()),
        ("Names", r#""23""#, "Expected list or null".to_owned()),
        ("Names", "true", "Expected list or null".to_owned()),
        ("Names", "23", "Expected list or null".to_owned()),
        ("Names", "{}", map.clone()),
        ("Names", "[1]", convert(number, "an String")),
        ("Names", "[null]", null.clone()),
        ("Entries", "[null]", null.clone()),
        ("Tags", r#"{"a":null}"#, null),
        ("Tags", r#""23""#, "Expected map or null".to_owned()),
        ("Tags", "34.56", "Expected map or null".to_owned()),
        ("Tags", "[]", list.clone()),
        ("Tags", r#"{"a":1}"#, convert(number, "an String")),
        ("Entry", r#""23""#, "Expected null".to_owned()),
        ("Entry", "true", "Expected null".to_owned()),
        ("Entry", "34.56", "Expected null".to_owned()),
        ("Entry", "[]", list.clone()),
        ("Entries", "[[]]", list.clone()),
        ("Entries", "[1]", "Expected null".to_owned()),
        ("Entries", r#"[{"Key":1}]"#, convert(number, "an String")),
    ];
    for (member, value, message) in cases {
        let body = format!(r#"{{"{member}":{value}}}"#);
        assert_eq!(refusal(&body), message, "{body}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    assert_eq!(refusal("[]"), "Start of list found where not expected");
    assert_eq!(refusal("1"), "Expected null");
    assert_eq!(refusal("null"), "Null found where not expected");
    assert_eq!(refusal("hello"), "expected value at line 1 column 1");
}

#[test]
fn a_clients_text_cannot_pass_for_the_parsers() {
    assert_eq!(
        refusal(r#"{"Count":", expected a map at line 1 column 1"}"#),
        "class java.lang.String can not be converted to an Integer"
    );
}

#[test]
fn wrong_base64_is_named_in_awss_words() {
    let body = r#"{"Data":"23456"}"#;
    assert_eq!(
        refusal(body),
        "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of \
         4 bytes but found: 5"
    );
    let foreign = "Invalid Base64 character: ";
    let left_over = "Invalid last non-pad Base64 character dectected";
    for (text, reason) in [
        ("=+/=", format!("{foreign}'='")),
        ("====", format!("{foreign}'='")),
        ("A===", format!("{foreign}'='")),
        ("AA==AAAA", format!("{foreign}'='")),
        ("AA-_", format!("{foreign}'-'")),
        ("AA A", format!("{foreign}' '")),
        ("AAé", format!("{foreign}'é'")),
        ("+/+=", left_over.to_owned()),
        ("AB==", left_over.to_owned()),
    ] {
        let body = format!(r#"{{"Data":"{text}"}}"#);
        let input: Input<'_> = parse(body.as_bytes()).unwrap();
        let error = decoded(&input.data.unwrap()).unwrap_err();
        assert_eq!(error.code(), "SerializationException");
        assert_eq!(
            error.message(),
            format!("'{text}' can not be converted to a Blob: {reason}")
        );
    }
}

#[test]
fn base64_with_escaped_slashes_is_read() {
    let input: Input<'_> = parse(br#"{"Data":"\/\/8="}"#).unwrap();
    assert_eq!(decoded(&input.data.unwrap()).unwrap(), [0xff, 0xff]);
}

#[test]
fn numbers_beyond_every_range_are_read_and_left_to_their_rule() {
    let count = |text: &str| {
        let body = format!(r#"{{"Count":{text}}}"#);
        parse::<Input<'_>>(body.as_bytes()).map(|input| input.count.unwrap().0)
    };
    assert_eq!(count("2147483648"), Ok(2_147_483_648));
    assert_eq!(count("-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(count("18446744073709551615"), Ok(i64::MAX));
    // Past 64 bits the parser knows only fractions.
    assert!(count("18446744073709551616").is_err());
}

#[test]
fn timestamps_are_read_to_the_millisecond_and_read_back() {
    for (text, millis) in [
        ("0", 0),
        ("1700000000", 1_700_000_000_000),
        ("1700000000.001", 1_700_000_000_001),
        ("1.457516895123E9", 1_457_516_895_123),
        ("1700000000.9996", 1_700_000_001_000),
        ("-1", 0),
        ("-0.5", 0),
        ("1e300", u64::MAX),
        ("18446744073709551615", u64::MAX),
    ] {
        let body = format!(r#"{{"At":{text}}}"#);
        let input: Input<'_> = parse(body.as_bytes()).unwrap();
        assert_eq!(input.at, Some(Time(Timestamp(millis))), "{text}");
    }
    for millis in (0..2_000).chain((0..100_000).map(|n| 1_700_000_000_000 + n * 7)) {
        let moment = Time(Timestamp(millis));
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), moment);
        let mut written = Vec::new();
        write_epoch_seconds(&mut written, moment.0);
        assert_eq!(serde_json::from_slice::<Time>(&written).unwrap(), moment);
    }
}

#[test]
fn a_timestamp_has_three_digits_of_fraction() {
    for (millis, text) in [
        (0, "0.000"),
        (7, "0.007"),
        (1_000, "1.000"),
        (1_700_000_000_120, "1700000000.120"),
        (u64::MAX, "18446744073709551.615"),
    ] {
        let mut out = Vec::new();
        write_epoch_seconds(&mut out, Timestamp(millis));
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn long_lists_and_maps_are_counted_but_not_kept() {
    let names = vec!["\"a\""; LIST_MEMBERS_KEPT + 5].join(",");
    let tags: Vec<String> = (0..MAP_ENTRIES_KEPT + 5)
        .map(|n| format!("\"{n}\":\"\""))
        .collect();
    let body = format!(r#"{{"Names":[{names}],"Tags":{{{}}}}}"#, tags.join(","));
    let input: Input<'_> = parse(body.as_bytes()).unwrap();
    let names = input.names.unwrap();
    assert_eq!(names.len(), LIST_MEMBERS_KEPT);
    assert_eq!(names.count(), LIST_MEMBERS_KEPT + 5);
    let tags = input.tags.unwrap();
    assert_eq!(tags.len(), MAP_ENTRIES_KEPT);
    assert_eq!(tags.count(), MAP_ENTRIES_KEPT + 5);
}

/// 16 MiB of them were read in one go, before anybody asked whether their sender may do anything.
#[test]
fn more_values_than_any_input_has_are_refused_wherever_they_are() {
    let many = 1_100_000;
    for value in ["1,", "{},", "[],", "[[[[[1]]]]],", "\"\",", "[", "{\"a\":"] {
        let body = format!(r#"{{"Other":[{}1]}}"#, value.repeat(many));
        assert_eq!(refusal(&body), "the body has more values than any input");
    }
    let names: Vec<_> = (0..many).map(|name| format!("\"{name}\":0")).collect();
    let body = format!("{{{}}}", names.join(","));
    assert_eq!(refusal(&body), "the body has more values than any input");
}

#[test]
fn the_largest_input_that_there_is_is_read_though_its_keys_look_like_many_values() {
    for key in [",", "[", "{", "\\u0000"] {
        let entry = format!(
            r#"{{"Data":"{}","Key":"{}","A":"1","B":"2"}}"#,
            "AAAA".repeat(5_000),
            key.repeat(256)
        );
        let body = format!(r#"{{"Entries":[{}]}}"#, vec![entry; 500].join(","));
        let input: Input<'_> = parse(body.as_bytes()).unwrap();
        assert_eq!(input.entries.unwrap().count(), 500);
    }
}

#[test]
fn of_two_entries_of_one_key_the_last_counts_and_members_come_once() {
    let input: Input<'_> = parse(br#"{"Tags":{"a":"1","a":"2"}}"#).unwrap();
    let tags = input.tags.unwrap().into_entries();
    assert_eq!(tags.values().map(Text::as_str).collect::<Vec<_>>(), ["2"]);
    assert_eq!(
        refusal(r#"{"Name":"a","Name":"b"}"#),
        "duplicate field `Name`"
    );
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{\"Other\":"] {
        let body = format!("{{\"Other\":{}", open.repeat(1_000_000));
        assert!(parse::<Input<'_>>(body.as_bytes()).is_err());
    }
}

#[test]
fn no_damaged_body_causes_a_panic() {
    const BYTES: &[u8] = b"\"{}[]:,\\u019.eEtfn \xc3\xff";
    let check = |body: &[u8]| {
        if let Ok(input) = parse::<Input<'_>>(body) {
            let blobs = input.data.iter().map(decoded).count();
            assert!(blobs <= 1);
        }
    };
    let good = WHOLE.as_bytes();
    for end in 1..good.len() {
        assert!(parse::<Input<'_>>(&good[..end]).is_err(), "{end}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut body = good.to_vec();
            body[at] ^= 1 << bit;
            check(&body);
        }
    }
    let mut seed: u64 = 3;
    for _ in 0..20_000 {
        let mut body = good.to_vec();
        for _ in 0..6 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(seed >> 33).unwrap() % body.len();
            body[at] = BYTES[usize::try_from(seed >> 20).unwrap() % BYTES.len()];
        }
        check(&body);
    }
}

#[test]
fn a_huge_wrong_value_makes_a_small_answer() {
    let body = format!(r#"{{"Data":"{}"}}"#, "x".repeat(1_000_001));
    assert!(refusal(&body).len() < 10_000);
    for member in ["Count", "Switch", "At", "Names", "Tags", "Entry"] {
        let body = format!(r#"{{"{member}":"{}"}}"#, "x".repeat(1_000_001));
        assert!(refusal(&body).len() < 1_000);
    }
    let body = format!(r#"{{"{}":1,"{0}":1}}"#, "x".repeat(1_000_001));
    assert!(parse::<Input<'_>>(body.as_bytes()).is_ok());
}

#[test]
fn strings_are_written_as_json_of_the_announced_length() {
    let mut text = String::new();
    for round in 0..3_000_u32 {
        text.push(char::from_u32(round).unwrap());
        if text.len() > 40 {
            text.remove(0);
        }
        let mut out = Vec::new();
        write_string(&mut out, &text);
        assert_eq!(out.len(), escaped_len(&text));
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

#[test]
fn base64_is_written_at_the_announced_length_and_reads_back() {
    for length in 0..300_usize {
        let data: Vec<u8> = (0..length)
            .map(|n| (n * 7 % 256).try_into().unwrap())
            .collect();
        let mut body = br#"{"Data":""#.to_vec();
        let start = body.len();
        write_base64(&mut body, &data);
        assert_eq!(body.len() - start, base64_len(length));
        body.extend_from_slice(b"\"}");
        let input: Input<'_> = parse(&body).unwrap();
        assert_eq!(decoded(&input.data.unwrap()).unwrap(), data);
    }
}

#[test]
fn an_output_leaves_absent_members_out() {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
        created: Time,
    }
    let output = Output {
        name: "clicks",
        next_token: None,
        created: Time(Timestamp(1_700_000_000_500)),
    };
    let answer: Answer = answer(&output).unwrap();
    let body: Vec<u8> = answer.into_chunks().unwrap().flatten().collect();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"Name":"clicks","Created":1700000000.5}"#
    );
}

#[test]
fn record_data_is_not_printed() {
    let input: Input<'_> = parse(br#"{"Data":"c2VjcmV0"}"#).unwrap();
    let printed = format!("{input:?}");
    assert!(printed.contains("Blob(6 bytes)"), "{printed}");
    assert!(!printed.contains("c2Vj"), "{printed}");
}
