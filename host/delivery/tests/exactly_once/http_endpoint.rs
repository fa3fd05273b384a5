//! Records go to an HTTP endpoint: each request has one id and one body whatever happens to it,
//! what the endpoint refuses is in the error output, and everything is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::buckets::{Does, Name};
use crate::check::{Through, check};
use crate::endpoint::{ENDPOINT, http_destination, records_of};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, NAME, Origin, World, call, caller, json};

const UPDATE: &str = "HttpEndpointDestinationUpdate";

/// A delivery stream to the endpoint, with these members over the usual ones.
async fn with(components: &Components, plugin: Option<&str>, more: &[(&str, Value)]) -> World {
    let world = World::open(components.ground(1)).await;
    let mut destination = http_destination("first", plugin);
    for (member, value) in more {
        destination[*member] = value.clone();
    }
    world.create(Origin::Direct, &destination).await;
    world
}

fn retry(seconds: u32) -> (&'static str, Value) {
    ("RetryOptions", json!({"DurationInSeconds": seconds}))
}

async fn put(world: &World, ledger: &Ledger, count: usize) {
    let kinds = vec![Kind::Line; count];
    assert!(world.put(ledger, Origin::Direct, &kinds, 0).await);
}

/// What lies in the bucket `first`, by name.
fn objects(world: &World) -> BTreeMap<String, Vec<u8>> {
    let objects = world.ground.buckets.objects().into_iter();
    let of_bucket = objects.filter(|((bucket, _), _)| bucket == "first");
    of_bucket
        .map(|((_, key), content)| (key, content.to_vec()))
        .collect()
}

fn requests(world: &World) -> Vec<Name> {
    let names = world.ground.buckets.objects().into_keys();
    names.filter(|(bucket, _)| bucket == ENDPOINT).collect()
}

