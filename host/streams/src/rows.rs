//! The catalog's rows: what a stream and its shards look like in the tables.

pub mod consumers;
pub mod encryption;
mod layout_1;
pub mod policies;
pub mod resharding;

use std::collections::HashMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{
    CommitError, Engine, Expect, LogId, StoreError, TableWrite, Transaction, Version, key_after,
};
use types::{HashKey, HashKeyRange, Second, ShardId, StreamArn, Timestamp};

use crate::codec::{self, damaged};
use crate::encryption::Encryption;
use crate::mode::{Distribution, Mode, ModeSwitches, OnDemand};
use crate::monitoring::ShardLevelMetrics;
use crate::shard::ShardFacts;
use crate::stream::{ShardMap, Status, Stream, StreamId};
use crate::tables::{self, LATEST_CREATION, NOTED_TIME, NUMBERS, SETTINGS, SHARDS, STREAMS};

/// Shards in one row: some 20 KiB, so that closing one shard does not write all of them again,
/// and 10,000 shards are 40 rows.
const SHARDS_PER_ROW: usize = 256;
/// Rows that are read at once while the catalog is loaded.
const ROWS_PER_SCAN: usize = 256;

/// The layout of the rows of streams. [`layout_1`] reads those that came before it.
const STREAM_LAYOUT: u8 = 2;

#[derive(Encode, Decode)]
struct StreamRow {
    id: u64,
    status: u8,
    mode: ModeRow,
    mode_switched_at_ms: Vec<u64>,
    created_at_ms: u64,
    retention_hours: u32,
    expired_before_ms: u64,
    record_bytes_max: u32,
    shard_level_metrics: u8,
    tags: Vec<(String, String)>,
}

#[derive(Encode, Decode)]
enum ModeRow {
    Provisioned,
    OnDemand {
        distribution: u8,
        warm_mibps: Option<u32>,
    },
}

#[derive(Encode, Decode)]
struct ShardRow {
    id: u32,
    first: u128,
    last: u128,
    log: u64,
    parent: Option<u32>,
    adjacent_parent: Option<u32>,
    created_s: u64,
    opened_at_ms: u64,
    closed_at_ms: Option<u64>,
}

/// The numbers that were not given yet. A number is given once, so that the log of a deleted
/// stream never comes back under another name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Numbers {
    /// For the next stream.
    pub stream: u64,
    /// For the next log.
    pub log: u64,
}

/// What the tables held when the server started.
pub struct Loaded {
    /// All streams, also those that are being created or deleted.
    pub streams: Vec<Stream>,
    /// The numbers to go on with.
    pub numbers: Numbers,
    /// The version of their row, if there is one.
    pub numbers_version: Option<Version>,
    /// The last second in which a stream was made, also one that is deleted since.
    pub latest_creation: Option<Second>,
}

/// Reads the whole catalog.
pub async fn load(engine: &dyn Engine) -> Result<Loaded, StoreError> {
    let mut shards = load_shards(engine).await?;
    let mut reshardings = resharding::load(engine).await?;
    let mut consumers = consumers::load(engine).await?;
    let mut encryptions = encryption::load(engine).await?;
    let mut policies = policies::load(engine).await?;
    let mut streams = Vec::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(STREAMS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        from = key_after(last);
        for (key, row) in &rows {
            let arn = tables::parse_stream_key(key).ok_or_else(|| damaged("a stream's key"))?;
            let stream = read_stream_row(&row.value)?;
            let shards = shards.remove(&stream.id);
            let shards = shards.ok_or_else(|| damaged("the shards of a stream"))?;
            let mut stream = read_stream(arn, stream, shards, row.version)?;
            if let Some((aim, scaled_at)) = reshardings.remove(&stream.id) {
                (stream.resharding, stream.scaled_at) = (aim, scaled_at);
            }
            if let Some(consumers) = consumers.remove(&stream.id) {
                stream.consumers = Arc::new(consumers);
            }
            // Of a stream that is not encrypted, and was not changed lately, nothing is kept.
            stream.encryption = encryptions.remove(&stream.id).unwrap_or_default();
            stream.policy = policies.remove(&stream.id);
            policies::tell_faults(&stream);
            streams.push(stream);
        }
    }
    let numbers = engine.get(SETTINGS, NUMBERS).await?;
    Ok(Loaded {
        latest_creation: load_latest_creation(engine).await?,
        streams,
        numbers_version: numbers.as_ref().map(|row| row.version),
        numbers: match numbers {
            Some(row) => codec::decode("settings", &row.value)?,
            None => Numbers::default(),
        },
    })
}

