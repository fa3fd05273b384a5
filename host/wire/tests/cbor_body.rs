//! CBOR in and out: the same inputs as in JSON, Java's dialect, and garbage. What is right is what
//! ciborium reads and writes, and what the JSON of the same values gives.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::borrow::Cow;

use ciborium::{Value, cbor};
use serde::{Deserialize, Serialize};
use types::Timestamp;
use wire::cbor::{
    DEPTH_MAX, answer, blob_len, parse, text_len, write_blob, write_text, write_time,
};
use wire::members::{
    Blob, Boolean, Integer, LIST_MEMBERS_KEPT, List, MAP_ENTRIES_KEPT, Map, Structure, Text, Time,
};
use wire::shape::{BlobRule, Check, Shape};
use wire::{ApiError, Codec, Writer, json};

/// One member of each type, with a constraint on one.
#[derive(Debug, Default, PartialEq, Deserialize)]
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

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    key: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Data", &self.data, BlobRule::at_most(70_000));
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn whole() -> Vec<u8> {
    bytes(
        &cbor!({
            "Name" => "clicks",
            "Count" => -3,
            "Switch" => true,
            "At" => Value::Tag(1, Box::new(Value::from(1_700_000_000_123_u64))),
            "Data" => Value::Bytes(vec![0, 1, 2]),
            "Names" => ["a", "b"],
            "Tags" => { "k" => "v", "l" => "" },
            "Other" => [{ "x" => [null, 1e9, Value::Tag(4, Box::new(Value::Bytes(vec![9])))] }],
            "Entries" => [{ "Data" => Value::Bytes(vec![]), "Key" => "é" }, { "Key" => "b" }],
            "Entry" => { "Data" => Value::Bytes(b"AB".to_vec()) },
        })
        .unwrap(),
    )
}

/// A body of one member whose value is given in bytes.
fn with(member: &str, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0xa1];
    write_text(&mut body, member);
    body.extend_from_slice(value);
    body
}

fn decoded(blob: &Blob<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    blob.decode_onto(&mut out).unwrap();
    assert_eq!(out.len() - 6, blob.decoded_len());
    out.split_off(6)
}

fn refused(body: &[u8]) -> ApiError {
    let error = parse::<Input<'_>>(body).unwrap_err();
    assert_eq!(error.code(), "SerializationException", "{body:x?}");
    assert_eq!(error.status(), 400);
    error
}

#[test]
fn every_type_of_member_is_read() {
    let body = whole();
    let input: Input<'_> = parse(&body).unwrap();
    assert_eq!(input.name.unwrap().as_str(), "clicks");
    assert_eq!(input.count, Some(Integer(-3)));
    assert_eq!(input.switch, Some(Boolean(true)));
    assert_eq!(input.at, Some(Time(Timestamp(1_700_000_000_123))));
    assert_eq!(decoded(&input.data.unwrap()), [0, 1, 2]);
    let names = input.names.unwrap();
    assert_eq!((names.count(), names[1].as_str()), (2, "b"));
    assert_eq!(input.tags.unwrap().count(), 2);
    let entries = input.entries.unwrap().into_members();
    assert_eq!(entries[0].key.as_ref().unwrap().as_str(), "é");
    assert_eq!(entries[0].data.as_ref().unwrap().decoded_len(), 0);
    assert!(entries[1].data.is_none());
    let entry = input.entry.unwrap();
    assert_eq!(decoded(entry.data.as_ref().unwrap()), b"AB");
}

