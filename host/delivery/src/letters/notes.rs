//! What is noted of objects of failed records, and of the log of replays:
//!
//! ```text
//! note:   delivery stream u64 | SHA-256 of bucket and key | SHA-256 of content
//!             -> what became of it, how far
//! tally:  delivery stream u64 -> how many notes, and which stretches of the log wait
//! ```
//!
//! A note is written in the commit that puts the records into the log, so that no crash knows one
//! without the other. The tally is written with each, so that two never come at once.

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};
use store::{Engine, Expect, Position, StoreError, TableWrite, Version};
use streams::codec;
use types::Timestamp;
use wasm::ContentHash;

use super::limits::STRETCHES_MAX;
use super::object::PACKED;
use crate::arn::BucketName;
use crate::delivery_stream::DeliveryStreamId;
use crate::objects::Found;
use crate::rows::damaged;
use crate::tables::{self, DIGEST_BYTES, NOTES, REPLAYS};

/// Contents of one key that are looked for: an object is put once, and only somebody else puts
/// another one in its place.
const CONTENTS_MAX: usize = 16;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum State {
    /// Some of its records are replayed, and the others are next.
    Begun,
    /// All of its records are.
    Replayed,
    /// It needs no more attention.
    Discarded,
}

/// What is noted of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The bucket that it lies in.
    pub bucket: String,
    /// Its key.
    pub object: String,
    /// Its tag when it was noted.
    pub tag: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// What became of it.
    pub state: State,
    /// Its records.
    pub records: u64,
    /// Those of them that were put into the log of replays, from the first on.
    pub replayed: u64,
    /// The version that they go through, if one was named.
    pub version: Option<ContentHash>,
    /// When this was noted.
    pub at: Timestamp,
}

#[derive(Encode, Decode)]
struct NoteRow {
    bucket: String,
    object: String,
    tag: Option<String>,
    bytes: u64,
    state: State,
    records: u64,
    replayed: u64,
    version: Option<[u8; 32]>,
    at_ms: u64,
}

/// Which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteKey {
    /// The delivery stream.
    pub delivery_stream: DeliveryStreamId,
    /// The digest of its name.
    pub object: [u8; DIGEST_BYTES],
    /// The digest of what it holds.
    pub content: [u8; DIGEST_BYTES],
}

/// Records in the log of replays that wait, or did when this was written.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Stretch {
    /// The first record after them.
    to: u64,
    /// Bytes of their data.
    bytes: u64,
    /// The version that they go through, if one was named.
    version: Option<[u8; 32]>,
}

/// What is known of all notes of a delivery stream, and of its log of replays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    /// Notes.
    pub notes: u64,
    /// Stretches of the log that wait, or did when this was written.
    pub waiting: Vec<Stretch>,
}

impl Tally {
    /// Forgets what is delivered: what lies before a position.
    pub fn is_delivered_to(&mut self, position: Position) {
        self.waiting.retain(|stretch| stretch.to > position.0);
    }

    /// Bytes that wait, or more: a stretch counts until all of it is delivered.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting.iter().map(|stretch| stretch.bytes).sum()
    }

    /// Adds records at the end of the log. Whether there was room to know of them.
    pub fn add(&mut self, to: Position, bytes: u64, version: Option<ContentHash>) -> bool {
        let version = version.map(|version| version.0);
        if self.waiting.len() < STRETCHES_MAX {
            let to = to.0;
            self.waiting.push(Stretch { to, bytes, version });
            return true;
        }
        match self.waiting.last_mut() {
            Some(last) if last.version == version => {
                last.to = to.0;
                last.bytes += bytes;
                true
            }
            _ => false,
        }
    }

    /// The versions that what lies behind a position goes through.
    fn versions_from(&self, position: Position) -> impl Iterator<Item = ContentHash> {
        let waiting = self.waiting.iter();
        let waiting = waiting.filter(move |stretch| stretch.to > position.0);
        waiting.filter_map(|stretch| stretch.version.map(ContentHash))
    }
}

