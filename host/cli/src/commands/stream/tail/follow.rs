//! Reading shards on and on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use types::{Clock, SystemClock, Timestamp};

use wire::members::Time;

use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{
    GetRecords, GetShardIterator, Record, Records, ShardIterator,
};

/// Between two reads of one shard: AWS allows five in a second, for all its readers.
const READ_PAUSE: Duration = Duration::from_millis(250);

/// Where a tail begins that is to print only what comes from now on.
pub(crate) const LATEST: &str = "LATEST";

/// Records of a shard, or why there are no more.
pub(crate) type Come = Result<(String, Vec<Record>), CallError>;

/// How far a shard is read.
struct Cursor {
    shard: String,
    /// Where to read on; `None` before the first read and after an iterator has expired.
    iterator: Option<String>,
    /// The last record that was read.
    read_to: Option<String>,
    /// When the first iterator was asked for.
    begun_at: Option<Timestamp>,
    due: Instant,
}

/// Reads `shards` in turn, from where `kind` says, until each is at its end or nobody takes the
/// records.
pub(crate) async fn follow(
    mut client: Client,
    stream: String,
    shards: Vec<String>,
    kind: &'static str,
    come: mpsc::Sender<Come>,
) {
    let begin = |shard| Cursor {
        shard,
        iterator: None,
        read_to: None,
        begun_at: None,
        due: Instant::now(),
    };
    let mut cursors: VecDeque<Cursor> = shards.into_iter().map(begin).collect();
    // The one that is due first stands first: all wait for the same time.
    while let Some(mut cursor) = cursors.pop_front() {
        sleep_until(cursor.due).await;
        cursor.due = Instant::now() + READ_PAUSE;
        let sent = match read(&mut client, &stream, &mut cursor, kind).await {
            Ok((records, ended)) => {
                let shard = cursor.shard.clone();
                if !ended {
                    cursors.push_back(cursor);
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

/// What came next in a shard, and whether that was its end.
async fn read(
    client: &mut Client,
    stream: &str,
    cursor: &mut Cursor,
    kind: &str,
) -> Result<(Vec<Record>, bool), CallError> {
    let iterator = match cursor.iterator.clone() {
        Some(iterator) => iterator,
        None => new_iterator(client, stream, cursor, kind).await?,
    };
    cursor.iterator = Some(iterator.clone());
    let input = GetRecords {
        shard_iterator: &iterator,
    };
    let answer: Records = match client.call("GetRecords", &input).await {
        Err(CallError::Refused { code, .. }) if code == "ExpiredIteratorException" => {
            cursor.iterator = None;
            return Ok((Vec::new(), false));
        }
        answer => answer?,
    };
    if let Some(last) = answer.records.last() {
        cursor.read_to = Some(last.sequence_number.clone());
    }
    let ended = answer.next_shard_iterator.is_none();
    cursor.iterator = answer.next_shard_iterator;
    Ok((answer.records, ended))
}

/// The first iterator, or one that goes on where an expired one stood: after the last record. If
/// there was none, LATEST would now skip what came meanwhile, so the time of the first LATEST
/// stands for it, by the clock of this machine.
async fn new_iterator(
    client: &mut Client,
    stream: &str,
    cursor: &mut Cursor,
    kind: &str,
) -> Result<String, CallError> {
    let now = SystemClock.now();
    let after = cursor.read_to.as_deref();
    let (kind, at) = match (after, cursor.begun_at) {
        (Some(_), _) => ("AFTER_SEQUENCE_NUMBER", None),
        (None, Some(begun_at)) if kind == LATEST => ("AT_TIMESTAMP", Some(begun_at)),
        (None, _) => (kind, None),
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
        let (records, _) = read(client, "clicks", cursor, LATEST).await.unwrap();
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
}
