mod apart;

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use types::Timestamp;

use super::*;
use crate::compression::Compression;
use crate::counts::Counts;
use crate::decompression::Decompression;
use crate::encoder::Encoder;
use crate::shares::Room;
use crate::sink::Form;
use crate::user_records::tests::{aggregate, frame};

/// A worker for a cut that may become objects of so many bytes, and has so much room.
fn worker(delimiter: &str, object_bytes_max: usize, room_bytes: u64) -> Worker {
    worker_that(None, delimiter, (object_bytes_max, room_bytes))
}

/// The same that unpacks records so.
fn worker_that(
    decompression: Option<Decompression>,
    delimiter: &str,
    (object_bytes_max, room_bytes): (usize, u64),
) -> Worker {
    let task = Task {
        delimiter: delimiter.as_bytes().to_vec(),
        function_arn: String::new(),
        decided_at: Timestamp(6),
        object_bytes_max,
        unpacks: true,
        decompression,
        deaggregation: None,
        provenance: Arc::default(),
    };
    let allowance = Allowance {
        room: Room::up_to(room_bytes),
        besides: 0,
    };
    Worker::new(
        task,
        allowance,
        Forms {
            delivered: Form::Object(Encoder::new(Compression::Uncompressed)),
            backup: None,
        },
        None,
    )
}

fn content(delimiter: &str, records: &[&[u8]]) -> (Vec<Bytes>, Counts) {
    let mut worker = worker(delimiter, 1 << 20, 1 << 30);
    worker.add(vec![frame(records)]);
    worker.add_no_more();
    worker.work(|_| false).unwrap();
    (contents(&mut worker), worker.became().counts)
}

fn contents(worker: &mut Worker) -> Vec<Bytes> {
    let ready = worker.take_ready().into_iter();
    ready.map(|object| Bytes::from(object.content)).collect()
}

#[test]
fn records_without_a_transform_are_delivered_as_they_are() {
    let (objects, counts) = content("", &[b"a", b"", b"bc"]);
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0], "abc");
    assert_eq!(
        (counts.records_in, counts.delivered, counts.bytes_in),
        (3, 3, 3)
    );
}

#[test]
fn a_delimiter_ends_each_record_once() {
    let (objects, _) = content("\n", &[b"a", b"b\n", b"", b"c"]);
    assert_eq!(objects[0], "a\nb\n\nc\n");
}

#[test]
fn records_that_are_all_empty_make_an_empty_object_and_none_make_none() {
    let (objects, counts) = content("", &[b"", b""]);
    assert_eq!((objects[0].len(), counts.delivered), (0, 2));
}

#[test]
fn objects_end_at_the_same_records_however_often_the_work_pauses() {
    let records: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; usize::from(n)]).collect();
    let of = |pauses: bool| {
        let mut worker = worker("", 500, 1 << 30);
        let mut all = Vec::new();
        for records in records.chunks(7) {
            let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            worker.add(vec![frame(&records), frame(&records)]);
            while worker.has_more() {
                worker.work(|_| pauses).unwrap();
                all.extend(contents(&mut worker));
            }
        }
        worker.add_no_more();
        worker.work(|_| false).unwrap();
        all.extend(contents(&mut worker));
        all
    };
    let whole = of(false);
    assert!(10 < whole.len());
    assert_eq!(whole, of(true));
    assert_eq!(whole.concat().len(), 2 * (0..100).sum::<usize>());
}

/// All that a frame became was ready at once, which no room was for: the lane stood still for ever.
#[test]
fn a_frame_waits_with_its_records_once_something_is_ready() {
    let records = vec![&b"0123456789"[..]; 1_000];
    let mut worker = worker("", 100, 1 << 30);
    worker.add(vec![frame(&records)]);
    let mut objects = 0;
    while worker.has_more() {
        worker.work(Worker::has_ready).unwrap();
        let ready = worker.take_ready().len();
        assert!(ready <= 1, "{ready} are ready at once");
        objects += ready;
    }
    assert_eq!(objects, 100);
}

#[test]
fn a_record_counts_for_the_object_with_the_last_of_it() {
    let mut worker = worker("", 10, 1 << 30);
    let mut batch = Slab::default();
    for record in ["a", "bc", "!"] {
        assert!(batch.push(record.as_bytes()));
    }
    let mut outlet = BatchOutlet {
        records: &batch,
        histories: &[History {
            arrival: Timestamp(5),
            attempts: 0,
        }; 3],
        packing: &mut worker.packing,
    };
    for bytes in [10, 12, 1] {
        outlet.deliver(0, &vec![b'x'; bytes]);
    }
    outlet.fail(
        2,
        Failure {
            code: "code",
            message: "",
            reason: None,
            attempts: 1,
        },
    );
    outlet.deliver(1, &[b'x'; 9]);
    outlet.packing.end_failed();
    assert_eq!(worker.packing.check(), Ok(()));
    let ready = worker.take_ready();
    let held: Vec<_> = ready
        .iter()
        .map(|Piece { holds, .. }| (holds.delivered, holds.failed, holds.bytes_in))
        .collect();
    assert_eq!(held, [(0, 0, 0), (0, 0, 0), (2, 0, 3), (0, 1, 1)]);
    let sum = ready
        .iter()
        .fold(Counts::default(), |sum, object| sum.and(object.holds));
    let counts = worker.became().counts;
    assert_eq!(
        (sum.delivered, sum.failed),
        (counts.delivered, counts.failed)
    );
    assert_eq!(sum.bytes_delivered, counts.bytes_delivered);
}

