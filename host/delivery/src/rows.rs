//! What delivery streams and lanes look like in the tables.

mod destination_1;
mod destination_2;
mod destination_3;
mod destination_4;
pub mod encryption;
mod lane_row;
mod layout_1;
mod layout_2;
mod layout_3;
mod layout_4;
mod layout_5;
mod layout_6;
mod object_bytes;
mod put_1;
mod stream_row;

use std::collections::BTreeMap;

use bytes::Bytes;
use store::{Engine, Expect, Position, StoreError, TableWrite, Version};
use streams::codec;
use streams::pump::row;
use types::Invalid;

pub use self::lane_row::lane_write;
use self::lane_row::read_lane;
use self::stream_row::read_stream;
pub use self::stream_row::stream_write;
use crate::arn::DeliveryStreamArn;
use crate::counts::{self, Counts, VersionCounts};
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId};
use crate::let_go::AllLetGo;
use crate::open_cut::{Moved, OpenCut};
use crate::settled::Settled;
use crate::tables::{self, DELIVERY_STREAMS, LANES, LaneKey, NUMBERS, SETTINGS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;

/// What is kept of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The number of the next cut.
    pub next_cut: u64,
    /// The cut of which something may have left, and that is not done.
    pub open: Option<OpenCut>,
    /// What of the open cut may have left.
    pub settled: Settled,
    /// What was put of records from the lane's position on that an operator moved.
    pub moved: Option<Moved>,
    /// Records that an operator does not let wait for the version that they name.
    pub let_go: AllLetGo,
    /// What became of the records of all cuts that are done.
    pub counts: Counts,
    /// The same by version of the transform.
    pub by_version: Vec<VersionCounts>,
}

impl Lane {
    /// Gives up what lies between two positions: it is lost, but for what of the open cut's records
    /// or the moved ones are known to be in objects. How many are lost.
    ///
    /// What is left of an open cut is another cut: objects of its number may be there. Where that
    /// is not all given up, what is in objects counts by what becomes of the rest: which of its
    /// records lie before `to` is not known. The rest of one that is skipped stays so.
    ///
    /// # Errors
    /// When the positions do not fit to each other or to the open cut.
    pub fn give_up(&mut self, from: Position, to: Position) -> Result<u64, Invalid> {
        let between = |from: Position| {
            let count = to.0.checked_sub(from.0);
            count.ok_or_else(|| Invalid(format!("a lane stands at {from}, and gives up to {to}")))
        };
        let mut counts = Counts {
            lost: between(from)?,
            ..Counts::default()
        };
        let moved = self.moved.take().filter(|moved| moved.to <= to);
        if let Some(open) = self.open.take() {
            self.next_cut = open.cut.number + 1;
            self.settled = Settled::default();
            if open.cut.to <= to {
                counts = open.given_up(from)?;
                counts.lost += between(open.cut.to)?;
                let by_version = open.by_version(counts, String::new());
                counts::add_by_version(&mut self.by_version, by_version);
            } else if open.is_skipped() {
                self.open = open.rest_from(to);
            }
        } else if let Some(moved) = moved {
            counts = moved.given_up(from)?;
            counts.lost += between(moved.to)?;
        }
        self.counts = self.counts.and(counts);
        Ok(counts.lost)
    }
}

/// What the tables held when the server started.
pub struct Loaded {
    /// All delivery streams, also those that are being created or deleted.
    pub streams: Vec<DeliveryStream>,
    /// The rows of delivery streams that another build wrote.
    pub unreadable: Vec<UnreadableStream>,
    /// The number of the next delivery stream.
    pub next_id: u64,
    /// The version of its row, if there is one.
    pub next_id_version: Option<Version>,
}

/// A delivery stream whose row this build does not read. It stands still.
#[derive(Clone, Debug)]
pub struct UnreadableStream {
    /// Its address.
    pub arn: DeliveryStreamArn,
    /// What is known of the row, and which file it lies in.
    pub why: String,
    /// The version of its row.
    pub row_version: Version,
}

/// Why something stands still whose row cannot be read, and what can be done about it.
pub fn told_unreadable(why: &str) -> String {
    format!("{why}: let the build that wrote it deliver what waits, or delete the delivery stream")
}

/// Reads all delivery streams.
pub async fn load(engine: &dyn Engine) -> Result<Loaded, StoreError> {
    let (mut streams, mut unreadable) = (Vec::new(), Vec::new());
    let mut encryptions = encryption::load(engine).await?;
    for (key, row) in scan(engine, DELIVERY_STREAMS, Bytes::new(), None).await? {
        let arn = tables::parse_stream_key(&key).ok_or_else(|| damaged("a key"))?;
        let row_version = row.version;
        match read_stream(arn.clone(), &row) {
            Ok(mut stream) => {
                // Of one that is not encrypted, and was not changed lately, nothing is kept.
                stream.encryption = encryptions.remove(&stream.id).unwrap_or_default();
                streams.push(stream);
            }
            Err(error) => unreadable.push(UnreadableStream {
                arn,
                why: error.to_string(),
                row_version,
            }),
        }
    }
    let next = engine.get(SETTINGS, NUMBERS).await?;
    Ok(Loaded {
        streams,
        unreadable,
        next_id_version: next.as_ref().map(|row| row.version),
        next_id: match next {
            Some(row) => codec::decode("delivery settings", &row.value)?,
            None => 0,
        },
    })
}

