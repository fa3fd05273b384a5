//! The way of a record into its shard's log.
//!
//! All records of a call become one transaction with one frame for each shard: one entry in the
//! engine's queue and one wake-up, whatever their number. A record's data is decoded straight into
//! the frame that is stored.

use std::sync::Arc;
use std::time::Duration;

use store::{
    Append, BodyBuilder, CommitError, Committed, KeyId, LogId, NewFrame, Transaction, Version,
};
use tokio::time::timeout;
use types::{SequenceNumber, Timestamp};
use wire::ApiError;

use crate::Streams;
use crate::counts::{Counted, published};
use crate::directory::owner;
use crate::kms::KmsError;
use crate::new_record::{NewRecord, Way};
use crate::shard::Shard;
use crate::stream::Stream;

/// How often the records of a call are laid anew because shards were closed while they were on
/// their way: more often than a scaling has rounds, of which each may come right before a try.
/// After that they are not kept.
const RESHARDINGS_MAX: usize = 64;
/// How long the records of a call wait to be told which shards take the place of closed ones: the
/// store has it at that time, and only its answer is on the way. After that they are not kept.
const RESHARDING_WAIT_MAX: Duration = Duration::from_secs(5);
/// Shards that a record is offered to if it can go to any. If all of them have taken what a second
/// allows, it is over the rate.
const SHARDS_TRIED_MAX: usize = 8;
/// No less than a frame's layout adds to the bytes of a record.
const LAYOUT_BYTES_PER_RECORD: usize = 8;

/// What became of the records of one call, in their order.
pub struct Put {
    stream: Arc<Stream>,
    fates: Vec<Fate>,
    kept: Result<Committed, CommitError>,
    /// How many met which fate.
    pub counted: Counted,
}

/// What became of one record.
pub enum Outcome<'a> {
    /// It is durable.
    Landed {
        /// In which shard.
        shard: &'a Shard,
        /// Under which number.
        number: SequenceNumber,
    },
    /// Its shard, or the store as a whole, takes no more at the moment.
    OverRate(&'a Shard),
    /// It was not kept, or that is not known.
    Failed,
}

/// Where a record goes: to a shard, by its index in the stream's map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) shard: usize,
    state: RecordState,
}

#[derive(Clone, Copy, Debug)]
enum RecordState {
    /// Its shard takes it.
    Accepted,
    /// Its shard has taken all that a second allows.
    OverRate,
    /// It is the `index`-th record of a frame of the transaction.
    Laid { frame: usize, index: u16 },
}

impl RecordState {
    /// Whether the record goes to its shard's log.
    fn is_kept(self) -> bool {
        match self {
            Self::Accepted | Self::Laid { .. } => true,
            Self::OverRate => false,
        }
    }
}

/// Why none of a call's records was tried.
#[derive(Debug)]
pub enum PutError {
    /// The stream was deleted while they were on their way.
    StreamGone,
    /// A blob is not base64.
    Blob(ApiError),
    /// No open shard takes a record's hash key, which only a damaged catalog can cause.
    NoShard,
    /// A record is larger than the layout of a frame holds, which no constraint lets through.
    TooLarge,
    /// The key that they are to be sealed with is not to be had.
    Kms(KmsError),
}

impl Put {
    /// What became of each record.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome<'_>> {
        self.fates.iter().map(|fate| self.outcome(*fate))
    }

    /// Whether they are sealed where they are kept.
    pub fn is_sealed(&self) -> bool {
        self.stream.encryption.in_force.is_some()
    }

    /// Why the store kept none of them, if that was so.
    pub fn error(&self) -> Option<&CommitError> {
        self.kept.as_ref().err()
    }

    fn outcome(&self, fate: Fate) -> Outcome<'_> {
        let shard = &self.stream.shards.all()[fate.shard];
        match (&self.kept, fate.state) {
            (_, RecordState::OverRate) | (Err(CommitError::Busy), _) => Outcome::OverRate(shard),
            (Ok(kept), RecordState::Laid { frame, index }) => {
                match (kept.positions.get(frame), kept.arrivals.get(frame)) {
                    (Some(position), Some(arrival)) => Outcome::Landed {
                        shard,
                        number: shard.numbering().record(position.after(index), *arrival),
                    },
                    _ => Outcome::Failed,
                }
            }
            (_, RecordState::Accepted) | (Err(_), RecordState::Laid { .. }) => Outcome::Failed,
        }
    }
}