/// The digest of an object's name: its bucket and its key, without what its owner has packed it
/// with since.
pub fn digest(bucket: &BucketName, key: &str) -> [u8; DIGEST_BYTES] {
    let key = key.strip_suffix(PACKED).unwrap_or(key);
    Sha256::digest(format!("{bucket}/{key}")).into()
}

/// What is noted of an object, and the version of the row.
///
/// # Errors
/// When it cannot be read.
pub async fn find(
    engine: &dyn Engine,
    key: NoteKey,
) -> Result<Option<(Note, Version)>, StoreError> {
    let row = tables::note_key(key.delivery_stream, key.object, key.content);
    let row = engine.get(NOTES, &row).await?;
    row.map(|row| Ok((read(&row.value)?, row.version)))
        .transpose()
}

/// What is noted of an object that was found, as far as that is known without its content: by its
/// key, its size and its tag.
///
/// # Errors
/// When it cannot be read.
pub async fn find_by_tag(
    engine: &dyn Engine,
    id: DeliveryStreamId,
    (bucket, found): (&BucketName, &Found),
) -> Result<Option<Note>, StoreError> {
    let (from, to) = tables::notes_of_object(id, digest(bucket, &found.key));
    for (_, row) in engine.scan(NOTES, from, Some(to), CONTENTS_MAX).await? {
        let note = read(&row.value)?;
        if note.tag.is_some() && note.tag == found.tag && note.bytes == found.bytes {
            return Ok(Some(note));
        }
    }
    Ok(None)
}

/// All notes of a delivery stream with the keys of their rows and their versions.
///
/// # Errors
/// When they cannot be read.
pub async fn all(
    engine: &dyn Engine,
    id: DeliveryStreamId,
) -> Result<Vec<(store::Key, Note, Version)>, StoreError> {
    let (from, to) = tables::notes_of(id);
    let rows = engine.scan(NOTES, from, Some(to), usize::MAX).await?;
    let rows = rows.into_iter();
    rows.map(|(key, row)| Ok((key, read(&row.value)?, row.version)))
        .collect()
}

fn read(row: &[u8]) -> Result<Note, StoreError> {
    let row: NoteRow = codec::decode("notes about dead letters", row)?;
    Ok(Note {
        bucket: row.bucket,
        object: row.object,
        tag: row.tag,
        bytes: row.bytes,
        state: row.state,
        records: row.records,
        replayed: row.replayed,
        version: row.version.map(ContentHash),
        at: Timestamp(row.at_ms),
    })
}

/// The write of a note in the place of what was there.
///
/// # Errors
/// When it cannot be made.
pub fn write(key: NoteKey, note: &Note, was: Option<Version>) -> Result<TableWrite, StoreError> {
    let row = NoteRow {
        bucket: note.bucket.clone(),
        object: note.object.clone(),
        tag: note.tag.clone(),
        bytes: note.bytes,
        state: note.state,
        records: note.records,
        replayed: note.replayed,
        version: note.version.map(|version| version.0),
        at_ms: note.at.0,
    };
    Ok(TableWrite {
        table: NOTES,
        key: tables::note_key(key.delivery_stream, key.object, key.content),
        value: Some(codec::encode(&row)?),
        expect: was.map_or(Expect::Absent, Expect::Version),
    })
}

/// The removal of a note that was of this version.
pub fn removal(key: store::Key, was: Version) -> TableWrite {
    TableWrite {
        table: NOTES,
        key,
        value: None,
        expect: Expect::Version(was),
    }
}

/// The tally of a delivery stream, and the version of the row.
///
/// # Errors
/// When it cannot be read.
pub async fn tally(
    engine: &dyn Engine,
    id: DeliveryStreamId,
) -> Result<(Tally, Option<Version>), StoreError> {
    match engine.get(REPLAYS, &tables::sum_key(id)).await? {
        Some(row) => {
            let tally = codec::decode("tallies of replays", &row.value)?;
            Ok((tally, Some(row.version)))
        }
        None => Ok((Tally::default(), None)),
    }
}

