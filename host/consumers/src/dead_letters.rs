//! Records that an application could not work on: what is kept of each, and where.
//!
//! ```text
//! row:  application u64 | stream u64 | shard u32 | position u64 | within u64  ->  why, when, which
//! log:  one record a frame, sealed as in its stream; partition key: the row's key as text, a
//!       space, the producer's own
//! ```
//!
//! Row and frame come with the commit that passes over the record. The row goes with the commit of
//! its replay, or when it is discarded; the log is trimmed to the oldest letter that is left.

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::codec;
use store::{
    Engine, Expect, LogChange, Position, Records, StoreError, TableWrite, Transaction, Version,
};
use types::{ShardId, Timestamp};
use wasm::ContentHash;

use crate::application::ApplicationId;
use crate::place::Place;
use crate::rows::{self, expecting};
use crate::table_ids::{DEAD_LETTER_SUMS, DEAD_LETTERS, ShardKey, dead_letter_log, sum_key};

/// Bytes that are read at once while a letter is looked for.
const BYTES_PER_READ: usize = 1024 * 1024;

/// Which record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterKey {
    /// The shard that it came from.
    pub shard: ShardKey,
    /// Where it lay there.
    pub place: Place,
}

impl LetterKey {
    /// The key of its row.
    pub fn row(&self) -> Bytes {
        let mut key = self.shard.row().to_vec();
        key.extend_from_slice(&self.place.position.0.to_be_bytes());
        key.extend_from_slice(&self.place.within.to_be_bytes());
        Bytes::from(key)
    }

    /// The letter that [`LetterKey::row`] was made of.
    pub fn parse_row(key: &[u8]) -> Option<Self> {
        let (shard, place) = key.split_at_checked(ShardKey::BYTES)?;
        let (position, within) = place.split_first_chunk::<8>()?;
        Some(Self {
            shard: ShardKey::parse_row(shard)?,
            place: Place {
                position: Position(u64::from_be_bytes(*position)),
                within: u64::from_be_bytes(within.try_into().ok()?),
            },
        })
    }

    /// What an operator calls it: stream, shard, position and place within, in decimal.
    pub fn id(&self) -> String {
        format!(
            "{}-{}-{}-{}",
            self.shard.stream.0, self.shard.shard.0, self.place.position, self.place.within
        )
    }

    /// The letter of an application that [`LetterKey::id`] was made of.
    pub fn parse_id(application: ApplicationId, id: &str) -> Option<Self> {
        let mut numbers = id.split('-');
        let stream = numbers.next()?.parse().ok()?;
        let shard = numbers.next()?.parse().ok()?;
        let position = numbers.next()?.parse().ok()?;
        let within = numbers.next()?.parse().ok()?;
        let key = Self {
            shard: ShardKey {
                application,
                stream: streams::StreamId(stream),
                shard: ShardId(shard),
            },
            place: Place {
                position: Position(position),
                within,
            },
        };
        (numbers.next().is_none() && key.id() == id).then_some(key)
    }

    /// The partition key that the record has in the log of dead letters.
    pub fn with(&self, partition_key: &str) -> String {
        format!("{} {partition_key}", self.id())
    }
}

/// What is kept of a record, besides its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its sequence number; that of its aggregate, if it lay in one.
    pub sequence_number: String,
    /// When it arrived.
    pub arrival: Timestamp,
    /// When it was given up.
    pub failed_at: Timestamp,
    /// What it failed with last.
    pub reason: String,
    /// The version that it failed with.
    pub version: ContentHash,
    /// How often it was tried; 0 if an operator passed over it before.
    pub tries: u32,
    /// Bytes of its data.
    pub bytes: u64,
    /// It lies in the log of dead letters from here on.
    pub log_from: Position,
    /// It is sealed there.
    pub is_sealed: bool,
    /// The second in which its shard was made, which its number begins with.
    pub shard_created: u64,
}

/// How many letters an application has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Sum {
    /// Letters.
    pub letters: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// Letters that there were and that were worked on after all.
    pub replayed: u64,
    /// Letters that there were and that an operator discarded.
    pub discarded: u64,
}

