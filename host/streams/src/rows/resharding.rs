//! What is kept of how a stream's shards change: see `resharding`.

use std::collections::HashMap;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite, key_after};
use types::{HashKey, ShardId, Timestamp};

use super::ROWS_PER_SCAN;
use crate::codec::{self, damaged};
use crate::resharding::Resharding;
use crate::stream::{Stream, StreamId};
use crate::tables::{self, RESHARDINGS};

#[derive(Encode, Decode)]
struct ReshardingRow {
    aim: Option<Aim>,
    scaled_at_ms: Vec<u64>,
}

#[derive(Encode, Decode)]
enum Aim {
    Split { shard: u32, at: u128 },
    Merge { shard: u32, adjacent: u32 },
    Scale(u32),
}

/// What is to become of a stream's shards, and when they were scaled lately.
pub type Kept = (Option<Resharding>, Vec<Timestamp>);

/// Reads what is kept of all streams, by their numbers.
pub async fn load(engine: &dyn Engine) -> Result<HashMap<StreamId, Kept>, StoreError> {
    let mut all = HashMap::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(RESHARDINGS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, row) in &rows {
            let id = tables::parse_resharding_key(key);
            let id = id.ok_or_else(|| damaged("the key of a resharding"))?;
            let row: ReshardingRow = codec::decode("reshardings", &row.value)?;
            let scaled_at = row.scaled_at_ms.into_iter().map(Timestamp).collect();
            all.insert(id, (row.aim.map(read), scaled_at));
        }
    }
}

fn read(aim: Aim) -> Resharding {
    match aim {
        Aim::Split { shard, at } => Resharding::Split {
            shard: ShardId(shard),
            at: HashKey(at),
        },
        Aim::Merge { shard, adjacent } => Resharding::Merge {
            shard: ShardId(shard),
            adjacent: ShardId(adjacent),
        },
        Aim::Scale(target) => Resharding::Scale(target),
    }
}

/// The write of what is kept of a stream's resharding; a removal if there is nothing to keep.
pub fn write(stream: &Stream) -> Result<TableWrite, StoreError> {
    if stream.resharding.is_none() && stream.scaled_at.is_empty() {
        return Ok(removal(stream));
    }
    let aim = stream.resharding.map(|resharding| match resharding {
        Resharding::Split { shard, at } => Aim::Split {
            shard: shard.0,
            at: at.0,
        },
        Resharding::Merge { shard, adjacent } => Aim::Merge {
            shard: shard.0,
            adjacent: adjacent.0,
        },
        Resharding::Scale(target) => Aim::Scale(target),
    });
    let row = ReshardingRow {
        aim,
        scaled_at_ms: stream.scaled_at.iter().map(|at| at.0).collect(),
    };
    Ok(TableWrite {
        value: Some(codec::encode(&row)?),
        ..removal(stream)
    })
}

/// The removal of it.
pub fn removal(stream: &Stream) -> TableWrite {
    TableWrite {
        table: RESHARDINGS,
        key: tables::resharding_key(stream.id),
        value: None,
        expect: Expect::Any,
    }
}
