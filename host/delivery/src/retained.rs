//! Records that are retained, for a look at what a plugin would make of them. Nothing of them is
//! delivered by this, and no lane notices.

use std::collections::VecDeque;

use store::{Engine, LogId, Position, StoreError};
use wasm::{PluginName, Retained};

use crate::Delivery;
use crate::need::READ_BYTES;
use crate::tables::LaneKey;
use crate::user_records::{self, Offered, Place};

impl Delivery {
    /// The last records that are retained of a delivery stream that goes through a plugin: so many
    /// at most, and so many bytes, the newest of each lane. Of several the first by its ARN that
    /// has any; of one that is put to directly, what waits.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn retained(
        &self,
        plugin: &PluginName,
        (records_max, bytes_max): (usize, usize),
    ) -> Result<Retained, StoreError> {
        let goes_through = |name: &str| name == plugin.as_str();
        let mut all = self.directory.all();
        all.retain(|running| {
            let stream = running.stream();
            let transform = stream.destination.transform.as_ref();
            transform.is_some_and(|transform| goes_through(&transform.plugin))
        });
        all.sort_by_key(|running| running.stream().arn.to_string());
        for running in &all {
            let logs = running.lane_logs();
            let mut retained = Retained {
                source: running.stream().arn.to_string(),
                records: Vec::new(),
            };
            // Each lane has its share, so that all that is read is within the bounds.
            let lanes = logs.len().max(1);
            let share = (records_max.div_ceil(lanes), bytes_max / lanes);
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
}

/// The last records of a lane's log, as they are handed to a plugin.
async fn last_records(
    engine: &dyn Engine,
    (key, log): (LaneKey, LogId),
    (records_max, bytes_max): (usize, usize),
) -> Result<VecDeque<Vec<u8>>, StoreError> {
    let count = u64::try_from(records_max).unwrap_or(u64::MAX);
    let tip = engine.tip(log)?;
    let mut from = engine
        .horizon(log)?
        .max(Position(tip.0.saturating_sub(count)));
    let (mut last, mut bytes) = (VecDeque::new(), 0);
    let unpacks = key.source().is_some();
    while from < tip {
        let read = engine.read(log, from, READ_BYTES).await?;
        for frame in &read.frames {
            let mut place = Place::default();
            let taken = user_records::offer(frame, (unpacks, &mut place), |data| {
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
