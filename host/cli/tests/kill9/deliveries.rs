//! The real server while it delivers, killed with SIGKILL again and again: every record of the
//! stream is in one object once, delivered or failed, in the order of its shard, and an object that
//! was seen once never changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::server::{Connection, Server, text};
use crate::streams::{create_stream, read_all, shard_id};

const CYCLES: u32 = 20;
const SHARDS: u32 = 3;
const WRITERS: u32 = 4;
/// Every so many records is one that does not parse.
const BROKEN_EVERY: u32 = 7;
const STREAM: &str = "lines";
const DELIVERY_STREAM: &str = "parsed";
const BUCKET: &str = "logs";
const FAILED: &str = "bad/";

/// The objects of the bucket by their keys.
type Objects = BTreeMap<String, Vec<u8>>;

#[test]
fn a_server_that_is_killed_while_it_delivers_delivers_every_record_once() {
    let data = tempfile::tempdir().unwrap();
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let bucket = data.path().join("s3").join(BUCKET);
    let mut acknowledged = HashSet::new();
    let mut seen = Objects::new();
    let mut cycles_with_objects = 0;
    for cycle in 0..CYCLES {
        let server = Server::start(data.path(), Some(&plugins));
        if cycle == 0 {
            create(&server);
        }
        let (learned, lessons) = channel();
        let clients = start_clients(&server, cycle, &learned);
        drop(learned);
        let answers = 1 + usize::try_from(cycle).unwrap() * 397 % 1_500;
        learn_until(&mut acknowledged, &lessons, answers);
        server.kill();
        learn_until(&mut acknowledged, &lessons, usize::MAX);
        for client in clients {
            client.join().unwrap();
        }
        let objects = objects(&bucket);
        cycles_with_objects += u32::from(seen.len() < objects.len());
        assert_unchanged(&seen, &objects);
        seen = objects;
    }
    let server = Server::start(data.path(), Some(&plugins));
    let mut connection = server.connect();
    connection.flush(DELIVERY_STREAM).expect("all is delivered");
    let objects = objects(&bucket);
    assert_unchanged(&seen, &objects);
    let kept = kept(&mut connection);
    assert!(acknowledged.iter().all(|id| kept.contains_key(id)));
    check(&kept, &objects);
    println!(
        "{CYCLES} kills, {cycles_with_objects} of them after new objects: {} records, {} objects",
        kept.len(),
        objects.len()
    );
    assert!(
        CYCLES as usize * 300 < kept.len(),
        "there was hardly any load"
    );
    assert!(
        CYCLES / 2 < cycles_with_objects,
        "nothing was delivered between kills"
    );
    server.stop();
}

fn create(server: &Server) {
    let mut connection = server.connect();
    create_stream(&mut connection, STREAM, SHARDS);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:parse-access-log";
    let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
    let role = "arn:aws:iam::000000000000:role/delivery";
    let input = json!({
        "DeliveryStreamName": DELIVERY_STREAM,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": format!("arn:aws:kinesis:us-east-1:000000000000:stream/{STREAM}"),
            "RoleARN": role,
        },
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": role,
            "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
            "Prefix": "good/",
            "ErrorOutputPrefix": FAILED,
            "CompressionFormat": "GZIP",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
            "ProcessingConfiguration": {
                "Enabled": true,
                "Processors": [{"Type": "Lambda", "Parameters": [parameter]}],
            },
        },
    });
    connection
        .firehose("CreateDeliveryStream", &input)
        .expect("the delivery stream is created");
    let name = json!({"DeliveryStreamName": DELIVERY_STREAM});
    let is_active = |connection: &mut Connection| {
        let answer = connection
            .firehose("DescribeDeliveryStream", &name)
            .unwrap();
        answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"
    };
    assert!(
        (0..10_000).any(|_| is_active(&mut connection)),
        "it becomes ACTIVE"
    );
}

fn start_clients(
    server: &Server,
    cycle: u32,
    learned: &Sender<String>,
) -> Vec<thread::JoinHandle<()>> {
    let mut clients = Vec::new();
    for writer in 0..WRITERS {
        let (connection, learned) = (server.connect(), learned.clone());
        clients.push(thread::spawn(move || {
            write(connection, cycle, writer, &learned)
        }));
    }
    // Cuts are made and delivered all the time.
    let mut connection = server.connect();
    clients.push(thread::spawn(move || {
        while connection.flush(DELIVERY_STREAM).is_some() {}
    }));
    clients
}

