//! Reading shards on and on, and those that they are split and merged into.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use types::{Clock, SystemClock, Timestamp};

use wire::members::Time;

use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{
    ChildShard, GetRecords, GetShardIterator, Record, Records, Shard, ShardIterator,
};

/// Between two reads of one shard: AWS allows five in a second, for all its readers.
const READ_PAUSE: Duration = Duration::from_millis(250);

/// Where a tail begins that is to print only what comes from now on.
pub(crate) const LATEST: &str = "LATEST";
/// Where a tail begins that is to print all that is kept, and every shard that came from another.
pub(crate) const TRIM_HORIZON: &str = "TRIM_HORIZON";

/// What all that follow a stream know of its shards.
#[derive(Clone, Default)]
pub(crate) struct Followed(Arc<Mutex<Shards>>);

#[derive(Default)]
struct Shards {
    /// All that were begun with.
    begun: HashSet<String>,
    /// Those that were not read to their ends.
    unfinished: HashSet<String>,
}

impl Followed {
    /// The shards to begin with. From the oldest record on those are left out that came from
    /// others: what these hold comes first. From the newest on those are left out that are closed.
    pub(crate) fn begin(&self, kind: &str, all: Vec<Shard>) -> Vec<String> {
        let names: HashSet<_> = all.iter().map(|shard| shard.shard_id.clone()).collect();
        let is_first = |shard: &Shard| {
            let mut parents = shard
                .parent_shard_id
                .iter()
                .chain(&shard.adjacent_parent_shard_id);
            !parents.any(|parent| names.contains(parent))
        };
        let is_open = |shard: &Shard| {
            let numbers = &shard.sequence_number_range;
            numbers.ending_sequence_number.is_none()
        };
        let is_begun = |shard: &Shard| match kind {
            LATEST => is_open(shard),
            _ => is_first(shard),
        };
        let begun = all.into_iter().filter(is_begun);
        let begun: Vec<_> = begun.map(|shard| shard.shard_id).collect();
        let mut shards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shards.begun.extend(begun.iter().cloned());
        shards.unfinished.extend(begun.iter().cloned());
        begun
    }

    /// A shard was read to its end. The children whose turn it is now: all their parents that are
    /// followed were read to their ends.
    fn ended(&self, shard: &str, children: Vec<ChildShard>) -> Vec<String> {
        let mut shards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shards.unfinished.remove(shard);
        let mut next = Vec::new();
        for child in children {
            let mut parents = child.parent_shards.iter();
            let waits = parents.any(|parent| shards.unfinished.contains(parent));
            if !waits && shards.begun.insert(child.shard_id.clone()) {
                shards.unfinished.insert(child.shard_id.clone());
                next.push(child.shard_id);
            }
        }
        next
    }
}

/// Records of a shard, or why there are no more.
pub(crate) type Come = Result<(String, Vec<Record>), CallError>;

/// How far a shard is read.
struct Cursor {
    shard: String,
    /// Where to begin in it.
    kind: &'static str,
    /// Where to read on; `None` before the first read and after an iterator has expired.
    iterator: Option<String>,
    /// The last record that was read.
    read_to: Option<String>,
    /// When the first iterator was asked for.
    begun_at: Option<Timestamp>,
    due: Instant,
}

