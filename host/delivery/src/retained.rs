//! Records that are retained, for a look at what a plugin would make of them. Nothing of them is
//! delivered by this, and no lane notices.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use store::{Engine, LogId, Position, StoreError};
use types::AccountId;
use wasm::{PluginName, RecordsOf, Retained};

use crate::Delivery;
use crate::deaggregation::Deaggregation;
use crate::decompression::{Decompression, Unpacked, Unpacking};
use crate::need::READ_BYTES;
use crate::user_records::{self, Offered, Place};

/// A log, and what its records are before they go through a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Log {
    id: LogId,
    /// Whether records of its frames may be aggregates.
    has_aggregates: bool,
}

/// Logs that records are asked of.
struct Source {
    /// The ARN of what they belong to.
    arn: String,
    logs: Vec<Log>,
    /// How each record is unpacked before it goes through a plugin, if it is.
    decompression: Option<Decompression>,
    /// How each is taken apart, if it is.
    deaggregation: Option<Deaggregation>,
}

/// Bytes that are unpacked for each byte that may be handed over, at most: records that fail are
/// unpacked, too, and are not handed over. What is older is left out then.
const UNPACKED_PER_BYTE_MAX: usize = 2;

impl Delivery {
    /// The last records that are retained: so many at most, and so many bytes, the newest of each
    /// shard. Of several delivery streams of a plugin the first by its ARN that has any; of one
    /// that is put to directly, what waits. Where they are unpacked or taken apart before they go
    /// through the plugin, they are here; those that cannot be, it never sees.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn retained(
        &self,
        of: &RecordsOf,
        (records_max, bytes_max): (usize, usize),
    ) -> Result<Retained, StoreError> {
        for Source {
            arn,
            logs,
            decompression,
            deaggregation,
        } in self.sources(of)
        {
            let mut retained = Retained {
                source: arn,
                records: Vec::new(),
            };
            // Each log has its share, so that all that is read is within the bounds.
            let count = logs.len().max(1);
            let share = (records_max.div_ceil(count), bytes_max / count);
            for log in logs {
                let last = last_records(&*self.tools.engine, log, share).await?;
                let last = match decompression {
                    Some(terms) => unpacked(last, terms, share.1).await?,
                    None => last,
                };
                retained.records.extend(match &deaggregation {
                    Some(terms) => divided(&last, terms, share.0),
                    None => last,
                });
            }
            retained.records.truncate(records_max);
            if !retained.records.is_empty() {
                return Ok(retained);
            }
        }
        Ok(Retained::default())
    }

    /// What records are asked of.
    fn sources(&self, of: &RecordsOf) -> Vec<Source> {
        if let RecordsOf::Stream(arn) = of {
            let source = self.streams.source(arn);
            let shards = source.into_iter().flat_map(|source| source.shards);
            let logs = shards.map(|shard| Log {
                id: shard.log,
                has_aggregates: true,
            });
            return vec![Source {
                arn: arn.to_string(),
                logs: logs.collect(),
                decompression: None,
                deaggregation: None,
            }];
        }
        let mut found = Vec::new();
        for running in self.directory.all() {
            let stream = running.stream();
            let arn = stream.arn.to_string();
            let transform = stream.destination.transform.as_ref();
            let is_asked = match of {
                RecordsOf::Plugin(name) => transform.is_some_and(|it| it.plugin == name.as_str()),
                RecordsOf::DeliveryStream(asked) => arn == *asked,
                RecordsOf::Stream(_) => false,
            };
            if is_asked {
                let logs = running.lane_logs().into_iter();
                let logs = logs.map(|(key, id)| Log {
                    id,
                    has_aggregates: key.source().is_some(),
                });
                let mut logs: Vec<_> = logs.collect();
                logs.sort();
                found.push(Source {
                    arn,
                    logs,
                    decompression: stream.destination.decompression,
                    deaggregation: stream.destination.deaggregation.clone(),
                });
            }
        }
        found.sort_by(|one, other| one.arn.cmp(&other.arn));
        found
    }

    /// The plugins that delivery streams of an account go through.
    pub fn plugins_of(&self, account: AccountId) -> BTreeSet<PluginName> {
        let all = self.directory.all().into_iter();
        let streams = all.map(|running| running.stream());
        let theirs = streams.filter(|stream| stream.arn.owner.account == account);
        let names =
            theirs.filter_map(|stream| stream.destination.transform.as_ref()?.plugin().ok());
        names.collect()
    }
}

