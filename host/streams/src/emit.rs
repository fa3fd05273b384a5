//! Records that are put to a stream within somebody else's transaction: by a hosted application,
//! together with its position. They go the way of all records (`put`); only the commit is
//! another's.
//!
//! ```text
//! prepare -> appends -> the other's commit -> committed, which counts them
//!    ^                        | a shard was closed: resharded
//!    +------------------------+ anything else: drop it, and prepare again
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::{Append, LogId};
use types::{StreamArn, StreamName};
use wire::members::Blob;

use crate::Streams;
use crate::counts::published;
use crate::new_record::NewRecord;
use crate::put::{PutError, by_shard};
use crate::shard::Shard;
use crate::stream::Stream;

/// A record to be put.
#[derive(Clone, Copy, Debug)]
pub struct Emitted<'a> {
    /// 1 to 256 characters; says which shard takes the record.
    pub partition_key: &'a str,
    /// The record.
    pub data: &'a [u8],
}

/// Why records cannot be put now, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// There is no such stream, or it does not take records yet or any more.
    NotActive,
    /// A record can never be put to this stream: `index` says which, the text why.
    Refused {
        /// Its place among the records.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Shards have taken what a second allows: to be prepared again after this time.
    OverRate(Duration),
    /// The catalog of the stream is not as it must be.
    Internal(&'static str),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive => f.write_str("there is no such stream that takes records"),
            Self::Refused { index, why } => write!(f, "record {index}: {why}"),
            Self::OverRate(_) => f.write_str("its shards have taken what a second allows"),
            Self::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for EmitError {}

/// Records that are ready to be put. Dropped before [`Emission::committed`], it gives the rates of
/// their shards back.
pub struct Emission {
    streams: Arc<Streams>,
    stream: Arc<Stream>,
    /// What each of the shards was charged with.
    charged: Vec<Charge>,
    appends: Vec<Append>,
    is_committed: bool,
}

/// The shards that records were put to, for whoever wants to put more to them and asks when that
/// may go. Of one stream.
pub struct Targets {
    streams: Arc<Streams>,
    stream: Arc<Stream>,
    shards: Vec<Arc<Shard>>,
}

impl Targets {
    /// How long it takes until each of them takes records again, if nobody else puts any meanwhile:
    /// nothing where they would be taken now.
    pub fn until_room(&self) -> Duration {
        if !self.streams.options.throttle {
            return Duration::ZERO;
        }
        let uptime = self.streams.clock.uptime();
        let waits = self.shards.iter().map(|it| it.rates().until_paid(uptime));
        waits.max().unwrap_or_default()
    }

    /// The stream's name.
    pub fn stream(&self) -> &StreamName {
        &self.stream.arn.name
    }
}

/// Records of one shard.
struct Charge {
    shard: Arc<Shard>,
    records: usize,
    bytes: usize,
}

impl Streams {
    /// Makes records ready to be put to the stream at an address, in this order within a shard. All
    /// of them together are held to the rates of their shards; what is over is owed.
    ///
    /// # Errors
    /// When they cannot be put, or not now. Nothing is charged then.
    pub fn prepare(
        self: &Arc<Self>,
        arn: &StreamArn,
        records: &[Emitted<'_>],
    ) -> Result<Emission, EmitError> {
        let stream = self.directory.at(arn);
        let stream = stream.filter(|stream| stream.status.is_in_service());
        let stream = stream.ok_or(EmitError::NotActive)?;
        let blobs: Vec<_> = records.iter().map(|it| Blob::plain(it.data)).collect();
        let mut new = Vec::with_capacity(records.len());
        for (index, (record, data)) in records.iter().zip(&blobs).enumerate() {
            let refused = |why: String| EmitError::Refused { index, why };
            let record = NewRecord::emitted(&stream, record.partition_key, data)
                .map_err(|invalid| refused(invalid.to_string()))?;
            if record.bytes() > stream.record_bytes_max {
                let (bytes, most) = (record.bytes(), stream.record_bytes_max);
                let why = format!("it has {bytes} bytes with its key, not at most {most}");
                return Err(refused(why));
            }
            new.push(record);
        }
        let mut fates = self.route(&stream, &new).map_err(internal)?;
        let mut charges: Vec<Charge> = Vec::new();
        for run in by_shard(&fates).chunk_by(|a, b| a.0 == b.0) {
            charges.push(Charge {
                shard: Arc::clone(&stream.shards.all()[run[0].0]),
                records: run.len(),
                bytes: run.iter().map(|(_, record)| new[*record].bytes()).sum(),
            });
        }
        let transaction = self.lay(&stream, &new, &mut fates).map_err(internal)?;
        let mut emission = Emission {
            streams: Arc::clone(self),
            stream,
            charged: Vec::new(),
            appends: transaction.appends,
            is_committed: false,
        };
        emission.charge(charges)?;
        Ok(emission)
    }
}

impl Emission {
    /// The frames, for the transaction. They are to be appended as they are.
    pub fn appends(&self) -> &[Append] {
        &self.appends
    }

    /// Bytes of the records with their keys.
    pub fn bytes(&self) -> usize {
        self.charged.iter().map(|charge| charge.bytes).sum()
    }

    /// The shards that take them.
    pub fn targets(&self) -> Targets {
        Targets {
            streams: Arc::clone(&self.streams),
            stream: Arc::clone(&self.stream),
            shards: self
                .charged
                .iter()
                .map(|it| Arc::clone(&it.shard))
                .collect(),
        }
    }

    /// The records are durable.
    pub fn committed(mut self) {
        self.is_committed = true;
        let (mut records, mut bytes) = (0, 0);
        for charge in &self.charged {
            // Nothing in memory has more of them than fit.
            let of_shard = (charge.records as u64, charge.bytes as u64);
            records += of_shard.0;
            bytes += of_shard.1;
            if let Some(counts) = published(&self.stream, &charge.shard) {
                counts.incoming_records.add(of_shard.0);
                counts.incoming_bytes.add(of_shard.1);
            }
        }
        self.streams.count_landed(&self.stream, (records, bytes));
    }

    /// Whether one of its frames is for this log.
    pub fn is_for(&self, log: LogId) -> bool {
        self.appends.iter().any(|append| append.log == log)
    }

    /// The commit was refused because a shard was closed: waits until it is known which shards take
    /// its place, and no longer than a few seconds. The records are to be prepared anew then.
    pub async fn resharded(self) {
        let (streams, stream) = (Arc::clone(&self.streams), Arc::clone(&self.stream));
        drop(self);
        // Without other shards, or without the stream, the next try says so.
        let _ = streams.resharded(&stream).await;
    }

    fn charge(&mut self, charges: Vec<Charge>) -> Result<(), EmitError> {
        if !self.streams.options.throttle {
            self.charged = charges;
            return Ok(());
        }
        let uptime = self.streams.clock.uptime();
        for charge in charges {
            let cost = (charge.records, charge.bytes);
            let charged = charge.shard.rates().write_all(cost, uptime);
            if let Err(owed) = charged {
                if let Some(counts) = published(&self.stream, &charge.shard) {
                    counts.write_exceeded.add(charge.records as u64);
                }
                let records = charge.records as u64;
                self.streams.count_over_rate(&self.stream, records);
                // Those that were charged are given back with this.
                return Err(EmitError::OverRate(owed));
            }
            self.charged.push(charge);
        }
        Ok(())
    }
}

impl Drop for Emission {
    fn drop(&mut self) {
        if self.is_committed || !self.streams.options.throttle {
            return;
        }
        for charge in &self.charged {
            let cost = (charge.records, charge.bytes);
            charge.shard.rates().give_back(cost);
        }
    }
}

fn internal(error: PutError) -> EmitError {
    EmitError::Internal(match error {
        PutError::StreamGone => "the stream is gone",
        PutError::Blob(_) => "plain bytes were taken for base64",
        PutError::NoShard => "no open shard takes a hash key",
        PutError::TooLarge => "a record is larger than a frame's layout holds",
        PutError::Kms(_) => "a key was asked for where none is",
    })
}
