use std::pin::pin;
use std::task::{Context, Poll, Waker};

use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options};
use store::{Append, BodyBuilder, NewFrame, Transaction};
use types::limits::GET_RECORDS_BYTES_MAX;
use types::{HashKeyRange, Second, ShardId};

use super::*;
use crate::shard::ShardFacts;

fn frame(position: u64, records: &[(&str, usize)]) -> Frame {
    let mut body = BodyBuilder::default();
    for (key, bytes) in records {
        body.push(key, &vec![7; *bytes]).unwrap();
    }
    let (body, count) = body.finish();
    Frame {
        position: Position(position),
        arrival: Timestamp(1_700_000_000_123),
        count,
        body,
        key: None,
    }
}

fn shard() -> Shard {
    Shard::new(ShardFacts {
        id: ShardId(3),
        range: HashKeyRange::split_evenly(1)[0],
        log: LogId(1),
        parent: None,
        adjacent_parent: None,
        created: Second::of(Timestamp(1_600_000_000_000)),
        opened_at: Timestamp(1_600_000_000_000),
        closed_at: None,
    })
}

fn wanted(limit: usize) -> Wanted<'static> {
    Wanted {
        start: Start::TRIM_HORIZON,
        limit,
        bytes_max: GET_RECORDS_BYTES_MAX,
        text_bytes_max: usize::MAX,
        codec: Codec::Json,
        reader: account(1),
        room: None,
    }
}

fn account(number: u64) -> AccountId {
    AccountId::parse(&format!("{number:012}")).unwrap()
}

fn selection(limit: usize, from: u64) -> Selection<'static> {
    Selection::new(shard().numbering(), Position(from), &wanted(limit))
}

/// Takes all that fits of `frame`, however often that gives way. Returns whether it is full.
fn take_all(selection: &mut Selection<'_>, frame: &Frame) -> bool {
    loop {
        match selection.take(frame) {
            Taken::Part => {}
            taken => return taken == Taken::Full,
        }
    }
}

fn text(selection: Selection) -> (usize, Vec<serde_json::Value>, usize) {
    let promised = selection.text_bytes();
    let chunks: Vec<_> = selection.into_text().collect();
    let text = chunks.concat();
    assert_eq!(text.len(), promised);
    let array = [b"[", &text[..], b"]"].concat();
    let records = serde_json::from_slice(&array).unwrap();
    let largest = chunks.iter().map(Bytes::len).max().unwrap_or(0);
    (chunks.len(), records, largest)
}

#[test]
fn the_text_is_as_long_as_promised_whatever_the_records_hold() {
    let mut selection = selection(10_000, 4);
    let odd = "a \"quote\", a \\, a \n and a ключ";
    assert!(!take_all(
        &mut selection,
        &frame(4, &[(odd, 0), ("b", 1), ("c", 2)])
    ));
    assert!(!take_all(
        &mut selection,
        &frame(7, &[("d", 3), ("e", 1_000_000)])
    ));
    assert_eq!(selection.next, Position(9));
    let (_, records, _) = text(selection);
    assert_eq!(records.len(), 5);
    assert_eq!(records[0]["PartitionKey"], odd);
    assert_eq!(records[2]["Data"], "Bwc=");
    assert_eq!(records[3]["ApproximateArrivalTimestamp"], 1_700_000_000.123);
    let number = |at| {
        shard()
            .numbering()
            .record(Position(at), Timestamp(1_700_000_000_123))
    };
    for (record, at) in records.iter().zip(4..) {
        assert_eq!(record["SequenceNumber"], number(at).to_string());
    }
}

#[test]
fn many_records_become_chunks_of_a_bounded_size() {
    let mut selection = selection(10_000, 4);
    for number in 0..10 {
        let frame = frame(4 + 500 * number, &[("key", 1024); 500]);
        assert!(!take_all(&mut selection, &frame));
    }
    let (chunks, records, largest) = text(selection);
    assert_eq!(records.len(), 5_000);
    assert!(chunks > 20, "{chunks}");
    assert!(largest < 3 * CHUNK_BYTES, "{largest}");
}

