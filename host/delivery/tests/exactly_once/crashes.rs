//! A run is recorded, with every change of the disk and every object that was made. After each of
//! them the power goes or the process is killed. The next process finds the disk as that left it
//! and the same objects, finishes what was begun, and nothing is lost, repeated or out of order.
//!
//! So a crash lies between any two of: the record is durable, it is acknowledged, the cut is
//! durable, each of its objects is made, the store has answered, the commit is durable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use delivery::{LaneAnswer, Order, Outcome};
use serde_json::{Value, json};
use store::disk::simulated::{
    AfterFailedSync, Call, Failure, Fault, Random, Replay, SimulatedDisk, Survival,
};
use tokio::task::JoinSet;
use wire::ApiError;

use crate::buckets::{Buckets, Does, Put};
use crate::check::{BACKUP, Through, check, check_backup};
use crate::cluster::cluster_destination;
use crate::collector::splunk_destination;
use crate::endpoint::{ENDPOINT, http_destination};
use crate::ledger::{Kind, Ledger, any_kind, any_weight};
use crate::rows::{self, Files};
use crate::world::{Components, Ground, NAME, Origin, World, caller, destination, processing};

/// Puts and flushes of a run at the same time, so many times.
const ROUNDS: u32 = 6;
/// The same of a run in which a sync fails.
const ROUNDS_WITH_A_FAILURE: u32 = 3;
/// The same of a run with heavy records.
const ROUNDS_HEAVY: u32 = 2;
/// Crashed processes that are brought to their end at the same time.
const SURVIVORS_MAX: usize = 8;

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Endpoint,
    Splunk,
    Cluster,
}

/// What is recorded.
#[derive(Clone, Copy)]
pub struct Case {
    origin: Origin,
    plugin: Option<&'static str>,
    /// What an operator says when the first cut is refused, if it is.
    order: Option<Order>,
    /// The error output that the cut is skipped to refuses it until another one is named.
    is_refused_again: bool,
    /// The sync that fails, counted from when the delivery stream is ACTIVE, and what becomes of
    /// what it should have synced.
    failing_sync: Option<(u64, AfterFailedSync)>,
    /// Records are lines and heavy ones.
    is_heavy: bool,
    /// Records become requests to a place that refuses some and breaks off now and then.
    to: Option<To>,
    /// Records are gzip but for some, and are decompressed.
    decompresses: bool,
    /// Records go to partitions by the last digit of their number, two in a record where they go
    /// through no plugin.
    partitions: bool,
    /// The same, and each is what CloudWatch Logs sends of one log event, which is extracted.
    extracts: bool,
    /// All records go into another bucket as they came in, too.
    backs_up: bool,
    /// Records become rows of the table `db.lines`, which is another one half way.
    converts: Option<rows::Files>,
}

impl Case {
    fn of(origin: Origin, plugin: Option<&'static str>) -> Self {
        Self {
            origin,
            plugin,
            order: None,
            is_refused_again: false,
            failing_sync: None,
            is_heavy: false,
            to: None,
            decompresses: false,
            partitions: false,
            extracts: false,
            backs_up: false,
            converts: None,
        }
    }

    /// Records that are put directly, and go through a plugin that some are too heavy for.
    pub fn heavy(plugin: &'static str) -> Self {
        Self {
            is_heavy: true,
            ..Self::of(Origin::Direct, Some(plugin))
        }
    }

    fn kind(self, random: &mut Random) -> Kind {
        if self.is_heavy {
            any_weight(random)
        } else {
            any_kind(random)
        }
    }

    fn through(self) -> Through {
        match self.plugin {
            // What is no line is no gzip either, and no JSON.
            _ if self.decompresses || self.partitions || self.converts.is_some() => Through::Parser,
            None if self.order == Some(Order::Skip) || self.to.is_some() => Through::Skipped,
            None => Through::Nothing,
            Some(_) if self.to.is_some() => Through::Refused,
            Some(_) if self.is_heavy => Through::Limited,
            Some("parse-access-log") => Through::Parser,
            Some(_) => Through::Filter,
        }
    }
}

/// What was recorded.
struct Run {
    /// Crashes before this change of the disk are those of other runs.
    from: usize,
    ledger: Ledger,
    ground: Ground,
    puts: Vec<Put>,
}