#[test]
fn an_empty_body_and_null_members_are_absent_members() {
    let nulls = bytes(&cbor!({ "Name" => null, "Data" => null, "Entries" => null }).unwrap());
    let undefined = with("Name", &[0xf7]);
    let tagged = with("Name", &[0xc1, 0xf6]);
    for body in [&[][..], &[0xa0], &[0xbf, 0xff], &nulls, &undefined, &tagged] {
        assert_eq!(parse::<Input<'_>>(body).unwrap(), Input::default());
    }
}

#[test]
fn text_borrows_from_the_body_unless_it_comes_in_parts() {
    let body = bytes(&cbor!({ "Name" => "plain", "Tags" => { "a" => "b" } }).unwrap());
    let input: Input<'_> = parse(&body).unwrap();
    let borrows = |text: &Text<'_>| matches!(text.0, Cow::Borrowed(_));
    assert!(borrows(input.name.as_ref().unwrap()));
    assert!(
        input
            .tags
            .unwrap()
            .iter()
            .all(|(k, v)| borrows(k) && borrows(v))
    );
    let parts = with("Name", &[0x7f, 0x61, b'a', 0x60, 0x62, b'b', b'c', 0xff]);
    let input: Input<'_> = parse(&parts).unwrap();
    assert!(!borrows(input.name.as_ref().unwrap()));
    assert_eq!(input.name.unwrap().as_str(), "abc");
}

/// The same wrong and right values of every member, in both codecs.
#[test]
fn what_json_takes_or_refuses_is_taken_or_refused_alike() {
    let members = [
        "Name", "Count", "Switch", "At", "Names", "Tags", "Entries", "Entry", "Data",
    ];
    let values = [
        "null",
        "true",
        "0",
        "23",
        "-24",
        "2147483648",
        "-9223372036854775808",
        "18446744073709551615",
        "34.56",
        "-0.5",
        "\"\"",
        "\"23\"",
        "[]",
        "{}",
        "[1]",
        "[null]",
        "[true]",
        "[\"a\",\"b\"]",
        "[[]]",
        "[{}]",
        "[{\"Key\":\"b\",\"Other\":[{}]}]",
        "[{\"Key\":1}]",
        "[{\"Data\":true}]",
        "{\"a\":1}",
        "{\"a\":null}",
        "{\"a\":\"b\"}",
        "{\"a\":[]}",
        "{\"Key\":null}",
        "{\"Key\":1.5}",
        "{\"Key\":\"k\"}",
        "{\"Data\":{}}",
    ];
    let mut refusals = 0;
    for member in members {
        for value in values {
            // As seconds these are more than a double tells apart.
            if member == "At" && value.len() > 15 {
                continue;
            }
            let text = format!("{{\"Before\":[],\"{member}\":{value}}}");
            let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
            // Text is base64 in one codec and a wrong type in the other.
            if member == "Data" && tree["Data"].is_string() {
                continue;
            }
            let body = bytes(&Value::serialized(&tree).unwrap());
            let of_cbor = parse::<Input<'_>>(&body);
            // A moment has another unit.
            let text = match (member, &tree["At"]) {
                ("At", serde_json::Value::Number(at)) => {
                    format!("{{\"At\":{}}}", at.as_f64().unwrap() / 1000.0)
                }
                _ => text,
            };
            let of_json = json::parse::<Input<'_>>(text.as_bytes());
            refusals += usize::from(of_json.is_err());
            assert_eq!(of_cbor, of_json, "{member}: {value}");
        }
    }
    assert!(refusals > 150, "{refusals}");
}

#[test]
fn a_blob_is_bytes_and_bytes_are_only_a_blob() {
    for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536, 70_000] {
        let data: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
        let body = with("Data", &bytes(&Value::Bytes(data.clone())));
        let input: Input<'_> = parse(&body).unwrap();
        assert_eq!(decoded(&input.data.unwrap()), data);
    }
    let parts = with("Data", &[0x5f, 0x42, 1, 2, 0x40, 0x41, 3, 0xff]);
    let input: Input<'_> = parse(&parts).unwrap();
    assert_eq!(decoded(&input.data.unwrap()), [1, 2, 3]);
    let convert = "can not be converted to";
    assert_eq!(
        refused(&with("Data", &[0x61, b'a'])).message(),
        format!("class java.lang.String {convert} a Blob")
    );
    for (member, kind) in [
        ("Name", "an String"),
        ("Count", "an Integer"),
        ("At", "a Timestamp"),
    ] {
        assert_eq!(
            refused(&with(member, &[0x41, b'a'])).message(),
            format!("class java.nio.HeapByteBuffer {convert} {kind}")
        );
    }
    let large = with("Data", &bytes(&Value::Bytes(vec![0; 70_001])));
    let error = parse::<Input<'_>>(&large).unwrap_err();
    assert_eq!(
        error.message(),
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=70001 cap=70001]' \
         at 'data' failed to satisfy constraint: Member must have length less than or equal to \
         70000"
    );
}

