//! The AWS SDK for Rust takes a stream through its whole life: its own types, signatures, codec and
//! reader of event streams, against the server that `MILLRACE` names.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    EncryptionType, PutRecordsRequestEntry, Record, ShardIteratorType, StartingPosition,
    StreamStatus, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use aws_smithy_http_client::Builder;

const STREAM: &str = "life";
const KEY: &str = "alias/aws/kinesis";
/// Questions until a stream is ACTIVE, at most.
const QUESTIONS_MAX: usize = 10_000;
/// 2^127, the middle of all hash keys.
const HALF: u128 = 1 << 127;

/// A server of its own, which ends with the value.
struct Server {
    process: Child,
    endpoint: String,
    data: PathBuf,
}

impl Server {
    fn start() -> Self {
        let program = std::env::var_os("MILLRACE").expect("MILLRACE names the server");
        let name = format!("millrace-sdk-tests-{}", std::process::id());
        let data = std::env::temp_dir().join(name);
        let mut process = Command::new(program)
            .args([
                "serve",
                "--no-throttle",
                "--listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap());
        let mut lines = printed.lines().map_while(Result::ok);
        let endpoint = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        // What it prints later is thrown away, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            endpoint: endpoint.expect("the server says where it listens"),
            data,
        }
    }

    fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "tests",
            ))
            .retry_config(RetryConfig::disabled())
            .http_client(Builder::new().build_http());
        Client::from_conf(config.build())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever became of the test: nothing is left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

async fn until_active(client: &Client) {
    for _ in 0..QUESTIONS_MAX {
        let described = client.describe_stream_summary().stream_name(STREAM).send();
        let described = described.await.unwrap();
        let summary = described.stream_description_summary().unwrap();
        if *summary.stream_status() == StreamStatus::Active {
            return;
        }
    }
    panic!("the stream does not become ACTIVE");
}

/// Puts one record; its sequence number.
async fn put(client: &Client, data: &str) -> String {
    let put = client.put_record().stream_name(STREAM).partition_key("one");
    let put = put.data(Blob::new(data)).send().await.unwrap();
    put.sequence_number().to_owned()
}

