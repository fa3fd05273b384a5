//! Both codecs: the same operations by JSON on one server and by CBOR on another, whose clocks show
//! the same, give the same values and the same errors.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use ciborium::Value as Item;
use millrace_tests::{ACCOUNT, Client, REGION, Service, base64};
use serde_json::{Map, Value, json};

const JSON: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/x-amz-cbor-1.1";
/// Members whose values differ from server to server. `"$Name"` in an input stands for the last
/// one that was answered.
const TOKENS: [&str; 3] = ["ShardIterator", "NextShardIterator", "NextToken"];

/// A caller of a server in one codec.
struct Caller {
    client: Client,
    kind: &'static str,
    /// What was answered last of [`TOKENS`].
    tokens: Map<String, Value>,
}

impl Caller {
    fn new(service: &Service, kind: &'static str) -> Self {
        Self {
            client: service.client(),
            kind,
            tokens: Map::new(),
        }
    }

    /// Status and values of an answer; tokens are seen for what they are, and remembered.
    async fn call(&mut self, operation: &str, mut input: Value) -> (u16, Value) {
        for value in input.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let name = value.as_str().and_then(|text| text.strip_prefix('$'));
            if let Some(name) = name {
                *value = self.tokens[name].clone();
            }
        }
        let body = match self.kind {
            JSON => input.to_string().into_bytes(),
            _ => written(&item("", &input)),
        };
        let answer = self
            .client
            .send_as(self.kind, operation, Bytes::from(body))
            .await;
        let (status, kind) = (answer.status().as_u16(), &answer.headers()["content-type"]);
        assert_eq!(kind, self.kind, "{operation}");
        let mut values = match (answer.body(), self.kind) {
            (body, _) if body.is_empty() => Value::Null,
            (body, JSON) => serde_json::from_slice(body).unwrap(),
            (body, _) => value(&ciborium::from_reader(&body[..]).unwrap()),
        };
        for name in TOKENS {
            if let Some(token) = values.get_mut(name) {
                assert!(token.as_str().unwrap().len() > 20, "{name} {token}");
                self.tokens.insert(name.to_owned(), token.take());
            }
        }
        (status, values)
    }
}

fn written(item: &Item) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(item, &mut out).unwrap();
    out
}

/// What a client of CBOR sends for a value of JSON. `name` is the member that it is the value of.
fn item(name: &str, value: &Value) -> Item {
    match (name, value) {
        ("Data", Value::String(text)) => Item::Bytes(bytes(text)),
        ("Timestamp" | "StreamCreationTimestamp", Value::Number(seconds)) => {
            let millis = (seconds.as_f64().unwrap() * 1000.0).round();
            Item::Tag(1, Box::new(Item::Float(millis)))
        }
        (_, Value::Array(members)) => {
            Item::Array(members.iter().map(|member| item(name, member)).collect())
        }
        (_, Value::Object(members)) => {
            let members = members.iter();
            Item::Map(
                members
                    .map(|(name, value)| (Item::Text(name.clone()), item(name, value)))
                    .collect(),
            )
        }
        _ => Item::serialized(value).unwrap(),
    }
}

/// What JSON says for an item.
fn value(item: &Item) -> Value {
    match item {
        Item::Bytes(data) => json!(base64(data)),
        Item::Tag(1, moment) => {
            let millis = moment.as_integer().unwrap();
            json!(i64::try_from(millis).unwrap() as f64 / 1000.0)
        }
        Item::Array(members) => members.iter().map(value).collect(),
        Item::Map(members) => {
            let members = members.iter();
            members
                .map(|(name, item)| (name.as_text().unwrap().to_owned(), value(item)))
                .collect()
        }
        Item::Tag(..) => panic!("a tag that no client knows"),
        plain => plain.deserialized().unwrap(),
    }
}

/// The bytes of base64 of three bytes each, which is all that is used here.
fn bytes(text: &str) -> Vec<u8> {
    let all = (0..=u8::MAX).map(|byte| vec![byte, 0xff, 0x00]);
    let known = all.chain([vec![]]).find(|data| base64(data) == text);
    known.unwrap_or_else(|| panic!("{text} is not of this file"))
}

fn data(first: u8) -> String {
    base64([first, 0xff, 0x00])
}

