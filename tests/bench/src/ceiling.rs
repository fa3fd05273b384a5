//! How much the load generator can do: no server measured with it can show more.

use std::time::Duration;

use crate::bench::Bench;
use crate::puts::{self, Target};
use crate::reader::{self, Source};
use crate::report::Line;
use crate::requests::{Batch, canned_answer, canned_records};
use crate::{Failure, responder};

const STREAM: &str = "bench";
/// As many as an answer of 10 MiB holds of 1 KiB each, with their keys.
const RECORDS_OF_10_MIB: usize = 10_000;
/// About as long as the server's.
const ITERATOR_CHARS: usize = 200;

/// The kinds of put against bytes prepared beforehand.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    Batch::ALL
        .iter()
        .map(|batch| against_canned_bytes(bench, batch))
        .collect()
}

/// GetRecords against bytes prepared beforehand.
pub fn get_records(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let lines = [
        ("10mib", RECORDS_OF_10_MIB, None),
        ("1000", 1_000, Some(1_000)),
    ];
    lines
        .into_iter()
        .map(|(name, records, limit)| {
            let iterator = "i".repeat(ITERATOR_CHARS);
            let body = canned_records(records, Batch::LARGE.record_bytes, &iterator);
            let responder = responder::bind()?;
            let address = responder.local_addr()?;
            let source = Source {
                address,
                iterators: vec![iterator; bench.options.connections],
                limit,
                cpu: &|| Ok(Duration::ZERO),
            };
            let request_bytes = source.request()?.len();
            let answer = [head(body.len()).as_bytes(), &body].concat();
            responder::start(responder, request_bytes, answer, bench.options.connections);
            let line = reader::walk(bench, &source)?;
            Ok(Line {
                server_us: None,
                ..line.line(&format!("ceiling_get_records/{name}"))
            })
        })
        .collect()
}

fn head(body_bytes: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {body_bytes}\r\n\r\n")
}

fn against_canned_bytes(bench: &Bench, batch: &Batch) -> Result<Line, Failure> {
    let body = canned_answer(batch);
    let answer = [head(body.len()).as_bytes(), &body].concat();
    let connections = bench.options.connections;
    let responder = responder::bind()?;
    let address = responder.local_addr()?;
    // All requests of a batch are equally long, which is all the responder knows of HTTP.
    let request_bytes = puts::requests(address, STREAM, batch)?[0].len();
    responder::start(responder, request_bytes, answer, connections);
    let name = format!("ceiling/{}", batch.name);
    let target = Target {
        name: &name,
        address,
        trust: None,
        stream: STREAM,
        connections,
        cpu: &|| Ok(Duration::ZERO),
    };
    let line = puts::measure(bench, &target, batch)?;
    Ok(Line {
        server_us: None,
        ..line
    })
}