/// The write of a tally in the place of what was there.
///
/// # Errors
/// When it cannot be made.
pub fn tally_write(
    id: DeliveryStreamId,
    tally: &Tally,
    was: Option<Version>,
) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: REPLAYS,
        key: tables::sum_key(id),
        value: Some(codec::encode(tally)?),
        expect: was.map_or(Expect::Absent, Expect::Version),
    })
}

/// The removals of some notes of a delivery stream that is deleted, and once there is none, of its
/// tally; nothing when all is removed.
///
/// # Errors
/// When it cannot be read what there is.
pub async fn some_removals(
    engine: &dyn Engine,
    id: DeliveryStreamId,
    limit: usize,
) -> Result<Vec<TableWrite>, StoreError> {
    let (from, to) = tables::notes_of(id);
    let rows = engine.scan(NOTES, from, Some(to), limit).await?;
    if !rows.is_empty() {
        let rows = rows.into_iter();
        return Ok(rows.map(|(key, row)| removal(key, row.version)).collect());
    }
    let key = tables::sum_key(id);
    let tally = engine.get(REPLAYS, &key).await?;
    let removal = tally.map(|row| TableWrite {
        table: REPLAYS,
        key,
        value: None,
        expect: Expect::Version(row.version),
    });
    Ok(removal.into_iter().collect())
}

/// The versions that records in logs of replays go through: they are kept until all of these are
/// delivered.
///
/// # Errors
/// When it cannot be read which these are.
pub async fn pinned(engine: &dyn Engine) -> Result<Vec<ContentHash>, StoreError> {
    let mut pinned = Vec::new();
    let rows = engine.scan(REPLAYS, store::Key::new(), None, usize::MAX);
    for (key, row) in rows.await? {
        let id = tables::parse_sum_key(&key).ok_or_else(|| damaged("a key of a tally"))?;
        let tally: Tally = codec::decode("tallies of replays", &row.value)?;
        let pump = tables::LaneKey::of_replays(id).pump_name();
        let stands = streams::pump::row::position_of(engine, &pump).await?;
        let position = stands.map_or(Position::FIRST, |(position, _)| position);
        pinned.extend(tally.versions_from(position));
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back() {
        let note = Note {
            bucket: "logs".to_owned(),
            object: "a/b".to_owned(),
            tag: Some("tag".to_owned()),
            bytes: 5,
            state: State::Begun,
            records: 9,
            replayed: 3,
            version: Some(ContentHash([1; 32])),
            at: Timestamp(7),
        };
        let key = NoteKey {
            delivery_stream: DeliveryStreamId(3),
            object: digest(&BucketName::parse("logs").unwrap(), "a/b"),
            content: [2; 32],
        };
        let write = write(key, &note, None).unwrap();
        assert_eq!(read(&write.value.unwrap()).unwrap(), note);
        let (from, to) = tables::notes_of_object(key.delivery_stream, key.object);
        assert!(from <= write.key && write.key < to);
        let (from, to) = tables::notes_of(key.delivery_stream);
        assert!(from <= write.key && write.key < to);
    }

    #[test]
    fn stretches_are_known_apart_until_there_are_many_and_forgotten_once_delivered() {
        let mut tally = Tally::default();
        let (one, other) = (Some(ContentHash([1; 32])), Some(ContentHash([2; 32])));
        for to in 1..=2 * STRETCHES_MAX as u64 {
            assert!(tally.add(Position(to), 10, one));
        }
        assert_eq!(tally.waiting_bytes(), 20 * STRETCHES_MAX as u64);
        assert!(!tally.add(Position(1_000), 10, other));
        tally.is_delivered_to(Position(1));
        assert!(tally.add(Position(1_000), 10, other));
        assert_eq!(tally.waiting.len(), STRETCHES_MAX);
        let versions: Vec<_> = tally.versions_from(Position(999)).collect();
        assert_eq!(versions, [ContentHash([2; 32])]);
        tally.is_delivered_to(Position(1_000));
        assert_eq!(tally.waiting_bytes(), 0);
    }
}
