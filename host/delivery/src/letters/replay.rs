//! Failed records once more: they go from their object into the log of replays, from where their
//! lane delivers them as any other.
//!
//! ```text
//! read all of it: is it one of failed records, and which       nothing is changed
//! -> (the records that come next + how far it came)*            one commit each
//! ```
//!
//! What stands in the note is in the log, and nothing else is: whoever replays the object again
//! goes on behind that, also after a crash, and also if both do it at the same time.

use std::sync::Arc;

use serde::Serialize;
use store::{Expect, KeyId, Position, RowCheck, Transaction, Version};
use tokio::time::Instant;
use wasm::ContentHash;

use super::LetterError;
use super::limits::{
    CALL_TIME_MAX, COMMIT_BYTES_MAX, COMMIT_RECORDS_MAX, KEY_TIME_MAX, WAITING_BYTES_MAX,
};
use super::line::FailedRecord;
use super::notes::{self, Note, NoteKey, State, Tally};
use super::reading::Reading;
use super::room::{make_room, with_one_more};
use crate::Delivery;
use crate::catalog::ChangeError;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::objects::Found;
use crate::put;
use crate::replayed::Former;
use crate::running::{NotBegun, Running};
use crate::tables::{self, DELIVERY_STREAMS, LaneKey};

/// What became of the records of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Its key in the bucket.
    pub object: String,
    /// Its records.
    pub records: u64,
    /// Those of them that were replayed so far.
    pub replayed: u64,
    /// Those of these that this call replayed.
    pub now: u64,
    /// Whether that is all of them; if not, the next call goes on.
    pub done: bool,
    /// Why not all of them, where not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Records that go into the log together.
#[derive(Default)]
struct Together {
    records: Vec<(String, Vec<u8>)>,
    bytes: usize,
}

impl Together {
    fn add(&mut self, record: FailedRecord, version: Option<ContentHash>) {
        let former = Former {
            history: record.history,
            version,
        };
        let key = former.write();
        // What is said of an empty record takes room as well.
        self.bytes += key.len() + record.data.len();
        self.records.push((key, record.data));
    }

    fn is_full(&self) -> bool {
        self.records.len() >= COMMIT_RECORDS_MAX || self.bytes >= COMMIT_BYTES_MAX
    }
}

/// An object on its way into the log.
struct Replay<'a> {
    delivery: &'a Delivery,
    running: &'a Running,
    found: &'a Found,
    key: NoteKey,
    note: Note,
    /// The version of the note's row, if it has one.
    was: Option<Version>,
    /// What the records are sealed with.
    seal: Option<KeyId>,
}

/// See [`Delivery::replay_dead_letter`].
pub async fn replay(
    delivery: &Delivery,
    running: &Arc<Running>,
    (found, version): (&Found, Option<ContentHash>),
) -> Result<Replayed, LetterError> {
    let end_at = Instant::now() + CALL_TIME_MAX;
    let (key, records) = measure(delivery, running, found).await?;
    let kept = notes::find(&*delivery.tools.engine, key).await?;
    let new = Note {
        bucket: running.stream().plan.bucket.as_str().to_owned(),
        object: found.key.clone(),
        tag: found.tag.clone(),
        bytes: found.bytes,
        state: State::Begun,
        records,
        replayed: 0,
        version,
        at: delivery.now(),
    };
    let (note, was) = begin(new, kept)?;
    if note.state == State::Replayed {
        return Ok(told(&note, 0, None));
    }
    // Held until what is replayed through it is kept, so that nobody deletes it before.
    let _held = held_version(delivery, running, note.version).await?;
    if was.is_none() {
        make_room(delivery, running).await?;
    }
    let mut replay = Replay {
        delivery,
        running,
        found,
        key,
        note,
        was,
        seal: seal(delivery, running).await?,
    };
    begin_lane(delivery, running).await?;
    let before = replay.note.replayed;
    let why = replay.run(end_at).await;
    let now = replay.note.replayed - before;
    match why {
        // What was done is told, and what stands in the way with it.
        Err(error) if now == 0 => Err(error),
        Err(error) => Ok(told(&replay.note, now, Some(error.to_string()))),
        Ok(why) => Ok(told(&replay.note, now, why)),
    }
}

fn told(note: &Note, now: u64, why: Option<String>) -> Replayed {
    Replayed {
        object: note.object.clone(),
        records: note.records,
        replayed: note.replayed,
        now,
        done: note.state == State::Replayed,
        why,
    }
}

/// Reads all of an object: what it is noted by, and how many records it has.
async fn measure(
    delivery: &Delivery,
    running: &Running,
    found: &Found,
) -> Result<(NoteKey, u64), LetterError> {
    let stream = running.stream();
    let objects = &*delivery.tools.objects;
    let mut reading = Reading::begin(objects, &stream.plan.bucket, found)?;
    let mut count = 0;
    while let Some(records) = reading.next().await? {
        count += records.len() as u64;
    }
    let key = NoteKey {
        delivery_stream: stream.id,
        object: notes::digest(&stream.plan.bucket, &found.key),
        content: reading.digest()?,
    };
    Ok((key, count))
}