async fn load_shards(engine: &dyn Engine) -> Result<HashMap<u64, Vec<ShardFacts>>, StoreError> {
    let mut shards: HashMap<u64, Vec<ShardFacts>> = HashMap::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(SHARDS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(shards);
        };
        from = key_after(last);
        for (key, row) in &rows {
            let (stream, _) = key
                .split_first_chunk::<8>()
                .ok_or_else(|| damaged("a key of shards"))?;
            let of_stream = shards.entry(u64::from_be_bytes(*stream)).or_default();
            for shard in codec::decode::<Vec<ShardRow>>("shards", &row.value)? {
                of_stream.push(read_shard(shard)?);
            }
        }
    }
}

fn read_stream_row(row: &[u8]) -> Result<StreamRow, StoreError> {
    const TABLE: &str = "streams";
    match codec::layout_of(row) {
        Some(layout_1::LAYOUT) => {
            codec::decode_in::<layout_1::StreamRow>(layout_1::LAYOUT, TABLE, row)?.in_force()
        }
        _ => codec::decode_in(STREAM_LAYOUT, TABLE, row),
    }
}

fn read_stream(
    arn: StreamArn,
    row: StreamRow,
    shards: Vec<ShardFacts>,
    version: Version,
) -> Result<Stream, StoreError> {
    Ok(Stream {
        id: StreamId(row.id),
        arn,
        status: match row.status {
            0 => Status::Creating,
            1 => Status::Active,
            2 => Status::Deleting,
            3 => Status::Updating,
            _ => return Err(damaged("a stream's status")),
        },
        mode: read_mode(row.mode)?,
        mode_switches: ModeSwitches::kept(
            row.mode_switched_at_ms.into_iter().map(Timestamp).collect(),
        ),
        created_at: Timestamp(row.created_at_ms),
        retention_hours: row.retention_hours,
        expired_before: Timestamp(row.expired_before_ms),
        record_bytes_max: usize::try_from(row.record_bytes_max)
            .map_err(|_| damaged("a stream's record size"))?,
        monitored: ShardLevelMetrics::of_bits(row.shard_level_metrics)
            .ok_or_else(|| damaged("a stream's metrics"))?,
        tags: row.tags.into_iter().collect(),
        policy: None,
        shards: Arc::new(ShardMap::of_facts(shards)),
        counts: Arc::default(),
        consumers: Arc::default(),
        resharding: None,
        encryption: Encryption::default(),
        scaled_at: Vec::new(),
        version,
    })
}

fn read_mode(row: ModeRow) -> Result<Mode, StoreError> {
    Ok(match row {
        ModeRow::Provisioned => Mode::Provisioned,
        ModeRow::OnDemand {
            distribution,
            warm_mibps,
        } => Mode::OnDemand(OnDemand {
            distribution: match distribution {
                0 => Distribution::UserPartitionKey,
                1 => Distribution::Auto,
                _ => return Err(damaged("how a stream distributes records")),
            },
            warm_mibps,
        }),
    })
}

fn read_shard(row: ShardRow) -> Result<ShardFacts, StoreError> {
    let created = Second::new(row.created_s).ok_or_else(|| damaged("a shard's creation"))?;
    Ok(ShardFacts {
        id: ShardId(row.id),
        range: HashKeyRange {
            first: HashKey(row.first),
            last: HashKey(row.last),
        },
        log: LogId(row.log),
        parent: row.parent.map(ShardId),
        adjacent_parent: row.adjacent_parent.map(ShardId),
        created,
        opened_at: Timestamp(row.opened_at_ms),
        closed_at: row.closed_at_ms.map(Timestamp),
    })
}

/// The write of a stream's row.
pub fn stream_write(stream: &Stream, expect: Expect) -> Result<TableWrite, StoreError> {
    let row = StreamRow {
        id: stream.id.0,
        status: match stream.status {
            Status::Creating => 0,
            Status::Active => 1,
            Status::Deleting => 2,
            Status::Updating => 3,
        },
        mode: match stream.mode {
            Mode::Provisioned => ModeRow::Provisioned,
            Mode::OnDemand(OnDemand {
                distribution,
                warm_mibps,
            }) => ModeRow::OnDemand {
                distribution: match distribution {
                    Distribution::UserPartitionKey => 0,
                    Distribution::Auto => 1,
                },
                warm_mibps,
            },
        },
        mode_switched_at_ms: {
            let switches = stream.mode_switches.times().iter();
            switches.map(|at| at.0).collect()
        },
        created_at_ms: stream.created_at.0,
        retention_hours: stream.retention_hours,
        expired_before_ms: stream.expired_before.0,
        record_bytes_max: u32::try_from(stream.record_bytes_max)
            .map_err(|_| damaged("a stream's record size"))?,
        shard_level_metrics: stream.monitored.bits(),
        tags: stream.tags.clone().into_iter().collect(),
    };
    Ok(TableWrite {
        table: STREAMS,
        key: tables::stream_key(&stream.arn),
        value: Some(codec::encode_in(STREAM_LAYOUT, &row)?),
        expect,
    })
}