/// Puts lines of its own until the server is gone, and says which were acknowledged.
fn write(mut connection: Connection, cycle: u32, writer: u32, learned: &Sender<String>) {
    for turn in 0_u32.. {
        let ids: Vec<String> = (0..1 + turn % 19)
            .map(|index| format!("{cycle:04}{writer:04}{turn:06}{index:02}"))
            .collect();
        let records = ids.iter().zip(turn..).map(|(id, number)| {
            let line = line(id, number % BROKEN_EVERY == 0);
            json!({"Data": STANDARD.encode_to_string(line), "PartitionKey": id})
        });
        let records: Vec<Value> = records.collect();
        let input = json!({"StreamName": STREAM, "Records": records});
        let Some(answer) = connection.kinesis("PutRecords", &input) else {
            return;
        };
        for (id, place) in ids.into_iter().zip(answer["Records"].as_array().unwrap()) {
            // A record may fail on its own; it was not acknowledged then.
            if place.get("ErrorCode").is_none() {
                learned.send(id).expect("the test is there");
            }
        }
    }
}

fn line(id: &str, is_broken: bool) -> String {
    match is_broken {
        true => format!("no line of a log: /{id}"),
        false => format!(
            "192.0.2.7 - - [17/May/2015:10:05:03 +0000] \"GET /{id} HTTP/1.1\" 200 5 \"-\" \"-\""
        ),
    }
}

/// The identifier in a line or a path: the digits after a slash that begins a word.
fn id_of(text: &str) -> String {
    let mut words = text.split(' ');
    let path = words.find_map(|word| word.strip_prefix('/'));
    let path = path.expect("an identifier");
    path.chars().take_while(char::is_ascii_digit).collect()
}

fn learn_until(acknowledged: &mut HashSet<String>, lessons: &Receiver<String>, answers: usize) {
    acknowledged.extend(lessons.iter().take(answers));
}

/// The shard of each record that the stream holds, its place in it, and whether it is broken.
fn kept(connection: &mut Connection) -> HashMap<String, Kept> {
    let mut kept = HashMap::new();
    for shard in 0..SHARDS {
        let records = read_all(connection, STREAM, &shard_id(shard));
        for (place, (_, data)) in records.into_iter().enumerate() {
            let line = STANDARD.decode_to_vec(data).unwrap();
            let line = String::from_utf8(line).unwrap();
            let record = Kept {
                shard,
                place,
                is_broken: line.starts_with("no line"),
            };
            assert!(kept.insert(id_of(&line), record).is_none());
        }
    }
    kept
}

/// A record as the stream holds it.
struct Kept {
    shard: u32,
    place: usize,
    is_broken: bool,
}

/// Every record once, where it belongs, in the order of its shard.
fn check(kept: &HashMap<String, Kept>, objects: &Objects) {
    let mut found = HashSet::new();
    let mut last: HashMap<(u32, bool), usize> = HashMap::new();
    for (key, content) in objects {
        let is_failed = key.starts_with(FAILED);
        for id in ids_of(content, is_failed) {
            let record = &kept[&id];
            assert_eq!(record.is_broken, is_failed, "{id} in {key}");
            let before = last.insert((record.shard, is_failed), record.place);
            assert!(before < Some(record.place), "{id} in {key} is out of order");
            assert!(found.insert(id), "a record is there twice, in {key} too");
        }
    }
    assert_eq!(found.len(), kept.len(), "records are lost");
}

/// The records of an object, in their order.
fn ids_of(content: &[u8], is_failed: bool) -> Vec<String> {
    let mut lines = String::new();
    if is_failed {
        lines = String::from_utf8(content.to_vec()).unwrap();
    } else {
        let mut decoder = flate2::read::MultiGzDecoder::new(content);
        decoder.read_to_string(&mut lines).unwrap();
    }
    let ids = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        match is_failed {
            true => {
                let raw = STANDARD.decode_to_vec(text(&line["rawData"])).unwrap();
                id_of(&String::from_utf8(raw).unwrap())
            }
            false => id_of(&text(&line["path"])),
        }
    });
    ids.collect()
}

fn assert_unchanged(before: &Objects, now: &Objects) {
    for (key, content) in before {
        assert!(now.get(key) == Some(content), "{key} changed or is gone");
    }
}

fn objects(bucket: &Path) -> Objects {
    let mut objects = Objects::new();
    let mut folders = vec![PathBuf::from(bucket)];
    while let Some(folder) = folders.pop() {
        // A bucket without objects may not be there.
        for entry in folder.read_dir().into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(bucket).unwrap().to_str().unwrap();
            objects.insert(key.to_owned(), std::fs::read(&path).unwrap());
        }
    }
    objects
}
