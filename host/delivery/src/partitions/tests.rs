use bytes::Bytes;
use types::Timestamp;

use super::*;
use crate::packed::unpack::Unpack;
use crate::partitioning::Partitioning;
use crate::prefix::Prefixes;
use crate::zone::Zone;

fn partitions(compression: Compression, open_bytes_max: usize) -> Partitions {
    let prefix = "k=!{partitionKeyFromLambda:k}/";
    let prefixes = Prefixes::parse(Some(prefix), Some("e/"), true).unwrap();
    let (zone, at) = (Zone::utc(), Timestamp(5));
    let local = zone.local(at, zone.clocks_at(at)).unwrap();
    let terms = Partitioning::new(300);
    let partitioner = Partitioner::begin(&terms, &prefixes.delivered, (local, 80)).unwrap();
    Partitions::begin(partitioner, compression, open_bytes_max)
}

/// Adds what one record of ten bytes becomes: pieces of data and their keys.
fn add(partitions: &mut Partitions, outputs: &[(&str, &str)]) {
    let placed = outputs.iter().map(|(data, key)| {
        let values = partitions.place(data.as_bytes(), &[("k", key)], &mut |_| true);
        (data.as_bytes(), values.unwrap())
    });
    let placed: Vec<_> = placed.collect();
    assert!(partitions.has_room_for(&placed));
    let record = Counts {
        records_in: 1,
        bytes_in: 10,
        delivered: 1,
        ..Counts::default()
    };
    partitions.add(record, &placed, b"\n");
}

/// Key, number, content and the records and bytes that it holds of all that have ended.
type Object = (String, u16, String, u64, u64);

fn take_all(partitions: &mut Partitions) -> Vec<Object> {
    let mut all = Vec::new();
    while partitions.is_ending() {
        for piece in partitions.take_ready() {
            let content = Bytes::from(piece.content);
            all.push((
                piece.partition.unwrap().concat(),
                piece.part,
                String::from_utf8(content.to_vec()).unwrap(),
                piece.holds.delivered,
                piece.holds.bytes_delivered,
            ));
        }
    }
    all
}

fn object(key: &str, part: u16, content: &str, records: u64, bytes: u64) -> Object {
    (key.to_owned(), part, content.to_owned(), records, bytes)
}

#[test]
fn each_partition_is_an_object_in_the_order_of_the_first_records() {
    let mut partitions = partitions(Compression::Uncompressed, 1 << 20);
    for (data, key) in [("a1", "a"), ("b1\n", "b"), ("a2", "a"), ("", "c")] {
        add(&mut partitions, &[(data, key)]);
    }
    assert_eq!(partitions.end_some(), Ok(false));
    assert!(!partitions.is_ending());
    assert_eq!(partitions.end_all(), Ok(true));
    let wanted = [
        object("a", 0, "a1\na2\n", 2, 4),
        object("b", 0, "b1\n", 1, 3),
        object("c", 0, "\n", 1, 0),
    ];
    assert_eq!(take_all(&mut partitions), wanted);
    assert_eq!(partitions.end_all(), Ok(false));
}

#[test]
fn a_record_of_several_partitions_counts_for_the_last_object_that_has_some_of_it() {
    let mut partitions = partitions(Compression::Uncompressed, 1 << 20);
    add(&mut partitions, &[("1", "a"), ("2", "b"), ("3", "a")]);
    add(&mut partitions, &[("4", "b"), ("5", "b")]);
    add(
        &mut partitions,
        &[("6", "c"), ("7", "a"), ("8", "c"), ("9", "b")],
    );
    partitions.end_all().unwrap();
    let wanted = [
        object("a", 0, "1\n3\n7\n", 0, 3),
        object("b", 0, "2\n4\n5\n9\n", 2, 4),
        object("c", 0, "6\n8\n", 1, 2),
    ];
    assert_eq!(take_all(&mut partitions), wanted);
}

#[test]
fn the_largest_end_where_all_are_too_much_and_what_follows_has_another_number() {
    let mut partitions = partitions(Compression::Uncompressed, 8_000);
    let long = "x".repeat(4_000);
    add(&mut partitions, &[("s1", "small"), ("t1", "other")]);
    add(&mut partitions, &[(&long, "large"), ("s2", "small")]);
    assert_eq!(partitions.end_some(), Ok(false));
    add(&mut partitions, &[(&long, "large")]);
    assert_eq!(partitions.end_some(), Ok(true));
    let twice = format!("{long}\n{long}\n");
    // The first of these is not whole without what is in the small one.
    let ended = take_all(&mut partitions);
    assert_eq!(ended, [object("large", 0, &twice, 1, 8_000)]);
    assert_eq!(partitions.end_some(), Ok(false));
    add(&mut partitions, &[("more", "large"), ("s3", "small")]);
    partitions.end_all().unwrap();
    let ended = take_all(&mut partitions);
    let wanted = [
        object("small", 1, "s1\ns2\ns3\n", 1, 6),
        object("other", 1, "t1\n", 1, 2),
        object("large", 1, "more\n", 1, 4),
    ];
    assert_eq!(ended, wanted);
}

