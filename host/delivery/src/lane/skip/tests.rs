use bytes::Bytes;
use store::{BodyBuilder, Position};
use types::limits::DATA_BYTES_MAX;

use super::*;
use crate::content::{CHUNK_BYTES, FAILED_OBJECT_BYTES_MAX};
use crate::cut::Cut;
use crate::deaggregation::SubRecords;
use crate::delivery_stream::Destination;
use crate::need::READ_BYTES;
use crate::open_cut::{WHY_CHARS_MAX, Way};
use crate::zone::Zone;

const LINE_BYTES_MAX: usize = 1_000;

fn frame(position: u64, records: impl IntoIterator<Item = Vec<u8>>) -> Frame {
    let mut body = BodyBuilder::default();
    for record in records {
        body.push("", &record).unwrap();
    }
    let (body, count) = body.finish();
    Frame {
        position: Position(position),
        arrival: Timestamp(5),
        count,
        body,
        key: None,
    }
}

fn open(frames: &[Frame]) -> OpenCut {
    let records = frames.iter().map(|frame| u64::from(frame.count)).sum();
    let bytes = frames.iter().map(|frame| frame.body.len() as u64).sum();
    let cut = Cut {
        number: 0,
        from: Position(0),
        to: Position(records),
        oldest: Timestamp(5),
        decided_at: Timestamp(6),
        records,
        unpacked: Some(0),
        divided: 0,
        bytes,
        object_bytes_max: 1 << 20,
        version_id: 1,
        plugin: None,
    };
    OpenCut {
        way: Way::Skip(Skip::new("", 1)),
        ..OpenCut::decided(cut, Destination::blank(), &Zone::utc())
    }
}

/// The objects of a cut that is read in such pieces, and what became of its records. It never
/// holds more than it is given room for.
fn objects<'a>(skip: &Skip, reads: impl IntoIterator<Item = &'a [Frame]>) -> (Vec<Bytes>, Counts) {
    let reads: Vec<&[Frame]> = reads.into_iter().collect();
    let open = open(&reads.concat());
    let room = Need::skipped(&open.cut, skip.object_bytes_max);
    let mut skipping = Skipping::new(&open, skip, Arc::default());
    let mut objects = Vec::new();
    for read in reads {
        let read_bytes: usize = read.iter().map(|frame| frame.body.len()).sum();
        skipping.add(read.to_vec());
        loop {
            let object = skipping.next_full().unwrap();
            let object_bytes = object
                .as_ref()
                .map_or(0, |object| object.content.content_length());
            let held =
                read_bytes + object_bytes + skipping.lines.held_bytes() + skipping.line.capacity();
            assert!(held as u64 <= room, "{held} of {room} bytes");
            match object {
                Some(object) => objects.push(object),
                None => break,
            }
        }
    }
    objects.extend(skipping.end_object().unwrap());
    for (part, object) in objects.iter().enumerate() {
        assert_eq!(
            (usize::from(object.part), object.kind),
            (part, PieceKind::Failed)
        );
    }
    let contents = objects
        .into_iter()
        .map(|object| Bytes::from(object.content));
    (contents.collect(), skipping.counts)
}

#[test]
fn objects_end_at_the_same_records_wherever_reads_of_the_log_end() {
    let mut position = 0;
    let frames: Vec<Frame> = (0..40_u8)
        .map(|number| {
            let records = (0..number % 7 + 1).map(|record| vec![number; usize::from(record)]);
            let frame = frame(position, records);
            position += u64::from(frame.count);
            frame
        })
        .collect();
    let skip = Skip::new("the store broke off", 3_000);
    let (whole, counts) = objects(&skip, [&frames[..]]);
    assert!(whole.len() > 5, "{}", whole.len());
    for object in &whole {
        assert!(object.len() < 3_000 + LINE_BYTES_MAX, "{}", object.len());
        assert!(object.ends_with(b"}\n"));
    }
    for frames_of_a_read in 1..=8 {
        let reads = frames.chunks(frames_of_a_read);
        assert_eq!(objects(&skip, reads), (whole.clone(), counts));
    }
    let ends = (counts.records_in, counts.failed, counts.failed_objects);
    assert_eq!(ends, (position, position, whole.len() as u64));
    let lines = whole.concat();
    let lines = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(lines, position);
}

/// What lies in a record counts each for itself, as it did when the cut was gathered; its line has
/// the record as it came in, which a replay takes apart again.
#[test]
fn records_that_come_several_in_one_count_each_and_have_one_line() {
    let records = ["{}{}{}", "{}", "", "{}x"].map(|record| record.as_bytes().to_vec());
    let mut open = open(&[frame(0, records)]);
    let deaggregation = Deaggregation::new(SubRecords::Json);
    open.destination.deaggregation = Some(deaggregation);
    let skip = Skip::new("the store broke off", 1 << 20);
    let mut skipping = Skipping::new(&open, &skip, Arc::default());
    let records = ["{}{}{}", "{}", "", "{}x"].map(|record| record.as_bytes().to_vec());
    skipping.add(vec![frame(0, records)]);
    assert!(skipping.next_full().unwrap().is_none());
    let object = skipping.end_object().unwrap().unwrap();
    assert_eq!((object.holds.records_in, object.holds.failed), (6, 6));
    let content = Bytes::from(object.content);
    assert_eq!(content.iter().filter(|byte| **byte == b'\n').count(), 4);
    assert_eq!(skipping.places, 4);
}

/// The lines of one read were an object, however many they were, and nobody counted them.
#[test]
fn what_is_held_of_many_small_or_few_large_records_fits_into_its_room() {
    let why = "\u{1}".repeat(WHY_CHARS_MAX);
    let skip = Skip::new(&why, FAILED_OBJECT_BYTES_MAX as u64);
    let empty = frame(0, (0..20_000).map(|_| Vec::new()));
    let large = frame(0, [vec![7; DATA_BYTES_MAX]]);
    let medium = frame(0, (0..3).map(|_| vec![7; READ_BYTES]));
    for (frames, wanted) in [(vec![empty], 4), (vec![large], 1), (vec![medium], 1)] {
        let (objects, _) = objects(&skip, [&frames[..]]);
        assert_eq!(objects.len(), wanted);
        for object in &objects[..wanted - 1] {
            assert!(object.len() < FAILED_OBJECT_BYTES_MAX + CHUNK_BYTES);
        }
    }
}