/// It was written at once, with the runtime's thread kept from everybody else.
#[test]
fn text_is_written_in_turns_and_is_the_same_as_if_it_were_written_at_once() {
    let record = 1_000;
    let frames = (0..20).map(|number| frame(500 * number, &[("key", record); 500]));
    let mut selection = selection(10_000, 3);
    let mut turns = 1;
    let mut frames = frames.into_iter();
    let full = {
        let mut taking = pin!(selection.take_all(&mut frames));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match taking.as_mut().poll(&mut context) {
                Poll::Ready(full) => break full,
                Poll::Pending => turns += 1,
            }
        }
    };
    assert!(!full);
    assert_eq!(selection.count, 9_997);
    let least = selection.text_bytes() / (GIVE_WAY_BYTES + 2 * record);
    assert!(turns >= least, "{turns} turns, not {least}");
    let (_, records, _) = text(selection);
    for (at, record) in (3..).zip(&records) {
        let number = shard()
            .numbering()
            .record(Position(at), frame(0, &[]).arrival);
        assert_eq!(record["SequenceNumber"], number.to_string());
    }
}

/// It once kept its frame: 180 answers of one record each, which no client took, kept 180
/// frames of 5 MB in memory.
#[test]
fn an_answer_that_waits_to_be_sent_keeps_no_frame_and_no_more_than_its_text() {
    let frame = frame(4, &[("a", 1), ("b", 1_000_000), ("c", 1_000)]);
    let mut selection = selection(1, 4);
    assert!(take_all(&mut selection, &frame));
    assert!(frame.body.is_unique());
    let promised = selection.text_bytes();
    let held: usize = selection.into_text().map(|c| Vec::from(c).capacity()).sum();
    assert_eq!(held, promised);
}

