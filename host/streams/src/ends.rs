//! Where the shards of deleted streams, and closed shards that have expired, ended: for whoever
//! reads them and had not come to the end.
//!
//! A row is written together with the deletion of its shard's log. Nothing here knows who
//! still needs it: the readers (see `delivery`) remove the rows that none of them waits for. What
//! is left are the shards that were deleted a moment ago, and those that a reader still has to
//! count.

use bytes::Bytes;
use store::{Engine, Expect, LogEnd, Position, StoreError, TableWrite, key_after};
use types::ShardId;

use crate::codec::damaged;
use crate::shard::ShardFacts;
use crate::stream::{Stream, StreamId};
use crate::tables::{self, ENDS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 1_000;

/// A shard of a stream that may be gone.
pub type EndedShard = (StreamId, ShardId);

/// The shard that a pump reads by its name: whoever has pumps on shards calls them
/// `…/stream number/shard number`.
pub fn read_by(pump: &str) -> Option<EndedShard> {
    let (rest, shard) = pump.rsplit_once('/')?;
    let (_, stream) = rest.rsplit_once('/')?;
    Some((StreamId(stream.parse().ok()?), ShardId(shard.parse().ok()?)))
}

/// How many records a shard that is gone ever took; `None` if it is there, or if the row was
/// removed.
///
/// # Errors
/// When its row cannot be read.
pub async fn end_of(
    engine: &dyn Engine,
    (stream, shard): EndedShard,
) -> Result<Option<Position>, StoreError> {
    let row = engine.get(ENDS, &tables::end_key(stream, shard)).await?;
    row.map(|row| parse(&row.value)).transpose()
}

fn parse(row: &[u8]) -> Result<Position, StoreError> {
    LogEnd::parse(row).ok_or_else(|| damaged("where a log ended"))
}

/// How many records the shards of a deleted stream ever took, in their order. One whose row was
/// removed is not among them; of a stream that is not deleted none is.
///
/// # Errors
/// When a row cannot be read.
pub async fn of_stream(
    engine: &dyn Engine,
    stream: StreamId,
) -> Result<Vec<(ShardId, Position)>, StoreError> {
    let mut all = Vec::new();
    let mut from = tables::end_key(stream, ShardId(0));
    loop {
        let rows = engine.scan(ENDS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, row) in rows {
            let ended = tables::parse_end_key(&key);
            let (of, shard) = ended.ok_or_else(|| damaged("the key of an end"))?;
            if of != stream {
                return Ok(all);
            }
            all.push((shard, parse(&row.value)?));
        }
    }
}

/// All shards of deleted streams whose ends are kept.
///
/// # Errors
/// When they cannot be read.
pub async fn kept(engine: &dyn Engine) -> Result<Vec<EndedShard>, StoreError> {
    let mut all = Vec::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(ENDS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, _) in &rows {
            all.push(tables::parse_end_key(key).ok_or_else(|| damaged("the key of an end"))?);
        }
    }
}

/// The removal of what is kept of a shard's end.
pub fn removal((stream, shard): EndedShard) -> TableWrite {
    TableWrite {
        table: ENDS,
        key: tables::end_key(stream, shard),
        value: None,
        expect: Expect::Any,
    }
}

/// The ends of all logs of a stream, when it is deleted.
pub(crate) fn of(stream: &Stream) -> Vec<LogEnd> {
    let shards = stream.shards.all().iter().map(|shard| shard.facts());
    shards.map(|shard| end(stream.id, shard)).collect()
}

/// The ends of some logs of a stream, when their shards are forgotten.
pub(crate) fn of_shards(stream: StreamId, shards: &[ShardFacts]) -> Vec<LogEnd> {
    shards.iter().map(|shard| end(stream, shard)).collect()
}

fn end(stream: StreamId, shard: &ShardFacts) -> LogEnd {
    LogEnd {
        log: shard.log,
        table: ENDS,
        key: tables::end_key(stream, shard.id),
    }
}
