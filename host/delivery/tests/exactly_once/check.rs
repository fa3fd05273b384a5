//! Holds what lies in the buckets, and what the service says, against what producers were told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use delivery::DeliveryStatus;

use crate::buckets::{Buckets, Name};
use crate::endpoint::{ENDPOINT, records_of};
use crate::ledger::{Entry, Id, Kind, Ledger, id_in};
use crate::rows;
use crate::world::NAME;

/// Which plugins records went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// None: everything is delivered.
    Nothing,
    /// `parse-access-log`: what is no line fails.
    Parser,
    /// `drop-bots`: lines of bots are dropped.
    Filter,
    /// One whose limits decide whether heavy records come out.
    Limited,
    /// Now one, now the other.
    Any,
    /// None, and some are failed by an operator, or refused by an endpoint.
    Skipped,
    /// `parse-access-log`, and an endpoint refuses some.
    Refused,
}

/// The bucket of records as they came in, if they go into one.
pub const BACKUP: &str = "backup";
/// What every member of gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What stands in the names of objects of records that a destination refused.
const REFUSED: [&str; 4] = [
    "format-conversion-failed/",
    "http-endpoint-failed/",
    "splunk-failed/",
    "AmazonOpenSearchService-failed/",
];

fn is_refused(key: &str) -> bool {
    REFUSED.iter().any(|refused| key.contains(refused))
}

/// Records of a lane that are in order: those that an endpoint refused go a way of their own, and
/// so do those of each partition.
type Way = (u32, bool, Option<String>);

/// What a folder of a partition begins with.
const PARTITION: &str = "k=";

/// Where records were found.
#[derive(Default)]
pub struct Found {
    pub delivered: Vec<Id>,
    pub failed: Vec<Id>,
    objects: u64,
    failed_objects: u64,
    /// Whether each delivered record is something for itself, whatever it came with.
    is_apart: bool,
}

/// Everything that a delivery stream promises, once it has nothing left to do.
pub fn check(ledger: &Ledger, buckets: &Buckets, status: &DeliveryStatus, through: Through) {
    assert_eq!(
        buckets.clashes(),
        [],
        "an object was made twice, differently"
    );
    let entries = ledger.entries();
    let found = found(&entries, buckets);
    check_fates(&entries, &found, through);
    check_counts(&entries, &found, status);
    assert_eq!(status.trouble, None);
    assert_eq!((status.waiting_records, status.waiting_since_ms), (0, None));
}

/// All records in the buckets. Those of a lane that go one way are in order.
pub fn found(entries: &BTreeMap<Id, Entry>, buckets: &Buckets) -> Found {
    let mut found = Found::default();
    let mut delivered: HashMap<Way, Vec<Id>> = HashMap::new();
    let mut failed: HashMap<Way, Vec<Id>> = HashMap::new();
    let mut objects: Vec<_> = buckets.objects().into_iter().collect();
    objects.retain(|((bucket, _), _)| bucket != BACKUP);
    objects.sort_by_key(|(name, _)| order(name));
    for ((bucket, key), content) in objects {
        let is_failed = key.contains("processing-failed/") || is_refused(&key);
        let ids: Vec<Id> = if bucket == ENDPOINT {
            let records = records_of(&content);
            records.iter().map(|record| id_in(record)).collect()
        } else {
            let of_line = |line: &str| {
                if is_failed {
                    id_in(&raw_data(line))
                } else {
                    id_in(line)
                }
            };
            if rows::is_file(&key) {
                let texts = rows::texts(&content);
                texts.iter().map(|text| id_in(text)).collect()
            } else {
                unpacked(&key, &content).lines().map(of_line).collect()
            }
        };
        let lane = entries[ids.first().expect("no object is empty")].lane;
        let strange = ids.iter().find(|id| entries[*id].lane != lane);
        assert_eq!(strange, None, "{bucket}/{key} holds records of two lanes");
        let partition = key.split('/').find(|folder| folder.starts_with(PARTITION));
        let partition = partition.map(|folder| check_partition(folder, &ids));
        let way = (lane, is_refused(&key), partition);
        if is_failed {
            found.failed_objects += 1;
            failed.entry(way).or_default().extend(ids);
        } else {
            found.objects += 1;
            found.is_apart |= bucket == ENDPOINT && key.contains('.');
            delivered.entry(way).or_default().extend(ids);
        }
    }
    for (lanes, all) in [
        (delivered, &mut found.delivered),
        (failed, &mut found.failed),
    ] {
        for ids in lanes.values() {
            check_order(entries, ids);
            all.extend(ids);
        }
    }
    found
}

/// Records lie in the partition of the last digit of their number.
fn check_partition(folder: &str, ids: &[Id]) -> String {
    for id in ids {
        assert_eq!(folder, format!("{PARTITION}{}", id % 10));
    }
    folder.to_owned()
}

/// The bucket `BACKUP` has every record once, in the order of its shard and as it came in: gzip
/// where it was that, and one after the other with nothing between.
pub fn check_backup(ledger: &Ledger, buckets: &Buckets) {
    let entries = ledger.entries();
    let mut objects: Vec<_> = buckets.objects().into_iter().collect();
    objects.retain(|((bucket, _), _)| bucket == BACKUP);
    objects.sort_by_key(|(name, _)| order(name));
    let mut lanes: HashMap<u32, Vec<Id>> = HashMap::new();
    for (_, content) in &objects {
        for id in ids_of_backup(content) {
            lanes.entry(entries[&id].lane).or_default().push(id);
        }
    }
    let mut seen = HashSet::new();
    for ids in lanes.values() {
        check_order(&entries, ids);
        for id in ids {
            assert!(seen.insert(*id), "record {id} is backed up twice");
        }
    }
    for (id, entry) in &entries {
        let is_sure = entry.acknowledged.is_some();
        assert!(!is_sure || seen.contains(id), "record {id}, {entry:?}");
    }
}