#[test]
fn a_whole_number_may_have_any_width_and_a_fraction_of_nothing() {
    let cases: [(&[u8], i64); 14] = [
        (&[0x17], 23),
        (&[0x18, 0x05], 5),
        (&[0x19, 0, 5], 5),
        (&[0x1a, 0, 0, 0, 5], 5),
        (&[0x1b, 0, 0, 0, 0, 0, 0, 0, 5], 5),
        (&[0x20], -1),
        (&[0x3b, 0, 0, 0, 0, 0, 0, 0, 5], -6),
        (&[0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255], i64::MIN),
        (&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255], i64::MIN),
        (&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255], i64::MAX),
        (&[0xf9, 0x3c, 0x00], 1),
        (&[0xfa, 0xc0, 0x80, 0, 0], -4),
        (&[0xfb, 0x41, 0xd6, 0x55, 0x5c, 0, 0, 0, 0], 1_498_771_456),
        (&[0xc9, 0xd9, 0xd9, 0xf7, 0x07], 7),
    ];
    for (value, number) in cases {
        let body = with("Count", value);
        let input: Input<'_> = parse(&body).unwrap();
        assert_eq!(input.count, Some(Integer(number)), "{value:x?}");
    }
    for value in [1.5, f64::NAN, f64::INFINITY, 1e300, -1e300] {
        let body = with("Count", &bytes(&Value::Float(value)));
        assert!(
            refused(&body)
                .message()
                .ends_with("can not be converted to an Integer")
        );
    }
}

#[test]
fn a_moment_is_in_milliseconds_with_or_without_its_tag() {
    let millis = 1_700_000_000_123_u64;
    let number = bytes(&Value::from(millis));
    let float = bytes(&Value::Float(1_700_000_000_123.4));
    let tagged = |value: &[u8]| [&[0xc1], value].concat();
    for value in [
        number.clone(),
        tagged(&number),
        float.clone(),
        tagged(&float),
    ] {
        let body = with("At", &value);
        let input: Input<'_> = parse(&body).unwrap();
        assert_eq!(input.at, Some(Time(Timestamp(millis))), "{value:x?}");
    }
    for (value, at) in [
        (Value::from(-5), 0),
        (Value::Float(-1e300), 0),
        (Value::from(u64::MAX), u64::MAX),
    ] {
        let body = with("At", &bytes(&value));
        let input: Input<'_> = parse(&body).unwrap();
        assert_eq!(input.at, Some(Time(Timestamp(at))));
    }
}

