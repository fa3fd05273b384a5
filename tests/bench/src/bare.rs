//! The bare path: a server of the product's parts that keeps nothing. HTTP, the signature, the
//! body's JSON and its base64, and then an answer made beforehand: what is left to routing,
//! hashing, framing and the log is the difference to the real one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use types::{Clock, SystemClock, limits};
use wire::json;
use wire::members::{Blob, List, Structure, Text};
use wire::shape::{BlobRule, Check, Fields, ListRule, Shape, TextRule};
use wire::sigv4::{self, Authorization, Paths, SecretKey, Verifier};
use wire::{ApiError, Codec};

use crate::Failure;
use crate::bench::Bench;
use crate::http::MANY_CONNECTIONS;
use crate::puts::{self, Target};
use crate::report::Line;
use crate::requests::{Batch, SECRET_ACCESS_KEY, canned_answer};
use crate::usage::{own_cpu, thread_cpu};

const STREAM: &str = "bench";
const STREAM_NAME: TextRule = TextRule::chars(1, limits::STREAM_NAME_CHARS_MAX);
const PARTITION_KEY: TextRule = TextRule::chars(1, limits::PARTITION_KEY_CHARS_MAX);
const DATA: BlobRule = BlobRule::at_most(limits::DATA_BYTES_MAX);
const RECORDS: ListRule<Fields> = ListRule::of(1, limits::PUT_RECORDS_COUNT_MAX, Fields);
/// As the product's: what a connection reads at once.
const READ_BYTES_MAX: usize = 256 * 1024;

/// PutRecord of 1 KiB, with few and with many connections.
pub fn put_record(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let batch = &Batch::ONE;
    let few = put(bench, batch, "bare_put_record", bench.options.connections)?;
    let name = "bare_put_record_64_connections";
    let many = put(bench, batch, name, MANY_CONNECTIONS)?;
    Ok(vec![few, many])
}

/// PutRecords of 500 times 1 KiB.
pub fn put_records_large(bench: &Bench) -> Result<Vec<Line>, Failure> {
    put_records(bench, &Batch::LARGE)
}

/// PutRecords of 100 times 100 bytes.
pub fn put_records_small(bench: &Bench) -> Result<Vec<Line>, Failure> {
    put_records(bench, &Batch::SMALL)
}

fn put_records(bench: &Bench, batch: &Batch) -> Result<Vec<Line>, Failure> {
    let name = format!("bare_{}", batch.name);
    Ok(vec![put(bench, batch, &name, bench.options.connections)?])
}

fn put(bench: &Bench, batch: &Batch, name: &str, connections: usize) -> Result<Line, Failure> {
    let runtime = bench.runtime()?;
    let bare = Arc::new(Bare {
        verifier: Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized),
        secret: SecretKey::new(SECRET_ACCESS_KEY),
        single: batch.single,
        answer: Bytes::from(canned_answer(batch)),
    });
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address: SocketAddr = listener.local_addr()?;
    runtime.spawn(listen(listener, bare));
    let target = Target {
        name,
        address,
        trust: None,
        stream: STREAM,
        connections,
        // The load generator is this thread.
        cpu: &|| Ok(own_cpu().saturating_sub(thread_cpu())),
    };
    puts::measure(bench, &target, batch)
}

struct Bare {
    verifier: Verifier,
    secret: SecretKey,
    single: bool,
    answer: Bytes,
}

/// Ends with its runtime.
async fn listen(listener: TcpListener, bare: Arc<Bare>) {
    while let Ok((socket, _)) = listener.accept().await {
        if let Err(error) = socket.set_nodelay(true) {
            eprintln!("bench: {error}");
        }
        let bare = Arc::clone(&bare);
        let service = service_fn(move |request| answer(Arc::clone(&bare), request));
        // A connection ends in an error when its client goes away, which every client does.
        tokio::spawn(
            http1::Builder::new()
                .max_buf_size(READ_BYTES_MAX)
                .serve_connection(TokioIo::new(socket), service),
        );
    }
}

async fn answer(
    bare: Arc<Bare>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let received = body.collect().await;
    let outcome = match received {
        Ok(body) => bare.check(&parts, &body.to_bytes()),
        Err(error) => Err(ApiError::internal(error.to_string())),
    };
    let mut response = Response::new(Full::new(match &outcome {
        Ok(()) => bare.answer.clone(),
        Err(error) => error.body(Codec::Json),
    }));
    if outcome.is_err() {
        *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

impl Bare {
    fn check(&self, parts: &http::request::Parts, body: &Bytes) -> Result<(), ApiError> {
        let Some(authorization) = Authorization::parse(&parts.headers)? else {
            return Err(ApiError::missing_authentication_token());
        };
        let request = sigv4::SignedRequest {
            service: "kinesis",
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            authority: None,
            headers: &parts.headers,
            body,
        };
        let now = SystemClock.now();
        self.verifier
            .verify(&authorization, &request, Some(&self.secret), now)?;
        let mut decoded = Vec::with_capacity(body.len());
        if self.single {
            decode(json::parse::<One>(body)?.data.as_ref(), &mut decoded)
        } else {
            let entries = json::parse::<Many>(body)?.records;
            entries
                .map(List::into_members)
                .unwrap_or_default()
                .iter()
                .try_for_each(|Structure(entry)| decode(entry.data.as_ref(), &mut decoded))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
}

impl Shape for One<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamName", &self.stream_name, STREAM_NAME);
        check.required("Data", &self.data, DATA);
        check.required("PartitionKey", &self.partition_key, PARTITION_KEY);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Many<'a> {
    #[serde(borrow)]
    records: Option<List<Structure<Entry<'a>>>>,
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
}

impl Shape for Many<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Records", &self.records, RECORDS);
        check.required("StreamName", &self.stream_name, STREAM_NAME);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
}

impl Shape for Entry<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Data", &self.data, DATA);
        check.required("PartitionKey", &self.partition_key, PARTITION_KEY);
    }
}

fn decode(data: Option<&Blob<'_>>, onto: &mut Vec<u8>) -> Result<(), ApiError> {
    data.map_or(Ok(()), |data| data.decode_onto(onto))
}