/// The removal of a stream's row.
pub fn stream_removal(stream: &Stream) -> TableWrite {
    TableWrite {
        table: STREAMS,
        key: tables::stream_key(&stream.arn),
        value: None,
        expect: Expect::Version(stream.version),
    }
}

/// The writes of those rows of a stream's shards that are others after a change of its shards.
pub fn shard_changes(before: &Stream, after: &Stream) -> Result<Vec<TableWrite>, StoreError> {
    let old = shard_writes(before)?;
    let new = shard_writes(after)?;
    let surplus = old.iter().skip(new.len()).map(|write| TableWrite {
        value: None,
        ..write.clone()
    });
    let surplus: Vec<_> = surplus.collect();
    let changed = (0..).zip(new).filter_map(|(place, write)| {
        let is_same = old
            .get::<usize>(place)
            .is_some_and(|old| old.value == write.value);
        (!is_same).then_some(write)
    });
    Ok(changed.chain(surplus).collect())
}

/// The writes of all rows of a stream's shards.
pub fn shard_writes(stream: &Stream) -> Result<Vec<TableWrite>, StoreError> {
    (0..)
        .zip(stream.shards.all().chunks(SHARDS_PER_ROW))
        .map(|(number, shards)| {
            let rows: Vec<_> = shards
                .iter()
                .map(|shard| shard_row(shard.facts()))
                .collect();
            Ok(TableWrite {
                table: SHARDS,
                key: tables::shards_key(stream.id.0, number),
                value: Some(codec::encode(&rows)?),
                expect: Expect::Any,
            })
        })
        .collect()
}

/// The removals of all rows of a stream's shards.
pub fn shard_removals(stream: &Stream) -> Vec<TableWrite> {
    (0..)
        .zip(stream.shards.all().chunks(SHARDS_PER_ROW))
        .map(|(number, _)| TableWrite {
            table: SHARDS,
            key: tables::shards_key(stream.id.0, number),
            value: None,
            expect: Expect::Any,
        })
        .collect()
}

fn shard_row(facts: &ShardFacts) -> ShardRow {
    ShardRow {
        id: facts.id.0,
        first: facts.range.first.0,
        last: facts.range.last.0,
        log: facts.log.0,
        parent: facts.parent.map(|id| id.0),
        adjacent_parent: facts.adjacent_parent.map(|id| id.0),
        created_s: facts.created.number(),
        opened_at_ms: facts.opened_at.0,
        closed_at_ms: facts.closed_at.map(|at| at.0),
    }
}

/// The write of the numbers that were not given yet.
pub fn numbers_write(numbers: Numbers, version: Option<Version>) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(NUMBERS),
        value: Some(codec::encode(&numbers)?),
        expect: version.map_or(Expect::Absent, Expect::Version),
    })
}

/// The last second in which a stream was made, if one was.
async fn load_latest_creation(engine: &dyn Engine) -> Result<Option<Second>, StoreError> {
    let Some(row) = engine.get(SETTINGS, LATEST_CREATION).await? else {
        return Ok(None);
    };
    let second = Second::new(codec::decode("settings", &row.value)?);
    let second = second.ok_or_else(|| damaged("the second of the last creation"))?;
    Ok(Some(second))
}

/// The write of the last second in which a stream was made.
pub fn latest_creation_write(second: Second) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(LATEST_CREATION),
        value: Some(codec::encode(&second.number())?),
        expect: Expect::Any,
    })
}

/// The time that retention believed last, if it was noted.
pub async fn load_noted_time(engine: &dyn Engine) -> Result<Option<Timestamp>, StoreError> {
    let Some(row) = engine.get(SETTINGS, NOTED_TIME).await? else {
        return Ok(None);
    };
    Ok(Some(Timestamp(codec::decode("settings", &row.value)?)))
}

/// The write of the time that retention believes.
pub fn noted_time_write(at: Timestamp) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(NOTED_TIME),
        value: Some(codec::encode(&at.0)?),
        expect: Expect::Any,
    })
}

/// Commits one write and nothing else.
pub async fn write_alone(engine: &dyn Engine, write: TableWrite) -> Result<(), CommitError> {
    let transaction = Transaction {
        writes: vec![write],
        ..Transaction::default()
    };
    engine.commit(transaction).await.map(|_| ())
}
