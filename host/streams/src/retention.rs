//! Forgetting what retention no longer keeps.
//!
//! Reads skip expired frames by themselves, to the millisecond (see `reader`); what happens here
//! gives the space back and moves the horizon.

use std::sync::{Arc, Weak};
use std::time::Duration;

use store::StoreError;
use tokio::sync::watch;

use crate::Streams;
use crate::retention_clock::RetentionTime;
use crate::shard::Shard;
use crate::stream::Stream;

/// How often expired frames are looked for. Space comes back this much later than it might.
const TRIM_PERIOD: Duration = Duration::from_secs(60);

/// Trims every [`TRIM_PERIOD`] until it is told to stop.
pub async fn run(streams: Weak<Streams>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(TRIM_PERIOD) => {}
        }
        let Some(streams) = streams.upgrade() else {
            return;
        };
        tokio::select! {
            // Between two logs is as good a place to stop as any.
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = streams.trim_expired() => {}
        }
    }
}

impl Streams {
    /// Trims each shard's log to the oldest frame that retention still keeps. A log that cannot
    /// be trimmed is left for the next time, and so are all while the clock is doubted. Notes the
    /// time, too, now and then.
    pub async fn trim_expired(&self) {
        let now = self.retention_time();
        if !now.may_trim {
            return;
        }
        self.noted_time.follow(now.now).await;
        for stream in self.directory.all() {
            if stream.status.is_in_service() {
                self.trim_stream(&stream, now).await;
                self.forget_expired_shards(&stream, now).await;
            }
        }
    }

    /// Forgets closed shards whose records have all expired.
    async fn forget_expired_shards(&self, stream: &Stream, now: RetentionTime) {
        let cutoff = stream.cutoff(now);
        let mut shards = stream.shards.all().iter();
        let closed_at = |shard: &Arc<Shard>| shard.facts().closed_at;
        if !shards.any(|shard| closed_at(shard).is_some_and(|at| at < cutoff)) {
            return;
        }
        let forgotten = self.catalog.forget_expired(stream.arn.clone()).await;
        if let Err(error) = forgotten {
            tracing::warn!(stream = %stream.arn, ?error, "forget expired shards");
        }
    }

    async fn trim_stream(&self, stream: &Stream, now: RetentionTime) {
        let cutoff = stream.cutoff(now);
        for shard in stream.shards.all() {
            let log = shard.facts().log;
            let trimmed = async {
                let keep_from = self.engine.seek_time(log, cutoff).await?;
                if self.engine.horizon(log)? < keep_from {
                    self.engine.trim(log, keep_from).await?;
                    self.metrics().trims.add(1);
                }
                Ok::<_, StoreError>(())
            };
            match trimmed.await {
                // A stream that is deleted meanwhile takes its logs with it.
                Ok(()) | Err(StoreError::NoLog(_)) => {}
                Err(error) => tracing::warn!(
                    stream = %stream.arn, shard = shard.id_text(), %error,
                    "trim a shard to its retention"
                ),
            }
        }
    }
}