/// Objects of many partitions, and the most memory that was held.
fn objects_of_many(count: usize, compression: Compression) -> (Vec<(String, u16, Bytes)>, usize) {
    let mut partitions = partitions(compression, 4 << 20);
    let (mut objects, mut most, mut records) = (Vec::new(), 0, 0);
    let mut take = |partitions: &mut Partitions| {
        while partitions.is_ending() {
            for piece in partitions.take_ready() {
                records += piece.holds.delivered;
                let key = piece.partition.unwrap().concat();
                objects.push((key, piece.part, Bytes::from(piece.content)));
            }
        }
    };
    for number in 0..3 * count {
        if number % 100 == 0 {
            partitions.begin_batch();
        }
        let key = (number * 7_919 % count).to_string();
        let next = (number % count).to_string();
        if number % 10 == 0 {
            add(&mut partitions, &[("first", &key), ("second", &next)]);
        } else {
            add(&mut partitions, &[("whole", &key)]);
        }
        partitions.end_some().unwrap();
        most = most.max(partitions.held_bytes());
        take(&mut partitions);
    }
    partitions.end_all().unwrap();
    take(&mut partitions);
    assert_eq!(records, 3 * count as u64);
    (objects, most)
}

#[test]
fn any_number_of_partitions_is_held_within_the_same_memory_and_gives_the_same_again() {
    for (compression, count) in [
        (Compression::Uncompressed, 100_000),
        (Compression::Gzip, 10_000),
    ] {
        let (objects, most) = objects_of_many(count, compression);
        assert!(most < (4 << 20) + (64 << 10), "{most}");
        let mut lines = 0;
        let mut names = std::collections::HashSet::new();
        for (key, part, content) in &objects {
            assert!(names.insert((key, part)), "{key} has two objects {part}");
            let plain = match Unpack::into(Vec::new(), compression).unwrap() {
                Some(mut unpack) => {
                    unpack.push(content).unwrap();
                    unpack.finish().unwrap()
                }
                None => content.to_vec(),
            };
            lines += plain.iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(lines, 3 * count + 3 * count / 10);
        assert!(objects_of_many(count, compression).0 == objects);
    }
}

#[test]
fn an_empty_object_is_packed_too() {
    let mut partitions = partitions(Compression::Gzip, 1 << 20);
    let values = partitions.place(b"", &[("k", "a")], &mut |_| true).unwrap();
    partitions.add(Counts::default(), &[(b"", values)], b"");
    partitions.end_all().unwrap();
    let piece = partitions.take_ready().remove(0);
    assert!(Bytes::from(piece.content).starts_with(&[0x1f, 0x8b]));
}

#[test]
fn what_is_given_at_once_begins_only_so_many_partitions() {
    let mut partitions = partitions(Compression::Uncompressed, 1 << 30);
    let keys: Vec<String> = (0..40_000).map(|key| key.to_string()).collect();
    let mut place = |key: &str| {
        let values = partitions.place(b"x", &[("k", key)], &mut |_| true);
        values.unwrap()
    };
    let outputs: Vec<(&[u8], Values)> = keys.iter().map(|key| (&b"x"[..], place(key))).collect();
    assert!(!partitions.has_room_for(&outputs));
    assert!(partitions.has_room_for(&outputs[..8_000]));
    for some in outputs.chunks(8_000).take(2) {
        partitions.add(Counts::default(), some, b"");
    }
    assert!(!partitions.has_room_for(&outputs[16_000..24_000]));
    assert!(
        partitions.has_room_for(&outputs[..16_000]),
        "they are there"
    );
    partitions.begin_batch();
    assert!(partitions.has_room_for(&outputs[16_000..24_000]));
}

#[test]
fn a_record_that_goes_to_one_new_partition_many_times_begins_it_once() {
    let mut partitions = partitions(Compression::Uncompressed, 1 << 30);
    let values = partitions.place(b"x", &[("k", "a")], &mut |_| true);
    let values = values.unwrap();
    let many = vec![(b"x".as_slice(), values); 100_000];
    assert!(partitions.has_room_for(&many));
}

#[test]
fn what_comes_of_a_batch_takes_a_bounded_number_of_steps() {
    let prefix = "k=!{partitionKeyFromQuery:k}/";
    let prefixes = Prefixes::parse(Some(prefix), Some("e/"), true).unwrap();
    let (zone, at) = (Zone::utc(), Timestamp(5));
    let local = zone.local(at, zone.clocks_at(at)).unwrap();
    let terms = Partitioning {
        query: Some("{k:last(range(50))}".to_owned()),
        query_steps_max: 100,
        ..Partitioning::new(300)
    };
    let partitioner = Partitioner::begin(&terms, &prefixes.delivered, (local, 80)).unwrap();
    let mut partitions = Partitions::begin(partitioner, Compression::Uncompressed, 1 << 20);
    let mut placed = || {
        let mut count = 0;
        loop {
            match partitions.place(b"{}", &[], &mut |_| true) {
                Ok(_) => count += 1,
                Err(Unplaced::Failed(code, _)) => {
                    assert_eq!(code, TOO_MANY_STEPS);
                    break;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        partitions.begin_batch();
        count
    };
    let first = placed();
    assert!((4_000..10_000).contains(&first), "{first}");
    assert_eq!(placed(), first);
}
