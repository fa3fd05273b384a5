//! Records go to the partitions that their plugin names, the same ones in every try.

use bytes::Bytes;
use store::{BodyBuilder, Frame, Position};

use super::*;
use crate::compression::Compression;
use crate::packing::{Allowance, Task};
use crate::partitioning::{Partitioner, Partitioning};
use crate::partitions::Partitions;
use crate::piece::{Piece, PieceKind};
use crate::prefix::Prefixes;
use crate::shares::Room;
use crate::sink::{Form, Forms};
use crate::worker::Worker;
use crate::zone::Zone;

/// Gives each record its first byte as the key `k`, and fails those that are marked.
const BY_FIRST_BYTE: &str = "
    (local.set $i (i32.const 0))
    (block $ended
      (loop $more
        (br_if $ended (i32.ge_u (local.get $i) (local.get $count)))
        (local.set $status
          (i32.add (local.get $outputs) (i32.mul (local.get $i) (i32.const 36))))
        (if (i32.eqz (i32.load8_u offset=4 (local.get $status)))
          (then
            (local.set $record (call $alloc (i32.const 20)))
            (i32.store8 offset=16 (local.get $record) (i32.const 107))
            (i32.store (local.get $record) (i32.add (local.get $record) (i32.const 16)))
            (i32.store offset=4 (local.get $record) (i32.const 1))
            (i32.store offset=8 (local.get $record) (i32.load offset=8 (local.get $status)))
            (i32.store offset=12 (local.get $record) (i32.const 1))
            (i32.store offset=16 (local.get $status) (local.get $record))
            (i32.store offset=20 (local.get $status) (i32.const 1))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))";

fn worker(own: &Own, settled: &Settled) -> Worker {
    let task = Task {
        delimiter: b"\n".to_vec(),
        function_arn: String::new(),
        decided_at: MOMENT.now,
        object_bytes_max: 1 << 20,
        provenance: Arc::default(),
        unpacks: true,
        decompression: None,
        deaggregation: None,
    };
    let allowance = Allowance {
        room: Room::up_to(64 << 20),
        besides: 0,
    };
    let prefixes = Prefixes::parse(Some("!{partitionKeyFromLambda:k}/"), Some("e/"), true);
    let (zone, at) = (Zone::utc(), Timestamp(5));
    let local = zone.local(at, zone.clocks_at(at)).unwrap();
    let terms = Partitioning::new(300);
    let prefix = prefixes.unwrap().delivered;
    let partitioner = Partitioner::begin(&terms, &prefix, (local, 80)).unwrap();
    let partitions = Partitions::begin(partitioner, Compression::Gzip, 100_000);
    let forms = Forms {
        delivered: Form::Partitions(Box::new(partitions)),
        backup: None,
    };
    let mut pins = own.pins(LONG);
    pins.batch_records_max = 100;
    Worker::new(task, allowance, forms, Some(own.transformer(pins, settled)))
}

/// Partition, number and content of each piece, and what was settled when it left.
type Left = (Option<String>, PieceKind, u16, Bytes, Settled);

fn pieces(own: &Own, settled: &Settled, records: &[String]) -> Vec<Left> {
    let mut body = BodyBuilder::default();
    for record in records {
        body.push("key", record.as_bytes()).unwrap();
    }
    let (body, count) = body.finish();
    let mut worker = worker(own, settled);
    worker.add(vec![Frame {
        position: Position(0),
        arrival: Timestamp(5),
        count,
        body,
        key: None,
    }]);
    worker.add_no_more();
    let (mut left, mut counts) = (Vec::new(), (0, 0));
    while worker.has_more() {
        worker.work(Worker::has_ready).unwrap();
        let settled = worker.settled().unwrap().clone();
        for piece in worker.take_ready() {
            let Piece {
                part,
                kind,
                content,
                holds,
                partition,
                ..
            } = piece;
            counts = (counts.0 + holds.delivered, counts.1 + holds.failed);
            let partition = partition.map(|values| values.concat());
            left.push((partition, kind, part, Bytes::from(content), settled.clone()));
        }
    }
    let became = worker.became().counts;
    assert_eq!((became.delivered, became.failed), counts);
    left
}

#[test]
fn records_go_to_the_partitions_that_their_plugin_names_and_again_to_the_same() {
    let own = Own::of(&simple::component_that(
        "(local.set $status (i32.const 2))",
        BY_FIRST_BYTE,
    ));
    let mut random = 1_u32;
    let records: Vec<String> = (0..2_000_u32)
        .map(|number| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = char::from(b'a' + u8::try_from(random >> 28).unwrap());
            let mark = if number % 100 == 0 { "!" } else { "" };
            format!("{key}{number}{mark}{}", "x".repeat(200))
        })
        .collect();
    let all = pieces(&own, &Settled::default(), &records);
    let delivered: Vec<_> = all
        .iter()
        .filter(|it| it.1 == PieceKind::Delivered)
        .collect();
    // They are more than may be open at a time.
    assert!(delivered.iter().any(|(_, _, part, _, _)| *part > 2));
    let mut lines = 0;
    for (partition, _, _, content, _) in &delivered {
        let mut text = String::new();
        let mut unpacked = flate2::read::GzDecoder::new(&content[..]);
        std::io::Read::read_to_string(&mut unpacked, &mut text).unwrap();
        for line in text.lines() {
            assert_eq!(partition.as_deref(), line.get(..1));
            lines += 1;
        }
    }
    assert_eq!(lines, 1_980);
    let of = |all: &[Left]| -> Vec<_> {
        let all = all
            .iter()
            .map(|(partition, _, part, content, _)| (partition.clone(), *part, content.clone()));
        all.collect()
    };
    for (_, _, _, _, settled) in all.iter().step_by(7) {
        assert!(of(&pieces(&own, settled, &records)) == of(&all));
    }
}

#[test]
fn another_key_for_a_record_is_another_outcome() {
    let own = Own::of(&simple::component_that("", BY_FIRST_BYTE));
    let records: Vec<String> = (0..50).map(|number| format!("a{number}")).collect();
    let all = pieces(&own, &Settled::default(), &records);
    let settled = &all[0].4;
    let by_second = BY_FIRST_BYTE.replace(
        "(i32.load offset=8 (local.get $status)))",
        "(i32.add (i32.load offset=8 (local.get $status)) (i32.const 1)))",
    );
    let other = Own::of(&simple::component_that("", &by_second));
    let mut worker = worker(&other, settled);
    let mut body = BodyBuilder::default();
    for record in &records {
        body.push("key", record.as_bytes()).unwrap();
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
    let worked = worker.work(|_| false);
    let told = format!("{worked:?}");
    assert!(
        told.contains("do not come out as they did before"),
        "{told}"
    );
}
