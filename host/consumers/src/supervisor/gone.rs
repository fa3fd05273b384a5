//! Shards that are not there any more: what an application had not come to is counted as lost, and
//! what is kept of them becomes part of one row, so that it does not grow for ever.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::{CommitError, Expect, StoreError, TableWrite, Transaction};
use streams::pump::row;
use streams::{Source, ends};

use super::Supervisor;
use crate::limits::ROWS_PER_COMMIT;
use crate::rows::{self, ShardProgress};
use crate::running::Running;
use crate::table_ids::{LEASES, STATES, ShardKey};

impl Supervisor {
    /// Counts the shards of an application that its stream does not list any more.
    pub(super) async fn count_gone(
        &mut self,
        running: &Arc<Running>,
        source: Option<&Source>,
    ) -> Result<(), StoreError> {
        let id = running.application().id;
        let Some(known) = self.applications.get(&id) else {
            return Ok(());
        };
        let listed: BTreeSet<ShardKey> = source
            .into_iter()
            .flat_map(|source| source.shards.iter().map(|shard| (source.id, shard.id)))
            .map(|(stream, shard)| ShardKey {
                application: id,
                stream,
                shard,
            })
            .collect();
        let of_all = ShardKey::gone(id);
        let gone = known.shards.iter();
        let gone = gone.filter(|(key, _)| !listed.contains(*key) && **key != of_all);
        let gone: Vec<_> = gone.map(|(key, shard)| (*key, shard.tip_seen)).collect();
        for (key, tip_seen) in gone.into_iter().take(ROWS_PER_COMMIT) {
            if self.at_work.contains_key(&key) {
                // Its lane finds out that its log is gone.
                self.stop(key, true);
                continue;
            }
            let end = ends::end_of(&*self.ground.engine, (key.stream, key.shard)).await?;
            let end = end.unwrap_or(tip_seen);
            let stands = row::position_of(&*self.ground.engine, &key.pump_name()).await?;
            if let Some((position, version)) = stands {
                let lost = end.0.saturating_sub(position.0);
                if !self.fold(running, key, (lost, version)).await? {
                    // Another worker does it at the same moment.
                    self.nudge.notify_one();
                    continue;
                }
            }
            self.ground.instances.forget(key);
            running.forget(key);
            self.failed.remove(&key);
            self.leases.remove(&key);
            if let Some(known) = self.applications.get_mut(&id) {
                known.shards.remove(&key);
            }
        }
        Ok(())
    }

    /// Makes a shard part of the row of all that are gone. Whether it did; not where its pump's row
    /// was changed meanwhile.
    async fn fold(
        &self,
        running: &Running,
        key: ShardKey,
        (lost, version): (u64, store::Version),
    ) -> Result<bool, StoreError> {
        let engine = &*self.ground.engine;
        let of_all = ShardKey::gone(key.application);
        let progress = rows::progress_of(engine, key).await?.unwrap_or_default();
        let mut all = rows::progress_of(engine, of_all).await?.unwrap_or_default();
        all.counts += progress.counts;
        all.counts.lost += lost;
        all.is_ended = true;
        let all = ShardProgress {
            within: 0,
            version: None,
            ..all
        };
        if lost > 0 {
            let (name, shard) = (running.application().name.clone(), key.shard);
            tracing::error!(
                application = %name,
                %shard,
                lost,
                "records were deleted before an application came to them"
            );
        }
        let removed = |table| TableWrite {
            table,
            key: key.row(),
            value: None,
            expect: Expect::Any,
        };
        let transaction = Transaction {
            writes: vec![
                row::removal_of(&key.pump_name(), version),
                removed(crate::table_ids::SHARDS),
                removed(STATES),
                removed(LEASES),
                rows::progress_write(of_all, &all)?,
            ],
            ..Transaction::default()
        };
        match engine.commit(transaction).await {
            Ok(_) => {
                let shown = running.shard(of_all);
                shown.show(|shown| shown.counts = all.counts);
                Ok(true)
            }
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
