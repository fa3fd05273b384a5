//! Single calls that prepare a measurement.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::answer::content_length;
use crate::child::Server;
use crate::generator::{Generator, Load, Pace};
use crate::puts;
use crate::requests::{Batch, Service, Signer};

const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
const CALL_MAX: Duration = Duration::from_secs(120);
/// How long a stream may take to become ACTIVE, and between two looks.
const ACTIVE_MAX: Duration = Duration::from_secs(60);
const ACTIVE_PAUSE: Duration = Duration::from_millis(10);
const FILL_MAX: Duration = Duration::from_secs(240);

/// One call of Data Streams over a connection of its own; an error unless the answer is 200.
pub fn call(address: SocketAddr, operation: &str, input: &Value) -> Result<Value, Failure> {
    call_of(Service::STREAMS, address, operation, input)
}

/// One call of any service.
pub fn call_of(
    service: Service,
    address: SocketAddr,
    operation: &str,
    input: &Value,
) -> Result<Value, Failure> {
    call_as(As::Bench, (service, address), operation, input)
}

/// Whose key a call is signed with.
#[derive(Clone, Copy, Debug)]
pub enum As {
    /// That of nearly all calls.
    Bench,
    /// That of another account.
    Other,
}

/// One call of any service, by an account.
pub fn call_as(
    who: As,
    (service, address): (Service, SocketAddr),
    operation: &str,
    input: &Value,
) -> Result<Value, Failure> {
    let signer = Signer::new(address, service)?;
    let signer = match who {
        As::Bench => signer,
        As::Other => signer.of_other_account(),
    };
    let request = signer.request(operation, &serde_json::to_vec(input)?)?;
    exchange(address, operation, &request)
}

/// A page of the server.
pub fn page(address: SocketAddr, path: &str) -> Result<Value, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    exchange(address, path, &signer.page(path)?)
}

/// An order to a page of the server.
pub fn post(address: SocketAddr, path: &str, input: &Value) -> Result<Value, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    let request = signer.order(path, &serde_json::to_vec(input)?)?;
    exchange(address, path, &request)
}

fn exchange(address: SocketAddr, what: &str, request: &[u8]) -> Result<Value, Failure> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(CALL_MAX))?;
    socket.write_all(request)?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = socket.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..count]);
        let head = memchr::memmem::find(&answer, b"\r\n\r\n");
        let Some(head) = head.filter(|_| answer.len() <= ANSWER_BYTES_MAX) else {
            if count == 0 || answer.len() > ANSWER_BYTES_MAX {
                return Err(format!("{what}: no answer").into());
            }
            continue;
        };
        let body = &answer[head + 4..];
        if body.len() < content_length(&answer[..head])? {
            if count == 0 {
                return Err(format!("{what}: the answer is cut short").into());
            }
            continue;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("{what}: {}", String::from_utf8_lossy(body)).into());
        }
        return Ok(match body {
            [] => Value::Null,
            body => serde_json::from_slice(body)?,
        });
    }
}

/// Makes a stream and waits until it is ACTIVE.
pub fn create_stream(address: SocketAddr, stream: &str, shards: usize) -> Result<(), Failure> {
    let input = json!({"StreamName": stream, "ShardCount": shards});
    call(address, "CreateStream", &input)?;
    until_active(address, stream)
}

/// Encrypts a stream with the service's own key and waits until it is ACTIVE.
pub fn encrypt_stream(address: SocketAddr, stream: &str) -> Result<(), Failure> {
    let input = json!({
        "StreamName": stream, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis",
    });
    call(address, "StartStreamEncryption", &input)?;
    until_active(address, stream)
}

/// Waits until a stream is ACTIVE.
pub fn until_active(address: SocketAddr, stream: &str) -> Result<(), Failure> {
    let begin = Instant::now();
    while begin.elapsed() < ACTIVE_MAX {
        let input = json!({"StreamName": stream});
        let answer = call(address, "DescribeStreamSummary", &input)?;
        if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return Ok(());
        }
        std::thread::sleep(ACTIVE_PAUSE);
    }
    Err(format!("stream {stream} did not become ACTIVE").into())
}

/// An iterator at the oldest record of every shard.
pub fn oldest_iterators(address: SocketAddr, stream: &str) -> Result<Vec<String>, Failure> {
    let answer = call(address, "ListShards", &json!({"StreamName": stream}))?;
    let shards = answer["Shards"].as_array().ok_or("no shards")?;
    shards
        .iter()
        .map(|shard| {
            let input = json!({
                "StreamName": stream,
                "ShardId": shard["ShardId"],
                "ShardIteratorType": "TRIM_HORIZON",
            });
            let answer = call(address, "GetShardIterator", &input)?;
            let iterator = answer["ShardIterator"].as_str().ok_or("no iterator")?;
            Ok(iterator.to_owned())
        })
        .collect()
}

/// Puts at least so many bytes of data in records of 1 KiB, as fast as it goes. Returns how many.
pub fn fill(server: &Server, stream: &str, bytes: u64) -> Result<u64, Failure> {
    const CONNECTIONS: usize = 8;
    let batch = Batch::LARGE;
    let requests = puts::requests(server.address, stream, &batch)?;
    let mut generator = Generator::connect(server.address, CONNECTIONS)?;
    let outcome = generator.run(&Load {
        requests: &requests,
        pace: Pace::Flat,
        duration: FILL_MAX,
        enough: bytes.div_ceil(batch.data_bytes() as u64),
    })?;
    outcome.per_second()?;
    Ok(outcome.good * batch.data_bytes() as u64)
}