#[test]
fn a_limit_within_a_frame_goes_on_at_the_next_record() {
    let frame = frame(4, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
    let mut first = selection(2, 5);
    assert!(take_all(&mut first, &frame));
    assert_eq!(
        (first.next, first.next_arrival),
        (Position(7), Some(frame.arrival))
    );
    let (_, records, _) = text(first);
    assert_eq!(records[0]["PartitionKey"], "b");
    assert_eq!(records[1]["PartitionKey"], "c");

    let mut all = selection(3, 5);
    assert!(take_all(&mut all, &frame));
    assert_eq!((all.next, all.next_arrival), (Position(8), None));
}

#[test]
fn a_place_behind_a_frames_last_record_is_the_next_frame() {
    let mut selection = selection(10, 6);
    assert!(!take_all(&mut selection, &frame(4, &[("a", 1), ("b", 1)])));
    assert_eq!(selection.next, Position(6));
    assert_eq!(text(selection).1.len(), 0);
}

#[test]
fn ten_mebibytes_are_the_most_and_one_larger_record_goes_alone() {
    let mut selection = selection(10_000, 4);
    let mebibyte = 1024 * 1024 - 1;
    assert!(!take_all(&mut selection, &frame(4, &[("k", mebibyte); 10])));
    assert!(take_all(&mut selection, &frame(14, &[("k", 0)])));
    assert_eq!(selection.count, 10);

    let mut alone = self::selection(9, 4);
    assert!(take_all(
        &mut alone,
        &frame(4, &[("k", GET_RECORDS_BYTES_MAX), ("l", 0)])
    ));
    assert_eq!(alone.count, 1);
}

/// An engine whose one log has one record, in memory or only on its disk.
async fn engine(is_in_memory: bool) -> Arc<Embedded> {
    let options = Options {
        tail_cache_bytes: if is_in_memory { 1 << 20 } else { 0 },
        free_bytes_min: 0,
        ballast_bytes: 0,
        ..Options::default()
    };
    let disk = Arc::new(SimulatedDisk::new(1));
    let engine = Embedded::open(disk.clone(), options.clone()).unwrap();
    engine.create_logs(&[LogId(1)]).await.unwrap();
    let Frame {
        arrival,
        count,
        body,
        ..
    } = frame(0, &[("a", 1)]);
    let frame = NewFrame {
        count,
        arrival,
        body,
        key: None,
    };
    let append = Append {
        log: LogId(1),
        frame,
    };
    let transaction = Transaction {
        appends: vec![append],
        ..Transaction::default()
    };
    engine.commit(transaction).await.unwrap();
    if is_in_memory {
        return engine;
    }
    // What was written a moment ago may not have left the memory yet.
    engine.close().await.unwrap();
    Embedded::open(disk, options).unwrap()
}

fn reading<'a>(engine: &'a Embedded, turns: &'a AccountTurns, reader: AccountId) -> Reading<'a> {
    Reading {
        engine,
        log: LogId(1),
        turns,
        reader,
        turn: None,
    }
}

/// What is read before the answer is counted was once bounded by nothing.
#[tokio::test]
async fn a_read_from_the_disk_waits_for_its_turn_and_one_from_memory_does_not() {
    for is_in_memory in [false, true] {
        let engine = engine(is_in_memory).await;
        let turns = AccountTurns::new(DISK_TURNS);
        let mut others = Vec::new();
        for number in [2, 2, 2, 3] {
            others.push(turns.take(account(number)).await.unwrap());
        }
        assert_eq!(others.len(), DISK_TURNS);
        let mut reading = reading(&engine, &turns, account(1));
        let mut selection = selection(1, 0);
        {
            let mut read = pin!(reading.read(Position(0), 1, &mut selection));
            let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled.is_ready(), is_in_memory);
        }
        others.pop();
        let read = reading.read(Position(0), 1, &mut selection).await;
        assert_eq!(read.unwrap().unwrap().frames.len(), 1);
        assert_eq!(reading.turn.is_some(), !is_in_memory);
        engine.close().await.unwrap();
    }
}

/// The subscriptions of one account had all turns, and others waited for seconds.
#[tokio::test]
async fn one_account_that_reads_much_from_the_disk_leaves_a_turn_to_others() {
    let engine = engine(false).await;
    let turns = AccountTurns::new(DISK_TURNS);
    let mut greedy: Vec<_> = (0..DISK_TURNS)
        .map(|_| (reading(&engine, &turns, account(1)), selection(1, 0)))
        .collect();
    let Some(((last, of_last), most)) = greedy.split_last_mut() else {
        unreachable!("there are turns");
    };
    for (reading, selection) in most {
        let read = reading.read(Position(0), 1, selection).await.unwrap();
        assert!(read.is_some());
    }
    {
        let mut read = pin!(last.read(Position(0), 1, of_last));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
        let mut other = reading(&engine, &turns, account(2));
        let mut selection = selection(1, 0);
        let read = other.read(Position(0), 1, &mut selection).await.unwrap();
        assert!(read.is_some());
    }
    drop(greedy);
    engine.close().await.unwrap();
}

/// GetRecords asked for up to 10 MiB whatever an answer may hold, and was refused each time.
#[test]
fn text_that_is_longer_than_an_answer_may_be_is_cut_short_and_one_record_is_given_even_so() {
    let frame = frame(4, &[("k", 1_000_000); 12]);
    let text_bytes_max = 3_000_000;
    for (text_bytes_max, count) in [(text_bytes_max, 2), (1, 1)] {
        let wanted = Wanted {
            text_bytes_max,
            ..wanted(10_000)
        };
        let mut selection = Selection::new(shard().numbering(), Position(4), &wanted);
        assert!(take_all(&mut selection, &frame));
        assert_eq!(selection.count, count);
        assert_eq!(selection.next, Position(4 + count as u64));
        assert_eq!(selection.next_arrival, Some(frame.arrival));
    }
}
