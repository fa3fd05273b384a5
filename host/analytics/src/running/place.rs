//! What is kept of an application's work besides its operators' state: how far it came, what it
//! counted, and what it has decided and not done yet.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::codec;
use store::{Engine, Expect, Key, Position, RowCheck, StoreError, TableWrite, Version};
use streams::StreamId;
use types::{ShardId, Timestamp};

use super::merge::Places;
use crate::application::ApplicationId;
use crate::tables::{self, JOURNALS, PLACES};

/// What became of records and rows since an application was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counts {
    /// Records that were read, those that a producer had put together one by one.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows that they became.
    pub rows: u64,
    /// Records that were put to outputs.
    pub emitted: u64,
    /// Bytes of them.
    pub emitted_bytes: u64,
    /// Rows of the error stream: rows and records that failed.
    pub faults: u64,
    /// Those of them that were late.
    pub late: u64,
    /// Late rows that were dropped, as their stream wants it.
    pub dropped: u64,
    /// Rows that no output could take, since they are too large.
    pub refused: u64,
    /// Records that retention took before they were read.
    pub lost: u64,
}

impl Counts {
    /// Adds what came of a step.
    pub fn add(&mut self, step: &Self) {
        let Self {
            records,
            bytes,
            rows,
            emitted,
            emitted_bytes,
            faults,
            late,
            dropped,
            refused,
            lost,
        } = step;
        self.records += records;
        self.bytes += bytes;
        self.rows += rows;
        self.emitted += emitted;
        self.emitted_bytes += emitted_bytes;
        self.faults += faults;
        self.late += late;
        self.dropped += dropped;
        self.refused += refused;
        self.lost += lost;
    }
}

/// How far an application came: one row, written with all that it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The start that it works since.
    pub start: u64,
    /// The start since which its state is kept: one that goes on from where it stopped has that of
    /// the one before.
    pub state_start: u64,
    /// The stream that its positions are of; another one under the same name has another.
    pub stream: Option<StreamId>,
    /// How far it is read.
    pub places: Places,
    /// How far the streams were read that it read before, oldest first.
    pub former: Vec<(StreamId, Places)>,
    /// What was counted.
    pub counts: Counts,
    /// Records that each output got, by its id: the next one has this number.
    pub outputs: BTreeMap<String, u64>,
    /// Entries of the journal that are decided, and how many of them are done.
    pub journal: (u32, u32),
    /// How often it was written. Who does not know what became of a write looks for this.
    pub writes: u64,
    /// Who wrote it: chosen by chance when an application begins to work.
    pub owner: u64,
}

#[derive(Encode, Decode)]
struct PlaceRow {
    start: u64,
    state_start: u64,
    stream: Option<u64>,
    places: PlacesRow,
    former: Vec<(u64, PlacesRow)>,
    counts: Counts,
    outputs: Vec<(String, u64)>,
    journal: (u32, u32),
    writes: u64,
    owner: u64,
}

#[derive(Encode, Decode)]
struct PlacesRow {
    shards: Vec<(u32, u64)>,
    done: Vec<u32>,
    time_ms: u64,
}

impl PlacesRow {
    fn of(places: &Places) -> Self {
        let shards = places.shards.iter();
        Self {
            shards: shards.map(|(id, position)| (id.0, position.0)).collect(),
            done: places.done.iter().map(|id| id.0).collect(),
            time_ms: places.time.0,
        }
    }

    fn read(self) -> Places {
        let shards = self.shards.into_iter();
        Places {
            shards: shards
                .map(|(id, position)| (ShardId(id), Position(position)))
                .collect(),
            done: self.done.into_iter().map(ShardId).collect(),
            time: Timestamp(self.time_ms),
        }
    }
}

impl Place {
    /// Reads the place of an application, and the version of its row; `None` if it never worked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(
        engine: &dyn Engine,
        id: ApplicationId,
    ) -> Result<Option<(Self, Version)>, StoreError> {
        let Some(row) = engine.get(PLACES, &tables::work_key(id)).await? else {
            return Ok(None);
        };
        let read: PlaceRow = codec::decode("places of applications", &row.value)?;
        let former = read.former.into_iter();
        let place = Self {
            start: read.start,
            state_start: read.state_start,
            stream: read.stream.map(StreamId),
            places: read.places.read(),
            former: former
                .map(|(stream, places)| (StreamId(stream), places.read()))
                .collect(),
            counts: read.counts,
            outputs: read.outputs.into_iter().collect(),
            journal: read.journal,
            writes: read.writes,
            owner: read.owner,
        };
        Ok(Some((place, row.version)))
    }

    /// The row.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn write(&self, id: ApplicationId, before: Expect) -> Result<TableWrite, StoreError> {
        let former = self.former.iter();
        let outputs = self.outputs.iter();
        let row = PlaceRow {
            start: self.start,
            state_start: self.state_start,
            stream: self.stream.map(|stream| stream.0),
            places: PlacesRow::of(&self.places),
            former: former
                .map(|(stream, places)| (stream.0, PlacesRow::of(places)))
                .collect(),
            counts: self.counts,
            outputs: outputs.map(|(id, next)| (id.clone(), *next)).collect(),
            journal: self.journal,
            writes: self.writes,
            owner: self.owner,
        };
        Ok(TableWrite {
            table: PLACES,
            key: tables::work_key(id),
            value: Some(codec::encode(&row)?),
            expect: before,
        })
    }
}

/// That the place is as it was written last.
pub fn place_check(id: ApplicationId, version: Version) -> RowCheck {
    RowCheck {
        table: PLACES,
        key: tables::work_key(id),
        expect: Expect::Version(version),
    }
}

/// One of the parts that a step is done in which is too large for one transaction. All of them are
/// kept before the step is decided, with the place; then they are done, each in a transaction of
/// its own, also after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct JournalEntry {
    /// Rows of the state: keys and values, without a value for those that are removed.
    pub state: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The output that records are for, by its id, and the number of the first one.
    pub output: Option<(String, u64)>,
    /// The records.
    pub records: Vec<Vec<u8>>,
}

impl JournalEntry {
    /// The row of the entry with this number.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn write(&self, id: ApplicationId, number: u32) -> Result<TableWrite, StoreError> {
        Ok(TableWrite {
            table: JOURNALS,
            key: tables::journal_key(id, number),
            value: Some(codec::encode(self)?),
            expect: Expect::Any,
        })
    }

    /// The entry with this number.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn read(
        engine: &dyn Engine,
        id: ApplicationId,
        number: u32,
    ) -> Result<Self, StoreError> {
        let row = engine
            .get(JOURNALS, &tables::journal_key(id, number))
            .await?;
        let row = row.ok_or_else(|| codec::damaged("an entry of an application's journal"))?;
        codec::decode_values("journals of applications", &row.value)
    }

    /// The removal of the entry with this number.
    pub fn removal(id: ApplicationId, number: u32) -> TableWrite {
        TableWrite {
            table: JOURNALS,
            key: tables::journal_key(id, number),
            value: None,
            expect: Expect::Any,
        }
    }
}

/// The removal of a row, whatever it is.
pub fn removal_of(table: store::TableId, key: Key) -> TableWrite {
    TableWrite {
        table,
        key,
        value: None,
        expect: Expect::Any,
    }
}

/// A row that is written, whatever was there.
pub fn row_write(table: store::TableId, key: Key, value: Option<Bytes>) -> TableWrite {
    TableWrite {
        table,
        key,
        value,
        expect: Expect::Any,
    }
}
