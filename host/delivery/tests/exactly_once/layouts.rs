//! Rows as other builds wrote them. What this build reads goes on; what it does not read stands
//! still by itself, says which file it lies in, and can be deleted.

use bytes::Bytes;
use serde_json::json;
use store::{Expect, TableId, TableWrite, Transaction};

use crate::aggregates::aggregate;
use crate::buckets::Does;
use crate::check::{Through, check};
use crate::endpoint::http_destination;
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, NAME, Origin, SOURCE, World, call, destination, engine};

const DELIVERY_STREAMS: TableId = TableId(17);
const LANES: TableId = TableId(18);
/// A lane of ten records with an open cut, as it lay in the data directory of a build of the first
/// layout: through no plugin, into bucket `bkt` below `d/`, with one object that may exist.
const FIRST_LAYOUT: &str = "
    01000100000afd0c26ee24a2010000fdf529ee24a20100000a4601002261726e3a6177733a69616d
    3a3a3030303030303030303030303a726f6c652f616e791061726e3a6177733a73333a3a3a626b74
    0102642f0102652f010100000000000000000100000000000000000000000000000000";

/// A lane of one record with an open cut, as it lay in the data directory of a build of the second
/// layout: through no plugin, into bucket `first` below `a/`, with a line feed after it.
const SECOND_LAYOUT: &str = "
    020001000001fd60564f28a2010000fd63564f28a2010000015401002261726e3a6177733a69616d
    3a3a3030303030303030303030303a726f6c652f616e791261726e3a6177733a73333a3a3a666972
    73740102612f0001000000000001010117417070656e6444656c696d69746572546f5265636f7264
    000001010a0001000000000000000000000000000000000000000000000000000000000000000000
    000000000000";

/// A lane of ten records with an open cut, as it lay in the data directory of a build of the third
/// layout: through no plugin, into bucket `third` below `c/`, with a line feed after each.
const THIRD_LAYOUT: &str = "
    03000100000afd0068e5cf8b010000fd0068e5cf8b0100000a00fb421301002261726e3a6177733a
    69616d3a3a3030303030303030303030303a726f6c652f616e791261726e3a6177733a73333a3a3a
    74686972640102632f0001000000000001010117417070656e6444656c696d69746572546f526563
    6f7264000001010a0001000000000000000000000000000000000000000000000000000000000000
    000000000000000000";

/// The row of its delivery stream, in the first layout of these.
const FIRST_STREAM_LAYOUT: &str = "
    010001fd0068e5cf8b010000000100fd00000000000001002261726e3a6177733a69616d3a3a3030
    303030303030303030303a726f6c652f616e791261726e3a6177733a73333a3a3a74686972640102
    632f0001000000000001010117417070656e6444656c696d69746572546f5265636f726400000101
    0a00";

/// The lane of the second layout with three records in an aggregate, as a build of the third layout
/// has it, which delivers each for itself.
const THIRD_LAYOUT_OF_AGGREGATE: &str = "
    030001000001fd60564f28a2010000fd63564f28a20100000301025401002261726e3a6177733a69
    616d3a3a3030303030303030303030303a726f6c652f616e791261726e3a6177733a73333a3a3a66
    697273740102612f0001000000000001010117417070656e6444656c696d69746572546f5265636f
    7264000001010a000100000000000000000000000000000000000000000000000000000000000000
    0000000000000000";

/// A lane of three records with an open cut, as it lay in the data directory of a build of the
/// fourth layout: for an HTTP endpoint that has refused its one request, whose lines the bucket
/// does not take.
const FOURTH_LAYOUT: &str = "
    040001000003fd0068e5cf8b010000fd0068e5cf8b0100000300fb7f020100001261726e3a617773
    3a73333a3a3a66697273740102612f0001000000000001010117417070656e6444656c696d697465
    72546f5265636f7264000001010a00012468747470733a2f2f656e64706f696e742e6578616d706c
    652f74616b653f69743d616c6c01046d696e6501096c6574206d6520696e0000fb2c01002261726e
    3a6177733a69616d3a3a3030303030303030303030303a726f6c652f616e79010100000000000001
    00000000000000000000000000000000000000000000000100002148747470456e64706f696e742e
    44657374696e6174696f6e457863657074696f6ea054686520666f6c6c6f77696e6720726573706f
    6e7365207761732072656365697665642066726f6d2074686520656e64706f696e74206465737469
    6e6174696f6e2e203431333a207b226572726f724d657373616765223a22746f6c64222c22726571
    756573744964223a2230303030303030302d303030302d383030302d393336362d30336663393334
    6165336161222c2274696d657374616d70223a317d01fd0068e5cf8b010000000000000000000000
    00000000000000000000";