impl Streams {
    /// Puts records into their shards. Each is kept or refused on its own, except that the store
    /// keeps all that their shards take, or none.
    pub(crate) async fn put(
        &self,
        mut stream: Arc<Stream>,
        records: &[NewRecord<'_>],
    ) -> Result<Put, PutError> {
        let mut fates = self.route(&stream, records)?;
        self.charge(&stream, records, &mut fates);
        let mut tries = 0;
        loop {
            tries += 1;
            let transaction = self.lay(&stream, records, &mut fates)?;
            let kept = if transaction.appends.is_empty() {
                Ok(NOTHING)
            } else {
                self.engine.commit(transaction).await
            };
            match &kept {
                Err(CommitError::NoLog(_)) => return Err(PutError::StreamGone),
                Err(CommitError::Key { key, why }) => {
                    let refusal = self.kms().refusal(*key, *why, &owner(&stream.arn));
                    return Err(PutError::Kms(refusal));
                }
                // A shard was closed.
                Err(CommitError::Sealed(_)) if tries < RESHARDINGS_MAX => {
                    if let Some(resharded) = self.resharded(&stream).await? {
                        stream = resharded;
                        // What each shard took or refused it has taken or refused.
                        let decided = std::mem::take(&mut fates);
                        fates = self.route(&stream, records)?;
                        for (fate, before) in fates.iter_mut().zip(decided) {
                            if !before.state.is_kept() {
                                fate.state = before.state;
                            }
                        }
                        continue;
                    }
                }
                _ => {}
            }
            let mut put = Put {
                stream,
                fates,
                kept,
                counted: Counted::default(),
            };
            put.counted = self.count(&put, records);
            return Ok(put);
        }
    }

    /// Waits for the stream with other shards than it had; `None` if they do not come.
    pub(crate) async fn resharded(&self, before: &Stream) -> Result<Option<Arc<Stream>>, PutError> {
        let mut changes = self.directory.changes(&before.arn);
        let waiting = async {
            loop {
                let now = self.directory.at(&before.arn);
                let now = now.filter(|now| now.id == before.id && now.status.is_in_service());
                let now = now.ok_or(PutError::StreamGone)?;
                if !Arc::ptr_eq(&now.shards, &before.shards) || changes.changed().await.is_err() {
                    return Ok(now);
                }
            }
        };
        let resharded = timeout(RESHARDING_WAIT_MAX, waiting).await;
        resharded.ok().transpose()
    }

    /// Finds the shard of each record.
    pub(crate) fn route(
        &self,
        stream: &Stream,
        records: &[NewRecord<'_>],
    ) -> Result<Vec<Fate>, PutError> {
        let mut fates = Vec::with_capacity(records.len());
        for record in records {
            let shard = match record.way {
                Way::Key(key) => stream.shards.place(key),
                Way::Turn(turn) => stream.shards.in_turn(turn),
            };
            fates.push(Fate {
                shard: shard.ok_or(PutError::NoShard)?,
                state: RecordState::Accepted,
            });
        }
        Ok(fates)
    }

    /// Lets each shard take what its rate allows.
    fn charge(&self, stream: &Stream, records: &[NewRecord<'_>], fates: &mut [Fate]) {
        if self.options.throttle {
            let uptime = self.clock.uptime();
            for run in by_shard(fates).chunk_by(|a, b| a.0 == b.0) {
                let mut rates = stream.shards.all()[run[0].0].rates();
                for (_, record) in run {
                    let state = &mut fates[*record].state;
                    if matches!(state, RecordState::Accepted)
                        && !rates.write(records[*record].bytes(), uptime)
                    {
                        *state = RecordState::OverRate;
                    }
                }
            }
            for (fate, record) in fates.iter_mut().zip(records) {
                if let (RecordState::OverRate, Way::Turn(turn)) = (fate.state, record.way) {
                    let room = find_room(stream, turn, record.bytes(), uptime);
                    *fate = room.map_or(*fate, |shard| Fate {
                        shard,
                        state: RecordState::Accepted,
                    });
                }
            }
        }
    }

    /// Lays the records that their shards take into frames, at least one for each shard. Records of
    /// one shard stay in the order of the call.
    pub(crate) fn lay(
        &self,
        stream: &Stream,
        records: &[NewRecord<'_>],
        fates: &mut [Fate],
    ) -> Result<Transaction, PutError> {
        let mut frames = Frames {
            arrival: self.now(),
            key: stream.encryption.key(),
            bytes_max: self.engine.capabilities().frame_bytes_max,
            transaction: Transaction::default(),
        };
        for run in by_shard(fates).chunk_by(|a, b| a.0 == b.0) {
            let log = stream.shards.all()[run[0].0].facts().log;
            frames.lay(log, run, records, fates)?;
        }
        Ok(frames.transaction)
    }

    fn count(&self, put: &Put, records: &[NewRecord<'_>]) -> Counted {
        let mut counted = Counted::default();
        for (outcome, record) in put.outcomes().zip(records) {
            match outcome {
                Outcome::Landed { shard, .. } => {
                    let bytes = record.bytes() as u64;
                    counted.landed += 1;
                    counted.landed_bytes += bytes;
                    if let Some(counts) = published(&put.stream, shard) {
                        counts.incoming_records.add(1);
                        counts.incoming_bytes.add(bytes);
                    }
                }
                Outcome::OverRate(shard) => {
                    counted.over_rate += 1;
                    if let Some(counts) = published(&put.stream, shard) {
                        counts.write_exceeded.add(1);
                    }
                }
                Outcome::Failed => counted.failed += 1,
            }
        }
        self.count_over_rate(&put.stream, counted.over_rate);
        self.count_landed(&put.stream, (counted.landed, counted.landed_bytes));
        counted
    }

    /// So many records, and so many bytes of them, are durable.
    pub(crate) fn count_landed(&self, stream: &Stream, (records, bytes): (u64, u64)) {
        let metrics = self.metrics();
        metrics.incoming_records.add(records);
        metrics.incoming_bytes.add(bytes);
        stream.counts.incoming_records.add(records);
        stream.counts.incoming_bytes.add(bytes);
    }

    /// So many records were over the rates of their shards.
    pub(crate) fn count_over_rate(&self, stream: &Stream, records: u64) {
        let metrics = self.metrics();
        metrics.write_provisioned_throughput_exceeded.add(records);
        stream.counts.write_exceeded.add(records);
    }
}

/// Another shard for a record that can go to any, if the one whose turn it is takes no more.
fn find_room(stream: &Stream, turn: usize, bytes: usize, uptime: Duration) -> Option<usize> {
    let others = 1..stream.shards.open_count().min(SHARDS_TRIED_MAX);
    others
        .filter_map(|next| stream.shards.in_turn(turn.wrapping_add(next)))
        .find(|&shard| stream.shards.all()[shard].rates().write(bytes, uptime))
}

/// What becomes of a transaction that appends nothing.
const NOTHING: Committed = Committed {
    positions: Vec::new(),
    arrivals: Vec::new(),
    version: Version(0),
};

/// The indices of all records with those of their shards, those of one shard together and in the
/// order of the call.
pub(crate) fn by_shard(fates: &[Fate]) -> Vec<(usize, usize)> {
    let shards = fates.iter().map(|fate| fate.shard);
    let mut order: Vec<_> = shards.zip(0..).collect();
    order.sort_unstable();
    order
}

/// The frames of one call.
struct Frames {
    arrival: Timestamp,
    key: Option<KeyId>,
    bytes_max: usize,
    transaction: Transaction,
}

impl Frames {
    /// Lays the records of one shard, named by `run`, into a frame; into several if one would be
    /// larger than the engine takes.
    fn lay(
        &mut self,
        log: LogId,
        run: &[(usize, usize)],
        records: &[NewRecord<'_>],
        fates: &mut [Fate],
    ) -> Result<(), PutError> {
        // Room for what is kept, and not for what is refused. A record that was laid before is laid
        // anew.
        let (mut count, mut bytes) = (0, 0);
        for (_, n) in run {
            if fates[*n].state.is_kept() {
                count += 1;
                bytes += records[*n].bytes();
            }
        }
        let mut body = BodyBuilder::with_capacity(count, bytes.min(self.bytes_max));
        let mut body_bytes = 0;
        for (_, n) in run {
            let (record, state) = (&records[*n], &mut fates[*n].state);
            if !state.is_kept() {
                continue;
            }
            let record_bytes = record.bytes() + LAYOUT_BYTES_PER_RECORD;
            let is_full = body_bytes + record_bytes > self.bytes_max || body.count() == u16::MAX;
            if body.count() > 0 && is_full {
                self.close(log, std::mem::take(&mut body));
                body_bytes = 0;
            }
            let index = body.count();
            match body.push_with(&record.partition_key, |out| record.data.decode_onto(out)) {
                Some(Ok(())) => {
                    let frame = self.transaction.appends.len();
                    *state = RecordState::Laid { frame, index };
                    body_bytes += record_bytes;
                }
                Some(Err(error)) => return Err(PutError::Blob(error)),
                // The members' constraints keep a record far below what the layout holds.
                None => return Err(PutError::TooLarge),
            }
        }
        if body.count() > 0 {
            self.close(log, body);
        }
        Ok(())
    }

    fn close(&mut self, log: LogId, body: BodyBuilder) {
        let (body, count) = body.finish();
        self.transaction.appends.push(Append {
            log,
            frame: NewFrame {
                count,
                arrival: self.arrival,
                body,
                key: self.key,
            },
        });
    }
}