/// The records of an object of a backup. What is no gzip is text up to the next that is.
fn ids_of_backup(mut content: &[u8]) -> Vec<Id> {
    let mut ids = Vec::new();
    while !content.is_empty() {
        let mut text = String::new();
        if content.starts_with(&GZIP) {
            let mut packed = flate2::bufread::GzDecoder::new(content);
            packed.read_to_string(&mut text).unwrap();
            content = packed.into_inner();
        } else {
            let end = content.windows(GZIP.len()).position(|it| it == GZIP);
            let (plain, rest) = content.split_at(end.unwrap_or(content.len()));
            text.push_str(std::str::from_utf8(plain).unwrap());
            content = rest;
        }
        let found = text.match_indices("id=");
        ids.extend(found.map(|(at, _)| id_in(&text[at..])));
    }
    ids
}

fn unpacked(key: &str, content: &[u8]) -> String {
    let mut text = String::new();
    let read = if key.ends_with(".gz") {
        flate2::read::GzDecoder::new(content).read_to_string(&mut text)
    } else {
        (&content[..]).read_to_string(&mut text)
    };
    read.unwrap();
    text
}

/// Objects in the order of their records: by version, then by name. What stands before names is
/// the same for all objects of a version.
fn order((bucket, key): &Name) -> (u64, String) {
    if bucket == ENDPOINT {
        // An id begins with the cut's number and the request's.
        return (0, key.clone());
    }
    let (_, file) = key.rsplit_once('/').unwrap_or(("", key));
    let rest = file
        .strip_prefix(NAME)
        .and_then(|rest| rest.strip_prefix('-'));
    let (version, rest) = rest.and_then(|rest| rest.split_once('-')).unwrap();
    (version.parse().unwrap(), rest.to_owned())
}

pub fn raw_data(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let raw = line["rawData"].as_str().unwrap();
    let data = base64_simd::STANDARD.decode_to_vec(raw).unwrap();
    String::from_utf8(data).unwrap()
}

/// Records stand as they lie in their shard. Where sequence numbers do not say how that is, what
/// was acknowledged before another was sent lies before it.
fn check_order(entries: &BTreeMap<Id, Entry>, ids: &[Id]) {
    let mut last_sequence = "";
    let mut begun_max = (0, 0);
    for id in ids {
        let entry = &entries[id];
        if let Some(sequence) = &entry.sequence {
            assert!(last_sequence < sequence.as_str(), "{id} is out of order");
            last_sequence = sequence;
        }
        if let Some((acknowledged, _)) = entry.acknowledged {
            let (begun, other) = begun_max;
            assert!(
                begun < acknowledged,
                "{other} stands before {id} and was sent after it was acknowledged"
            );
        }
        begun_max = begun_max.max((entry.begun, *id));
    }
}

/// Each record was seen once at most, and each that was acknowledged became what it should.
fn check_fates(entries: &BTreeMap<Id, Entry>, found: &Found, through: Through) {
    let mut seen: HashMap<Id, &str> = HashMap::new();
    for (ids, fate) in [(&found.delivered, "delivered"), (&found.failed, "failed")] {
        for id in ids {
            let before = seen.insert(*id, fate);
            assert_eq!(before, None, "record {id} is there twice");
        }
    }
    for (id, entry) in entries {
        let fate = seen.get(id).copied();
        let allowed: &[Option<&str>] = match (entry.kind, through) {
            (Kind::Bad, Through::Parser | Through::Refused) => &[Some("failed")],
            (_, Through::Refused) => &[Some("delivered"), Some("failed")],
            (Kind::Bot, Through::Filter) => &[None],
            (Kind::Heavy, Through::Limited) => &[Some("failed"), Some("delivered")],
            (Kind::Bad, Through::Any) => &[Some("failed"), Some("delivered")],
            (Kind::Bot, Through::Any) => &[None, Some("delivered")],
            (_, Through::Skipped) => &[Some("delivered"), Some("failed")],
            _ => &[Some("delivered")],
        };
        let is_sure = entry.acknowledged.is_some();
        assert!(
            allowed.contains(&fate) || (!is_sure && fate.is_none()),
            "record {id}, {entry:?}, is {fate:?}"
        );
    }
}

/// What came in is somewhere.
pub fn assert_everything_is_counted(status: &DeliveryStatus) {
    let DeliveryStatus {
        delivered,
        dropped,
        failed,
        lost,
        waiting_records,
        ..
    } = status;
    let counted = delivered + dropped + failed + lost + waiting_records;
    assert_eq!(status.records_in, counted, "{status:?}");
}

/// The service's numbers are those that can be counted.
fn check_counts(entries: &BTreeMap<Id, Entry>, found: &Found, status: &DeliveryStatus) {
    assert_everything_is_counted(status);
    assert_eq!(status.lost, 0, "{status:?}");
    let counted = (status.delivered, status.failed);
    let seen = (found.delivered.len() as u64, found.failed.len() as u64);
    assert_eq!(counted, seen, "{status:?}");
    assert_eq!(status.failed_objects, found.failed_objects, "{status:?}");
    assert!(
        status.objects == found.objects || found.is_apart && status.objects < found.objects,
        "{status:?}"
    );
    let absent = |is_sure: bool| {
        let absent = entries.iter().filter(|(id, entry)| {
            let may_be = entry.kind == Kind::Bot && (!is_sure || entry.acknowledged.is_some());
            may_be && !found.delivered.contains(id) && !found.failed.contains(id)
        });
        absent.count() as u64
    };
    assert!(
        (absent(true)..=absent(false)).contains(&status.dropped),
        "{status:?}"
    );
}
