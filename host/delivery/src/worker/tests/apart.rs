//! Records that come several in one, and records of partitions.

use super::*;
use crate::deaggregation::{Deaggregation, SubRecords};
use crate::partitioning::{Partitioner, Partitioning};
use crate::partitions::Partitions;
use crate::piece::PieceKind;
use crate::prefix::Prefixes;
use crate::zone::Zone;

/// A worker that takes records apart, and puts them into partitions by `k` if there are some, of
/// so many bytes at a time.
fn worker(
    deaggregation: Option<SubRecords>,
    open_bytes_max: Option<usize>,
    room_bytes: u64,
) -> Worker {
    let task = Task {
        delimiter: b"\n".to_vec(),
        function_arn: String::new(),
        decided_at: Timestamp(6),
        object_bytes_max: 1 << 20,
        unpacks: true,
        decompression: None,
        deaggregation: deaggregation.map(Deaggregation::new),
        provenance: Arc::default(),
    };
    let allowance = Allowance {
        room: Room::up_to(room_bytes),
        besides: 0,
    };
    let delivered = match open_bytes_max {
        Some(bytes) => Form::Partitions(Box::new(partitions(bytes))),
        None => Form::Object(Encoder::new(Compression::Uncompressed)),
    };
    let backup = Some(Encoder::new(Compression::Uncompressed));
    Worker::new(task, allowance, Forms { delivered, backup }, None)
}

fn partitions(open_bytes_max: usize) -> Partitions {
    let prefix = "k=!{partitionKeyFromQuery:k}/";
    let prefixes = Prefixes::parse(Some(prefix), Some("e/"), true).unwrap();
    let (zone, at) = (Zone::utc(), Timestamp(5));
    let local = zone.local(at, zone.clocks_at(at)).unwrap();
    let terms = Partitioning {
        query: Some("{k:.k}".to_owned()),
        ..Partitioning::new(300)
    };
    let partitioner = Partitioner::begin(&terms, &prefixes.delivered, (local, 80));
    Partitions::begin(
        partitioner.unwrap(),
        Compression::Uncompressed,
        open_bytes_max,
    )
}

/// All that became ready, and what became of the records.
fn work(worker: &mut Worker, frames: Vec<Frame>, pauses: bool) -> (Vec<Piece>, Counts) {
    worker.add(frames);
    worker.add_no_more();
    let mut pieces = Vec::new();
    while worker.has_more() {
        worker.work(|_| pauses).unwrap();
        pieces.extend(worker.take_ready());
    }
    let counts = worker.became().counts;
    let held = pieces
        .iter()
        .fold(Counts::default(), |sum, piece| sum.and(piece.holds));
    assert_eq!(
        (held.delivered, held.failed, held.bytes_delivered),
        (counts.delivered, counts.failed, counts.bytes_delivered),
    );
    (pieces, counts)
}

fn of_kind(pieces: &[Piece], kind: PieceKind) -> Vec<(Option<String>, Bytes)> {
    let of_kind = pieces.iter().filter(|piece| piece.kind == kind);
    of_kind
        .map(|piece| {
            let key = piece.partition.as_ref().map(|values| values.concat());
            (key, Bytes::from(piece.content.clone()))
        })
        .collect()
}

#[test]
fn what_lies_in_a_record_is_delivered_and_counted_each_for_itself() {
    let records: [&[u8]; 5] = [b"a|b", b"", b"|c||", b"d", &b"x|".repeat(501)];
    for pauses in [false, true] {
        let delimited = SubRecords::Delimited(b"|".to_vec());
        let mut worker = worker(Some(delimited), None, 1 << 30);
        let (pieces, counts) = work(&mut worker, vec![frame(&records)], pauses);
        let delivered = of_kind(&pieces, PieceKind::Delivered);
        assert_eq!(delivered, [(None, Bytes::from("a\nb\nc\nd\n"))]);
        assert_eq!(
            (
                counts.records_in,
                counts.delivered,
                counts.dropped,
                counts.failed
            ),
            (6, 4, 1, 1)
        );
        assert_eq!(worker.became().places, 5);
        let failed = of_kind(&pieces, PieceKind::Failed).remove(0).1;
        let line: serde_json::Value = serde_json::from_slice(&failed).unwrap();
        assert_eq!(line["errorCode"], "Millrace.DeAggregationFailed");
        // Each is backed up once, as it came in.
        let backup = of_kind(&pieces, PieceKind::Backup).remove(0).1;
        assert_eq!(backup, records.concat());
    }
}

