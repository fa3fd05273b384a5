//! The way of a record into its shard's log.
//!
//! All records of a call become one transaction with one frame for each shard: one entry in the
//! engine's queue and one wake-up, whatever their number. A record's data is decoded straight into
//! the frame that is stored.

use std::sync::Arc;

use store::{Append, BodyBuilder, CommitError, NewFrame, Position, Transaction};
use types::{HashKey, PartitionKey, SequenceNumber, Timestamp};
use wire::ApiError;
use wire::json::{Blob, Text};

use crate::Streams;
use crate::shard::Shard;
use crate::stream::{Status, Stream};

/// How often records are placed anew when a shard was closed while they were on their way.
const PLACEMENTS_MAX: usize = 3;
/// No less than a frame's layout adds to the bytes of a record.
const LAYOUT_BYTES_PER_RECORD: usize = 8;

/// A record as the producer sent it.
#[derive(Debug)]
pub struct NewRecord<'a> {
    partition_key: &'a str,
    data: &'a Blob<'a>,
    hash_key: HashKey,
    bytes: usize,
}

impl<'a> NewRecord<'a> {
    /// Refuses a hash key that no shard can have. The members' own constraints were checked
    /// before.
    pub fn parse(
        partition_key: &'a Text<'a>,
        data: &'a Blob<'a>,
        explicit_hash_key: Option<&Text<'_>>,
    ) -> Result<Self, ApiError> {
        let hash_key = match explicit_hash_key {
            Some(text) => HashKey::parse(text).map_err(|_| {
                ApiError::new(
                    "InvalidArgumentException",
                    format!(
                        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: \
                         [0, 2^128-1]. Specified value was {}",
                        text.as_str()
                    ),
                )
            })?,
            None => {
                let key = PartitionKey::parse(partition_key.as_str())
                    .map_err(|invalid| ApiError::validation(invalid.to_string()))?;
                HashKey::of(&key)
            }
        };
        Ok(Self {
            partition_key,
            data,
            hash_key,
            bytes: data.decoded_len() + partition_key.len(),
        })
    }

    /// Bytes of data and partition key.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What became of the records of one call, in their order.
pub struct Put {
    stream: Arc<Stream>,
    fates: Vec<Fate>,
    positions: Result<Vec<Position>, CommitError>,
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

/// Where a record went: a shard, by its place in the stream's map, and a frame if it got that far.
#[derive(Clone, Copy, Debug)]
struct Fate {
    place: usize,
    way: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// To a shard that takes it.
    Taken,
    /// Nowhere: its shard has taken all that a second allows.
    OverRate,
    /// Into a frame of the transaction, as its `index`-th record.
    Frame { frame: usize, index: u16 },
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
}

impl Put {
    /// What became of each record.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome<'_>> {
        self.fates.iter().map(|fate| self.outcome(*fate))
    }

    /// Why the store kept none of them, if that was so.
    pub fn error(&self) -> Option<&CommitError> {
        self.positions.as_ref().err()
    }

    fn outcome(&self, fate: Fate) -> Outcome<'_> {
        let Some(shard) = self.stream.shards.all().get(fate.place) else {
            return Outcome::Failed;
        };
        match (&self.positions, fate.way) {
            (_, Way::OverRate) | (Err(CommitError::Busy), _) => Outcome::OverRate(shard),
            (Ok(positions), Way::Frame { frame, index }) => match positions.get(frame) {
                Some(position) => Outcome::Landed {
                    shard,
                    number: shard.number(*position, index),
                },
                None => Outcome::Failed,
            },
            (_, Way::Taken) | (Err(_), Way::Frame { .. }) => Outcome::Failed,
        }
    }
}

