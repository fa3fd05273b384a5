//! What delivery streams and lanes look like in the tables.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, LogId, Position, StoreError, TableWrite, Version};
use streams::codec;
use streams::pump::row;
use types::{Invalid, StreamArn, Timestamp};

use crate::counts::{self, Counts, VersionCounts};
use crate::cut::Cut;
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId, Destination, Origin, Status};
use crate::open_cut::{OpenCut, Put, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::tables::{self, DELIVERY_STREAMS, LANES, LaneKey, NUMBERS, SETTINGS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;

#[derive(Encode, Decode)]
struct StreamRow {
    id: u64,
    status: u8,
    created_at_ms: u64,
    updated_at_ms: Option<u64>,
    version_id: u64,
    origin: OriginRow,
    destination: Destination,
    tags: Vec<(String, String)>,
}

#[derive(Encode, Decode)]
enum OriginRow {
    DirectPut { log: u64 },
    Stream { arn: String, role_arn: String },
}

/// What is kept of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The number of the next cut.
    pub next_cut: u64,
    /// The cut of which something may have left, and that is not done.
    pub open: Option<OpenCut>,
    /// What of the open cut may have left.
    pub settled: Settled,
    /// What became of the records of all cuts that are done.
    pub counts: Counts,
    /// The same by version of the transform.
    pub by_version: Vec<VersionCounts>,
}

impl Lane {
    /// Gives up what lies between two positions: it is lost, but for records of the open cut that
    /// are known to be in objects. How many are lost.
    ///
    /// What is left of an open cut is another cut: objects of its number may be there. Where that
    /// is not all given up, what is in objects counts by what becomes of the rest: which of its
    /// records lie before `to` is not known.
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
        if let Some(open) = self.open.take() {
            self.next_cut = open.cut.number + 1;
            self.settled = Settled::default();
            if open.cut.to <= to {
                counts = open.given_up(from)?;
                counts.lost += between(open.cut.to)?;
                let by_version = open.by_version(counts, String::new());
                counts::add_by_version(&mut self.by_version, by_version);
            }
        }
        self.counts = self.counts.and(counts);
        Ok(counts.lost)
    }
}

#[derive(Encode, Decode)]
struct LaneRow {
    next_cut: u64,
    open: Option<CutRow>,
    settled: Settled,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Encode, Decode)]
struct CutRow {
    number: u64,
    from: u64,
    to: u64,
    oldest_ms: u64,
    decided_at_ms: u64,
    records: u64,
    bytes: u64,
    version_id: u64,
    plugin: Option<PinsRow>,
    destination: Destination,
    way: Way,
    objects: u32,
    put: Put,
}

/// What the tables held when the server started.
pub struct Loaded {
    /// All delivery streams, also those that are being created or deleted.
    pub streams: Vec<DeliveryStream>,
    /// The number of the next delivery stream.
    pub next_id: u64,
    /// The version of its row, if there is one.
    pub next_id_version: Option<Version>,
}

