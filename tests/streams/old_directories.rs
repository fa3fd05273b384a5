//! A data directory that an older build wrote, as `format_2` beside this file holds it: two
//! streams, one of them split, and a delivery stream that waits. The build was stopped once and
//! killed once, so that part of the records lies in segments and part in the write-ahead log
//! alone. `records.json` is what it acknowledged.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use millrace_tests::{Client, Service, base64};
use serde_json::{Value, json};
use tempfile::TempDir;
use types::Timestamp;

/// After everything in the directory was written, and before anything of it is too old.
const LATER: Timestamp = Timestamp(1_795_972_000_000);
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/streams/format_2");
/// What a record was acknowledged with, and its partition key and data.
type Acknowledged = (String, String, String, String, String);
/// Records of a shard: sequence number, partition key and data (base64).
type Shards = BTreeMap<(String, String), Vec<(String, String, String)>>;

/// Unpacks every file below `from` to the same place below `to`.
fn unpack(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = Path::new(path.file_name().unwrap());
        if path.is_dir() {
            unpack(&path, &to.join(name));
        } else if path.extension().is_some_and(|kind| kind == "gz") {
            let mut content = Vec::new();
            let packed = File::open(&path).unwrap();
            GzDecoder::new(packed).read_to_end(&mut content).unwrap();
            fs::write(to.join(name.with_extension("")), content).unwrap();
        }
    }
}

fn acknowledged() -> Shards {
    let text = fs::read_to_string(Path::new(KEPT).join("records.json")).unwrap();
    let all: Vec<Acknowledged> = serde_json::from_str(&text).unwrap();
    let mut shards = Shards::new();
    for (stream, shard, number, key, data) in all {
        let record = (number, key, base64(data));
        shards.entry((stream, shard)).or_default().push(record);
    }
    shards
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Everything that the streams hold.
async fn read(client: &Client) -> Shards {
    let mut found = Shards::new();
    for stream in ["one", "three"] {
        let listed = client.call("ListShards", json!({"StreamName": stream}));
        for shard in listed.await["Shards"].as_array().unwrap() {
            let input = json!({
                "StreamName": stream,
                "ShardId": shard["ShardId"],
                "ShardIteratorType": "TRIM_HORIZON",
            });
            let iterator = client.call("GetShardIterator", input).await;
            let input = json!({"ShardIterator": iterator["ShardIterator"]});
            let answer = client.call("GetRecords", input).await;
            let records = answer["Records"].as_array().unwrap().iter().map(|record| {
                let [number, key, data] = ["SequenceNumber", "PartitionKey", "Data"];
                (
                    text(&record[number]),
                    text(&record[key]),
                    text(&record[data]),
                )
            });
            let of = (stream.to_owned(), text(&shard["ShardId"]));
            found.insert(of, records.collect());
        }
    }
    found.retain(|_, records| !records.is_empty());
    found
}

#[tokio::test]
async fn a_directory_of_format_2_is_read_record_for_record_and_gone_on_with() {
    let directory = TempDir::new().unwrap();
    unpack(Path::new(KEPT), directory.path());
    let service = Service::start_in(directory, LATER).await;
    let client = service.client();
    let mut expected = acknowledged();
    assert_eq!(expected.values().map(Vec::len).sum::<usize>(), 340);
    assert_eq!(read(&client).await, expected);
    assert_eq!(client.summary("one").await["RetentionPeriodHours"], 48);
    let tags = json!({"StreamName": "three"});
    let tags = client.call("ListTagsForStream", tags).await;
    assert_eq!(tags["Tags"], json!([{"Key": "made", "Value": "before"}]));

    // What is new comes after what was there, and stays.
    let data = base64("new");
    let put = client.put("one", &data).await;
    let shard = ("one".to_owned(), text(&put["ShardId"]));
    let record = (text(&put["SequenceNumber"]), "a".to_owned(), data);
    expected.entry(shard).or_default().push(record);
    assert_eq!(read(&client).await, expected);
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(read(&client).await, expected);

    // So does what waits to be delivered.
    client.put_delivery("waiting", &[", third"]).await;
    client.flush("waiting").await;
    let objects = service.objects("bucket");
    let texts: Vec<&str> = objects.iter().map(|object| object.text()).collect();
    assert_eq!(texts.concat(), "first,second, third");
    service.stop().await;
}