fn bytes_of(digits: &str) -> Bytes {
    let digits: Vec<u32> = digits
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let bytes = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]);
    bytes.map(|byte| u8::try_from(byte).unwrap()).collect()
}

/// The row of a lane of the first delivery stream.
fn lane(stream: u64, shard: u32) -> Bytes {
    let mut key = vec![0; 8];
    key.extend_from_slice(&stream.to_be_bytes());
    key.extend_from_slice(&shard.to_be_bytes());
    Bytes::from(key)
}

/// The row of the delivery stream.
fn delivery_stream() -> Bytes {
    Bytes::from([&[0; 8], &b"eu-west-1\0"[..], NAME.as_bytes()].concat())
}

/// Puts rows in the place of those that a process left, or takes them away.
async fn with_rows(ground: &Ground, rows: Vec<(TableId, Bytes, Option<Bytes>)>) -> Ground {
    let ground = Ground {
        disk: ground.disk.after_kill(),
        ..ground.clone()
    };
    let engine = engine(&ground.disk).await;
    let mut writes = Vec::new();
    for (table, key, value) in rows {
        assert!(engine.get(table, &key).await.unwrap().is_some(), "{key:?}");
        writes.push(TableWrite {
            table,
            key,
            value,
            expect: Expect::Any,
        });
    }
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    engine.commit(transaction).await.unwrap();
    engine.close().await.unwrap();
    Ground {
        disk: ground.disk.after_kill(),
        ..ground
    }
}

/// The numbers of the streams that lanes read.
async fn streams_of_lanes(ground: &Ground) -> Vec<(u64, u32)> {
    let disk = ground.disk.after_kill();
    let engine = engine(&disk).await;
    let rows = engine.scan(LANES, Bytes::new(), None, 100).await.unwrap();
    engine.close().await.unwrap();
    let lanes = rows.iter().map(|(key, _)| {
        let stream = u64::from_be_bytes(key[8..16].try_into().unwrap());
        (stream, u32::from_be_bytes(key[16..].try_into().unwrap()))
    });
    lanes.collect()
}

/// The first layout did not say which objects are known to be there, and kept the server from
/// starting.
#[tokio::test]
async fn an_open_cut_in_the_first_layout_of_lanes_is_delivered() {
    let world = World::open(Components::none().ground(1)).await;
    let into = destination("bkt", "d/");
    world.create(Origin::Direct, &into).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 10], 0)
            .await
    );
    buckets.until_ended(1).await;
    let row = (LANES, lane(u64::MAX, 0), Some(bytes_of(FIRST_LAYOUT)));
    let ground = with_rows(&world.close().await, vec![row]).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    assert_eq!((status.delivered, status.lost, status.objects), (10, 0, 1));
    let names: Vec<_> = buckets.objects().into_keys().collect();
    let [(bucket, key)] = &names[..] else {
        panic!("{names:?}")
    };
    assert!(bucket == "bkt" && key.starts_with("d/"), "{names:?}");
    world.close().await;
}

/// Neither row said which kind of destination it is of: there was one.
#[tokio::test]
async fn a_delivery_stream_and_its_open_cut_of_a_build_with_one_kind_of_destination_go_on() {
    let world = World::open(Components::none().ground(1)).await;
    world
        .create(Origin::Direct, &destination("other", "x/"))
        .await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 10], 0)
            .await
    );
    buckets.until_ended(1).await;
    let rows = vec![
        (
            DELIVERY_STREAMS,
            delivery_stream(),
            Some(bytes_of(FIRST_STREAM_LAYOUT)),
        ),
        (LANES, lane(u64::MAX, 0), Some(bytes_of(THIRD_LAYOUT))),
    ];
    let ground = with_rows(&world.close().await, rows).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 5], 0)
            .await
    );
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(&ledger, &buckets, &status, Through::Nothing);
    for (bucket, key) in buckets.objects().into_keys() {
        assert!(bucket == "third" && key.starts_with("c/"), "{bucket} {key}");
    }
    // The next build reads what this one writes of them.
    let tags = json!({"DeliveryStreamName": NAME, "Tags": [{"Key": "a", "Value": "b"}]});
    let tagged = delivery::ops::tag_delivery_stream::handle(&world.delivery, call(&tags));
    tagged.await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.status().unwrap().bucket, "third");
    world.close().await;
}

/// Puts records to the first shard of the source, aggregated.
async fn put_aggregate(world: &World, records: &[&[u8]]) {
    let data = base64_simd::STANDARD.encode_to_string(aggregate(records));
    let input = json!({
        "StreamName": SOURCE, "PartitionKey": "a", "ExplicitHashKey": "1", "Data": data,
    });
    let put = streams::ops::put_record::handle(&world.streams, call(&input));
    put.await.unwrap();
}

