//! Reading shards on and on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{
    GetRecords, GetShardIterator, Record, Records, ShardIterator,
};

/// Between two reads of one shard: AWS allows five in a second, for all its readers.
const READ_PAUSE: Duration = Duration::from_millis(250);

/// Records of a shard, or why there are no more.
pub(crate) type Come = Result<(String, Vec<Record>), CallError>;

/// How far a shard is read.
struct Cursor {
    shard: String,
    /// Where to read on; `None` before the first read and after an iterator has expired.
    iterator: Option<String>,
    /// The last record that was read.
    read_to: Option<String>,
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
        None => first_iterator(client, stream, cursor, kind).await?,
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

async fn first_iterator(
    client: &mut Client,
    stream: &str,
    cursor: &Cursor,
    kind: &str,
) -> Result<String, CallError> {
    let after = cursor.read_to.as_deref();
    let input = GetShardIterator {
        stream_name: stream,
        shard_id: &cursor.shard,
        shard_iterator_type: after.map_or(kind, |_| "AFTER_SEQUENCE_NUMBER"),
        starting_sequence_number: after,
    };
    let answer: ShardIterator = client.call("GetShardIterator", &input).await?;
    Ok(answer.shard_iterator)
}