/// Puts a record of each partition key in one call.
async fn put_many(client: &Client, keys: std::ops::Range<u32>) {
    let records = keys.map(|key| {
        let record = PutRecordsRequestEntry::builder().partition_key(format!("key-{key}"));
        record
            .data(Blob::new(format!("many {key}")))
            .build()
            .unwrap()
    });
    let put = client.put_records().stream_name(STREAM);
    let put = put
        .set_records(Some(records.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!(put.failed_record_count(), Some(0));
    assert!(
        put.records()
            .iter()
            .all(|record| record.error_code().is_none())
    );
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| String::from_utf8(record.data().as_ref().to_vec()).unwrap();
    records.iter().map(text).collect()
}

/// Everything that a shard holds.
async fn read(client: &Client, shard: &str) -> Vec<Record> {
    let begin = client
        .get_shard_iterator()
        .stream_name(STREAM)
        .shard_id(shard);
    let begin = begin.shard_iterator_type(ShardIteratorType::TrimHorizon);
    let mut iterator = begin.send().await.unwrap().shard_iterator;
    let mut records = Vec::new();
    while let Some(from) = iterator {
        let answer = client.get_records().shard_iterator(from).send();
        let mut answer = answer.await.unwrap();
        let is_at_tip = answer.records.is_empty() && answer.millis_behind_latest == Some(0);
        records.append(&mut answer.records);
        iterator = answer.next_shard_iterator.filter(|_| !is_at_tip);
    }
    records
}

/// What is pushed to a consumer, which the SDK's own reader of event streams takes apart.
struct Pushed(aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput);

impl Pushed {
    async fn from_oldest(client: &Client, consumer: &str, shard: &str) -> Self {
        let oldest = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon);
        let subscribe = client
            .subscribe_to_shard()
            .consumer_arn(consumer)
            .shard_id(shard);
        let subscribe = subscribe.starting_position(oldest.build().unwrap());
        Self(subscribe.send().await.unwrap())
    }

    async fn event(&mut self) -> Option<SubscribeToShardEvent> {
        match self.0.event_stream.recv().await.unwrap()? {
            SubscribeToShardEventStream::SubscribeToShardEvent(event) => Some(event),
            other => panic!("{other:?}"),
        }
    }

    /// So many records that come next.
    async fn records(&mut self, count: usize) -> Vec<Record> {
        let mut records = Vec::new();
        while records.len() < count {
            let event = self.event().await.expect("there is another event");
            assert!(!event.continuation_sequence_number().is_empty());
            records.extend_from_slice(event.records());
        }
        records
    }

    /// The shards that go on where this one has ended.
    async fn children(&mut self) -> Vec<String> {
        loop {
            let event = self.event().await.expect("the end is told");
            let children = event.child_shards().iter();
            let children: Vec<_> = children.map(|child| child.shard_id().to_owned()).collect();
            if !children.is_empty() {
                assert_eq!(self.event().await, None);
                return children;
            }
        }
    }
}

#[tokio::test]
async fn the_sdk_takes_a_stream_through_its_whole_life() {
    let server = Server::start();
    let client = server.client();
    let make = client.create_stream().stream_name(STREAM).shard_count(1);
    make.tags("team", "blue").send().await.unwrap();
    until_active(&client).await;
    let waiter = aws_sdk_kinesis::client::Waiters::wait_until_stream_exists(&client);
    let exists = waiter
        .stream_name(STREAM)
        .wait(std::time::Duration::from_secs(30));
    exists.await.unwrap();

    // Put, read and pushed: the same records.
    let number = put(&client, "first").await;
    put_many(&client, 0..20).await;
    let described = client
        .describe_stream()
        .stream_name(STREAM)
        .send()
        .await
        .unwrap();
    let description = described.stream_description().unwrap();
    let arn = description.stream_arn().to_owned();
    let shard = description.shards()[0].shard_id().to_owned();
    let before = read(&client, &shard).await;
    assert_eq!(before.len(), 21);
    assert_eq!(before[0].sequence_number(), number);
    assert!(before[0].approximate_arrival_timestamp().is_some());
    let register = client.register_stream_consumer().stream_arn(&arn);
    let registered = register.consumer_name("app").send().await.unwrap();
    let consumer = registered.consumer().unwrap().consumer_arn().to_owned();
    let mut pushed = Pushed::from_oldest(&client, &consumer, &shard).await;
    assert_eq!(pushed.records(21).await, before);

    // Encrypted from here on, which both ways of reading tell.
    let encrypt = client.start_stream_encryption().stream_name(STREAM);
    let encrypt = encrypt.encryption_type(EncryptionType::Kms).key_id(KEY);
    encrypt.send().await.unwrap();
    until_active(&client).await;
    put(&client, "sealed").await;
    let sealed = pushed.records(1).await;
    assert_eq!(texts(&sealed), ["sealed"]);
    assert_eq!(sealed[0].encryption_type(), Some(&EncryptionType::Kms));

    // Split: the parent ends where its children begin, and nothing is lost on the way.
    let split = client
        .split_shard()
        .stream_name(STREAM)
        .shard_to_split(&shard);
    split
        .new_starting_hash_key(HALF.to_string())
        .send()
        .await
        .unwrap();
    until_active(&client).await;
    let children = pushed.children().await;
    assert_eq!(children.len(), 2);
    put_many(&client, 20..40).await;
    let listed = client
        .list_shards()
        .stream_name(STREAM)
        .send()
        .await
        .unwrap();
    let open = listed
        .shards()
        .iter()
        .filter(|shard| shard.parent_shard_id().is_some());
    let open: Vec<_> = open.map(|shard| shard.shard_id().to_owned()).collect();
    assert_eq!(open, children);
    let mut found = texts(&read(&client, &shard).await);
    for child in &children {
        let own = read(&client, child).await;
        assert!(!own.is_empty(), "{child} took nothing");
        let mut of_child = Pushed::from_oldest(&client, &consumer, child).await;
        assert_eq!(of_child.records(own.len()).await, own);
        found.extend(texts(&own));
    }
    found.sort();
    let mut expected: Vec<_> = (0..40).map(|key| format!("many {key}")).collect();
    expected.extend(["first".to_owned(), "sealed".to_owned()]);
    expected.sort();
    assert_eq!(found, expected);

    labels(&client, &arn, &consumer).await;
    end(&client, &arn).await;
}

async fn labels(client: &Client, arn: &str, consumer: &str) {
    let add = client
        .tag_resource()
        .resource_arn(arn)
        .tags("colour", "red");
    add.send().await.unwrap();
    let add = client
        .tag_resource()
        .resource_arn(consumer)
        .tags("reader", "app");
    add.send().await.unwrap();
    let remove = client.untag_resource().resource_arn(arn).tag_keys("team");
    remove.send().await.unwrap();
    for (resource, expected) in [(arn, ("colour", "red")), (consumer, ("reader", "app"))] {
        let listed = client.list_tags_for_resource().resource_arn(resource);
        let listed = listed.send().await.unwrap();
        let tags = listed.tags().iter();
        let tags: BTreeMap<_, _> = tags.map(|tag| (tag.key(), tag.value().unwrap())).collect();
        assert_eq!(tags, BTreeMap::from([expected]), "{resource}");
    }
}

/// Encryption, the consumer and the stream go, and what is gone is told by the class of its error.
async fn end(client: &Client, arn: &str) {
    let stop = client.stop_stream_encryption().stream_name(STREAM);
    let stop = stop.encryption_type(EncryptionType::Kms).key_id(KEY);
    stop.send().await.unwrap();
    until_active(client).await;
    let deregister = client.deregister_stream_consumer().stream_arn(arn);
    deregister.consumer_name("app").send().await.unwrap();
    client
        .delete_stream()
        .stream_name(STREAM)
        .send()
        .await
        .unwrap();
    for _ in 0..QUESTIONS_MAX {
        let described = client.describe_stream_summary().stream_name(STREAM).send();
        match described.await.map_err(|error| error.into_service_error()) {
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_resource_not_found_exception(), "{error:?}");
                return;
            }
        }
    }
    panic!("the stream does not go");
}
