//! What is kept of an order to deliver once more what is retained: all that its outcome depends on.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, LogId, Position, StoreError, TableWrite, Version};
use streams::{Numbering, codec};
use types::{Second, ShardId};
use wasm::ContentHash;

use crate::counts::Counts;
use crate::delivery_stream::{DeliveryStreamId, Destination};
use crate::rows::damaged;
use crate::tables::{self, LaneKey, REDELIVERIES, REDELIVERY_NUMBERS, SETTINGS};

const TABLE: &str = "redeliveries";
/// The layout in which rows are written. A destination is in it, so that another layout of these is
/// another one of this.
const LAYOUT: u8 = 1;
/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;

/// An order, and how it ended if it has.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Redelivery {
    /// Its number among those of all delivery streams, never used again. Names of its objects
    /// follow from it.
    pub number: u64,
    /// What its owner calls it.
    pub id: String,
    /// What was asked for.
    pub asked: Asked,
    /// When, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// When it ended, if it has.
    pub ended_at_ms: Option<u64>,
    /// How far it is.
    pub state: State,
    /// The version of the configuration that it was made of.
    pub version_id: u64,
    /// Where its objects go and how: that configuration, with prefixes of its own.
    pub destination: Destination,
    /// What is delivered.
    pub stretches: Vec<Stretch>,
    /// What became of it, once it has ended.
    pub counts: Counts,
    /// Records that were not delivered, since it was cancelled.
    pub left: u64,
}

/// What an order says. The same order says the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Asked {
    /// Where it begins.
    pub from: Moment,
    /// Where it ends; `None`: where the logs ended when it was made.
    pub to: Option<Moment>,
    /// What stands before names of its objects.
    pub prefix: String,
    /// The same of those of failed records.
    pub error_prefix: Option<String>,
    /// The hash of the version that records go through; `None`: the one in force when each is
    /// delivered.
    pub version: Option<[u8; 32]>,
}

impl Asked {
    /// The version that is named.
    pub fn version(&self) -> Option<ContentHash> {
        self.version.map(ContentHash)
    }
}

/// A place in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Moment {
    /// The oldest record that is retained.
    TrimHorizon,
    /// The first record that arrived then or later, in milliseconds since 1970.
    At(u64),
    /// The record of this sequence number, which names its shard: no other shard is meant.
    Number(String),
}

/// How far an order is. Rows hold it: a new variant comes after all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum State {
    /// It is at work.
    Working,
    /// All of it is delivered, failed or lost.
    Done,
    /// Its owner has cancelled it.
    Cancelled,
}

impl State {
    /// Its name on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "WORKING",
            Self::Done => "DONE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// What is delivered of one shard: whole frames, from a position to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Stretch {
    stream: u64,
    shard: u32,
    created: u64,
    log: u64,
    from: u64,
    to: u64,
}

impl Stretch {
    /// What lies between two positions of a shard's log.
    pub fn new(
        stream: u64,
        (log, numbering): (LogId, Numbering),
        (from, to): (Position, Position),
    ) -> Self {
        Self {
            stream,
            shard: numbering.shard().0,
            created: numbering.created().number(),
            log: log.0,
            from: from.0,
            to: to.0,
        }
    }

    /// The log.
    pub fn log(&self) -> LogId {
        LogId(self.log)
    }

    /// Where it begins.
    pub fn from(&self) -> Position {
        Position(self.from)
    }

    /// Where it ends.
    pub fn to(&self) -> Position {
        Position(self.to)
    }

    /// What sequence numbers of its records are made of.
    pub fn numbering(&self) -> Numbering {
        let created = Second::new(self.created).unwrap_or(Second::LAST);
        Numbering::new(ShardId(self.shard), created)
    }
}

impl Redelivery {
    /// Whether its lanes have something to do.
    pub fn is_at_work(&self) -> bool {
        self.state == State::Working
    }

    /// The number that its lanes have in the place of a delivery stream's.
    pub fn lanes_id(&self) -> DeliveryStreamId {
        tables::lanes_of_redelivery(self.number)
    }

    /// The lane of a stretch of it.
    pub fn lane(&self, stretch: &Stretch) -> LaneKey {
        LaneKey {
            delivery_stream: self.lanes_id(),
            stream: stretch.stream,
            shard: stretch.shard,
        }
    }
}

/// An order with the version of its row.
pub type Kept = (Redelivery, Version);

