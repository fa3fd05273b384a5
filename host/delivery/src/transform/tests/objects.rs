//! Where objects end, through a plugin: at the same records however often the work is done.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use store::{BodyBuilder, Frame, Position};

use super::*;
use crate::compression::Compression;
use crate::counts::Counts;
use crate::decompression::Decompression;
use crate::encoder::Encoder;
use crate::packing::{Allowance, Task};
use crate::shares::Room;
use crate::sink::{Form, Forms};
use crate::worker::Worker;

/// A marked record becomes 200,000 bytes.
fn amplifying() -> Vec<u8> {
    simple::component(
        "(local.set $answer (i32.shl (memory.grow (i32.const 4)) (i32.const 16)))
        (memory.copy (local.get $answer) (local.get $bytes) (local.get $length))
        (local.set $bytes (local.get $answer))
        (local.set $length (i32.const 200000))",
    )
}

/// A worker whose plugin may give so much at once, for objects of 500,000 bytes, in so much room.
fn worker(own: &Own, room: (usize, u64), settled: &Settled) -> Worker {
    worker_that(None, own, (room, settled))
}

/// The same that unpacks records so.
fn worker_that(
    decompression: Option<Decompression>,
    own: &Own,
    ((output, room_bytes), settled): ((usize, u64), &Settled),
) -> Worker {
    let mut pins = own.pins(LONG);
    pins.limits.output_bytes_max = output;
    let task = Task {
        delimiter: Vec::new(),
        function_arn: String::new(),
        decided_at: MOMENT.now,
        object_bytes_max: 500_000,
        provenance: Arc::default(),
        unpacks: true,
        decompression,
        deaggregation: None,
    };
    let allowance = Allowance {
        room: Room::up_to(room_bytes),
        besides: 0,
    };
    let forms = Forms {
        delivered: Form::Object(Encoder::new(Compression::Uncompressed)),
        backup: None,
    };
    let transformer = own.transformer(pins, settled);
    Worker::new(task, allowance, forms, Some(transformer))
}

/// What records become, object by object, and what was settled when each left.
fn objects(mut worker: Worker, records: &[impl AsRef<[u8]>]) -> Vec<(Bytes, Settled)> {
    let mut body = BodyBuilder::default();
    for record in records {
        body.push("key", record.as_ref()).unwrap();
    }
    let (body, count) = body.finish();
    worker.add(vec![Frame {
        position: Position(0),
        arrival: Timestamp(5),
        count,
        body,
        key: None,
    }]);
    worker.add_no_more();
    let (mut objects, mut held) = (Vec::new(), Counts::default());
    while worker.has_more() {
        worker.work(Worker::has_ready).unwrap();
        let settled = worker.settled().unwrap().clone();
        let ready = worker.take_ready();
        held = ready.iter().fold(held, |sum, object| sum.and(object.holds));
        let ready = ready.into_iter();
        objects.extend(ready.map(|object| (Bytes::from(object.content), settled.clone())));
    }
    assert_eq!(
        held,
        worker.became().counts,
        "each record counts for one object"
    );
    objects
}

/// All of them were held until the last was done: what a whole batch may give was thought to be
/// enough for all its records together.
#[test]
fn a_divided_batch_whose_records_each_give_much_leaves_object_by_object_and_again_the_same() {
    let own = Own::of(&amplifying());
    let records: Vec<String> = (0..40).map(|record| format!("{record}!")).collect();
    // A record and a half, and three objects and what a compressor takes.
    let room = (300_000, 3_000_000);
    let all = objects(worker(&own, room, &Settled::default()), &records);
    assert_eq!(all.len(), 14);
    let lengths: Vec<usize> = all.iter().map(|(content, _)| content.len()).collect();
    assert_eq!(lengths[..13], [600_000; 13]);
    for (place, (content, _)) in all.iter().enumerate() {
        let first = records[3 * place].as_bytes();
        assert_eq!(content[..first.len()], *first);
    }
    comes_out_again(&own, room, &records, &all);
}

/// Whichever object left last before the process ended, the same objects come out again.
fn comes_out_again(own: &Own, room: (usize, u64), records: &[String], all: &[(Bytes, Settled)]) {
    let contents = |all: &[(Bytes, Settled)]| -> Vec<Bytes> {
        all.iter().map(|(content, _)| content.clone()).collect()
    };
    for (_, settled) in all {
        let again = objects(worker(own, room, settled), records);
        assert_eq!(contents(&again), contents(all));
    }
}

#[test]
fn objects_of_failed_records_end_at_the_same_records_again() {
    let own = Own::of(&guest::Guest::attacking("(unreachable)").component());
    // Lines of so many end an object within a batch, and between records that failed alike.
    let records: Vec<String> = (0..90)
        .map(|record| format!("{record}!{}", "x".repeat(300_000)))
        .collect();
    let room = (1 << 20, 64 << 20);
    let all = objects(worker(&own, room, &Settled::default()), &records);
    assert_eq!(all.len(), 3);
    comes_out_again(&own, room, &records, &all);
}

/// Lines of records that no plugin sees end an object while a batch is only gathered.
#[test]
fn objects_end_at_the_same_records_again_where_some_cannot_be_unpacked() {
    let own = Own::of(&amplifying());
    let gzip = |text: String| {
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let records: Vec<Vec<u8>> = (0..130)
        .map(|record| match record % 13 {
            0..=3 => gzip(format!("{record}!")),
            _ => vec![b'x'; 150_000],
        })
        .collect();
    let unpacking = |settled: &Settled| {
        let room = (3_000_000, 64 << 20);
        worker_that(Some(Decompression::new(false)), &own, (room, settled))
    };
    let all = objects(unpacking(&Settled::default()), &records);
    let is_failed = |content: &Bytes| content.starts_with(b"{");
    let failed = all.iter().filter(|(content, _)| is_failed(content)).count();
    assert_eq!(failed, 2);
    let delivered: usize = all.iter().map(|(content, _)| content.len()).sum();
    assert!(all.len() > 10 && delivered > 40 * 200_000);
    for (_, settled) in &all {
        let again = objects(unpacking(settled), &records);
        let same = all.iter().zip(&again).all(|(one, other)| one.0 == other.0);
        assert!(same && again.len() == all.len());
    }
}