/// The members of an input that names the stream, and more.
fn stream(more: Value) -> Value {
    let mut input = json!({"StreamName": "both"});
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

/// What shows and changes a stream.
fn description() -> Vec<(&'static str, Value)> {
    let of = stream;
    let second = "shardId-000000000001";
    let at = json!({"Type": "AT_TIMESTAMP", "Timestamp": 1_700_000_000.001});
    vec![
        ("DescribeStream", of(json!({"Limit": 2}))),
        (
            "DescribeStream",
            of(json!({"ExclusiveStartShardId": second})),
        ),
        ("DescribeStreamSummary", of(json!({}))),
        ("ListStreams", json!({})),
        (
            "CreateStream",
            json!({"StreamName": "made", "ShardCount": 1, "Tags": {"a": "\u{e9}"}}),
        ),
        (
            "AddTagsToStream",
            of(json!({"Tags": {"a": "b", "\u{e9}": ""}})),
        ),
        ("ListTagsForStream", of(json!({"Limit": 2}))),
        ("RemoveTagsFromStream", of(json!({"TagKeys": ["a"]}))),
        ("ListTagsForStream", of(json!({}))),
        (
            "IncreaseStreamRetentionPeriod",
            of(json!({"RetentionPeriodHours": 48})),
        ),
        (
            "DecreaseStreamRetentionPeriod",
            of(json!({"RetentionPeriodHours": 30})),
        ),
        ("DescribeStreamSummary", of(json!({}))),
        ("ListShards", of(json!({"MaxResults": 1}))),
        ("ListShards", json!({"NextToken": "$NextToken"})),
        ("ListShards", of(json!({"ShardFilter": at}))),
        (
            "ListShards",
            of(json!({"StreamCreationTimestamp": 1_700_000_000.0})),
        ),
    ]
}

/// What puts and reads its records.
fn records() -> Vec<(&'static str, Value)> {
    let entry = |n: u8| json!({"Data": data(n), "PartitionKey": format!("k\u{e9}y\n{n}")});
    let entries: Vec<_> = (0..40).map(entry).collect();
    let first = json!({"Data": data(1), "PartitionKey": "a", "ExplicitHashKey": "0"});
    let second = json!({"Data": "", "PartitionKey": "\u{1f980}"});
    let iterator = |kind: &str| {
        stream(json!({
            "ShardId": "shardId-000000000001", "ShardIteratorType": kind,
        }))
    };
    let mut at_time = iterator("AT_TIMESTAMP");
    at_time["Timestamp"] = json!(1_700_000_000.25);
    let here = json!({"ShardIterator": "$ShardIterator"});
    vec![
        ("PutRecord", stream(first)),
        ("PutRecord", stream(second)),
        ("PutRecords", stream(json!({"Records": entries}))),
        ("GetShardIterator", iterator("TRIM_HORIZON")),
        (
            "GetRecords",
            json!({"ShardIterator": "$ShardIterator", "Limit": 3}),
        ),
        ("GetRecords", json!({"ShardIterator": "$NextShardIterator"})),
        ("GetShardIterator", at_time),
        ("GetRecords", here.clone()),
        ("GetShardIterator", iterator("LATEST")),
        ("GetRecords", here),
    ]
}

/// What is done to a stream as a resource and to its shards, what a reader of a closed one is
/// told.
fn resharding() -> Vec<(&'static str, Value)> {
    let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/both");
    let resource = |more: Value| {
        let mut input = json!({"ResourceARN": arn});
        let more = more.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(more);
        input
    };
    let middle = (u128::MAX / 2).to_string();
    let split = json!({"ShardToSplit": "shardId-000000000001", "NewStartingHashKey": middle});
    let merge = json!({
        "ShardToMerge": "shardId-000000000003", "AdjacentShardToMerge": "shardId-000000000004",
    });
    let scale = json!({"TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"});
    let closed = json!({"ShardId": "shardId-000000000001", "ShardIteratorType": "TRIM_HORIZON"});
    vec![
        (
            "TagResource",
            resource(json!({"Tags": {"x": "y", "z": "\u{fc}"}})),
        ),
        ("UntagResource", resource(json!({"TagKeys": ["x"]}))),
        ("ListTagsForResource", resource(json!({}))),
        ("SplitShard", stream(split)),
        ("DescribeStream", stream(json!({}))),
        ("GetShardIterator", stream(closed)),
        // It ends with its children in the place of an iterator.
        ("GetRecords", json!({"ShardIterator": "$ShardIterator"})),
        ("MergeShards", stream(merge)),
        ("ListShards", stream(json!({}))),
        ("UpdateShardCount", stream(scale)),
        (
            "ListShards",
            stream(json!({"ShardFilter": {"Type": "AT_LATEST"}})),
        ),
    ]
}

/// What is settled for a stream and for an account, and the end.
fn settings() -> Vec<(&'static str, Value)> {
    let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/both");
    let metrics = json!({"ShardLevelMetrics": ["IncomingBytes", "OutgoingBytes"]});
    let fewer = json!({"ShardLevelMetrics": ["IncomingBytes"]});
    let commitment = json!({"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}});
    let size = json!({"StreamARN": arn, "MaxRecordSizeInKiB": 2048});
    let mode = json!({"StreamARN": arn, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}});
    let auto = json!({"StreamARN": arn, "RecordDistributionStrategy": "AUTO"});
    let policy = r#"{"Statement": {"Effect": "Allow", "Principal": "*",
        "Action": "kinesis:PutRecord", "Resource": "*"}}"#;
    let resource = json!({"ResourceARN": arn});
    let shared = json!({"ResourceARN": arn, "Policy": policy});
    vec![
        ("PutResourcePolicy", shared),
        ("GetResourcePolicy", resource.clone()),
        ("DeleteResourcePolicy", resource),
        ("EnableEnhancedMonitoring", stream(metrics)),
        ("DisableEnhancedMonitoring", stream(fewer)),
        ("UpdateMaxRecordSize", size),
        ("UpdateAccountSettings", commitment),
        ("DescribeAccountSettings", json!({})),
        ("UpdateStreamMode", mode),
        ("UpdateStreamRecordDistributionStrategy", auto),
        (
            "UpdateStreamWarmThroughput",
            stream(json!({"WarmThroughputMiBps": 3})),
        ),
        ("DescribeLimits", json!({})),
        ("DescribeStreamSummary", stream(json!({}))),
        (
            "DeleteStream",
            stream(json!({"EnforceConsumerDeletion": true})),
        ),
    ]
}