/// The orders of all delivery streams whose rows can be read. Of one that cannot nothing is done,
/// and that is logged.
///
/// # Errors
/// When the table cannot be read.
pub async fn load_all(
    engine: &dyn Engine,
) -> Result<BTreeMap<DeliveryStreamId, Vec<Kept>>, StoreError> {
    let mut all: BTreeMap<_, Vec<Kept>> = BTreeMap::new();
    for (key, row) in scan(engine, (Bytes::new(), None)).await? {
        let id = tables::parse_redelivery_key(&key).ok_or_else(|| damaged("a redelivery's key"))?;
        match codec::decode_in(LAYOUT, TABLE, &row.value) {
            Ok(redelivery) => all.entry(id).or_default().push((redelivery, row.version)),
            Err(error) => {
                let delivery_stream = id.0;
                tracing::error!(delivery_stream, %error, "a redelivery stands still");
            }
        }
    }
    Ok(all)
}

/// The order of this id, if there is one.
///
/// # Errors
/// When its row cannot be read.
pub async fn find(
    engine: &dyn Engine,
    of: DeliveryStreamId,
    id: &str,
) -> Result<Option<Kept>, StoreError> {
    let key = tables::redelivery_key(of, id);
    let row = engine.get(REDELIVERIES, &key).await?;
    let read = row.map(|row| {
        let redelivery = codec::decode_in(LAYOUT, TABLE, &row.value)?;
        Ok((redelivery, row.version))
    });
    read.transpose()
}

/// The versions that orders name which are at work.
///
/// # Errors
/// When one cannot be read: it is not known what it needs.
pub async fn pinned(engine: &dyn Engine) -> Result<Vec<ContentHash>, StoreError> {
    let mut pinned = Vec::new();
    for (_, row) in scan(engine, (Bytes::new(), None)).await? {
        let redelivery: Redelivery = codec::decode_in(LAYOUT, TABLE, &row.value)?;
        let at_work = Some(&redelivery).filter(|it| it.is_at_work());
        pinned.extend(at_work.and_then(|it| it.asked.version()));
    }
    Ok(pinned)
}

/// The removal of all orders of a delivery stream, and the numbers of their lanes: also of those
/// whose rows cannot be read, of which no lane is known.
///
/// # Errors
/// When the table cannot be read.
pub async fn removals(
    engine: &dyn Engine,
    id: DeliveryStreamId,
) -> Result<(Vec<DeliveryStreamId>, Vec<TableWrite>), StoreError> {
    let (from, to) = tables::redeliveries_of(id);
    let (mut lanes, mut writes) = (Vec::new(), Vec::new());
    for (key, row) in scan(engine, (from, Some(to))).await? {
        let read = codec::decode_in::<Redelivery>(LAYOUT, TABLE, &row.value);
        lanes.extend(read.ok().map(|redelivery| redelivery.lanes_id()));
        writes.push(TableWrite {
            table: REDELIVERIES,
            key,
            value: None,
            expect: Expect::Any,
        });
    }
    Ok((lanes, writes))
}

async fn scan(
    engine: &dyn Engine,
    (mut from, to): (Bytes, Option<Bytes>),
) -> Result<Vec<(store::Key, store::Versioned)>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = engine.scan(REDELIVERIES, from, to.clone(), ROWS_PER_SCAN);
        let rows = rows.await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = store::key_after(last);
        all.extend(rows);
    }
}

/// The write of an order in the place of what was there.
///
/// # Errors
/// When it cannot be made.
pub fn write(
    of: DeliveryStreamId,
    redelivery: &Redelivery,
    expect: Expect,
) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: REDELIVERIES,
        key: tables::redelivery_key(of, &redelivery.id),
        value: Some(codec::encode_in(LAYOUT, redelivery)?),
        expect,
    })
}

/// The removal of an order that was of this version.
pub fn removal(of: DeliveryStreamId, (redelivery, version): &Kept) -> TableWrite {
    TableWrite {
        table: REDELIVERIES,
        key: tables::redelivery_key(of, &redelivery.id),
        value: None,
        expect: Expect::Version(*version),
    }
}

/// The number of the next order, and the write that gives it away.
///
/// # Errors
/// When it cannot be read.
pub async fn next_number(engine: &dyn Engine) -> Result<(u64, TableWrite), StoreError> {
    let row = engine.get(SETTINGS, REDELIVERY_NUMBERS).await?;
    let number = match &row {
        Some(row) => codec::decode("delivery settings", &row.value)?,
        None => 0_u64,
    };
    let write = TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(REDELIVERY_NUMBERS),
        value: Some(codec::encode(&(number + 1))?),
        expect: row.map_or(Expect::Absent, |row| Expect::Version(row.version)),
    };
    Ok((number, write))
}