/// The last records of a log, as they are handed to a plugin.
async fn last_records(
    engine: &dyn Engine,
    log: Log,
    (records_max, bytes_max): (usize, usize),
) -> Result<VecDeque<Vec<u8>>, StoreError> {
    let count = u64::try_from(records_max).unwrap_or(u64::MAX);
    let tip = engine.tip(log.id)?;
    let mut from = engine
        .horizon(log.id)?
        .max(Position(tip.0.saturating_sub(count)));
    let (mut last, mut bytes) = (VecDeque::new(), 0);
    while from < tip {
        let read = engine.read(log.id, from, READ_BYTES).await?;
        for frame in &read.frames {
            let mut place = Place::default();
            let taken = user_records::offer(frame, (log.has_aggregates, &mut place), |_, data| {
                last.push_back(data.to_vec());
                bytes += data.len();
                // Of the newest there are as many as allowed; older ones make room for them.
                while records_max < last.len() || bytes_max < bytes {
                    let Some(oldest) = last.pop_front() else {
                        break;
                    };
                    bytes -= Vec::len(&oldest);
                }
                Ok::<_, std::convert::Infallible>(Offered::Taken)
            });
            // Nothing that is taken can fail.
            let Ok(_) = taken;
        }
        if read.next <= from {
            break;
        }
        from = read.next;
    }
    Ok(last)
}

/// The last records that lie in records, so many at most.
fn divided(
    records: &VecDeque<Vec<u8>>,
    terms: &Deaggregation,
    records_max: usize,
) -> VecDeque<Vec<u8>> {
    let mut last = VecDeque::new();
    for record in records.iter().rev() {
        // Of one that cannot be taken apart the plugin sees nothing.
        let found = terms.divide(record).unwrap_or_default();
        let found = found.into_iter().rev();
        let data = found.filter_map(|range| record.get(range));
        for data in data.take(records_max - last.len()) {
            last.push_front(data.to_vec());
        }
    }
    last
}

/// Unpacks records, the newest first, within so many bytes with what is not unpacked yet; those
/// that are older than what fits, or that nothing comes of, are left out.
///
/// # Errors
/// When the thread for it is gone.
async fn unpacked(
    packed: VecDeque<Vec<u8>>,
    terms: Decompression,
    bytes_max: usize,
) -> Result<VecDeque<Vec<u8>>, StoreError> {
    let unpacking = tokio::task::spawn_blocking(move || unpack(packed, terms, bytes_max));
    let unpacked = unpacking.await;
    unpacked.map_err(|error| StoreError::Io {
        doing: "unpack records".to_owned(),
        source: Arc::new(io::Error::other(error)),
    })
}

fn unpack(
    mut packed: VecDeque<Vec<u8>>,
    terms: Decompression,
    bytes_max: usize,
) -> VecDeque<Vec<u8>> {
    let mut unpacking = Unpacking::new(terms);
    let (mut unpacked, mut bytes, mut work) = (VecDeque::new(), 0, 0);
    let mut packed_bytes: usize = packed.iter().map(Vec::len).sum();
    while let Some(record) = packed.pop_back() {
        packed_bytes -= record.len();
        // One at a time is in the memory that it takes.
        let became = unpacking.unpack(&record, |_| true);
        unpacking.taken();
        work += unpacking.plain_bytes();
        if became == Unpacked::Data {
            let data = unpacking.data();
            if bytes + data.len() > bytes_max {
                break;
            }
            bytes += data.len();
            unpacked.push_front(data.to_vec());
        }
        // The oldest make room for the newest.
        while packed_bytes + bytes > bytes_max
            && let Some(oldest) = packed.pop_front()
        {
            packed_bytes -= oldest.len();
        }
        if work >= UNPACKED_PER_BYTE_MAX * bytes_max {
            break;
        }
    }
    unpacked
}
