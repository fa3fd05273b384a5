//! The body of a PutRecords with a timestamp, a list of texts and a map besides, so that every
//! type of member is there.

use serde::Deserialize;
use wire::Codec;
use wire::json::{base64_len, escaped_len, parse, write_base64, write_string};
use wire::members::{Blob, Integer, List, Map, Structure, Text, Time};
use wire::shape::{
    Anything, BlobRule, Check, Fields, ListRule, MapRule, NumberRule, Shape, TextRule, pattern,
};

const NAME: TextRule = TextRule::chars(1, 128).matching(pattern::NAME);
const ARN: TextRule = TextRule::chars(1, 2048).matching(pattern::STREAM_ARN);
const KIND: TextRule = TextRule::one_of(&["AT_TIMESTAMP", "LATEST"]);
const KEY: TextRule = TextRule::chars(1, 256);
const HASH_KEY: TextRule = TextRule::ANY.matching(pattern::HASH_KEY);
const TAGS: MapRule = MapRule::of(1, 200, KEY, TextRule::chars(0, 256));

/// A message names ten violations of at most 4,096 characters each.
const MESSAGE_BYTES_MAX: usize = 10 * (4 * 4_096 + 1_024);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    limit: Option<Integer>,
    timestamp: Option<Time>,
    #[serde(borrow)]
    tag_keys: Option<List<Text<'a>>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
    #[serde(borrow)]
    records: Option<List<Structure<Record<'a>>>>,
}

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

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Records", &self.records, ListRule::of(1, 500, Fields));
        check.optional("StreamName", &self.stream_name, NAME);
        check.optional("StreamARN", &self.stream_arn, ARN);
        check.optional("Kind", &self.kind, KIND);
        check.optional("Limit", &self.limit, NumberRule::within(1, 10_000));
        check.optional("Timestamp", &self.timestamp, Anything);
        check.optional("TagKeys", &self.tag_keys, ListRule::of(1, 50, KEY));
        check.optional("Tags", &self.tags, TAGS);
    }
}

impl Shape for Record<'_> {
    fn check(&self, check: &mut Check) {
        check.required("PartitionKey", &self.partition_key, KEY);
        check.required("Data", &self.data, BlobRule::at_most(10_485_760));
        check.optional("ExplicitHashKey", &self.explicit_hash_key, HASH_KEY);
    }
}

/// Any bytes are an input that keeps its rules, or an answer that says why not.
pub fn json_body(data: &[u8]) {
    match parse::<Input<'_>>(data) {
        Ok(input) => input_keeps_its_rules(&input),
        Err(error) => {
            assert!(matches!(
                error.code(),
                "SerializationException" | "ValidationException"
            ));
            assert!(error.message().len() <= MESSAGE_BYTES_MAX);
            let body: serde_json::Value = serde_json::from_slice(&error.body(Codec::Json)).unwrap();
            let member = match error.code() {
                "SerializationException" => "Message",
                _ => "message",
            };
            assert_eq!(body[member], error.message());
        }
    }
}

fn input_keeps_its_rules(input: &Input<'_>) {
    let records = input.records.as_ref().unwrap();
    assert_eq!(records.count(), records.len());
    assert!((1..=500).contains(&records.len()));
    for record in records.iter() {
        let key = record.partition_key.as_ref().unwrap();
        assert!((1..=256).contains(&key.chars().count()));
        string_reads_back(key);
        blob_reads_back(record.data.as_ref().unwrap());
    }
    if let Some(name) = &input.stream_name {
        assert!((1..=128).contains(&name.len()) && name.is_ascii());
    }
    if let Some(Integer(limit)) = input.limit {
        assert!((1..=10_000).contains(&limit));
    }
}

fn string_reads_back(text: &str) {
    let mut out = Vec::new();
    write_string(&mut out, text);
    assert_eq!(out.len(), escaped_len(text));
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
}

/// A blob decodes to the announced number of bytes or leaves nothing behind; base64 is strict, so
/// what decodes is what we would have encoded.
fn blob_reads_back(blob: &Blob<'_>) {
    let mut out = b"before".to_vec();
    match blob.decode_onto(&mut out) {
        Ok(()) => {
            let decoded = out.split_off(6);
            assert_eq!(decoded.len(), blob.decoded_len());
            let mut again = b"\"".to_vec();
            write_base64(&mut again, &decoded);
            assert_eq!(again.len(), 1 + base64_len(decoded.len()));
            again.push(b'"');
            assert_eq!(&serde_json::from_slice::<Blob<'_>>(&again).unwrap(), blob);
        }
        Err(error) => assert_eq!(error.code(), "SerializationException"),
    }
    assert!(out.starts_with(b"before"));
}
