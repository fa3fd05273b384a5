//! Records that are retained, for a look at what a plugin would make of them. Nothing of them is
//! delivered by this, and no lane notices.

use std::collections::{BTreeSet, VecDeque};

use store::{Engine, LogId, Position, StoreError};
use types::AccountId;
use wasm::{PluginName, RecordsOf, Retained};

use crate::Delivery;
use crate::need::READ_BYTES;
use crate::user_records::{self, Offered, Place};

/// A log, and whether records of its frames may be aggregates.
type Log = (LogId, bool);

impl Delivery {
    /// The last records that are retained: so many at most, and so many bytes, the newest of each
    /// shard. Of several delivery streams of a plugin the first by its ARN that has any; of one
    /// that is put to directly, what waits.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn retained(
        &self,
        of: &RecordsOf,
        (records_max, bytes_max): (usize, usize),
    ) -> Result<Retained, StoreError> {
        for (source, logs) in self.sources(of) {
            let mut retained = Retained {
                source,
                records: Vec::new(),
            };
            // Each log has its share, so that all that is read is within the bounds.
            let count = logs.len().max(1);
            let share = (records_max.div_ceil(count), bytes_max / count);
            for log in logs {
                let last = last_records(&*self.tools.engine, log, share).await?;
                retained.records.extend(last);
            }
            retained.records.truncate(records_max);
            if !retained.records.is_empty() {
                return Ok(retained);
            }
        }
        Ok(Retained::default())
    }

    /// What records are asked of: its ARN, and its logs.
    fn sources(&self, of: &RecordsOf) -> Vec<(String, Vec<Log>)> {
        if let RecordsOf::Stream(arn) = of {
            let source = self.streams.source(arn);
            let shards = source.into_iter().flat_map(|source| source.shards);
            let logs = shards.map(|shard| (shard.log, true)).collect();
            return vec![(arn.to_string(), logs)];
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
                let logs = logs.map(|(key, log)| (log, key.source().is_some()));
                found.push((arn, logs.collect()));
            }
        }
        found.sort();
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
    (log, unpacks): Log,
    (records_max, bytes_max): (usize, usize),
) -> Result<VecDeque<Vec<u8>>, StoreError> {
    let count = u64::try_from(records_max).unwrap_or(u64::MAX);
    let tip = engine.tip(log)?;
    let mut from = engine
        .horizon(log)?
        .max(Position(tip.0.saturating_sub(count)));
    let (mut last, mut bytes) = (VecDeque::new(), 0);
    while from < tip {
        let read = engine.read(log, from, READ_BYTES).await?;
        for frame in &read.frames {
            let mut place = Place::default();
            let taken = user_records::offer(frame, (unpacks, &mut place), |_, data| {
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
