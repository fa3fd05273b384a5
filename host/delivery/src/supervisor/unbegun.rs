//! Shards that came and went before their lanes could begin: the disk failed, there was no room, or
//! all of it was done between two looks. What they took is counted with where their logs ended.

use std::collections::{BTreeSet, HashSet};

use store::{Engine, Position, StoreError};
use streams::{StreamId, ends};

use crate::lane::Tools;
use crate::running::{Running, Wanted};
use crate::tables::LaneKey;

/// The lanes that have not begun, of the stream that is read or was read last.
#[derive(Default)]
pub(super) struct Unbegun {
    /// The lane after the last whose shard was seen. Shards are numbered in the order in which they
    /// are made. `None` until a stream was seen: before that nothing is counted.
    unseen_from: Option<LaneKey>,
    /// Those whose shards were seen.
    seen: BTreeSet<LaneKey>,
}

impl Unbegun {
    /// Begins those whose logs are gone, so that what was in them is counted. One that is wanted
    /// begins by itself.
    pub(super) async fn begin_gone(
        &mut self,
        running: &Running,
        tools: &Tools,
        wanted: &[Wanted],
    ) -> Result<(), StoreError> {
        let gone = self.gone(&*tools.engine, wanted).await?;
        running.begin_gone(tools, &gone).await?;
        self.have_begun(gone.into_iter().map(|(key, _)| key));
        Ok(())
    }

    /// These and no others were wanted, and those that lack have not begun.
    pub(super) fn were_wanted(&mut self, wanted: &[Wanted], lacking: &[&Wanted]) {
        self.have_begun(wanted.iter().map(|wanted| wanted.key));
        self.seen.extend(lacking.iter().map(|wanted| wanted.key));
        let stream = self.unseen_from.map(|key| key.stream);
        self.seen.retain(|key| Some(key.stream) == stream);
    }

    /// Those whose logs are gone, and where these ended.
    async fn gone(
        &self,
        engine: &dyn Engine,
        wanted: &[Wanted],
    ) -> Result<Vec<(LaneKey, Position)>, StoreError> {
        let Some(unseen_from) = self.unseen_from else {
            return Ok(Vec::new());
        };
        let wanted: HashSet<LaneKey> = wanted.iter().map(|wanted| wanted.key).collect();
        let ends = ends::of_stream(engine, StreamId(unseen_from.stream)).await?;
        let ends = ends.into_iter().map(|(shard, end)| {
            let shard = shard.0;
            (
                LaneKey {
                    shard,
                    ..unseen_from
                },
                end,
            )
        });
        let gone = ends.filter(|(key, _)| {
            let has_not_begun = unseen_from <= *key || self.seen.contains(key);
            has_not_begun && !wanted.contains(key)
        });
        Ok(gone.collect())
    }

    /// These have begun.
    fn have_begun(&mut self, keys: impl Iterator<Item = LaneKey>) {
        for key in keys {
            self.seen.remove(&key);
            self.see(key);
        }
    }

    fn see(&mut self, key: LaneKey) {
        if key.source().is_none() {
            // What is put directly has one lane, which begins before anything is put.
            return;
        }
        let shard = key.shard.saturating_add(1);
        self.unseen_from = self.unseen_from.max(Some(LaneKey { shard, ..key }));
    }
}