/// Reads all delivery streams.
pub async fn load(engine: &dyn Engine) -> Result<Loaded, StoreError> {
    let mut streams = Vec::new();
    for (key, row) in scan(engine, DELIVERY_STREAMS, Bytes::new(), None).await? {
        let arn = tables::parse_stream_key(&key).ok_or_else(|| damaged("a key"))?;
        let row_version = row.version;
        let row: StreamRow = codec::decode("delivery streams", &row.value)?;
        let plan = row
            .destination
            .plan()
            .map_err(|Invalid(what)| damaged(&what))?;
        streams.push(DeliveryStream {
            id: DeliveryStreamId(row.id),
            arn,
            status: match row.status {
                0 => Status::Creating,
                1 => Status::Active,
                2 => Status::Deleting,
                _ => return Err(damaged("a status")),
            },
            created_at: Timestamp(row.created_at_ms),
            updated_at: row.updated_at_ms.map(Timestamp),
            version_id: row.version_id,
            origin: match row.origin {
                OriginRow::DirectPut { log } => Origin::DirectPut { log: LogId(log) },
                OriginRow::Stream { arn, role_arn } => Origin::Stream {
                    arn: StreamArn::parse(&arn).map_err(|Invalid(what)| damaged(&what))?,
                    role_arn,
                },
            },
            plan,
            destination: row.destination,
            tags: row.tags.into_iter().collect(),
            row_version,
        });
    }
    let next = engine.get(SETTINGS, NUMBERS).await?;
    Ok(Loaded {
        streams,
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

/// A row holds what no row can.
pub fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt {
        file: "tables".to_owned(),
        offset: 0,
        what: format!("a delivery stream cannot be read: {what}"),
    }
}

/// The write of a delivery stream's row.
pub fn stream_write(stream: &DeliveryStream, expect: Expect) -> Result<TableWrite, StoreError> {
    let row = StreamRow {
        id: stream.id.0,
        status: match stream.status {
            Status::Creating => 0,
            Status::Active => 1,
            Status::Deleting => 2,
        },
        created_at_ms: stream.created_at.0,
        updated_at_ms: stream.updated_at.map(|at| at.0),
        version_id: stream.version_id,
        origin: match &stream.origin {
            Origin::DirectPut { log } => OriginRow::DirectPut { log: log.0 },
            Origin::Stream { arn, role_arn } => OriginRow::Stream {
                arn: arn.to_string(),
                role_arn: role_arn.clone(),
            },
        },
        destination: stream.destination.clone(),
        tags: stream.tags.clone().into_iter().collect(),
    };
    Ok(TableWrite {
        table: DELIVERY_STREAMS,
        key: tables::stream_key(&stream.arn),
        value: Some(codec::encode(&row)?),
        expect,
    })
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
    lane_at(find_lane(engine, key).await?, (key, at))
}

/// What was found of a lane that stands at a position. One that begins further on has a row from
/// its beginning on, and any other from its first step on: only where nothing was done there may be
/// nothing.
///
/// # Errors
/// When there is nothing though something was done.
pub fn lane_at(found: Option<Lane>, (key, at): (LaneKey, Position)) -> Result<Lane, StoreError> {
    match found {
        Some(lane) => Ok(lane),
        None if at == Position::FIRST => Ok(Lane::default()),
        None => {
            let lane = key.lane_name();
            Err(damaged(&format!(
                "its lane {lane} stands at {at}, and has no row"
            )))
        }
    }
}

/// What is kept of all lanes of a delivery stream; `None`: of all delivery streams.
pub async fn load_lanes(
    engine: &dyn Engine,
    of: Option<DeliveryStreamId>,
) -> Result<Vec<(LaneKey, Lane)>, StoreError> {
    let (from, to) = match of {
        Some(id) => {
            let (from, to) = LaneKey::rows_of(id);
            (from, Some(to))
        }
        None => (Bytes::new(), None),
    };
    let rows = scan(engine, LANES, from, to).await?;
    rows.into_iter()
        .map(|(key, row)| {
            let key = LaneKey::parse_row(&key).ok_or_else(|| damaged("a lane's key"))?;
            Ok((key, read_lane(&row.value)?))
        })
        .collect()
}

/// Where the pumps of all lanes of a delivery stream stand, of those that have begun.
pub async fn load_positions(
    engine: &dyn Engine,
    of: DeliveryStreamId,
) -> Result<BTreeMap<LaneKey, Position>, StoreError> {
    let pumps = row::positions_of(engine, &LaneKey::pumps_of(of)).await?;
    let lanes = pumps.into_iter().map(|(name, position)| {
        let key = LaneKey::parse_pump_name(&name).ok_or_else(|| damaged("a pump's name"))?;
        Ok((key, position))
    });
    lanes.collect()
}

fn read_lane(row: &[u8]) -> Result<Lane, StoreError> {
    let row: LaneRow = codec::decode("lanes", row)?;
    Ok(Lane {
        next_cut: row.next_cut,
        open: row.open.map(CutRow::read).transpose()?,
        settled: row.settled,
        counts: row.counts,
        by_version: row.by_version,
    })
}

impl CutRow {
    fn of(open: &OpenCut) -> Result<Self, StoreError> {
        let cut = &open.cut;
        let pins = cut.plugin.as_ref().map(PinsRow::of).transpose();
        Ok(Self {
            number: cut.number,
            from: cut.from.0,
            to: cut.to.0,
            oldest_ms: cut.oldest.0,
            decided_at_ms: cut.decided_at.0,
            records: cut.records,
            bytes: cut.bytes,
            version_id: cut.version_id,
            plugin: pins.map_err(|error| damaged(&format!("a limit: {error}")))?,
            destination: open.destination.clone(),
            way: open.way.clone(),
            objects: open.objects,
            put: open.put,
        })
    }

    fn read(self) -> Result<OpenCut, StoreError> {
        let pins = self.plugin.map(PinsRow::read).transpose();
        let cut = Cut {
            number: self.number,
            from: Position(self.from),
            to: Position(self.to),
            oldest: Timestamp(self.oldest_ms),
            decided_at: Timestamp(self.decided_at_ms),
            records: self.records,
            bytes: self.bytes,
            version_id: self.version_id,
            plugin: pins.map_err(|error| damaged(&format!("a limit: {error}")))?,
        };
        Ok(OpenCut {
            cut,
            destination: self.destination,
            way: self.way,
            objects: self.objects,
            put: self.put,
        })
    }
}

/// The write of a lane's row. Only its pump writes it, and one pump runs at a time.
pub fn lane_write(key: LaneKey, lane: &Lane) -> Result<TableWrite, StoreError> {
    let row = LaneRow {
        next_cut: lane.next_cut,
        open: lane.open.as_ref().map(CutRow::of).transpose()?,
        settled: lane.settled.clone(),
        counts: lane.counts,
        by_version: lane.by_version.clone(),
    };
    Ok(TableWrite {
        table: LANES,
        key: key.row(),
        value: Some(codec::encode(&row)?),
        expect: Expect::Any,
    })
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