/// The lines of failed records.
fn lines(world: &World) -> Vec<Value> {
    let objects = objects(world).into_iter();
    let texts = objects.map(|(key, content)| {
        assert!(key.starts_with("a/http-endpoint-failed/"), "{key}");
        String::from_utf8(content).unwrap()
    });
    let text = texts.collect::<String>();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn ends_well(world: World, ledger: &Ledger, through: Through) {
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(ledger, &world.ground.buckets, &status, through);
    world.close().await;
}

#[tokio::test]
async fn every_record_is_in_one_request() {
    for plugin in [None, Some("drop-bots")] {
        let components = Components::of(&["drop-bots"]);
        let encoding = json!({"ContentEncoding": "GZIP"});
        let more = [("RequestConfiguration", encoding)];
        let world = with(&components, plugin, &more).await;
        let ledger = Ledger::default();
        put(&world, &ledger, 20).await;
        assert!(world.put(&ledger, Origin::Direct, &[Kind::Bot; 3], 0).await);
        assert!(world.flush().await, "{:?}", world.status());
        assert!(!requests(&world).is_empty() && objects(&world).is_empty());
        let records: Vec<_> = world.ground.buckets.objects().into_values().collect();
        let records = records.iter().flat_map(|body| records_of(body));
        assert!(records.into_iter().all(|record| record.ends_with('\n')));
        let through = plugin.map_or(Through::Nothing, |_| Through::Filter);
        ends_well(world, &ledger, through).await;
    }
}

/// The endpoint took it and could not say so; then the process ends.
#[tokio::test]
async fn a_request_that_was_not_answered_is_the_same_after_a_restart() {
    let world = with(&Components::none(), None, &[]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::FailAfter);
    put(&world, &ledger, 5).await;
    world.until_trouble("reset by peer").await;
    let ground = world.close().await;
    let taken = buckets.objects();
    assert_eq!(taken.len(), 1);
    // The clock of the body is that of the cut.
    ground.clock.advance(std::time::Duration::from_secs(100));
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    assert_eq!(buckets.objects(), taken);
    ends_well(world, &ledger, Through::Nothing).await;
}

#[tokio::test]
async fn what_is_too_large_for_the_endpoint_is_in_the_error_output_whatever_comes_between() {
    let world = with(&Components::none(), None, &[]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    // Neither does the error output take it before the next start.
    buckets.rule(|_, _| Does::Refuse);
    put(&world, &ledger, 3).await;
    world.until_trouble("no access to bucket first").await;
    let ground = world.close().await;
    // It would take it by now, and is not asked again.
    buckets.release();
    let world = World::open(ground).await;
    assert!(world.flush().await, "{:?}", world.status());
    assert_eq!(requests(&world), []);
    let lines = lines(&world);
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!(line["attemptsMade"], 1);
        assert_eq!(line["errorCode"], "HttpEndpoint.DestinationException");
        let message = line["errorMessage"].as_str().unwrap();
        assert!(
            message.contains("413: ") && message.contains("told"),
            "{message}"
        );
        assert!(line["attemptEndingTimestamp"].is_u64() && line["arrivalTimestamp"].is_u64());
    }
    put(&world, &ledger, 2).await;
    ends_well(world, &ledger, Through::Skipped).await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_longer_than_is_retried_loses_nothing() {
    let world = with(&Components::none(), None, &[retry(0)]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, bucket| match (bucket, call) {
        (ENDPOINT, 1) => Does::FailBefore,
        _ => Does::Well,
    });
    put(&world, &ledger, 4).await;
    assert!(world.flush().await, "{:?}", world.status());
    assert_eq!((requests(&world).len(), lines(&world).len()), (0, 4));
    let status = world.status().unwrap();
    assert_eq!((status.failed, status.failed_objects), (4, 1));
    put(&world, &ledger, 1).await;
    ends_well(world, &ledger, Through::Skipped).await;
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_request() {
    let world = with(&Components::none(), None, &[retry(7_200)]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, _| {
        if call < 3 {
            Does::FailBefore
        } else {
            Does::Well
        }
    });
    put(&world, &ledger, 4).await;
    ends_well(world, &ledger, Through::Nothing).await;
    assert_eq!(buckets.calls(), 3);
}

/// A wrong key is no reason to drop anything, however long it stays wrong.
#[tokio::test]
async fn an_endpoint_that_lets_nobody_in_is_waited_for_until_the_configuration_changes() {
    let world = with(&Components::none(), None, &[retry(0)]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::MakeAnother);
    put(&world, &ledger, 4).await;
    world.until_trouble("401: ").await;
    world
        .ground
        .clock
        .advance(std::time::Duration::from_secs(100_000));
    buckets.until_ended(3).await;
    let status = world.status().unwrap();
    assert_eq!(
        (status.failed, status.delivered, status.waiting_records),
        (0, 0, 4)
    );
    buckets.rule(|_, _| Does::Well);
    let endpoint = json!({"Url": "https://endpoint.example/other", "AccessKey": "right"});
    let update = json!({"EndpointConfiguration": endpoint});
    world.update_as(UPDATE, 1, &update).await.unwrap();
    ends_well(world, &ledger, Through::Nothing).await;
}

/// The hour was taken from the time for which a request that had failed before is tried.
#[tokio::test]
async fn time_in_which_an_endpoint_lets_nobody_in_is_not_taken_from_that_of_a_request() {
    let world = with(&Components::none(), None, &[retry(10)]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, _| match call {
        1 => Does::FailBefore,
        _ => Does::MakeAnother,
    });
    put(&world, &ledger, 4).await;
    world.until_trouble("401: ").await;
    let hour = std::time::Duration::from_secs(3_600);
    world.ground.clock.advance(hour);
    let failed = AtomicBool::new(false);
    buckets.rule(move |_, _| {
        if failed.swap(true, Ordering::Relaxed) {
            Does::Well
        } else {
            Does::FailBefore
        }
    });
    ends_well(world, &ledger, Through::Nothing).await;
}

#[tokio::test]
async fn a_request_that_was_taken_is_not_sent_again_when_the_next_one_of_its_cut_fails() {
    let world = World::open(Components::none().ground(1)).await;
    let mut destination = http_destination("first", None);
    destination["BufferingHints"] = json!({"SizeInMBs": 64, "IntervalInSeconds": 900});
    world.create(Origin::Direct, &destination).await;
    let buckets = world.ground.buckets.clone();
    buckets.rule(|call, _| match call {
        2 | 3 => Does::FailBefore,
        5 => Does::Refuse,
        _ => Does::Well,
    });
    put_for_requests(&world, "YQ==").await;
    assert!(world.flush().await, "{:?}", world.status());
    // Of one cut, or of two if it was flushed while it was gathered.
    let taken = requests(&world);
    assert_eq!(taken[0].1[..13], taken[1].1[..13], "{taken:?}");
    // Two that failed, one that was refused, and its lines.
    assert_eq!(buckets.calls(), taken.len() as u64 + 2 + 1 + 1);
    let status = world.status().unwrap();
    assert_eq!(status.failed, lines(&world).len() as u64);
    assert_eq!(
        (status.delivered + status.failed, status.waiting_records),
        (22_500, 0)
    );
    assert_eq!(
        (status.objects, status.failed_objects),
        (taken.len() as u64, 1)
    );
    world.close().await;
}

/// Puts as many records with this data as take more than two requests.
async fn put_for_requests(world: &World, data: &str) {
    for _ in 0..90 {
        let records: Vec<_> = (0..250).map(|_| json!({"Data": data})).collect();
        let input = json!({"DeliveryStreamName": NAME, "Records": records});
        delivery::ops::put_record_batch::handle(&world.delivery, call(&input))
            .await
            .unwrap();
    }
}

/// Objects of what came in lie between the requests of a cut.
#[tokio::test]
async fn with_all_data_every_request_is_sent_and_none_again_that_was_taken() {
    let world = World::open(Components::none().ground(1)).await;
    let mut destination = http_destination("first", None);
    destination["S3BackupMode"] = json!("AllData");
    destination["BufferingHints"] = json!({"SizeInMBs": 64, "IntervalInSeconds": 900});
    world.create(Origin::Direct, &destination).await;
    let buckets = world.ground.buckets.clone();
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    // The second request fails, and then the first object of what came in does.
    let has_failed = AtomicBool::new(false);
    buckets.rule(move |_, bucket| {
        let is_second = bucket == ENDPOINT && count.fetch_add(1, Ordering::Relaxed) == 1;
        let is_first_object = bucket != ENDPOINT && !has_failed.swap(true, Ordering::Relaxed);
        if is_second || is_first_object {
            Does::FailBefore
        } else {
            Does::Well
        }
    });
    put_for_requests(&world, &"YWFh".repeat(300)).await;
    assert!(world.flush().await, "{:?}", world.status());
    let taken = requests(&world).len() as u64;
    assert!(taken > 2 && objects(&world).len() > 1, "{taken}");
    assert_eq!(sent.load(Ordering::Relaxed), taken + 1);
    let mut records = 0;
    for ((bucket, _), content) in buckets.objects() {
        if bucket == ENDPOINT {
            records += records_of(&content).len();
        }
    }
    let status = world.status().unwrap();
    assert_eq!((records, status.delivered), (22_500, 22_500));
    let backup: usize = objects(&world).values().map(Vec::len).sum();
    assert_eq!(backup, 22_500 * 900);
    world.close().await;
}

#[tokio::test]
async fn with_all_data_the_bucket_has_every_record_as_it_came_in() {
    let components = Components::of(&["drop-bots"]);
    let more = [("S3BackupMode", json!("AllData"))];
    let world = with(&components, Some("drop-bots"), &more).await;
    let ledger = Ledger::default();
    for kind in [Kind::Line, Kind::Bot] {
        assert!(world.put(&ledger, Origin::Direct, &[kind; 5], 0).await);
    }
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    assert_eq!(
        (status.delivered, status.dropped, status.failed_objects),
        (5, 5, 0)
    );
    let backup: Vec<u8> = objects(&world)
        .into_iter()
        .flat_map(|(key, content)| {
            assert!(!key.contains("failed/"), "{key}");
            content
        })
        .collect();
    let text = String::from_utf8(backup).unwrap();
    assert_eq!(text.matches("id=").count(), 10);
    assert!(!text.contains('\n'));
    world.close().await;
}

#[tokio::test]
async fn refused_records_are_dead_letters_that_can_be_replayed() {
    let world = with(&Components::none(), None, &[]).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, _| if call == 1 { Does::Refuse } else { Does::Well });
    put(&world, &ledger, 3).await;
    assert!(world.flush().await, "{:?}", world.status());
    let delivery = &world.delivery;
    let found = delivery
        .dead_letters(&caller(), NAME, delivery::Wanted::default())
        .await;
    let found = found.unwrap().dead_letters;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].records, Some(3));
    assert_eq!(found[0].codes["HttpEndpoint.DestinationException"], 3);
    world.close().await;
}

#[tokio::test]
async fn the_access_key_is_told_to_nobody_but_the_endpoint() {
    let world = with(&Components::none(), None, &[]).await;
    let input = json!({"DeliveryStreamName": NAME});
    let described = delivery::ops::describe_delivery_stream::handle(&world.delivery, call(&input));
    let described = json(described.await.unwrap());
    assert!(!described.to_string().contains("let me in"), "{described}");
    let destination = &described["DeliveryStreamDescription"]["Destinations"][0];
    let described = &destination["HttpEndpointDestinationDescription"];
    let endpoint = json!({"Url": "https://endpoint.example/take?it=all", "Name": "mine"});
    assert_eq!(described["EndpointConfiguration"], endpoint);
    world.close().await;
}