/// Inputs that are refused, for a reason of each kind.
fn refusals() -> Vec<(&'static str, Value)> {
    vec![
        (
            "CreateStream",
            json!({"StreamName": "both", "ShardCount": 1}),
        ),
        (
            "CreateStream",
            json!({"StreamName": "no name", "ShardCount": 0, "Tags": {}}),
        ),
        ("CreateStream", json!({"StreamName": true})),
        (
            "DescribeStream",
            json!({"StreamName": "missing \u{e9} \"quoted\""}),
        ),
        ("DescribeStream", json!({"StreamName": "missing"})),
        ("PutRecord", json!({"StreamName": "both", "Data": data(1)})),
        (
            "PutRecord",
            json!({"StreamName": "both", "Data": true, "PartitionKey": "a"}),
        ),
        (
            "PutRecords",
            json!({"StreamName": "both", "Records": [null]}),
        ),
        ("PutRecords", json!({"StreamName": "both", "Records": {}})),
        ("PutRecords", json!({"StreamName": "both", "Records": []})),
        ("GetRecords", json!({"ShardIterator": "no iterator"})),
        (
            "GetShardIterator",
            json!({"StreamName": "both", "ShardId": "x", "ShardIteratorType": "y"}),
        ),
        (
            "ListShards",
            json!({"StreamName": "both", "ShardFilter": {"Type": "AT_TIMESTAMP"}}),
        ),
        (
            "ListShards",
            json!({"StreamName": "both", "StreamCreationTimestamp": "now"}),
        ),
        (
            "RemoveTagsFromStream",
            json!({"StreamName": "both", "TagKeys": "a"}),
        ),
        ("NoSuchOperation", json!({})),
    ]
}

async fn both() -> [Service; 2] {
    let services = [Service::start().await, Service::start().await];
    for service in &services {
        service.client().create("both", 3).await;
        service.pass(std::time::Duration::from_millis(250));
    }
    services
}