#[test]
fn what_does_not_fit_into_its_room_is_let_go() {
    let mut worker = worker("", 1 << 30, 3 << 20);
    let record = vec![7; 1 << 20];
    worker.add(vec![frame(&[&record]), frame(&[&record])]);
    assert_eq!(worker.work(|_| false), Ok(()), "and a chunk more");
    worker.add(vec![frame(&[&record]), frame(&[&record])]);
    assert_eq!(worker.work(|_| false), Err(Halted::NoRoom));
    worker.add_no_more();
    assert_eq!(worker.work(|_| false), Err(Halted::NoRoom));
    assert_eq!(contents(&mut worker), Vec::<Bytes>::new());
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(data).unwrap();
    packed.finish().unwrap()
}

#[test]
fn unpacked_objects_end_at_the_same_records_however_often_the_work_pauses() {
    let mut records: Vec<_> = (0..100_u8)
        .map(|n| gzip(&vec![n; 9 * usize::from(n)]))
        .collect();
    for place in [3, 40, 41, 99] {
        records[place] = vec![b'x'; 50];
    }
    let of = |pauses: bool| {
        let decompression = Some(Decompression::new(false));
        let mut worker = worker_that(decompression, "", (500, 1 << 30));
        let mut all = Vec::new();
        for records in records.chunks(7) {
            worker.add(vec![frame(records), frame(records)]);
            while worker.has_more() {
                worker.work(|_| pauses).unwrap();
                all.extend(contents(&mut worker));
            }
        }
        worker.add_no_more();
        worker.work(|_| false).unwrap();
        all.extend(contents(&mut worker));
        let counts = worker.became().counts;
        assert_eq!((counts.delivered, counts.failed), (192, 8));
        let bytes: usize = records.iter().map(Vec::len).sum();
        assert_eq!(counts.bytes_in, 2 * bytes as u64);
        all
    };
    let whole = of(false);
    assert!(10 < whole.len());
    assert_eq!(whole, of(true));
}

/// A frame of records that become a thousand times as much is worked on in turns of a mebibyte.
#[test]
fn a_frame_that_becomes_much_is_worked_on_in_pieces() {
    let records = vec![gzip(&vec![0; 400 << 10]); 9];
    let mut worker = worker_that(Some(Decompression::new(false)), "", (1 << 20, 1 << 30));
    worker.add(vec![frame(&records)]);
    worker.add_no_more();
    let (mut turns, mut held) = (0, 0);
    while worker.has_more() {
        worker.work(|_| true).unwrap();
        turns += 1;
        let ready: usize = contents(&mut worker).iter().map(Bytes::len).sum();
        held = held.max(ready);
    }
    assert!(turns >= 3, "{turns}");
    assert!(held <= 2 << 20, "{held}");
}

#[test]
fn a_record_that_does_not_fit_into_its_room_once_it_is_unpacked_is_let_go() {
    let record = gzip(&vec![0; 4 << 20]);
    let mut worker = worker_that(Some(Decompression::new(false)), "", (1 << 30, 8 << 20));
    worker.add(vec![frame(&[gzip(b"before"), record])]);
    worker.add_no_more();
    assert_eq!(worker.work(|_| false), Err(Halted::NoRoom));
    assert_eq!(contents(&mut worker), Vec::<Bytes>::new());
}

/// The ledger is asked for all that a bomb is unpacked in before it is.
#[test]
fn a_bomb_fails_within_the_room_that_the_ledger_gives_and_is_let_go_with_a_byte_less() {
    let terms = Decompression::new(false);
    let bomb = gzip(&vec![0; 20 << 20]);
    let works = |room_bytes: u64| {
        let mut worker = worker_that(Some(terms), "", (1 << 30, room_bytes));
        worker.add(vec![frame(std::slice::from_ref(&bomb))]);
        worker.add_no_more();
        let worked = worker.work(|_| false);
        (worked, worker.became().counts.failed)
    };
    assert_eq!(works(terms.bytes_max() - 1), (Err(Halted::NoRoom), 0));
    let lines_too = terms.bytes_max() + (4 << 20);
    assert_eq!(works(lines_too), (Ok(()), 1));
}

/// What does not come out of a frame is missed where records are counted, and never passed over.
#[test]
fn a_frame_that_ends_early_does_not_count_as_all_of_its_records() {
    let mut short = frame(&[b"a", b"b", b"c"]);
    short.body.truncate(short.body.len() - 1);
    let mut worker = worker("", 1 << 20, 1 << 30);
    worker.add(vec![short]);
    worker.add_no_more();
    worker.work(|_| false).unwrap();
    let became = worker.became();
    assert_eq!((became.places, became.counts.records_in), (2, 2));
}