/// A destination whose records go to the partition of the last digit of their number.
fn partitioned(bucket: &str, plugin: Option<&str>) -> Value {
    let mut destination = destination(bucket, "a/k=!{partitionKeyFromQuery:k}/");
    destination["ErrorOutputPrefix"] = json!("e/");
    destination["BufferingHints"]["SizeInMBs"] = json!(64);
    destination["CompressionFormat"] = json!("GZIP");
    destination["DynamicPartitioningConfiguration"] = json!({"Enabled": true});
    let query = match plugin {
        Some(_) => "{k: .path[11:12]}",
        None => "{k: (.line | split(\"id=\")[1] | .[7:8])}",
    };
    let mut configuration = processing(plugin);
    let processors = configuration["Processors"].as_array_mut().unwrap();
    processors.push(json!({"Type": "MetadataExtraction", "Parameters": [
        {"ParameterName": "MetadataExtractionQuery", "ParameterValue": query},
        {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
    ]}));
    if plugin.is_none() {
        processors.push(json!({"Type": "RecordDeAggregation", "Parameters": [
            {"ParameterName": "SubRecordType", "ParameterValue": "JSON"},
        ]}));
    }
    destination["ProcessingConfiguration"] = configuration;
    destination
}

/// What a run begins with.
fn first_destination(case: Case) -> Value {
    if let Some(to) = case.to {
        return match to {
            To::Endpoint => http_destination("first", case.plugin),
            To::Splunk => splunk_destination("first", case.plugin),
            To::Cluster => cluster_destination("first", case.plugin),
        };
    }
    if case.partitions {
        let mut first = partitioned("first", case.plugin);
        if let Some(files) = case.converts {
            first["CompressionFormat"] = json!("UNCOMPRESSED");
            first["DataFormatConversionConfiguration"] = rows::conversion(files);
        }
        return first;
    }
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(case.plugin);
    let processors = first["ProcessingConfiguration"]["Processors"].as_array_mut();
    let processors = processors.unwrap();
    if case.decompresses {
        processors.push(json!({"Type": "Decompression"}));
    }
    if case.extracts {
        let extraction = json!([
            {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"},
        ]);
        processors.push(json!({"Type": "CloudWatchLogProcessing", "Parameters": extraction}));
    }
    if let Some(files) = case.converts {
        first["BufferingHints"]["SizeInMBs"] = json!(64);
        first["CompressionFormat"] = json!("UNCOMPRESSED");
        first["DataFormatConversionConfiguration"] = rows::conversion(files);
    }
    if case.backs_up {
        first["S3BackupMode"] = json!("Enabled");
        first["S3BackupConfiguration"] = destination(BACKUP, "in/");
        let members = first["S3BackupConfiguration"].as_object_mut().unwrap();
        members.remove("ProcessingConfiguration");
    }
    first
}

/// Configures another destination of its kind.
async fn change_destination(world: &World, case: Case) -> Result<(), ApiError> {
    let mut second = json!({
        "Prefix": "b/", "CompressionFormat": "UNCOMPRESSED",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900},
    });
    if case.partitions {
        second["Prefix"] = json!("b/k=!{partitionKeyFromQuery:k}/");
    }
    if case.partitions || case.converts.is_some() {
        second["BufferingHints"]["SizeInMBs"] = json!(64);
    }
    if case.converts.is_some() {
        rows::change_table(&world.ground);
    }
    if case.backs_up {
        second["S3BackupUpdate"] = json!({"Prefix": "into/"});
    }
    match case.to {
        Some(To::Endpoint) => {
            let packed = json!({"RequestConfiguration": {"ContentEncoding": "GZIP"}});
            let member = "HttpEndpointDestinationUpdate";
            world.update_as(member, 1, &packed).await
        }
        Some(To::Splunk) => {
            let other = json!({"S3Update": {"CompressionFormat": "GZIP"}});
            world.update_as("SplunkDestinationUpdate", 1, &other).await
        }
        Some(To::Cluster) => {
            let other = json!({"IndexRotationPeriod": "OneHour"});
            let member = "AmazonopensearchserviceDestinationUpdate";
            world.update_as(member, 1, &other).await
        }
        None => world.update(1, &second).await,
    }
}

/// Records a run in which several producers put while cuts are made, with another destination
/// half way.
async fn record(ground: Ground, case: Case) -> Run {
    let ledger = Ledger::default();
    ground.disk.record();
    ground.buckets.note_changes_of(&ground.disk);
    let world = World::open(ground.clone()).await;
    if case.to.is_some() {
        ground
            .buckets
            .rule(|call, bucket| match (bucket, call % 6) {
                (ENDPOINT, 2) => Does::Refuse,
                (ENDPOINT, 5) if call < 12 => Does::FailAfter,
                (ENDPOINT, 0) if call < 12 => Does::FailBefore,
                _ => Does::Well,
            });
    }
    let first = first_destination(case);
    world.create(case.origin, &first).await;
    let from = case.failing_sync.map_or(0, |_| ground.disk.recorded());
    let rounds = plan_failure(&ground, case);
    for round in 0..rounds {
        if round == rounds / 2 {
            let updated = change_destination(&world, case).await;
            assert!(updated.is_ok() || case.failing_sync.is_some());
        }
        let producer = async |number: u32| {
            let mut random = Random::new(u64::from(round * 100 + number));
            for _ in 0..2 {
                let count = 1 + random.below(6);
                let kinds: Vec<Kind> = (0..count).map(|_| case.kind(&mut random)).collect();
                let put = world.put(&ledger, case.origin, &kinds, number % 2).await;
                assert!(put || case.failing_sync.is_some());
            }
        };
        let (_, _, _, flushed) = tokio::join!(producer(0), producer(1), producer(2), world.flush());
        assert!(flushed);
    }
    assert!(world.flush().await);
    let status = world.status().unwrap();
    check(&ledger, &ground.buckets, &status, case.through());
    if case.backs_up {
        check_backup(&ledger, &ground.buckets);
    }
    world.close().await;
    let puts = ground.buckets.made();
    Run {
        from,
        ledger,
        ground,
        puts,
    }
}

/// Records a run in which the first put fails, so that its object may be there, and its bucket
/// takes nothing after that: an operator decides what becomes of the cut. What is skipped becomes
/// an object for each record.
async fn record_order(mut ground: Ground, case: Case, order: Order) -> Run {
    let ledger = Ledger::default();
    ground.skipped_object_bytes_max = 1;
    ground.disk.record();
    ground.buckets.note_changes_of(&ground.disk);
    ground
        .buckets
        .rule(move |call, bucket| match (call, bucket) {
            (_, "second") if case.is_refused_again => Does::Refuse,
            (_, "second" | "third") => Does::Well,
            (1, _) => Does::FailBefore,
            _ => Does::Refuse,
        });
    let world = World::open(ground.clone()).await;
    world.create(case.origin, &destination("first", "a/")).await;
    assert!(world.put(&ledger, case.origin, &[Kind::Line; 3], 0).await);
    world.until_trouble("no access to bucket first").await;
    let second = json!({"BucketARN": "arn:aws:s3:::second", "Prefix": "b/"});
    world.update(1, &second).await.unwrap();
    assert!(world.put(&ledger, case.origin, &[Kind::Line; 2], 0).await);
    let answers = world.delivery.order(&caller(), NAME, order, None).await;
    let answers = answers.unwrap();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let LaneAnswer {
        outcome,
        records,
        objects_that_may_exist,
        ..
    } = answers[0];
    assert_eq!(
        (outcome, records, objects_that_may_exist),
        (Outcome::Done, 3, 1)
    );
    if case.is_refused_again {
        world.until_trouble("no access to bucket second").await;
        let third = json!({"BucketARN": "arn:aws:s3:::third", "ErrorOutputPrefix": "c/"});
        world.update(2, &third).await.unwrap();
    }
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(&ledger, &ground.buckets, &status, case.through());
    let skipped = if order == Order::Skip { 3 } else { 0 };
    assert_eq!((status.failed, status.delivered), (skipped, 5 - skipped));
    assert_eq!(status.failed_objects, skipped);
    world.close().await;
    let puts = ground.buckets.made();
    Run {
        from: 0,
        ledger,
        ground,
        puts,
    }
}

/// Lets a sync fail if one should; how many rounds the run has.
fn plan_failure(ground: &Ground, case: Case) -> u32 {
    let Some((nth, after)) = case.failing_sync else {
        return if case.is_heavy { ROUNDS_HEAVY } else { ROUNDS };
    };
    ground.disk.set_after_failed_sync(after);
    ground.disk.plan(Fault {
        call: Some(Call::Sync),
        under: PathBuf::from("wal"),
        nth,
        times: 1,
        failure: Failure::Io,
    });
    ROUNDS_WITH_A_FAILURE
}

/// Crashes after every change of the disk and after every object; says how often.
async fn crash_everywhere(components: &Components, case: Case) -> String {
    crash_between(components, components, case).await
}

/// The same, and what comes after the crash has other limits.
pub async fn crash_between(components: &Components, then: &Components, case: Case) -> String {
    let ground = Ground {
        packs: true,
        gzips: case.decompresses,
        wraps: (case.partitions || case.converts.is_some()) && case.plugin.is_none(),
        glue: case.converts.map(|_| rows::tables()),
        sends_logs: case.extracts,
        ..components.ground(1)
    };
    let run = match case.order {
        Some(order) => record_order(ground, case, order).await,
        None => record(ground, case).await,
    };
    let mut random = Random::new(2);
    let mut replay = run.ground.disk.trace().unwrap().replay();
    let mut puts = run.puts.iter().peekable();
    let mut objects = BTreeMap::new();
    let (mut changes, mut crashes) = (0, 0);
    let mut survivors = JoinSet::new();
    loop {
        let mut is_first = true;
        // Before the first of the objects that were made now, and after each of them.
        while is_first || puts.peek().is_some_and(|put| put.at == changes) {
            if !is_first && let Some(put) = puts.next() {
                objects.insert(put.name.clone(), put.content.clone());
            }
            is_first = false;
            if changes < run.from {
                continue;
            }
            for (disk, how) in images(&replay, &mut random) {
                let ground = Ground {
                    disk,
                    buckets: Buckets::holding(objects.clone()),
                    plugins: Arc::clone(&then.plugins),
                    // What was skipped before goes on as it was begun.
                    skipped_object_bytes_max: 1 << 20,
                    ..run.ground.clone()
                };
                let ledger = run.ledger.by(changes);
                let place = (changes, objects.len(), how);
                survivors.spawn(finish(ground, ledger, case, place));
                crashes += 1;
                if SURVIVORS_MAX <= survivors.len() {
                    survivors.join_next().await.unwrap().unwrap();
                }
            }
        }
        if !replay.advance() {
            break;
        }
        changes = replay.done();
    }
    while let Some(survived) = survivors.join_next().await {
        survived.unwrap();
    }
    assert_eq!(puts.next().map(|put| put.at), None, "all objects were seen");
    let made = objects.len();
    let Case { origin, plugin, .. } = case;
    format!("{origin:?} through {plugin:?}: {changes} changes, {made} objects, {crashes} crashes")
}

/// What crashes at this moment leave.
fn images(replay: &Replay, random: &mut Random) -> [(SimulatedDisk, &'static str); 3] {
    let sure = match replay.done() % 3 {
        0 => (replay.after_power_cut(random, Survival::Nothing), "nothing"),
        1 => (replay.after_kill(random), "killed"),
        _ => (
            replay.after_power_cut(random, Survival::Everything),
            "everything",
        ),
    };
    let mut chance = || replay.after_power_cut(random, Survival::Random);
    [
        sure,
        (chance(), "by chance"),
        (chance(), "by another chance"),
    ]
}

/// Says which crash was being looked at when something fails.
struct Looking(usize, usize, &'static str);

impl Drop for Looking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(changes, objects, how) = self;
            eprintln!("after change {changes} and {objects} objects, {how}");
        }
    }
}

