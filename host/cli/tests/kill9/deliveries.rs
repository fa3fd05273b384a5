//! The real server while two delivery streams read one stream, killed with SIGKILL again and again:
//! every record of the stream is in one object of each once, delivered or failed, in the order of
//! its shard, an object that was seen once never changes, and the pages count what there is.

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
const FAILED: &str = "bad/";

/// A delivery stream that reads the stream.
struct Way {
    name: &'static str,
    bucket: &'static str,
    compression: &'static str,
    interval_seconds: u32,
}

/// One that is flushed all the time, and one that is left to its hints.
const WAYS: [Way; 2] = [
    Way {
        name: "flushed",
        bucket: "flushed-logs",
        compression: "GZIP",
        interval_seconds: 60,
    },
    Way {
        name: "hinted",
        bucket: "hinted-logs",
        compression: "UNCOMPRESSED",
        interval_seconds: 0,
    },
];

/// The objects of the bucket by their keys.
type Objects = BTreeMap<String, Vec<u8>>;

#[test]
fn a_server_that_is_killed_while_it_delivers_delivers_every_record_once() {
    let data = tempfile::tempdir().unwrap();
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let objects = |way: &Way| objects(&data.path().join("s3").join(way.bucket));
    let mut acknowledged = HashSet::new();
    let mut seen = WAYS.each_ref().map(|_| Objects::new());
    let mut cycles_with_objects = [0_u32; WAYS.len()];
    for cycle in 0..CYCLES {
        let server = Server::start(data.path(), Some(&plugins));
        if cycle == 0 {
            create(&server);
        }
        wait_until_in_force(&mut server.connect());
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
        for (number, way) in WAYS.iter().enumerate() {
            let objects = objects(way);
            cycles_with_objects[number] += u32::from(seen[number].len() < objects.len());
            assert_unchanged(&seen[number], &objects);
            seen[number] = objects;
        }
    }
    let server = Server::start(data.path(), Some(&plugins));
    let mut connection = server.connect();
    let kept = kept(&mut connection);
    assert!(acknowledged.iter().all(|id| kept.contains_key(id)));
    assert!(
        CYCLES as usize * 300 < kept.len(),
        "there was hardly any load"
    );
    for (number, way) in WAYS.iter().enumerate() {
        let flushed = connection.flush(way.name).unwrap();
        assert_eq!(flushed, json!({"delivered": true}), "{}", way.name);
        let objects = objects(way);
        assert_unchanged(&seen[number], &objects);
        check(&kept, &objects);
        let page = connection.page(&format!("delivery-streams/{}", way.name));
        check_page(&page.unwrap(), &kept, &objects);
        let (name, cycles) = (way.name, cycles_with_objects[number]);
        println!(
            "{name}: {CYCLES} kills, {cycles} of them after new objects: {} records, {} objects",
            kept.len(),
            objects.len()
        );
        assert!(CYCLES / 2 < cycles, "nothing was delivered between kills");
    }
    server.stop();
}

fn create(server: &Server) {
    let mut connection = server.connect();
    create_stream(&mut connection, STREAM, SHARDS);
    for way in &WAYS {
        create_delivery_stream(&mut connection, way);
    }
}

fn create_delivery_stream(connection: &mut Connection, way: &Way) {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:parse-access-log";
    let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
    let role = "arn:aws:iam::000000000000:role/delivery";
    let input = json!({
        "DeliveryStreamName": way.name,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": format!("arn:aws:kinesis:us-east-1:000000000000:stream/{STREAM}"),
            "RoleARN": role,
        },
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": role,
            "BucketARN": format!("arn:aws:s3:::{}", way.bucket),
            "Prefix": "good/",
            "ErrorOutputPrefix": FAILED,
            "CompressionFormat": way.compression,
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": way.interval_seconds},
            "ProcessingConfiguration": {
                "Enabled": true,
                "Processors": [{"Type": "Lambda", "Parameters": [parameter]}],
            },
        },
    });
    connection
        .firehose("CreateDeliveryStream", &input)
        .expect("the delivery stream is created");
    wait_until_active(connection, way.name);
}

/// Waits until the plugin is loaded: the server answers before that.
fn wait_until_in_force(connection: &mut Connection) {
    let is_in_force = |connection: &mut Connection| {
        let page = connection.page("plugins/parse-access-log");
        page.is_some_and(|page| page["hash"].is_string())
    };
    assert!(
        (0..1_000_000).any(|_| is_in_force(connection)),
        "the plugin comes into force"
    );
}

/// Waits until a delivery stream takes records.
pub fn wait_until_active(connection: &mut Connection, name: &str) {
    let name = json!({"DeliveryStreamName": name});
    let is_active = |connection: &mut Connection| {
        let answer = connection
            .firehose("DescribeDeliveryStream", &name)
            .unwrap();
        answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"
    };
    assert!(
        (0..10_000).any(|_| is_active(connection)),
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
    let mut connection = server.connect();
    clients.push(thread::spawn(move || {
        while connection.flush(WAYS[0].name).is_some() {}
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
    if is_broken {
        return format!("no line of a log: /{id}");
    }
    format!("192.0.2.7 - - [17/May/2015:10:05:03 +0000] \"GET /{id} HTTP/1.1\" 200 5 \"-\" \"-\"")
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
        for id in ids_of(key, content, is_failed) {
            let record = &kept[&id];
            assert_eq!(record.is_broken, is_failed, "{id} in {key}");
            let before = last.insert((record.shard, is_failed), record.place);
            assert!(before < Some(record.place), "{id} in {key} is out of order");
            assert!(found.insert(id), "a record is there twice, in {key} too");
        }
    }
    assert_eq!(found.len(), kept.len(), "records are lost");
}

/// The page's numbers are those of the objects.
fn check_page(page: &Value, kept: &HashMap<String, Kept>, objects: &Objects) {
    let broken = kept.values().filter(|record| record.is_broken).count();
    let failed_objects = objects.keys().filter(|key| key.starts_with(FAILED)).count();
    for (member, wanted) in [
        ("recordsIn", kept.len()),
        ("delivered", kept.len() - broken),
        ("failed", broken),
        ("dropped", 0),
        ("waitingRecords", 0),
        ("objects", objects.len() - failed_objects),
        ("failedObjects", failed_objects),
    ] {
        assert_eq!(page[member], wanted, "{member}: {page}");
    }
    assert_eq!(page["trouble"], Value::Null);
}

/// The records of an object, in their order.
fn ids_of(key: &str, content: &[u8], is_failed: bool) -> Vec<String> {
    let mut lines = String::new();
    let read = if key.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(content).read_to_string(&mut lines)
    } else {
        (&content[..]).read_to_string(&mut lines)
    };
    read.unwrap();
    let ids = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        if !is_failed {
            return id_of(&text(&line["path"]));
        }
        let raw = STANDARD.decode_to_vec(text(&line["rawData"])).unwrap();
        id_of(&String::from_utf8(raw).unwrap())
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