/// Its objects may be there, so that the build that takes aggregates apart leaves this one whole.
#[tokio::test]
async fn an_open_cut_of_a_build_that_knew_no_aggregates_is_delivered_as_that_had_begun_it() {
    let world = World::open(Components::none().ground(1)).await;
    let into = destination("first", "a/");
    world.create(Origin::Stream, &into).await;
    let buckets = world.ground.buckets.clone();
    buckets.rule(|_, _| Does::FailBefore);
    let records: [&[u8]; 3] = [b"one", b"two", b"three"];
    put_aggregate(&world, &records).await;
    buckets.until_ended(1).await;
    let ground = world.close().await;
    let lanes = streams_of_lanes(&ground).await;
    let (stream, _) = lanes.iter().find(|(_, shard)| *shard == 0).unwrap();
    let row = (LANES, lane(*stream, 0), Some(bytes_of(SECOND_LAYOUT)));
    let ground = with_rows(&ground, vec![row]).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.delivered), (1, 1), "{status:?}");
    let whole = [&aggregate(&records)[..], b"\n"].concat();
    let objects: Vec<_> = buckets.objects().into_values().collect();
    assert_eq!(objects, [&whole[..]]);
    put_aggregate(&world, &records).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.delivered), (4, 4), "{status:?}");
    let mut objects = buckets.objects();
    objects.retain(|_, object| object[..] != whole);
    let objects: Vec<_> = objects.into_values().collect();
    assert_eq!(objects, [&b"one\ntwo\nthree\n"[..]]);
    world.close().await;
}

/// The third layout knew no time zones.
#[tokio::test]
async fn an_open_cut_of_a_build_that_knew_no_time_zones_has_its_names_in_utc() {
    let world = World::open(Components::none().ground(1)).await;
    let mut into = destination("first", "a/");
    into["CustomTimeZone"] = json!("Asia/Tokyo");
    world.create(Origin::Stream, &into).await;
    let buckets = world.ground.buckets.clone();
    buckets.rule(|_, _| Does::FailBefore);
    put_aggregate(&world, &[b"one", b"two", b"three"]).await;
    buckets.until_ended(1).await;
    let ground = world.close().await;
    let lanes = streams_of_lanes(&ground).await;
    let (stream, _) = lanes.iter().find(|(_, shard)| *shard == 0).unwrap();
    let row = (
        LANES,
        lane(*stream, 0),
        Some(bytes_of(THIRD_LAYOUT_OF_AGGREGATE)),
    );
    let ground = with_rows(&ground, vec![row]).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.delivered), (3, 3), "{status:?}");
    let objects: Vec<_> = buckets.objects().into_iter().collect();
    let [((_, key), object)] = &objects[..] else {
        panic!("{objects:?}")
    };
    assert_eq!(object[..], b"one\ntwo\nthree\n"[..]);
    // Its record arrived at 17:16:57 UTC.
    let start = format!("a/2026/11/29/17/{NAME}-1-2026-11-29-17-16-57-");
    assert!(key.starts_with(&start), "{key}");
    world.close().await;
}

/// Where an object ends followed from what the build at work takes of memory, so that another build
/// put other content by the names of the cut that it found.
#[tokio::test]
async fn an_open_cut_ends_its_objects_where_the_build_did_that_decided_it() {
    let world = World::open(Components::none().ground(1)).await;
    let into = destination("third", "c/");
    world.create(Origin::Direct, &into).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 10], 0)
            .await
    );
    buckets.until_ended(1).await;
    let ground = world.close().await;
    let engine = engine(&ground.disk.after_kill()).await;
    let kept = engine.get(LANES, &lane(u64::MAX, 0)).await.unwrap();
    engine.close().await.unwrap();
    let kept = kept.unwrap().value;
    // 16 MiB and 600 bytes, as bincode writes them.
    let (here, there) = ([0xfc, 0, 0, 0, 1], [0xfb, 88, 2]);
    let mut places = kept.windows(here.len()).enumerate();
    let (at, _) = places.find(|(_, bytes)| *bytes == here).unwrap();
    assert!(places.all(|(_, bytes)| bytes != here), "{kept:?}");
    let row = [&kept[..at], &there, &kept[at + here.len()..]].concat();
    let row = (LANES, lane(u64::MAX, 0), Some(Bytes::from(row)));
    let ground = with_rows(&ground, vec![row]).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(&ledger, &buckets, &status, Through::Nothing);
    // Each line is longer than 400 bytes.
    let ends: Vec<_> = buckets.objects().into_values().map(|it| it.len()).collect();
    assert_eq!(status.objects, 5, "{ends:?}");
    world.close().await;
}