#[tokio::test]
async fn every_operation_gives_the_same_values_in_both_codecs() {
    let [first, second] = both().await;
    let (mut json, mut cbor) = (Caller::new(&first, JSON), Caller::new(&second, CBOR));
    let mut had_children = false;
    let steps = [description(), records(), resharding(), settings()];
    for (operation, input) in steps.into_iter().flatten() {
        let by_json = json.call(operation, input.clone()).await;
        let by_cbor = cbor.call(operation, input.clone()).await;
        assert_eq!(by_json.0, 200, "{operation} {by_json:?}");
        assert_eq!(by_json, by_cbor, "{operation} {input}");
        had_children |= by_cbor.1["ChildShards"].is_array();
        // Some of it goes on for a while after it was answered.
        if operation != "DeleteStream" {
            first.client().until_active("both").await;
            second.client().until_active("both").await;
        }
    }
    // Not all of them answered nothing.
    assert!(had_children);
    assert_eq!(json.tokens.len(), TOKENS.len());
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn every_operation_gives_the_same_errors_in_both_codecs() {
    let [first, second] = both().await;
    let (mut json, mut cbor) = (Caller::new(&first, JSON), Caller::new(&second, CBOR));
    for (operation, input) in refusals() {
        let by_json = json.call(operation, input.clone()).await;
        let by_cbor = cbor.call(operation, input.clone()).await;
        assert_eq!(by_json.0, 400, "{operation} {by_json:?}");
        assert_eq!(by_json, by_cbor, "{operation} {input}");
    }
    first.stop().await;
    second.stop().await;
}

/// Also those that are not in the tables above: whatever is wrong with such inputs is wrong in both
/// codecs, and an operation that takes them answers the same.
#[tokio::test]
async fn inputs_without_meaning_are_told_the_same_in_both_codecs() {
    let [first, second] = both().await;
    let (mut json, mut cbor) = (Caller::new(&first, JSON), Caller::new(&second, CBOR));
    let operations = operations();
    assert!(operations.len() >= 15, "{operations:?}");
    for operation in operations {
        for input in [
            json!({}),
            json!([]),
            json!({"StreamName": 1}),
            json!({"StreamName": "", "StreamARN": "arn", "ResourceARN": [], "StreamId": ""}),
        ] {
            let by_json = json.call(&operation, input.clone()).await;
            let by_cbor = cbor.call(&operation, input.clone()).await;
            assert_eq!(by_json, by_cbor, "{operation} {input}");
        }
    }
    first.stop().await;
    second.stop().await;
}

/// The names of the operations, from those of their files.
fn operations() -> Vec<String> {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/streams/src/ops");
    let files = fs::read_dir(ops).unwrap().map(|file| file.unwrap().path());
    let handlers = files.filter(|path| {
        path.is_file()
            && fs::read_to_string(path)
                .unwrap()
                .contains("pub async fn handle(")
    });
    let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
    handlers
        .map(|path| {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            stem.split('_').map(capitalised).collect()
        })
        .collect()
}

#[tokio::test]
async fn data_firehose_speaks_no_cbor_as_at_aws() {
    let service = Service::start().await;
    let answer = service
        .client()
        .send_as(
            CBOR,
            "Firehose.ListDeliveryStreams",
            Bytes::from_static(&[0xa0]),
        )
        .await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "text/xml");
    assert_eq!(answer.body(), "<UnknownOperationException/>");
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_is_refused_before_its_operation_is_told_so_in_its_codec() {
    let service = Service::start().await;
    let client = service.client().forging();
    let answer = client
        .send_as(CBOR, "ListStreams", Bytes::from_static(&[0xa0]))
        .await;
    assert_eq!(answer.headers()["content-type"], CBOR);
    let error = value(&ciborium::from_reader(&answer.body()[..]).unwrap());
    assert_eq!(error["__type"], "InvalidSignatureException");
    service.stop().await;
}

/// What no tree of values can say.
#[tokio::test]
async fn a_body_that_is_no_cbor_is_refused_in_cbor() {
    let service = Service::start().await;
    let client = service.client();
    client.create("both", 1).await;
    let put = json!({"StreamName": "both", "Data": data(1), "PartitionKey": "a"});
    let good = written(&item("", &put));
    let longer = [&good[..], &[0xa0]].concat();
    let lying = [&b"\xbf\x64Data\x5b\0\0\0\xff\xff\xff\xff\xff"[..], &good].concat();
    for body in [
        &good[..good.len() - 1],
        &longer,
        &lying,
        b"{}",
        &[0x9f; 100_000],
    ] {
        let answer = client
            .send_as(CBOR, "PutRecord", Bytes::copy_from_slice(body))
            .await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["content-type"], CBOR);
        let error = value(&ciborium::from_reader(&answer.body()[..]).unwrap());
        assert_eq!(error["__type"], "SerializationException");
        assert!(error["Message"].is_string(), "{error}");
    }
    let answer = client.send_as(CBOR, "PutRecord", Bytes::from(good)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(client.data("both").await, [data(1)]);
    service.stop().await;
}

/// An answer of several pieces, and records that are longer than one.
#[tokio::test]
async fn large_answers_hold_every_byte() {
    let service = Service::start().await;
    let client = service.client();
    client.create("both", 1).await;
    let records: Vec<Vec<u8>> = [0, 1, 130_000, 131_072, 1_000_000, 24, 255, 65_536]
        .into_iter()
        .map(|length| vec![b'x'; length])
        .collect();
    let entries = records.iter().map(|data| {
        let data = (Item::from("Data"), Item::Bytes(data.clone()));
        Item::Map(vec![data, (Item::from("PartitionKey"), Item::from("a"))])
    });
    let input = Item::Map(vec![
        (Item::from("StreamName"), Item::from("both")),
        (Item::from("Records"), Item::Array(entries.collect())),
    ]);
    let put = client
        .send_as(CBOR, "PutRecords", Bytes::from(written(&input)))
        .await;
    assert_eq!(put.status(), 200);
    let iterator = client
        .iterator("both", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let input = Item::Map(vec![(Item::from("ShardIterator"), Item::from(iterator))]);
    let got = client
        .send_as(CBOR, "GetRecords", Bytes::from(written(&input)))
        .await;
    assert_eq!(got.status(), 200);
    let got = value(&ciborium::from_reader(&got.body()[..]).unwrap());
    let got = got["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["Data"].clone());
    let wanted: Vec<_> = records.iter().map(|data| json!(base64(data))).collect();
    assert!(got.eq(wanted));
    service.stop().await;
}
