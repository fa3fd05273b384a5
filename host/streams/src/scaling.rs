//! Streams in ON_DEMAND mode: how many shards they have follows from what is put into them.
//!
//! As the service describes it (developer guide, "On-demand mode"): there is room for twice the
//! peak. Here that is looked at every [`LOOK_PERIOD`]: with more than half of what the shards take,
//! they become as many as take twice as much, and double at most; with less than a quarter for
//! [`QUIET`], they become half as many. A warm throughput has its shards whatever comes. All
//! shards are of one size.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use types::limits::{
    ON_DEMAND_SHARDS_MAX, ON_DEMAND_SHARDS_MIN, SHARD_WRITE_BYTES_PER_SECOND,
    SHARD_WRITE_RECORDS_PER_SECOND,
};

use crate::Streams;
use crate::catalog::{By, ChangeError};
use crate::resharding::Resharding;
use crate::stream::{Status, Stream, StreamId};

/// Time between two looks. Load that comes is answered within two of them.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// How long little must have come before there are fewer shards.
const QUIET: Duration = Duration::from_secs(15 * 60);

/// What had been put by some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    records: u64,
    bytes: u64,
}

impl Seen {
    fn now(stream: &Stream) -> Self {
        Self {
            records: stream.counts.incoming_records.value(),
            bytes: stream.counts.incoming_bytes.value(),
        }
    }

    /// How many shards take what came since `before`, each working all the time. Rounded up.
    fn shards_since(self, before: Self, time: Duration) -> u128 {
        let millis = time.as_millis().max(1);
        let needed = |came: u64, per_second: u32| {
            (u128::from(came) * 1_000).div_ceil(u128::from(per_second) * millis)
        };
        let records = self.records.saturating_sub(before.records);
        let bytes = self.bytes.saturating_sub(before.bytes);
        needed(records, SHARD_WRITE_RECORDS_PER_SECOND)
            .max(needed(bytes, SHARD_WRITE_BYTES_PER_SECOND))
    }
}

/// How one stream was when it was looked at.
struct Watched {
    at: Duration,
    seen: Seen,
    /// Since when it has had more shards than it needs.
    quiet_since: Option<Duration>,
}

/// Streams in ON_DEMAND mode, as they were when they were looked at last.
#[derive(Default)]
pub struct Loads(HashMap<StreamId, Watched>);

impl Loads {
    /// How many shards the stream shall have, if others than it has. Time is that of a clock which
    /// is never set.
    fn look(&mut self, stream: &Stream, uptime: Duration) -> Option<u128> {
        let seen = Seen::now(stream);
        let open = stream.shards.open_count() as u128;
        // A shard takes a MiB in a second.
        let warm = stream.mode.on_demand().and_then(|it| it.warm_mibps);
        let least = warm.map_or(ON_DEMAND_SHARDS_MIN, |mibps| {
            mibps.max(ON_DEMAND_SHARDS_MIN)
        });
        let least = u128::from(least);
        let watched = self.0.entry(stream.id).or_insert(Watched {
            at: uptime,
            seen,
            quiet_since: None,
        });
        let time = uptime.saturating_sub(watched.at);
        if time.is_zero() {
            return None;
        }
        let needed = seen.shards_since(watched.seen, time);
        (watched.at, watched.seen) = (uptime, seen);
        if 2 * needed > open {
            watched.quiet_since = None;
            return more(open, needed, least);
        }
        if open < least {
            return Some(least);
        }
        if 4 * needed >= open || open == least {
            watched.quiet_since = None;
            return None;
        }
        let quiet_since = *watched.quiet_since.get_or_insert(uptime);
        if uptime.saturating_sub(quiet_since) < QUIET {
            return None;
        }
        watched.quiet_since = None;
        Some((open / 2).max(least))
    }
}

/// Room for twice what comes, by doubling at most, and as many as there are to be at least.
fn more(open: u128, needed: u128, least: u128) -> Option<u128> {
    let most = u128::from(ON_DEMAND_SHARDS_MAX).max(least);
    let target = (2 * needed).min(2 * open).max(least).min(most);
    (target > open).then_some(target)
}

/// Looks every [`LOOK_PERIOD`] until it is told to stop.
pub async fn run(streams: Weak<Streams>, mut stopped: watch::Receiver<bool>) {
    let mut loads = Loads::default();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(LOOK_PERIOD) => {}
        }
        let Some(streams) = streams.upgrade() else {
            return;
        };
        streams.scale_on_demand(&mut loads).await;
    }
}

impl Streams {
    /// Gives each stream in ON_DEMAND mode the shards that it needs. One that cannot have them is
    /// looked at again.
    pub async fn scale_on_demand(&self, loads: &mut Loads) {
        let all = self.directory.all();
        let is_there = |stream: &Arc<Stream>| stream.mode.on_demand().is_some();
        let there: Vec<_> = all.into_iter().filter(is_there).collect();
        let ids: HashSet<_> = there.iter().map(|stream| stream.id).collect();
        loads.0.retain(|id, _| ids.contains(id));
        for stream in there {
            if stream.status != Status::Active {
                continue;
            }
            let Some(target) = loads.look(&stream, self.clock.uptime()) else {
                continue;
            };
            let Ok(target) = u32::try_from(target) else {
                tracing::error!(stream = %stream.arn, target, "no stream has as many shards");
                continue;
            };
            let arn = stream.arn.clone();
            let scaled = self
                .catalog
                .reshard(arn, Resharding::Scale(target), By::Service);
            let (arn, from) = (&stream.arn, stream.shards.open_count());
            match scaled.await {
                Ok(_) => tracing::info!(stream = %arn, from, target, "a stream is scaled"),
                // It was changed or deleted meanwhile.
                Err(ChangeError::NotActive(_) | ChangeError::NotFound) => {}
                Err(error) => {
                    tracing::warn!(stream = %arn, from, target, ?error, "scale a stream");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(records: u64, bytes: u64) -> Seen {
        Seen { records, bytes }
    }

    #[test]
    fn what_comes_needs_as_many_shards_as_take_its_records_and_its_bytes() {
        const MIB: u64 = 1024 * 1024;
        for (records, bytes, seconds, shards) in [
            (0, 0, 1, 0),
            (1, 1, 1, 1),
            (1_000, MIB, 1, 1),
            (1_001, 1, 1, 2),
            (1, MIB + 1, 1, 2),
            (40_000, MIB, 10, 4),
            (1, 55 * MIB, 10, 6),
        ] {
            let came = seen(records + 7, bytes + 9).shards_since(seen(7, 9), SECOND * seconds);
            assert_eq!(came, shards, "{records} {bytes} {seconds}");
        }
    }

    #[test]
    fn there_is_room_for_twice_what_comes_by_doubling_at_most() {
        for (open, needed, least, target) in [
            (4, 3, 4, Some(6)),
            (4, 4, 4, Some(8)),
            (4, 9, 4, Some(8)),
            (4, 3, 50, Some(50)),
            (10, 6, 4, Some(12)),
            (150, 110, 4, Some(200)),
            (200, 180, 4, None),
            (150, 110, 300, Some(300)),
        ] {
            let more = more(open, needed, least);
            assert_eq!(more, target, "{open} {needed} {least}");
        }
    }
}