/// Reads `shards` in turn, from where `kind` says, and then the shards that they became, until
/// nobody takes the records.
pub(crate) async fn follow(
    mut client: Client,
    (stream, followed): (String, Followed),
    shards: Vec<String>,
    kind: &'static str,
    come: mpsc::Sender<Come>,
) {
    let begin = |shard, kind| Cursor {
        shard,
        kind,
        iterator: None,
        read_to: None,
        begun_at: None,
        due: Instant::now(),
    };
    let mut cursors: VecDeque<Cursor> =
        shards.into_iter().map(|shard| begin(shard, kind)).collect();
    // The one that is due first stands first: all wait for the same time.
    while let Some(mut cursor) = cursors.pop_front() {
        sleep_until(cursor.due).await;
        cursor.due = Instant::now() + READ_PAUSE;
        let sent = match read(&mut client, &stream, &mut cursor).await {
            Ok((records, children)) => {
                let shard = cursor.shard.clone();
                match children {
                    None => cursors.push_back(cursor),
                    Some(children) => {
                        let next = followed.ended(&shard, children).into_iter();
                        cursors.extend(next.map(|child| begin(child, TRIM_HORIZON)));
                    }
                }
                if records.is_empty() {
                    continue;
                }
                come.send(Ok((shard, records))).await
            }
            Err(error) if error.passes() => {
                cursors.push_back(cursor);
                continue;
            }
            Err(error) => come.send(Err(error)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// What came next in a shard, and if that was its end, its children.
async fn read(
    client: &mut Client,
    stream: &str,
    cursor: &mut Cursor,
) -> Result<(Vec<Record>, Option<Vec<ChildShard>>), CallError> {
    let iterator = match cursor.iterator.clone() {
        Some(iterator) => iterator,
        None => new_iterator(client, stream, cursor).await?,
    };
    cursor.iterator = Some(iterator.clone());
    let input = GetRecords {
        shard_iterator: &iterator,
    };
    let answer: Records = match client.call("GetRecords", &input).await {
        Err(CallError::Refused { code, .. }) if code == "ExpiredIteratorException" => {
            cursor.iterator = None;
            return Ok((Vec::new(), None));
        }
        answer => answer?,
    };
    if let Some(last) = answer.records.last() {
        cursor.read_to = Some(last.sequence_number.clone());
    }
    let ended = answer.next_shard_iterator.is_none();
    cursor.iterator = answer.next_shard_iterator;
    Ok((answer.records, ended.then_some(answer.child_shards)))
}

/// The first iterator, or one that goes on where an expired one stood: after the last record. If
/// there was none, LATEST would now skip what came meanwhile, so the time of the first LATEST
/// stands for it, by the clock of this machine.
async fn new_iterator(
    client: &mut Client,
    stream: &str,
    cursor: &mut Cursor,
) -> Result<String, CallError> {
    let now = SystemClock.now();
    let after = cursor.read_to.as_deref();
    let (kind, at) = match (after, cursor.begun_at) {
        (Some(_), _) => ("AFTER_SEQUENCE_NUMBER", None),
        (None, Some(begun_at)) if cursor.kind == LATEST => ("AT_TIMESTAMP", Some(begun_at)),
        (None, _) => (cursor.kind, None),
    };
    let input = GetShardIterator {
        stream_name: stream,
        shard_id: &cursor.shard,
        shard_iterator_type: kind,
        starting_sequence_number: after,
        timestamp: at.map(Time),
    };
    let answer: ShardIterator = client.call("GetShardIterator", &input).await?;
    cursor.begun_at.get_or_insert(now);
    Ok(answer.shard_iterator)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use server::Config;
    use store::Engine;
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use types::ManualClock;

    use super::*;
    use crate::client::Target;

    const OVER_FIVE_MINUTES: Duration = Duration::from_secs(301);

    async fn data(client: &mut Client, cursor: &mut Cursor) -> Vec<String> {
        let (records, _) = read(client, "clicks", cursor).await.unwrap();
        records.into_iter().map(|record| record.data).collect()
    }

    /// A tail from LATEST whose iterator expired began at LATEST again, and never printed what had
    /// come since it began.
    #[tokio::test]
    async fn a_tail_that_was_held_up_for_long_goes_on_where_it_stood() {
        let open = || Embedded::open(Arc::new(SimulatedDisk::new(1)), Options::default());
        let engine: Arc<dyn Engine> = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let mut config = Config::default();
        config.listen.set_port(0);
        config.throttle = false;
        let server = server::start(config, engine, clock.clone()).await.unwrap();
        let target = Arc::new(Target::local(server.address()).unwrap());
        crate::commands::stream::create(&target, "clicks", 1)
            .await
            .unwrap();
        let mut client = Client::new(&target);
        let mut cursor = Cursor {
            shard: "shardId-000000000000".to_owned(),
            kind: LATEST,
            iterator: None,
            read_to: None,
            begun_at: None,
            due: Instant::now(),
        };
        assert!(data(&mut client, &mut cursor).await.is_empty());
        // Nothing was read before the first expiry; before the second, a record was.
        for expected in ["b25l", "dHdv"] {
            clock.advance(Duration::from_secs(1));
            let record = json!({"StreamName": "clicks", "PartitionKey": "k", "Data": expected});
            let _: Value = client.call("PutRecord", &record).await.unwrap();
            clock.advance(OVER_FIVE_MINUTES);
            let expired = data(&mut client, &mut cursor).await;
            assert!(expired.is_empty() && cursor.iterator.is_none());
            assert_eq!(data(&mut client, &mut cursor).await, [expected]);
        }
        server.shut_down().await.unwrap();
    }
    /// A tail of a stream whose only shard is split ended as if all had been said.
    #[tokio::test]
    async fn a_tail_goes_on_in_the_children_of_a_shard_that_was_split() {
        let open = || Embedded::open(Arc::new(SimulatedDisk::new(1)), Options::default());
        let engine: Arc<dyn Engine> = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let mut config = Config::default();
        config.listen.set_port(0);
        config.throttle = false;
        let server = server::start(config, engine, clock.clone()).await.unwrap();
        let target = Arc::new(Target::local(server.address()).unwrap());
        crate::commands::stream::create(&target, "clicks", 1)
            .await
            .unwrap();
        let mut client = Client::new(&target);
        let (sender, mut comes) = mpsc::channel(16);
        let shards = vec!["shardId-000000000000".to_owned()];
        let tail = Client::new(&target);
        let known = ("clicks".to_owned(), Followed::default());
        let tail = follow(tail, known, shards, TRIM_HORIZON, sender);
        let tail = tokio::spawn(tail);
        let mut seen = Vec::new();
        for expected in ["b25l", "dHdv"] {
            let record = json!({"StreamName": "clicks", "PartitionKey": "k", "Data": expected});
            let _: Value = client.call("PutRecord", &record).await.unwrap();
            let Some(come) = comes.recv().await else {
                panic!("the tail has ended after {seen:?}");
            };
            seen.extend(come.unwrap().1.into_iter().map(|record| record.data));
            assert_eq!(seen.last().map(String::as_str), Some(expected));
            let split = json!({
                "StreamName": "clicks", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING",
            });
            if expected == "b25l" {
                let _: Value = client.call("UpdateShardCount", &split).await.unwrap();
                let name = json!({"StreamName": "clicks"});
                loop {
                    let summary: Value = client.call("DescribeStreamSummary", &name).await.unwrap();
                    if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                        break;
                    }
                }
            }
        }
        tail.abort();
        server.shut_down().await.unwrap();
    }
}
