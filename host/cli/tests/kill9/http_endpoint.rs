//! The real server while it sends records to an HTTP endpoint, killed with SIGKILL again and again:
//! every record that was acknowledged is in one request, and a request that comes again is the one
//! that came before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::deliveries::wait_until_active;
use crate::server::{Connection, Server};

const CYCLES: u32 = 10;
const WRITERS: u32 = 3;
const NAME: &str = "calls";
/// Of so many requests the answer to one is lost, and another one is answered 500.
const TROUBLE_EVERY: usize = 9;

/// A request: its id, and its body.
type Request = (String, Vec<u8>);

#[test]
fn a_server_that_is_killed_while_it_sends_sends_every_record_in_one_request() {
    let data = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taken, requests) = channel();
    thread::spawn(move || listen(&listener, &taken));
    let config = data.path().join("millrace.toml");
    fs::write(
        &config,
        format!("[egress]\nallow = [\"127.0.0.1:{port}\"]\n"),
    )
    .unwrap();
    let start = || {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_millrace"));
        let config = config.to_str().unwrap();
        Server::start_as(
            program,
            &data.path().join("data"),
            None,
            &["--config", config],
        )
    };
    let mut acknowledged = HashSet::new();
    let (mut bodies, mut again) = (BTreeMap::new(), 0);
    for cycle in 0..CYCLES {
        let server = start();
        if cycle == 0 {
            create(&mut server.connect(), port);
        }
        let (learned, lessons) = channel();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (connection, learned) = (server.connect(), learned.clone());
                thread::spawn(move || write(connection, cycle, writer, &learned))
            })
            .collect();
        drop(learned);
        for _ in 0..5 + cycle * 3 {
            again += keep(&mut bodies, requests.recv().unwrap());
        }
        server.kill();
        for writer in writers {
            writer.join().unwrap();
        }
        acknowledged.extend(lessons);
    }
    let server = start();
    let flushed = server.connect().flush(NAME).unwrap();
    assert_eq!(flushed, json!({"delivered": true}));
    again += rest(&mut bodies, &requests);
    let seen = records_of(&bodies);
    let missing = acknowledged.iter().find(|id| !seen.contains_key(*id));
    assert_eq!(missing, None);
    let page = server
        .connect()
        .page(&format!("delivery-streams/{NAME}"))
        .unwrap();
    let counted = [
        "recordsIn",
        "delivered",
        "failed",
        "waitingRecords",
        "objects",
    ]
    .map(|name| page[name].as_u64().unwrap());
    let (records, requests) = (seen.len() as u64, bodies.len() as u64);
    assert_eq!(counted, [records, records, 0, 0, requests], "{page}");
    println!("{CYCLES} kills: {records} records, {requests} requests, {again} of them came again");
    server.stop();
}

/// The records of all requests, each with the one that it is in.
fn records_of(bodies: &BTreeMap<String, Vec<u8>>) -> HashMap<String, &str> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (id, body) in bodies {
        let body: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(body["requestId"], id.as_str());
        for record in body["records"].as_array().unwrap() {
            let data = STANDARD
                .decode_to_vec(record["data"].as_str().unwrap())
                .unwrap();
            let other = seen.insert(String::from_utf8(data).unwrap(), id);
            assert_eq!(other, None, "a record is in {id} and in another request");
        }
    }
    seen
}

fn create(connection: &mut Connection, port: u16) {
    let role = "arn:aws:iam::000000000000:role/delivery";
    let input = json!({
        "DeliveryStreamName": NAME,
        "HttpEndpointDestinationConfiguration": {
            "EndpointConfiguration": {"Url": format!("http://127.0.0.1:{port}/take")},
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            "RetryOptions": {"DurationInSeconds": 7200},
            "S3Configuration": {"RoleARN": role, "BucketARN": "arn:aws:s3:::failed"},
        },
    });
    let created = connection.firehose("CreateDeliveryStream", &input);
    created.expect("the delivery stream is created");
    wait_until_active(connection, NAME);
}

/// Puts records of its own until the server is gone, and says which were acknowledged.
fn write(mut connection: Connection, cycle: u32, writer: u32, learned: &Sender<String>) {
    for turn in 0_u32.. {
        let ids: Vec<String> = (0..1 + turn % 19)
            .map(|index| format!("{cycle:04}-{writer:04}-{turn:06}-{index:02}"))
            .collect();
        let records = ids
            .iter()
            .map(|id| json!({"Data": STANDARD.encode_to_string(id)}));
        let records: Vec<Value> = records.collect();
        let input = json!({"DeliveryStreamName": NAME, "Records": records});
        let Some(answer) = connection.firehose("PutRecordBatch", &input) else {
            return;
        };
        for (id, place) in ids
            .into_iter()
            .zip(answer["RequestResponses"].as_array().unwrap())
        {
            // A record may fail on its own; it was not acknowledged then.
            if place.get("ErrorCode").is_none() {
                learned.send(id).expect("the test is there");
            }
        }
    }
}

/// Keeps a request that was taken; 1 if it had come before. Then it is the same.
fn keep(bodies: &mut BTreeMap<String, Vec<u8>>, (id, body): Request) -> u32 {
    match bodies.get(&id) {
        Some(before) => {
            assert!(*before == body, "request {id} is not what it was");
            1
        }
        None => {
            bodies.insert(id, body);
            0
        }
    }
}

fn rest(bodies: &mut BTreeMap<String, Vec<u8>>, requests: &Receiver<Request>) -> u32 {
    requests
        .try_iter()
        .map(|request| keep(bodies, request))
        .sum()
}

/// Takes requests, each over a connection of its own.
fn listen(listener: &TcpListener, taken: &Sender<Request>) {
    for (number, stream) in listener.incoming().enumerate() {
        // The test is over once nobody hears.
        if answer(stream.unwrap(), number, taken).is_none() {
            return;
        }
    }
}

/// `None` once nobody wants to know what was taken.
fn answer(mut stream: TcpStream, number: usize, taken: &Sender<Request>) -> Option<()> {
    let Some((id, body)) = read(&mut stream) else {
        // The server was killed in the middle.
        return Some(());
    };
    let (status, is_taken) = match number % TROUBLE_EVERY {
        3 => (500, false),
        _ => (200, true),
    };
    if is_taken {
        taken.send((id.clone(), body)).ok()?;
    }
    if number % TROUBLE_EVERY == 6 {
        return Some(());
    }
    let body = json!({"requestId": id, "timestamp": 1}).to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // The server may be gone.
    let _ = stream.write_all((head + &body).as_bytes());
    Some(())
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 65_536];
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let value = |name: &str| {
            let mut lines = head.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        let length: usize = value("content-length:").parse().unwrap();
        if bytes.len() == end + 4 + length {
            return Some((
                value("x-amz-firehose-request-id:"),
                bytes[end + 4..].to_vec(),
            ));
        }
    }
}