#[derive(Encode, Decode)]
struct LetterRow {
    sequence_number: String,
    arrival_ms: u64,
    failed_at_ms: u64,
    reason: String,
    version: [u8; 32],
    tries: u32,
    bytes: u64,
    log_from: u64,
    is_sealed: bool,
    shard_created: u64,
}

/// The content of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The producer's choice.
    pub partition_key: String,
    /// What it holds.
    pub data: Bytes,
}

/// The row of a letter.
///
/// # Errors
/// When it cannot be made.
pub fn write(key: LetterKey, letter: &Letter, expect: Expect) -> Result<TableWrite, StoreError> {
    let row = LetterRow {
        sequence_number: letter.sequence_number.clone(),
        arrival_ms: letter.arrival.0,
        failed_at_ms: letter.failed_at.0,
        reason: letter.reason.clone(),
        version: letter.version.0,
        tries: letter.tries,
        bytes: letter.bytes,
        log_from: letter.log_from.0,
        is_sealed: letter.is_sealed,
        shard_created: letter.shard_created,
    };
    Ok(TableWrite {
        table: DEAD_LETTERS,
        key: key.row(),
        value: Some(codec::encode(&row)?),
        expect,
    })
}

fn read(row: &[u8]) -> Result<Letter, StoreError> {
    let row: LetterRow = codec::decode("dead letters", row)?;
    Ok(Letter {
        sequence_number: row.sequence_number,
        arrival: Timestamp(row.arrival_ms),
        failed_at: Timestamp(row.failed_at_ms),
        reason: row.reason,
        version: ContentHash(row.version),
        tries: row.tries,
        bytes: row.bytes,
        log_from: Position(row.log_from),
        is_sealed: row.is_sealed,
        shard_created: row.shard_created,
    })
}

/// Letters of an application in order, from one on: at most so many.
///
/// # Errors
/// When they cannot be read.
pub async fn list(
    engine: &dyn Engine,
    id: ApplicationId,
    (from, limit): (Option<LetterKey>, usize),
) -> Result<Vec<(LetterKey, Letter)>, StoreError> {
    let (first, to) = ShardKey::rows_of(id);
    let from = from.map_or(first, |key| store::key_after(&key.row()));
    let rows = engine.scan(DEAD_LETTERS, from, Some(to), limit).await?;
    let rows = rows.iter().map(|(key, row)| {
        let key = LetterKey::parse_row(key);
        let key = key.ok_or_else(|| codec::damaged("the key of a dead letter"))?;
        Ok((key, read(&row.value)?))
    });
    rows.collect()
}

/// One letter and the version of its row; `None` if it is not there any more.
///
/// # Errors
/// When it cannot be read.
pub async fn find(
    engine: &dyn Engine,
    key: LetterKey,
) -> Result<Option<(Letter, Version)>, StoreError> {
    let row = engine.get(DEAD_LETTERS, &key.row()).await?;
    row.map(|row| Ok((read(&row.value)?, row.version)))
        .transpose()
}

/// What a letter holds; `None` if its log does not have it, which only damage can cause.
///
/// # Errors
/// When it cannot be read, or what it is sealed with is not to be had.
pub async fn content(
    engine: &dyn Engine,
    key: LetterKey,
    letter: &Letter,
) -> Result<Option<Content>, StoreError> {
    let log = dead_letter_log(key.shard.application);
    let (mut from, wanted) = (letter.log_from, key.with(""));
    loop {
        let read = engine.read(log, from, BYTES_PER_READ).await?;
        for frame in &read.frames {
            for record in Records::new(&frame.body) {
                if let Some(own) = record.partition_key.strip_prefix(&wanted) {
                    return Ok(Some(Content {
                        partition_key: own.to_owned(),
                        data: frame.body.slice_ref(record.data),
                    }));
                }
            }
        }
        if read.frames.is_empty() {
            return Ok(None);
        }
        from = read.next;
    }
}