impl Streams {
    /// Puts records into their shards. Each is kept or refused on its own, except that the store
    /// keeps all that were not over their shard's rate, or none.
    pub(crate) async fn put(
        &self,
        mut stream: Arc<Stream>,
        records: &[NewRecord<'_>],
    ) -> Result<Put, PutError> {
        for _ in 1..PLACEMENTS_MAX {
            let put = self.put_once(stream, records).await?;
            if !matches!(put.positions, Err(CommitError::Sealed(_))) {
                return Ok(put);
            }
            // A shard was closed. Its children are in the catalog before its log is sealed.
            let now = self.directory.at(&put.stream.arn);
            stream = now
                .filter(|now| now.id == put.stream.id && now.status == Status::Active)
                .ok_or(PutError::StreamGone)?;
        }
        self.put_once(stream, records).await
    }

    async fn put_once(
        &self,
        stream: Arc<Stream>,
        records: &[NewRecord<'_>],
    ) -> Result<Put, PutError> {
        let (fates, transaction) = self.plan(&stream, records)?;
        let positions = match transaction.appends.is_empty() {
            true => Ok(Vec::new()),
            false => self.engine.commit(transaction).await.map(|c| c.positions),
        };
        if matches!(positions, Err(CommitError::NoLog(_))) {
            return Err(PutError::StreamGone);
        }
        let put = Put {
            stream,
            fates,
            positions,
        };
        self.count(&put, records);
        Ok(put)
    }

    /// Places each record and lays those that their shards take into frames.
    fn plan(
        &self,
        stream: &Stream,
        records: &[NewRecord<'_>],
    ) -> Result<(Vec<Fate>, Transaction), PutError> {
        let now = self.now();
        let mut fates = Vec::with_capacity(records.len());
        for record in records {
            let place = stream.shards.place(record.hash_key);
            fates.push(Fate {
                place: place.ok_or(PutError::NoShard)?,
                way: Way::Taken,
            });
        }
        // Records of one shard stay in the order of the call.
        let mut order: Vec<_> = (0..fates.len()).collect();
        let place_of = |fates: &[Fate], n: usize| fates.get(n).map_or(0, |fate| fate.place);
        order.sort_by_key(|n| place_of(&fates, *n));
        let mut frames = Frames {
            arrival: now,
            bytes_max: self.engine.capabilities().frame_bytes_max,
            transaction: Transaction::default(),
        };
        let mut rest = &order[..];
        while let Some(first) = rest.first() {
            let place = place_of(&fates, *first);
            let end = rest.partition_point(|n| place_of(&fates, *n) == place);
            let (run, others) = rest.split_at(end);
            rest = others;
            if let Some(shard) = stream.shards.all().get(place) {
                if self.options.throttle {
                    take(shard, run, records, &mut fates, now);
                }
                frames.lay(shard, run, records, &mut fates)?;
            }
        }
        Ok((fates, frames.transaction))
    }

    fn count(&self, put: &Put, records: &[NewRecord<'_>]) {
        let (mut landed, mut bytes, mut over) = (0, 0, 0);
        for (outcome, record) in put.outcomes().zip(records) {
            match outcome {
                Outcome::Landed { .. } => {
                    landed += 1;
                    bytes += record.bytes as u64;
                }
                Outcome::OverRate(_) => over += 1,
                Outcome::Failed => {}
            }
        }
        let metrics = self.metrics();
        metrics.incoming_records.add(landed);
        metrics.incoming_bytes.add(bytes);
        metrics.write_provisioned_throughput_exceeded.add(over);
    }
}

/// Lets a shard take as many of the records named by `run` as its rate allows.
fn take(
    shard: &Shard,
    run: &[usize],
    records: &[NewRecord<'_>],
    fates: &mut [Fate],
    now: Timestamp,
) {
    let mut rates = shard.rates();
    for n in run {
        if let (Some(record), Some(fate)) = (records.get(*n), fates.get_mut(*n))
            && !rates.write(record.bytes, now)
        {
            fate.way = Way::OverRate;
        }
    }
}

/// The frames of one call.
struct Frames {
    arrival: Timestamp,
    bytes_max: usize,
    transaction: Transaction,
}

impl Frames {
    /// Lays the records of one shard, named by `run`, into a frame; into several if one would be
    /// larger than the engine takes.
    fn lay(
        &mut self,
        shard: &Shard,
        run: &[usize],
        records: &[NewRecord<'_>],
        fates: &mut [Fate],
    ) -> Result<(), PutError> {
        let bytes = run.iter().filter_map(|n| records.get(*n));
        let bytes: usize = bytes.map(NewRecord::bytes).sum();
        let mut body = BodyBuilder::with_capacity(run.len(), bytes);
        let mut body_bytes = 0;
        for n in run {
            let (Some(record), Some(fate)) = (records.get(*n), fates.get_mut(*n)) else {
                continue;
            };
            if matches!(fate.way, Way::OverRate) {
                continue;
            }
            let record_bytes = record.bytes + LAYOUT_BYTES_PER_RECORD;
            if body.count() > 0 && self.bytes_max < body_bytes + record_bytes {
                self.close(shard, std::mem::take(&mut body));
                body_bytes = 0;
            }
            let index = body.count();
            match body.push_with(record.partition_key, |out| record.data.decode_onto(out)) {
                Some(Ok(())) => {
                    let frame = self.transaction.appends.len();
                    fate.way = Way::Frame { frame, index };
                    body_bytes += record_bytes;
                }
                Some(Err(error)) => return Err(PutError::Blob(error)),
                // The members' constraints keep a record far below what the layout holds.
                None => {}
            }
        }
        if body.count() > 0 {
            self.close(shard, body);
        }
        Ok(())
    }

    fn close(&mut self, shard: &Shard, body: BodyBuilder) {
        let (body, count) = body.finish();
        self.transaction.appends.push(Append {
            log: shard.facts().log,
            frame: NewFrame {
                count,
                arrival: self.arrival,
                body,
            },
        });
    }
}