/// The note that a replay begins with that is asked for, or goes on with.
fn begin(new: Note, kept: Option<(Note, Version)>) -> Result<(Note, Option<Version>), LetterError> {
    let Some((note, was)) = kept else {
        return Ok((new, None));
    };
    let is_through_another = new.version.is_some() && new.version != note.version;
    if note.state == State::Begun && is_through_another {
        let through = match note.version {
            Some(version) => format!("version {version}"),
            None => "the version in force".to_owned(),
        };
        return Err(LetterError::Refused(format!(
            "The replay of this object was begun through {through}, and goes on so: leave the \
             version out."
        )));
    }
    let note = Note {
        // A key and a digest are the same object, wherever its bytes lie now.
        tag: new.tag.clone(),
        ..note
    };
    match note.state {
        State::Replayed | State::Begun => Ok((note, Some(was))),
        // It was discarded before any of it was replayed, or after some of it was.
        State::Discarded if note.replayed == 0 => Ok((new, Some(was))),
        // What was replayed goes through what was named then; the rest goes through what is named.
        State::Discarded => Ok((
            Note {
                state: State::Begun,
                version: new.version,
                ..note
            },
            Some(was),
        )),
    }
}

/// The version that was named, which must be there.
async fn held_version(
    delivery: &Delivery,
    running: &Running,
    version: Option<ContentHash>,
) -> Result<Option<Arc<wasm::Version>>, LetterError> {
    let Some(hash) = version else {
        return Ok(None);
    };
    let stream = running.stream();
    let Some(transform) = &stream.destination.transform else {
        return Err(LetterError::Refused(
            "A version is named, and the delivery stream has no plugin.".to_owned(),
        ));
    };
    let name = transform.plugin();
    let name = name.map_err(|types::Invalid(why)| LetterError::Refused(why))?;
    let plugins = Arc::clone(&delivery.tools.plugins);
    let told = format!("version {hash} of {name}");
    let loading = tokio::task::spawn_blocking(move || plugins.version(&name, hash));
    let loaded = loading
        .await
        .map_err(|error| LetterError::Store(error.to_string()))?;
    let version =
        loaded.map_err(|why| LetterError::Refused(format!("There is no {told}: {why}.")))?;
    delivery.tools.plugins.hold(&version);
    Ok(Some(version))
}

/// What records are sealed with that wait once more: what those are that wait for the first time.
/// Of a delivery stream that reads a stream, which has no data key of its own, one is made that the
/// same master key wraps as the stream's.
async fn seal(delivery: &Delivery, running: &Running) -> Result<Option<KeyId>, LetterError> {
    let stream = running.stream();
    let asked = match &stream.origin {
        Origin::DirectPut { .. } => None,
        Origin::Stream { arn, .. } => {
            let asked = delivery.streams.encryption_of_source(arn);
            // Without a key of its own nothing says what the records were sealed with.
            if asked.is_none()
                && stream.encryption.key().is_none()
                && delivery.streams.source(arn).is_none()
            {
                return Err(LetterError::Refused(format!(
                    "The stream {arn} is not there any more, and with it is gone whether its \
                     records are to be encrypted."
                )));
            }
            asked
        }
    };
    let Some(asked) = asked.filter(|asked| !stream.encryption.is(asked)) else {
        return Ok(stream.encryption.key());
    };
    match delivery
        .catalog
        .encrypt(stream.arn.clone(), asked.clone())
        .await
    {
        // Somebody else replays the first of this, too.
        Ok(()) | Err(ChangeError::EncryptionUnderWay) => {}
        Err(ChangeError::Kms(error)) => return Err(LetterError::Refused(error.message)),
        Err(error) => {
            let why = format!("its encryption cannot be made that of its stream: {error:?}");
            return Err(LetterError::Busy(why));
        }
    }
    let is_so = |stream: &DeliveryStream| stream.encryption.is(&asked);
    let changed = running.until(KEY_TIME_MAX, is_so).await;
    let stream = changed.ok_or_else(|| {
        LetterError::Busy("the key that it is to be sealed with is not there yet".to_owned())
    })?;
    Ok(stream.encryption.key())
}

async fn begin_lane(delivery: &Delivery, running: &Running) -> Result<(), LetterError> {
    match running.begin_replays(&delivery.tools).await {
        Ok(()) => Ok(()),
        Err(NotBegun::NoRoom(max)) => Err(LetterError::Refused(format!(
            "A replay takes one lane more, and the account has all of the {max} that it may."
        ))),
        Err(NotBegun::NotActive) => Err(LetterError::NotFound(
            "The delivery stream was deleted.".to_owned(),
        )),
        Err(NotBegun::Commit(error)) => Err(LetterError::of_commit(error)),
    }
}

