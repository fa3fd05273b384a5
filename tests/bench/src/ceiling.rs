//! How much the load generator can do: no server measured with it can show more.

use std::time::Duration;

use crate::bench::Bench;
use crate::puts::{self, Target};
use crate::report::Line;
use crate::requests::{Batch, canned_answer};
use crate::{Failure, responder};

const STREAM: &str = "bench";

/// The kinds of put against bytes prepared beforehand.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    Batch::ALL
        .iter()
        .map(|batch| against_canned_bytes(bench, batch))
        .collect()
}

fn against_canned_bytes(bench: &Bench, batch: &Batch) -> Result<Line, Failure> {
    let body = canned_answer(batch);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), &body].concat();
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