/// All rows of a table from `from` to before `to`.
async fn scan(
    engine: &dyn Engine,
    table: store::TableId,
    mut from: Bytes,
    to: Option<Bytes>,
) -> Result<Vec<(Bytes, store::Versioned)>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = engine.scan(table, from, to.clone(), ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = store::key_after(last);
        all.extend(rows);
    }
}

/// A row holds what none of this build does.
pub fn damaged(what: &str) -> StoreError {
    codec::damaged(&format!("a delivery stream ({what})"))
}

/// The removal of a delivery stream's row.
pub fn stream_removal(stream: &DeliveryStream) -> TableWrite {
    TableWrite {
        table: DELIVERY_STREAMS,
        key: tables::stream_key(&stream.arn),
        value: None,
        expect: Expect::Version(stream.row_version),
    }
}

/// The removal of the row of a delivery stream that cannot be read.
pub fn unreadable_removal(stream: &UnreadableStream) -> TableWrite {
    TableWrite {
        table: DELIVERY_STREAMS,
        key: tables::stream_key(&stream.arn),
        value: None,
        expect: Expect::Version(stream.row_version),
    }
}

/// The write of the next number.
pub fn next_id_write(next: u64, version: Option<Version>) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(NUMBERS),
        value: Some(codec::encode(&next)?),
        expect: version.map_or(Expect::Absent, Expect::Version),
    })
}

/// Reads what is kept of a lane, if there is anything.
pub async fn find_lane(engine: &dyn Engine, key: LaneKey) -> Result<Option<Lane>, StoreError> {
    let row = engine.get(LANES, &key.row()).await?;
    row.map(|row| read_lane(&row.value)).transpose()
}

/// Reads what is kept of a lane that stands at a position.
pub async fn load_lane(
    engine: &dyn Engine,
    (key, at): (LaneKey, Position),
) -> Result<Lane, StoreError> {
    let found = find_lane(engine, key).await?;
    Ok(found.unwrap_or_else(|| not_begun((key, at))))
}

/// A lane that stands at a position and has no row. A row is written together with whatever is
/// delivered or given up, so that nothing was: the lane counts from where it stands. Those of this
/// build that begin behind the first record have a row from their beginning on; those of older
/// builds have not, and that is told.
pub fn not_begun((key, at): (LaneKey, Position)) -> Lane {
    if at > Position::FIRST {
        let (delivery_stream, lane) = (key.delivery_stream.0, key.lane_name());
        let why = "an older build made it, and nothing of it was delivered";
        tracing::info!(delivery_stream, lane, %at, why, "a lane begins where it stands");
    }
    Lane::default()
}

/// A lane as its row says it is, or why that cannot be read.
pub type LaneFound = Result<Lane, StoreError>;

/// What is kept of the lanes whose rows lie between two keys; `None`: of all lanes.
pub async fn load_lanes(
    engine: &dyn Engine,
    between: Option<(Bytes, Bytes)>,
) -> Result<BTreeMap<LaneKey, LaneFound>, StoreError> {
    let (from, to) = match between {
        Some((from, to)) => (from, Some(to)),
        None => (Bytes::new(), None),
    };
    let rows = scan(engine, LANES, from, to).await?;
    rows.into_iter()
        .map(|(key, row)| {
            let key = LaneKey::parse_row(&key).ok_or_else(|| damaged("a lane's key"))?;
            Ok((key, read_lane(&row.value)))
        })
        .collect()
}

/// All lanes of a delivery stream that have begun, whether or not it can be read where they stand.
pub async fn load_begun(
    engine: &dyn Engine,
    of: DeliveryStreamId,
) -> Result<Vec<LaneKey>, StoreError> {
    let pumps = row::names_of(engine, &LaneKey::pumps_of(of)).await?;
    let lanes = pumps.into_iter().map(|name| parse_pump_name(&name));
    lanes.collect()
}

fn parse_pump_name(name: &str) -> Result<LaneKey, StoreError> {
    LaneKey::parse_pump_name(name).ok_or_else(|| damaged("a pump's name"))
}

/// Where the pumps of lanes stand that have begun, and the versions of their rows, by what their
/// names begin with.
pub async fn load_pumps(
    engine: &dyn Engine,
    names: &str,
) -> Result<BTreeMap<LaneKey, (Position, Version)>, StoreError> {
    let pumps = row::positions_of(engine, names).await?.into_iter();
    let lanes =
        pumps.map(|(name, position, version)| Ok((parse_pump_name(&name)?, (position, version))));
    lanes.collect()
}

/// The removal of a lane's row.
pub fn lane_removal(key: LaneKey) -> TableWrite {
    TableWrite {
        table: LANES,
        key: key.row(),
        value: None,
        expect: Expect::Any,
    }
}