impl Replay<'_> {
    /// Puts what is left into the log. Why not all of it, if something is left for another call.
    async fn run(&mut self, end_at: Instant) -> Result<Option<String>, LetterError> {
        let bucket = self.running.stream().plan.bucket.clone();
        let objects = &*self.delivery.tools.objects;
        let mut reading = Reading::begin(objects, &bucket, self.found)?;
        let (mut skip, mut together) = (self.note.replayed, Together::default());
        while let Some(records) = reading.next().await? {
            for record in records {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                together.add(record, self.note.version);
                if together.is_full() {
                    self.keep(std::mem::take(&mut together)).await?;
                    if Instant::now() >= end_at {
                        return Ok(Some("it takes longer than one call may".to_owned()));
                    }
                }
            }
        }
        if reading.digest()? != self.key.content {
            return Err(super::gone(&self.found.key));
        }
        // An object without records is done, too.
        if self.note.state != State::Replayed {
            self.keep(together).await?;
        }
        Ok(None)
    }

    /// Puts records into the log, and notes that, in one commit.
    async fn keep(&mut self, together: Together) -> Result<(), LetterError> {
        let Together { records, bytes } = together;
        let engine = &*self.delivery.tools.engine;
        let stream = super::active(self.running)?;
        let id = self.key.delivery_stream;
        let (mut tally, tally_was) = notes::tally(engine, id).await?;
        if self.was.is_none() {
            tally = with_one_more(tally)?;
        }
        let log = tables::replay_log(id);
        // Only replays put into it, and each writes the tally: this is so when it is committed.
        let tip = engine.tip(log)?;
        let state = self.running.state(LaneKey::of_replays(id));
        let delivered = state.and_then(|state| state.position());
        tally.is_delivered_to(delivered.unwrap_or(Position::FIRST));
        let count = records.len() as u64;
        if count > 0 {
            self.add_to(&mut tally, (tip, count), bytes as u64)?;
        }
        let replayed = self.note.replayed + count;
        let note = Note {
            state: if replayed >= self.note.records {
                State::Replayed
            } else {
                State::Begun
            },
            replayed,
            at: self.delivery.now(),
            ..self.note.clone()
        };
        let appends = if records.is_empty() {
            Vec::new()
        } else {
            let frame_bytes_max = engine.capabilities().frame_bytes_max;
            let records = records.iter().map(|(key, data)| (key.as_str(), &data[..]));
            let to = (log, self.seal);
            let appends = put::appends(to, records, (frame_bytes_max, self.delivery.now()));
            appends.map_err(LetterError::of_commit)?
        };
        let transaction = Transaction {
            appends,
            writes: vec![
                notes::write(self.key, &note, self.was)?,
                notes::tally_write(id, &tally, tally_was)?,
            ],
            checks: vec![is_as(&stream)],
            ..Transaction::default()
        };
        let committed = engine.commit(transaction).await;
        let committed = committed.map_err(LetterError::of_commit)?;
        (self.note, self.was) = (note, Some(committed.version));
        Ok(())
    }

    fn add_to(
        &self,
        tally: &mut Tally,
        (tip, count): (Position, u64),
        bytes: u64,
    ) -> Result<(), LetterError> {
        let waiting = tally.waiting_bytes();
        let is_over = waiting > 0 && waiting + bytes > WAITING_BYTES_MAX;
        let to = Position(tip.0 + count);
        if is_over || !tally.add(to, bytes, self.note.version) {
            return Err(LetterError::Busy(format!(
                "{waiting} bytes that were replayed before wait to be delivered"
            )));
        }
        Ok(())
    }
}

/// What is kept for a delivery stream that is deleted meanwhile nobody would take away.
fn is_as(stream: &DeliveryStream) -> RowCheck {
    RowCheck {
        table: DELIVERY_STREAMS,
        key: tables::stream_key(&stream.arn),
        expect: Expect::Version(stream.row_version),
    }
}

/// See [`Delivery::discard_dead_letter`].
pub async fn discard(
    delivery: &Delivery,
    running: &Running,
    found: &Found,
) -> Result<(), LetterError> {
    let (key, records) = measure(delivery, running, found).await?;
    make_room(delivery, running).await?;
    let engine = &*delivery.tools.engine;
    let stream = super::active(running)?;
    let kept = notes::find(engine, key).await?;
    let (tally, tally_was) = notes::tally(engine, stream.id).await?;
    let tally = match kept {
        Some(_) => tally,
        None => with_one_more(tally)?,
    };
    let note = Note {
        bucket: stream.plan.bucket.as_str().to_owned(),
        object: found.key.clone(),
        tag: found.tag.clone(),
        bytes: found.bytes,
        state: State::Discarded,
        records,
        replayed: kept.as_ref().map_or(0, |(note, _)| note.replayed),
        version: kept.as_ref().and_then(|(note, _)| note.version),
        at: delivery.now(),
    };
    let transaction = Transaction {
        writes: vec![
            notes::write(key, &note, kept.map(|(_, version)| version))?,
            notes::tally_write(stream.id, &tally, tally_was)?,
        ],
        checks: vec![is_as(&stream)],
        ..Transaction::default()
    };
    let kept = engine.commit(transaction).await;
    kept.map(|_| ()).map_err(LetterError::of_commit)
}