/// Older builds wrote the row of a lane with its first cut and not with its beginning.
#[tokio::test]
async fn a_lane_that_an_older_build_began_behind_the_first_record_goes_on_from_there() {
    let world = World::open(Components::none().ground(1)).await;
    world.source().await;
    let before = Ledger::default();
    for lane in [0, 1] {
        assert!(
            world
                .put(&before, Origin::Stream, &[Kind::Line; 5], lane)
                .await
        );
    }
    world
        .ground
        .clock
        .advance(std::time::Duration::from_secs(1));
    let into = destination("first", "a/");
    world.create_beside_source(Origin::Stream, &into).await;
    let ground = world.close().await;
    let lanes = streams_of_lanes(&ground).await;
    assert_eq!(lanes.len(), 2);
    let rows = lanes
        .iter()
        .map(|(stream, shard)| (LANES, lane(*stream, *shard), None));
    let world = World::open(with_rows(&ground, rows.collect()).await).await;
    assert_eq!(
        world.status().unwrap().records_in,
        0,
        "{:?}",
        world.status()
    );
    let ledger = Ledger::default();
    for lane in [0, 1] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line; 3], lane)
                .await
        );
    }
    assert!(world.flush().await, "{:?}", world.status());
    let (status, buckets) = (world.status().unwrap(), world.ground.buckets.clone());
    check(&ledger, &buckets, &status, Through::Nothing);
    world.close().await;
}

#[tokio::test]
async fn a_lane_whose_row_cannot_be_read_stands_still_alone_and_says_where_the_row_lies() {
    let world = World::open(Components::none().ground(1)).await;
    let into = destination("first", "a/");
    world.create(Origin::Stream, &into).await;
    let ground = world.close().await;
    let (stream, shard) = streams_of_lanes(&ground).await[0];
    let unreadable = Some(Bytes::from_static(b"\x02\x07"));
    let row = (LANES, lane(stream, shard), unreadable);
    let world = World::open(with_rows(&ground, vec![row]).await).await;
    let ledger = Ledger::default();
    for lane in [0, 1] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line; 3], lane)
                .await
        );
    }
    world
        .until(|status| status.is_some_and(|status| status.delivered == 3))
        .await;
    world
        .until_trouble("tables.redb: a row of lanes was written by an older build")
        .await;
    world.until_trouble("or delete the delivery stream").await;
    let status = world.status().unwrap();
    assert_eq!(
        (status.waiting_records, status.stuck.len()),
        (3, 1),
        "{status:?}"
    );
    world.delete().await;
    world.create_beside_source(Origin::Stream, &into).await;
    world.close().await;
}

#[tokio::test]
async fn a_delivery_stream_whose_row_cannot_be_read_is_shown_keeps_its_name_and_can_be_deleted() {
    let world = World::open(Components::none().ground(1)).await;
    let into = destination("first", "a/");
    world.create(Origin::Direct, &into).await;
    let unreadable = Some(Bytes::from_static(b"\x01\x00"));
    let row = (DELIVERY_STREAMS, delivery_stream(), unreadable);
    let world = World::open(with_rows(&world.close().await, vec![row]).await).await;
    world.until_status("UNREADABLE").await;
    world
        .until_trouble("tables.redb: a row of delivery streams was written by an older")
        .await;
    let error = world.update(1, &json!({"Prefix": "b/"})).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("Run the build that wrote it"),
        "{error:?}"
    );
    world.delete().await;
    world.create(Origin::Direct, &into).await;
    let ledger = Ledger::default();
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 3], 0)
            .await
    );
    assert!(world.flush().await, "{:?}", world.status());
    world.close().await;
}

/// The fourth layout knew no requests of which some records are refused.
#[tokio::test]
async fn an_open_cut_of_a_build_whose_requests_were_refused_whole_goes_on() {
    let world = World::open(Components::none().ground(1)).await;
    world
        .create(Origin::Direct, &http_destination("first", None))
        .await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::Refuse);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 3], 0)
            .await
    );
    world.until_trouble("no access to bucket first").await;
    let ground = world.close().await;
    let row = (LANES, lane(u64::MAX, 0), Some(bytes_of(FOURTH_LAYOUT)));
    let ground = with_rows(&ground, vec![row]).await;
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(&ledger, &buckets, &status, Through::Skipped);
    // It is not asked again.
    assert_eq!((status.delivered, status.failed), (0, 3));
    world.close().await;
}
