//! What the order of objects' names says of the order of their records. Names are compared as text
//! here, as a listing of a bucket gives them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::ledger::{Entry, Id, Kind, Ledger, id_in};
use crate::world::{Components, NAME, Origin, World, destination};

/// Versions of the configuration: past the one that has a digit more.
const VERSIONS: u64 = 12;
/// So that every version has a month of its own.
const MONTH: Duration = Duration::from_secs(31 * 24 * 3_600);
const PREFIXES: [&str; 4] = [
    "plain/",
    "!{timestamp:yyyy/MM/dd}/",
    "!{firehose:random-string}/",
    "!{timestamp:MMMM}/",
];

/// A key taken apart by the name alone: what stands before it, its version, and the key itself.
fn parts(key: &str) -> (&str, u64, &str) {
    let (prefix, name) = key.rsplit_once('/').unwrap();
    let version = name[NAME.len() + 1..].split('-').next().unwrap();
    (prefix, version.parse().unwrap(), key)
}

/// An object's key, and the records that are in it.
type Object = (String, Vec<Id>);

/// Keys with the records of their objects, whatever version made them.
async fn keys_and_records(origin: Origin, prefix: &str) -> (Vec<Object>, Ledger) {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    let mut patient = destination("first", prefix);
    patient["ErrorOutputPrefix"] = json!("bad/!{firehose:error-output-type}/");
    patient["BufferingHints"]["IntervalInSeconds"] = json!(900);
    world.create(origin, &patient).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    for version in 1..=VERSIONS {
        for round in 0..4_u32 {
            assert!(
                world
                    .put(&ledger, origin, &[Kind::Line; 3], round % 2)
                    .await
            );
            assert!(world.flush().await);
            world.ground.clock.advance(Duration::from_millis(400));
        }
        world.ground.clock.advance(MONTH);
        let change = json!({"FileExtension": format!(".{version}")});
        world.update(version, &change).await.unwrap();
    }
    let objects = buckets.objects().into_iter();
    let keys = objects.map(|((_, key), content)| {
        let text = String::from_utf8(content.to_vec()).unwrap();
        (key, text.lines().map(id_in).collect())
    });
    let keys = keys.collect();
    world.close().await;
    (keys, ledger)
}

/// The first records of each lane that are not behind those before them.
fn is_in_order<'a>(
    entries: &BTreeMap<Id, Entry>,
    objects: impl Iterator<Item = &'a Object>,
) -> bool {
    let mut last: BTreeMap<u32, Id> = BTreeMap::new();
    let mut ids = objects.flat_map(|(_, ids)| ids);
    // Records are put one after the other, so that their numbers are their order.
    ids.all(|id| {
        last.insert(entries[id].lane, *id)
            .is_none_or(|before| before < *id)
    })
}

#[tokio::test]
async fn names_with_one_prefix_and_one_version_sort_as_the_records_of_each_lane() {
    for origin in [Origin::Direct, Origin::Stream] {
        for prefix in PREFIXES {
            let (mut keys, ledger) = keys_and_records(origin, prefix).await;
            keys.sort_by(|a, b| a.0.cmp(&b.0));
            let entries = ledger.entries();
            let mut groups: BTreeMap<_, Vec<&Object>> = BTreeMap::new();
            for key in &keys {
                let (prefix, version, _) = parts(&key.0);
                groups.entry((prefix, version)).or_default().push(key);
            }
            for ((prefix, version), group) in &groups {
                let group = group.iter().copied();
                assert!(is_in_order(&entries, group), "{prefix}: {version}");
            }
            let versions: Vec<u64> = groups.keys().map(|(_, version)| *version).collect();
            assert!(
                versions.contains(&9) && versions.contains(&10),
                "{versions:?}"
            );
        }
    }
}

#[tokio::test]
async fn names_below_a_prefix_that_sorts_as_time_does_sort_as_records_do_whatever_the_version() {
    for (prefix, sorts_by_version, sorts_as_text) in [
        // Every version has another month.
        ("!{timestamp:yyyy/MM/dd}/", true, true),
        // The tenth version stands before the second.
        ("!{timestamp:'all'}/", true, false),
        ("!{timestamp:MMMM}/", false, false),
    ] {
        let (mut keys, ledger) = keys_and_records(Origin::Stream, prefix).await;
        let entries = ledger.entries();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            is_in_order(&entries, keys.iter()),
            sorts_as_text,
            "{prefix}"
        );
        keys.sort_by(|a, b| {
            let ((a, a_version, a_key), (b, b_version, b_key)) = (parts(&a.0), parts(&b.0));
            (a, a_version, a_key).cmp(&(b, b_version, b_key))
        });
        assert_eq!(
            is_in_order(&entries, keys.iter()),
            sorts_by_version,
            "{prefix}"
        );
    }
}