/// How many letters an application has, and the version of the row that says so.
///
/// # Errors
/// When it cannot be read.
pub async fn sum_of(
    engine: &dyn Engine,
    id: ApplicationId,
) -> Result<(Sum, Option<Version>), StoreError> {
    let Some(row) = engine.get(DEAD_LETTER_SUMS, &sum_key(id)).await? else {
        return Ok((Sum::default(), None));
    };
    let sum = codec::decode("sums of dead letters", &row.value)?;
    Ok((sum, Some(row.version)))
}

/// The row that says so, which was of this version.
///
/// # Errors
/// When it cannot be made.
pub fn sum_write(
    id: ApplicationId,
    sum: Sum,
    was: Option<Version>,
) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: DEAD_LETTER_SUMS,
        key: sum_key(id),
        value: Some(codec::encode(&sum)?),
        expect: expecting(was),
    })
}

/// Why a letter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was worked on after all.
    Replayed,
    /// An operator does not want it.
    Discarded,
}

/// Puts into `effects` that a letter is gone: its row, its part of the sum, and of the log what no
/// letter needs any more.
///
/// # Errors
/// When what is kept cannot be read.
pub async fn remove(
    engine: &dyn Engine,
    (key, letter, version): (LetterKey, &Letter, Version),
    gone: Gone,
    effects: &mut Transaction,
) -> Result<(), StoreError> {
    let id = key.shard.application;
    effects.writes.push(TableWrite {
        table: DEAD_LETTERS,
        key: key.row(),
        value: None,
        expect: Expect::Version(version),
    });
    let (sum, was) = sum_of(engine, id).await?;
    let sum = Sum {
        letters: sum.letters.saturating_sub(1),
        bytes: sum.bytes.saturating_sub(letter.bytes),
        replayed: sum.replayed + u64::from(gone == Gone::Replayed),
        discarded: sum.discarded + u64::from(gone == Gone::Discarded),
    };
    effects.writes.push(sum_write(id, sum, was)?);
    let log = dead_letter_log(id);
    if sum.letters == 0 {
        // A letter that comes meanwhile changes the sum, and this is done anew.
        let tip = engine.tip(log)?;
        effects.changes.push(LogChange::Trim(log, tip));
        return Ok(());
    }
    let rows = rows::load(engine, DEAD_LETTERS, Some(ShardKey::rows_of(id))).await?;
    let mut needed = None;
    for (row_key, row) in rows.iter().filter(|(row_key, _)| *row_key != key.row()) {
        let from = read(&row.value)?.log_from;
        if LetterKey::parse_row(row_key).is_some() {
            needed = Some(needed.map_or(from, |needed: Position| needed.min(from)));
        }
    }
    if let Some(needed) = needed.filter(|needed| *needed > letter.log_from) {
        effects.changes.push(LogChange::Trim(log, needed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use streams::StreamId;

    use super::*;

    #[test]
    fn a_letter_reads_back_from_its_row_and_its_id() {
        let id = ApplicationId(7);
        let key = LetterKey {
            shard: ShardKey {
                application: id,
                stream: StreamId(1 << 33),
                shard: ShardId(3),
            },
            place: Place {
                position: Position(9),
                within: 4,
            },
        };
        assert_eq!(LetterKey::parse_row(&key.row()), Some(key));
        assert_eq!(LetterKey::parse_id(id, &key.id()), Some(key));
        for wrong in ["", "1-2-3", "1-2-3-4-5", "1-2-3-+4", "01-2-3-4"] {
            assert_eq!(LetterKey::parse_id(id, wrong), None, "{wrong}");
        }
        let letter = Letter {
            sequence_number: "49".to_owned(),
            arrival: Timestamp(1),
            failed_at: Timestamp(2),
            reason: "no".to_owned(),
            version: ContentHash([3; 32]),
            tries: 3,
            bytes: 5,
            log_from: Position(6),
            is_sealed: true,
            shard_created: 8,
        };
        let write = write(key, &letter, Expect::Absent).unwrap();
        assert_eq!(read(&write.value.unwrap()).unwrap(), letter);
    }
}