/// Opens what a crash left, lets it finish, and checks it.
async fn finish(ground: Ground, ledger: Ledger, case: Case, place: (usize, usize, &'static str)) {
    let _looking = Looking(place.0, place.1, place.2);
    let buckets = ground.buckets.clone();
    let world = World::open(ground).await;
    if world.status().is_none() {
        let entries = ledger.entries();
        let lost = entries.values().find(|entry| entry.acknowledged.is_some());
        assert!(lost.is_none(), "the delivery stream is lost with {lost:?}");
        world.close().await;
        return;
    }
    world.until_status("ACTIVE").await;
    // It goes on as if nothing had been.
    assert!(world.put(&ledger, case.origin, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    let status = world.status().unwrap();
    check(&ledger, &buckets, &status, case.through());
    if case.backs_up {
        check_backup(&ledger, &buckets);
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_that_was_put_directly() {
    let case = Case::of(Origin::Direct, None);
    println!("{}", crash_everywhere(&Components::none(), case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_of_a_stream() {
    let case = Case::of(Origin::Stream, None);
    println!("{}", crash_everywhere(&Components::none(), case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_sends_each_record_in_one_request_or_puts_it_into_the_error_output() {
    for plugin in [None, Some("parse-access-log")] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            to: Some(To::Endpoint),
            ..Case::of(Origin::Direct, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

/// It is there at least once: what is sent once more is the same request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_sends_splunk_each_record_in_one_request_that_may_come_again() {
    for plugin in [None, Some("parse-access-log")] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            to: Some(To::Splunk),
            ..Case::of(Origin::Direct, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

/// What is no line is no document either, and of those that are some are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_makes_each_record_one_document_or_puts_it_into_the_error_output() {
    let components = Components::of(&["parse-access-log"]);
    let case = Case {
        to: Some(To::Cluster),
        ..Case::of(Origin::Direct, Some("parse-access-log"))
    };
    println!("{}", crash_everywhere(&components, case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_an_object_and_that_of_its_failed_records_repeats_neither() {
    let components = Components::of(&["parse-access-log"]);
    let case = Case::of(Origin::Direct, Some("parse-access-log"));
    println!("{}", crash_everywhere(&components, case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_that_is_decompressed() {
    for plugin in [None, Some("parse-access-log")] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            decompresses: true,
            ..Case::of(Origin::Direct, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_of_a_partition() {
    for (origin, plugin) in [
        (Origin::Direct, None),
        (Origin::Stream, Some("parse-access-log")),
    ] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            partitions: true,
            ..Case::of(origin, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

/// Between a crash and the process after it the table may be another one: what was begun goes by
/// the one that it was begun by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_that_becomes_a_row() {
    let parser = Some("parse-access-log");
    for (origin, plugin, partitions, files) in [
        (Origin::Direct, None, true, Files::Parquet),
        (Origin::Stream, parser, false, Files::Parquet),
        (Origin::Stream, None, false, Files::Parquet),
        (Origin::Direct, None, true, Files::Orc),
        (Origin::Stream, parser, false, Files::Orc),
    ] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            partitions,
            converts: Some(files),
            ..Case::of(origin, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_log_event() {
    for plugin in [None, Some("parse-access-log")] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            decompresses: true,
            extracts: true,
            ..Case::of(Origin::Direct, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_backs_up_each_record_once_as_it_came_in() {
    for (origin, plugin) in [
        (Origin::Direct, None),
        (Origin::Stream, Some("parse-access-log")),
    ] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            backs_up: true,
            ..Case::of(origin, plugin)
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

/// The backup has it compressed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_backs_up_each_record_that_is_decompressed_once_as_it_came_in() {
    for extracts in [false, true] {
        let components = Components::of(&["parse-access-log"]);
        let case = Case {
            decompresses: true,
            extracts,
            backs_up: true,
            ..Case::of(Origin::Direct, Some("parse-access-log"))
        };
        println!("{}", crash_everywhere(&components, case).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_counts_a_dropped_record_once() {
    let components = Components::of(&["drop-bots"]);
    let case = Case::of(Origin::Stream, Some("drop-bots"));
    println!("{}", crash_everywhere(&components, case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_an_operator_decides_neither_loses_nor_repeats_a_record() {
    for order in [Order::Move, Order::Skip] {
        for origin in [Origin::Direct, Origin::Stream] {
            let case = Case {
                order: Some(order),
                ..Case::of(origin, None)
            };
            let crashed = crash_everywhere(&Components::none(), case).await;
            println!("{order:?}: {crashed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_what_is_skipped_goes_to_another_error_output_repeats_no_record() {
    let case = Case {
        order: Some(Order::Skip),
        is_refused_again: true,
        ..Case::of(Origin::Direct, None)
    };
    println!("{}", crash_everywhere(&Components::none(), case).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_a_commit_of_unknown_outcome_neither_loses_nor_repeats_a_record() {
    let components = Components::none();
    let afters = [AfterFailedSync::CleanButLost, AfterFailedSync::Reverted];
    for (nth, after) in (2..40).step_by(3).zip(afters.into_iter().cycle()) {
        let case = Case {
            failing_sync: Some((nth, after)),
            ..Case::of(Origin::Direct, None)
        };
        let crashed = crash_everywhere(&components, case).await;
        println!("sync {nth} fails: {crashed}");
    }
}