#[test]
fn what_has_no_length_ahead_is_read_up_to_its_end() {
    let mut body = vec![0xbf];
    write_text(&mut body, "Names");
    body.extend_from_slice(&[0x9f, 0x61, b'a', 0x7f, 0x61, b'b', 0xff, 0xff]);
    write_text(&mut body, "Tags");
    body.extend_from_slice(&[0xbf, 0x61, b'k', 0x61, b'v', 0xff]);
    write_text(&mut body, "Entries");
    body.extend_from_slice(&[0x9f, 0xbf, 0xff, 0xa0, 0xff]);
    write_text(&mut body, "Other");
    body.extend_from_slice(&[0x9f, 0x9f, 0xff, 0xbf, 0xff, 0x5f, 0xff, 0xff]);
    body.push(0xff);
    let input: Input<'_> = parse(&body).unwrap();
    let names: Vec<_> = input.names.iter().flat_map(|names| names.iter()).collect();
    assert_eq!(
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(input.tags.unwrap().count(), 1);
    assert_eq!(input.entries.unwrap().count(), 2);
    for wrong in [
        &[0xbf][..],               // no end
        &[0xbf, 0x61, b'k', 0xff], // an end in the place of a value
        &with("Other", &[0x9f]),
        &with("Other", &[0xff]),
        &with("Name", &[0x7f, 0x41, b'a', 0xff]), // bytes as a part of text
        &with("Name", &[0x7f, 0x7f, 0xff, 0xff]), // parts of parts
        &with("Name", &[0x7f, 0x61, b'a']),
        &with("Count", &[0x1f]),
        &with("Count", &[0xdf, 0x01]),
        &with("Count", &[0x1c]),
        &with("Other", &[0xf8, 0x20]),
        &with("Other", &[0xe0]),
    ] {
        refused(wrong);
    }
}

#[test]
fn a_body_that_is_no_map_of_text_keys_is_refused() {
    assert_eq!(
        refused(&[0x80]).message(),
        "Start of list found where not expected"
    );
    assert_eq!(refused(&[0x01]).message(), "Expected null");
    assert_eq!(refused(&[0xf6]).message(), "Null found where not expected");
    // The number of a member is not its name.
    refused(&[0xa1, 0x00, 0x61, b'a']);
    refused(&[0xa1, 0x44, b'N', b'a', b'm', b'e', 0x61, b'a']);
    refused(&with("Tags", &[0xa1, 0x01, 0x61, b'a']));
    refused(&with("Other", &[0xa1, 0x80, 0x01]));
    // Not UTF-8.
    refused(&with("Name", &[0x61, 0xff]));
    refused(&with("Name", &[0x7f, 0x61, 0xc3, 0x61, b'a', 0xff]));
}

#[test]
fn bytes_after_the_input_are_refused() {
    let mut body = whole();
    assert!(parse::<Input<'_>>(&body).is_ok());
    body.push(0xa0);
    refused(&body);
    refused(&[0xa0, 0xff]);
}

#[test]
fn a_member_that_comes_twice_is_refused_and_a_key_of_a_map_is_not() {
    let twice = [
        &[0xa2][..],
        &with("Name", &[0x60])[1..],
        &with("Name", &[0x60])[1..],
    ]
    .concat();
    assert_eq!(
        refused(&twice).message(),
        json::parse::<Input<'_>>(br#"{"Name":"","Name":""}"#)
            .unwrap_err()
            .message()
    );
    let body = with(
        "Tags",
        &[0xa2, 0x61, b'k', 0x61, b'a', 0x61, b'k', 0x61, b'b'],
    );
    let input: Input<'_> = parse(&body).unwrap();
    let tags = input.tags.unwrap().into_entries();
    assert_eq!(tags.values().map(Text::as_str).collect::<Vec<_>>(), ["b"]);
}

/// Room for what is promised would end the process: a terabyte is more than there is.
#[test]
fn a_length_that_lies_takes_no_memory() {
    for length in [4, 1 << 16, 1 << 32, 1 << 40, 1 << 62, u64::MAX] {
        for kind in 2..6_u8 {
            for member in ["Name", "Data", "Names", "Tags", "Entries", "Entry", "Other"] {
                let mut value = vec![kind << 5 | 27];
                value.extend_from_slice(&length.to_be_bytes());
                value.extend_from_slice(b"abc");
                refused(&with(member, &value));
                let mut part = vec![kind << 5 | 31];
                part.extend_from_slice(&value);
                refused(&with(member, &part));
            }
        }
        let body = [&[0xbb][..], &length.to_be_bytes()].concat();
        refused(&body);
    }
}

#[test]
fn deep_nesting_is_refused_and_no_deeper_than_it_must_be() {
    for open in [
        &[0x81][..],
        &[0x9f],
        &[0xa1, 0x60],
        &[0xbf, 0x60],
        &[0xc1, 0x81],
    ] {
        refused(&with("Other", &open.repeat(1_000_000)));
    }
    // Tags alone are no depth; this one ends too early.
    refused(&with("Other", &[0xc1].repeat(1_000_000)));
    let nested = |depth: usize| with("Other", &[&[0x81].repeat(depth)[..], &[0x01]].concat());
    assert!(parse::<Input<'_>>(&nested(DEPTH_MAX - 1)).is_ok());
    refused(&nested(DEPTH_MAX));
}

#[test]
fn members_beyond_those_kept_are_counted() {
    let list = [&[0x9f][..], &[0xa0].repeat(50_000), &[0xff]].concat();
    let body = with("Entries", &list);
    let input: Input<'_> = parse(&body).unwrap();
    let entries = input.entries.unwrap();
    assert_eq!(
        (entries.count(), entries.len()),
        (50_000, LIST_MEMBERS_KEPT)
    );
    let mut map = vec![0xbf];
    for n in 0..3_000 {
        write_text(&mut map, &n.to_string());
        write_text(&mut map, "");
    }
    map.push(0xff);
    let body = with("Tags", &map);
    let input: Input<'_> = parse(&body).unwrap();
    let tags = input.tags.unwrap();
    assert_eq!((tags.count(), tags.len()), (3_000, MAP_ENTRIES_KEPT));
}

/// 16 MiB of them were read in one go, before anybody asked whether their sender may do anything.
#[test]
fn more_values_than_any_input_has_are_refused_wherever_they_are() {
    let many = 100_000;
    let too_many = "the body has more values than any input";
    for value in [
        &b"\x01"[..],
        b"\x60",
        b"\xa0",
        b"\x80",
        b"\x81\x81\x81\x01",
        b"\xc1\x01",
    ] {
        let list = [&[0x9f][..], &value.repeat(many), &[0xff]].concat();
        assert_eq!(refused(&with("Other", &list)).message(), too_many);
    }
    let tags = [&[0xc1].repeat(many)[..], &[0x01]].concat();
    assert_eq!(refused(&with("Other", &tags)).message(), too_many);
    let parts = [&[0x5f][..], &[0x40].repeat(many), &[0xff]].concat();
    assert_eq!(refused(&with("Data", &parts)).message(), too_many);
    let members = [&[0xbf][..], &[0x60, 0x60].repeat(many), &[0xff]].concat();
    assert_eq!(refused(&members).message(), too_many);
}

#[test]
fn the_largest_input_that_there_is_is_read_though_its_data_comes_in_parts() {
    let mut entries = vec![0x9f];
    for _ in 0..500 {
        entries.push(0xa2);
        write_text(&mut entries, "Key");
        write_text(&mut entries, &"k".repeat(256));
        write_text(&mut entries, "Data");
        entries.push(0x5f);
        // 20 KiB of each record in parts of 256 bytes: 10 MiB in all.
        for _ in 0..80 {
            write_blob(&mut entries, &[7; 256]);
        }
        entries.push(0xff);
    }
    entries.push(0xff);
    let body = with("Entries", &entries);
    let input: Input<'_> = parse(&body).unwrap();
    assert_eq!(input.entries.unwrap().count(), 500);
}

#[test]
fn a_huge_wrong_value_makes_a_small_answer() {
    let mut text = Vec::new();
    write_text(&mut text, &"x".repeat(1_000_001));
    assert!(refused(&with("Count", &text)).message().len() < 10_000);
    let mut blob = Vec::new();
    write_blob(&mut blob, &[0; 1_000_001]);
    assert!(refused(&with("Name", &blob)).message().len() < 10_000);
}

#[test]
fn no_damaged_body_causes_a_panic() {
    const BYTES: &[u8] = b"\x00\x1b\x5b\x5f\x7f\x9f\xa1\xbf\xc1\xf6\xfb\xff\x61a";
    let check = |body: &[u8]| match parse::<Input<'_>>(body) {
        Ok(input) => assert!(input.data.iter().map(decoded).count() <= 1),
        Err(error) => assert!(error.message().len() < 50_000),
    };
    let good = whole();
    for end in 1..good.len() {
        assert!(parse::<Input<'_>>(&good[..end]).is_err(), "{end}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut body = good.clone();
            body[at] ^= 1 << bit;
            check(&body);
        }
    }
    let mut random = Random(3);
    for _ in 0..20_000 {
        let mut body = good.clone();
        for _ in 0..6 {
            let at = random.below(body.len());
            body[at] = BYTES[random.below(BYTES.len())];
        }
        check(&body);
        let noise: Vec<u8> = (0..40).map(|_| random.byte()).collect();
        check(&noise);
        check(&with("Other", &noise));
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn text(&mut self) -> String {
        let length = self.below(300);
        let chars = (0..length).map(|_| char::from_u32(u32::try_from(self.below(0xd000)).unwrap()));
        chars.collect::<Option<_>>().unwrap()
    }
}

/// What an output may be made of.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    text: String,
    numbers: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<String>,
    at: Time,
    fraction: f64,
    inner: Vec<Inner>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    switch: bool,
    number: u64,
}

#[test]
fn every_output_is_read_by_others_as_it_was_meant() {
    let mut random = Random(7);
    for round in 0..2_000_u64 {
        let number = random.0 >> (round % 64);
        let output = Output {
            text: random.text(),
            numbers: vec![i64::MIN, -1, 0, number.cast_signed(), !number.cast_signed()],
            absent: None,
            at: Time(Timestamp(number)),
            fraction: 0.1,
            inner: vec![
                Inner {
                    switch: round % 2 == 0,
                    number
                };
                30
            ]
            .into_iter()
            .take(random.below(30))
            .collect(),
        };
        let body: Vec<u8> = answer(&output)
            .unwrap()
            .into_chunks()
            .unwrap()
            .flatten()
            .collect();
        let read: Value = ciborium::from_reader(&body[..]).unwrap();
        let inner = output
            .inner
            .iter()
            .map(|inner| cbor!({ "Switch" => inner.switch, "Number" => inner.number }).unwrap());
        let wanted = cbor!({
            "Text" => output.text,
            "Numbers" => output.numbers,
            "At" => Value::Tag(1, Box::new(Value::from(number))),
            "Fraction" => 0.1,
            "Inner" => Value::Array(inner.collect()),
        });
        assert_eq!(read, wanted.unwrap());
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// What is written by hand is what serde writes of the same values, in both codecs.
#[test]
fn a_writer_writes_what_serde_writes() {
    let mut random = Random(11);
    for round in 0..500_u64 {
        let (text, moment) = (random.text(), Timestamp(random.0 >> (round % 30 + 20)));
        let names: Vec<_> = (0..random.below(40))
            .map(|n| format!("shardId-{n:012}"))
            .collect();
        #[derive(Serialize)]
        struct Answer<'a> {
            text: &'a str,
            count: u64,
            list: &'a [String],
            at: Time,
        }
        let output = Answer {
            text: &text,
            count: round,
            list: &names,
            at: Time(moment),
        };
        for codec in [Codec::Json, Codec::Json10, Codec::Cbor, Codec::RpcV2Cbor] {
            let mut out = Writer::with_capacity(codec, 0);
            out.structure(4);
            out.member("text");
            out.text(&text);
            out.member("count");
            out.number(round);
            out.member("list");
            out.list(names.len());
            for name in &names {
                out.element();
                out.word(name.as_bytes());
            }
            out.end_list();
            let mut body = out.take();
            out.member("at");
            out.time(moment);
            out.end_structure();
            body.extend(out.take());
            let mut by_serde = Writer::with_capacity(codec, 0);
            by_serde.value(&output).unwrap();
            match codec {
                Codec::Cbor | Codec::RpcV2Cbor => assert_eq!(body, by_serde.take()),
                // A moment has three digits of fraction by hand and as many as it needs by serde.
                Codec::Json | Codec::Json10 => {
                    let read = |body: &[u8]| -> serde_json::Value {
                        serde_json::from_slice(body).unwrap()
                    };
                    assert_eq!(read(&body), read(&by_serde.take()));
                }
            }
        }
    }
}

#[test]
fn strings_have_the_announced_length_and_moments_their_tag() {
    for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536, 1_000_000] {
        let (mut text, mut blob) = (Vec::new(), Vec::new());
        write_text(&mut text, &"x".repeat(length));
        write_blob(&mut blob, &vec![7; length]);
        assert_eq!(
            (text.len(), blob.len()),
            (text_len(length), blob_len(length))
        );
        let read: Value = ciborium::from_reader(&blob[..]).unwrap();
        assert_eq!(read, Value::Bytes(vec![7; length]));
        let read: Value = ciborium::from_reader(&text[..]).unwrap();
        assert_eq!(read, Value::Text("x".repeat(length)));
    }
    let mut time = Vec::new();
    write_time(&mut time, Timestamp(1_700_000_000_123));
    assert_eq!(time, [0xc1, 0x1b, 0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7b]);
}

#[test]
fn an_error_is_a_map_in_the_codec_of_the_request() {
    let read = |error: &ApiError| -> Value {
        assert_eq!(
            error.content_type(Codec::Cbor),
            "application/x-amz-cbor-1.1"
        );
        ciborium::from_reader(&error.body(Codec::Cbor)[..]).unwrap()
    };
    assert_eq!(
        read(&ApiError::validation("é \"quoted\"")),
        cbor!({ "__type" => "ValidationException", "message" => "é \"quoted\"" }).unwrap()
    );
    assert_eq!(
        read(&ApiError::serialization("what")),
        cbor!({ "__type" => "SerializationException", "Message" => "what" }).unwrap()
    );
    assert_eq!(
        read(&ApiError::unknown_operation()),
        cbor!({ "__type" => "UnknownOperationException" }).unwrap()
    );
    let unknown = ApiError::unknown_content_type();
    assert_eq!(unknown.content_type(Codec::Cbor), "text/xml");
}