#[test]
fn the_records_of_an_aggregate_are_taken_apart_each() {
    let aggregate = aggregate(&[b"{\"k\":1}{\"k\":2}", b"{\"k\":1} ", b"no"]);
    let frame = frame(&[aggregate]);
    let deaggregation = Deaggregation::new(SubRecords::Json);
    let more = user_records::divided(&frame, true, |data| deaggregation.count(data));
    assert_eq!((more, user_records::extra(&frame)), (1, 2));
    let mut worker = worker(Some(SubRecords::Json), Some(1 << 20), 1 << 30);
    let (pieces, counts) = work(&mut worker, vec![frame], false);
    let delivered = of_kind(&pieces, PieceKind::Delivered);
    let wanted = [("1", "{\"k\":1}\n{\"k\":1}\n"), ("2", "{\"k\":2}\n")];
    let wanted = wanted.map(|(key, content)| (Some(key.to_owned()), Bytes::from(content)));
    assert_eq!(delivered, wanted);
    assert_eq!(
        (counts.records_in, counts.delivered, counts.failed),
        (4, 3, 1)
    );
}

#[test]
fn a_record_without_its_keys_fails_and_the_others_go_on() {
    let records: [&[u8]; 4] = [b"{\"k\":\"a\"}", b"{}", b"none", b"{\"k\":\"a\",\"n\":2}"];
    let mut worker = worker(None, Some(1 << 20), 1 << 30);
    let (pieces, counts) = work(&mut worker, vec![frame(&records)], false);
    let delivered = of_kind(&pieces, PieceKind::Delivered);
    let content = Bytes::from("{\"k\":\"a\"}\n{\"k\":\"a\",\"n\":2}\n");
    assert_eq!(delivered, [(Some("a".to_owned()), content)]);
    assert_eq!(
        (counts.records_in, counts.delivered, counts.failed),
        (4, 2, 2)
    );
    let failed = of_kind(&pieces, PieceKind::Failed).remove(0).1;
    let failed = String::from_utf8(failed.to_vec()).unwrap();
    let missing = "\"errorCode\":\"DynamicPartitioning.MetadataExtractionFailed\",\
                   \"errorMessage\":\"partitionKeys values must not be null or empty\"";
    assert!(failed.lines().next().unwrap().contains(missing), "{failed}");
    assert!(
        failed
            .lines()
            .nth(1)
            .unwrap()
            .contains("the record is no JSON")
    );
}

/// Records of many partitions, one in ten of which is in no frame alone.
fn many() -> Vec<Frame> {
    let records: Vec<String> = (0..6_000)
        .map(|number| {
            format!(
                "{{\"k\":{}}}{{\"k\":\"{}\"}}",
                number % 700,
                number * 31 % 900
            )
        })
        .collect();
    records.chunks(500).map(frame).collect()
}

#[test]
fn partitions_end_at_the_same_records_however_often_the_work_pauses() {
    let of = |pauses: bool| {
        let mut worker = worker(Some(SubRecords::Json), Some(300_000), 1 << 30);
        let (pieces, counts) = work(&mut worker, many(), pauses);
        assert_eq!((counts.delivered, counts.failed), (12_000, 0));
        let delivered = of_kind(&pieces, PieceKind::Delivered);
        let parts = pieces
            .iter()
            .filter(|piece| piece.kind == PieceKind::Delivered);
        let parts: Vec<u16> = parts.map(|piece| piece.part).collect();
        (delivered, parts)
    };
    let whole = of(false);
    assert!(whole.1.iter().max() > Some(&3));
    assert!(whole == of(true));
    let lines = whole.0.iter().map(|(key, content)| {
        let text = std::str::from_utf8(content).unwrap();
        for line in text.lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let value = &record["k"];
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            assert_eq!(Some(&value), key.as_ref());
        }
        text.lines().count()
    });
    assert_eq!(lines.sum::<usize>(), 12_000);
}

#[test]
fn what_does_not_fit_into_its_room_is_let_go_with_its_partitions() {
    let mut small = worker(Some(SubRecords::Json), Some(300_000), 200_000);
    small.add(many());
    assert_eq!(small.work(|_| false), Err(Halted::NoRoom));
    let mut query = worker(None, Some(1 << 20), 1 << 21);
    let long = format!("{{\"k\":1,\"n\":[{}1]}}", "1,".repeat(100_000));
    query.add(vec![frame(&[long])]);
    assert_eq!(query.work(|_| false), Err(Halted::NoRoom));
}

#[test]
fn a_cut_goes_to_any_number_of_partitions() {
    let records: Vec<String> = (0..32_000).map(|n| format!("{{\"k\":{n}}}")).collect();
    let mut worker = worker(None, Some(64 << 20), 1 << 30);
    let frames = records.chunks(500).map(frame).collect();
    let (_, counts) = work(&mut worker, frames, false);
    assert_eq!((counts.delivered, counts.failed), (32_000, 0));
}
