//! One look: at the workers, the applications, their shards and leases.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::{CommitError, Expect, LogId, Purpose, StoreError, TableWrite, Transaction};
use streams::SourceShard;
use tokio::time::Instant;
use types::{ShardId, Timestamp};

use super::{Known, ShardKnown, Supervisor};
use crate::application::{Application, State};
use crate::batch::Origin;
use crate::catalog;
use crate::lane::LaneOf;
use crate::leases::{self, Claim, Lease, WORKER_LIVES_MS, Worker};
use crate::limits::ROWS_PER_COMMIT;
use crate::rows::{self, LeaseRow, WorkerRow, expecting};
use crate::running::Running;
use crate::table_ids::{LEASES, ShardKey};

/// A shard that could be worked on.
struct Wanted {
    of: LaneOf,
    is_due: bool,
}

impl Supervisor {
    /// Looks at everything, and does what there is to do.
    pub(super) async fn look(&mut self) -> Result<(), StoreError> {
        let had_company = self.has_company;
        let workers = self.say_alive().await?;
        self.look_at_applications().await?;
        self.make_declared().await;
        if had_company || self.has_company {
            self.load_leases().await?;
        }
        let mut wanted = Vec::new();
        let ids: Vec<_> = self.applications.keys().copied().collect();
        for id in ids {
            let Some(known) = self.applications.get(&id) else {
                continue;
            };
            let running = Arc::clone(&known.running);
            let looked = match running.application().state {
                State::Creating => {
                    self.go_on_creating(&running).await;
                    Ok(Vec::new())
                }
                State::Running => self.look_at_shards(&running).await,
                State::Paused => {
                    self.rest(&running);
                    // Shards come and go meanwhile, and what is lost with them is counted.
                    let looked = self.look_at_shards(&running).await;
                    looked.map(|_| Vec::new())
                }
                State::Deleting => self.go_on_deleting(&running).await.map(|()| Vec::new()),
            };
            match looked {
                Ok(shards) => wanted.extend(shards),
                // What is wrong with one holds up no other.
                Err(error) => running.has_trouble(Some(error.to_string())),
            }
        }
        self.claim(&workers, &wanted).await?;
        self.give_back().await?;
        self.start_and_stop(wanted);
        Ok(())
    }

    /// Says that this worker lives, and looks who else does.
    async fn say_alive(&mut self) -> Result<Vec<Worker>, StoreError> {
        let (engine, now) = (&*self.ground.engine, self.ground.now());
        let opening = engine.opening();
        let row = WorkerRow {
            deadline_ms: now.0.saturating_add(WORKER_LIVES_MS),
            opening,
        };
        let mut writes = vec![rows::worker_write(self.me, Some(&row))?];
        let mut workers = Vec::new();
        for (id, row, _) in rows::load_workers(engine).await? {
            if id == self.me {
                continue;
            }
            let worker = Worker {
                id,
                deadline: Timestamp(row.deadline_ms),
                is_gone: opening.is_some() && row.opening != opening,
            };
            if worker.lives(now) {
                workers.push(worker);
            } else {
                // Its shards are free: no row says that it lives.
                writes.push(rows::worker_write(id, None)?);
            }
        }
        commit(engine, writes).await?;
        self.has_company = !workers.is_empty();
        Ok(workers)
    }

    /// Says that this worker is gone.
    pub(super) async fn say_gone(&self) -> Result<(), StoreError> {
        let gone = rows::worker_write(self.me, None)?;
        commit(&*self.ground.engine, vec![gone]).await
    }

    /// Finds the applications that there are.
    pub async fn look_at_applications(&mut self) -> Result<(), StoreError> {
        let kept = rows::load_applications(&*self.ground.engine).await?;
        let is_kept = |id| kept.iter().any(|(application, _)| application.id == id);
        let gone: Vec<_> = self
            .applications
            .keys()
            .filter(|id| !is_kept(**id))
            .collect();
        let gone: Vec<_> = gone.into_iter().copied().collect();
        for id in gone {
            if let Some(known) = self.applications.remove(&id) {
                for (key, _) in known.running.shards() {
                    self.stop(key, true);
                }
            }
        }
        for (application, _) in kept {
            match self.applications.get(&application.id) {
                Some(known) if *known.running.application() == application => {}
                Some(known) => known.running.set(application),
                None => self.meet(application),
            }
        }
        let all = self.applications.values();
        self.directory
            .set(all.map(|known| Arc::clone(&known.running)).collect());
        for known in self
            .applications
            .values_mut()
            .filter(|known| !known.is_loaded)
        {
            let id = known.running.application().id;
            for (key, progress) in rows::load_progress(&*self.ground.engine, Some(id)).await? {
                let shard = known.shards.entry(key).or_default();
                shard.is_ended |= progress.is_ended;
                let at_work = known.running.shard(key);
                at_work.show(|shown| {
                    if !shown.is_here {
                        shown.counts = progress.counts;
                    }
                });
            }
            // What other workers do is looked at again.
            known.is_loaded = !self.has_company;
        }
        Ok(())
    }

    fn meet(&mut self, application: Application) {
        let mut changes = self
            .ground
            .streams
            .source_changes(&application.stream_arn());
        let nudge = Arc::clone(&self.nudge);
        let forwarding = tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                nudge.notify_one();
            }
        });
        let known = Known {
            running: Running::new(application),
            shards: Default::default(),
            is_loaded: false,
            forwarding,
        };
        let id = known.running.application().id;
        self.applications.insert(id, known);
    }

    async fn load_leases(&mut self) -> Result<(), StoreError> {
        let leases = rows::load_leases(&*self.ground.engine).await?.into_iter();
        let leases = leases.map(|(key, LeaseRow { owner }, version)| (key, (owner, version)));
        self.leases = leases.collect();
        Ok(())
    }

    async fn go_on_creating(&mut self, running: &Running) {
        let application = Application::clone(&running.application());
        match catalog::begin(&self.ground, application).await {
            Ok(_) => self.nudge.notify_one(),
            Err(error) => running.has_trouble(Some(error.to_string())),
        }
    }

    async fn go_on_deleting(&mut self, running: &Running) -> Result<(), StoreError> {
        let application = running.application();
        let id = application.id;
        let lanes = self.at_work.keys().filter(|key| key.application == id);
        let lanes: Vec<_> = lanes.copied().collect();
        for key in &lanes {
            self.stop(*key, false);
        }
        if !lanes.is_empty() {
            return Ok(());
        }
        catalog::remove(&self.ground, &application).await?;
        self.applications.remove(&id);
        self.directory.remove(id);
        Ok(())
    }

    /// Ends the lanes of an application that is paused.
    fn rest(&mut self, running: &Running) {
        for (key, _) in running.shards() {
            self.stop(key, false);
        }
    }

    /// The shards that could be worked on, each kept where it begins.
    async fn look_at_shards(&mut self, running: &Arc<Running>) -> Result<Vec<Wanted>, StoreError> {
        let application = running.application();
        let arn = application.stream_arn();
        let streams = Arc::clone(&self.ground.streams);
        let source = streams.source(&arn).or_else(|| streams.ending_source(&arn));
        let is_missed = source.is_none() && application.state == State::Running;
        running.has_trouble(is_missed.then(|| {
            let stream = &application.stream;
            format!("its stream {stream} is not there")
        }));
        self.count_gone(running, source.as_ref()).await?;
        let Some(source) = source else {
            return Ok(Vec::new());
        };
        let key_of = |shard: ShardId| ShardKey {
            application: application.id,
            stream: source.id,
            shard,
        };
        let Some(known) = self.applications.get_mut(&application.id) else {
            return Ok(Vec::new());
        };
        let new = source.shards.iter().map(|shard| key_of(shard.id));
        let new: Vec<_> = new.filter(|key| !known.shards.contains_key(key)).collect();
        if !new.is_empty() {
            catalog::begin_late(&*self.ground.engine, &new).await?;
            for key in new {
                known.shards.insert(key, ShardKnown::default());
            }
        }
        for shard in &source.shards {
            if let (Some(known), Ok(tip)) = (
                known.shards.get_mut(&key_of(shard.id)),
                self.ground.engine.tip(shard.log),
            ) {
                known.tip_seen = tip;
            }
        }
        let ended = self.ended(application.id);
        let listed: BTreeSet<_> = source.shards.iter().map(|shard| shard.id).collect();
        let wanted = source.shards.iter().filter_map(|shard| {
            let key = key_of(shard.id);
            if ended.contains(&key) {
                return None;
            }
            let is_listed = |id: ShardId| listed.contains(&id);
            let is_ended = |id: ShardId| ended.contains(&key_of(id));
            Some(Wanted {
                of: lane_of(running, key, shard, arn.to_string()),
                is_due: leases::parents_are_done(&shard.parents, is_listed, is_ended),
            })
        });
        Ok(wanted.collect())
    }

    /// Takes leases.
    async fn claim(&mut self, workers: &[Worker], wanted: &[Wanted]) -> Result<(), StoreError> {
        let leases: Vec<_> = wanted
            .iter()
            .map(|wanted| Lease {
                key: wanted.of.key,
                owner: self.leases.get(&wanted.of.key).map(|(owner, _)| *owner),
                is_due: wanted.is_due,
            })
            .collect();
        let claims = leases::claims(self.me, (workers, &leases), self.ground.now());
        for part in claims.chunks(ROWS_PER_COMMIT) {
            if !self.take(part).await? {
                for claim in part {
                    self.take(std::slice::from_ref(claim)).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes these leases, all or none.
    async fn take(&mut self, claims: &[Claim<ShardKey>]) -> Result<bool, StoreError> {
        let mut writes = Vec::with_capacity(claims.len());
        for claim in claims {
            let key = claim.key();
            let was = self.leases.get(&key).map(|(_, version)| *version);
            writes.push(rows::lease_write(key, self.me, expecting(was))?);
        }
        let transaction = Transaction {
            writes,
            ..Transaction::default()
        };
        match self.ground.engine.commit(transaction).await {
            Ok(committed) => {
                for claim in claims {
                    self.leases
                        .insert(claim.key(), (self.me, committed.version));
                }
                Ok(true)
            }
            // Another worker was first. The next look reads who it was.
            Err(CommitError::Conflict { .. }) => {
                self.has_company = true;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the leases of shards that are done, and of applications that do not run.
    async fn give_back(&mut self) -> Result<(), StoreError> {
        let over = self.leases.iter().filter(|(key, (owner, _))| {
            let known = self.applications.get(&key.application);
            let runs = known.is_some_and(|known| {
                let is_ended = known.shards.get(*key).is_none_or(|shard| shard.is_ended);
                known.running.application().state == State::Running && !is_ended
            });
            *owner == self.me && !runs && !self.at_work.contains_key(*key)
        });
        let over: Vec<_> = over.map(|(key, (_, version))| (*key, *version)).collect();
        for part in over.chunks(ROWS_PER_COMMIT) {
            let writes = part.iter().map(|(key, version)| TableWrite {
                table: LEASES,
                key: key.row(),
                value: None,
                expect: Expect::Version(*version),
            });
            let transaction = Transaction {
                writes: writes.collect(),
                ..Transaction::default()
            };
            match self.ground.engine.commit(transaction).await {
                Ok(_) => {
                    for (key, _) in part {
                        self.leases.remove(key);
                    }
                }
                Err(CommitError::Conflict { .. }) => self.has_company = true,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Starts the lanes of shards that are this worker's, and ends those of others.
    fn start_and_stop(&mut self, wanted: Vec<Wanted>) {
        let mine = |owner: Option<&(u64, _)>| owner.is_some_and(|(owner, _)| *owner == self.me);
        let lost = self.at_work.keys().filter(|key| {
            let known = self.applications.get(&key.application);
            let runs = known.is_some_and(|it| it.running.application().state == State::Running);
            runs && !mine(self.leases.get(*key))
        });
        for key in lost.copied().collect::<Vec<_>>() {
            self.stop(key, true);
        }
        let now = Instant::now();
        for wanted in wanted {
            let key = wanted.of.key;
            let is_mine = self
                .leases
                .get(&key)
                .is_some_and(|(owner, _)| *owner == self.me);
            let waits = self.failed.get(&key).is_some_and(|it| it.again_at > now);
            if is_mine && wanted.is_due && !waits && !self.at_work.contains_key(&key) {
                self.start(wanted.of);
            }
        }
    }
}

fn lane_of(running: &Arc<Running>, key: ShardKey, shard: &SourceShard, stream: String) -> LaneOf {
    let log: LogId = shard.log;
    LaneOf {
        running: Arc::clone(running),
        key,
        log,
        origin: Arc::new(Origin {
            stream,
            shard: shard.id.to_string(),
            range: shard.range,
            numbering: shard.numbering,
        }),
    }
}

async fn commit(engine: &dyn store::Engine, writes: Vec<TableWrite>) -> Result<(), StoreError> {
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    // They stand in the place of others that are as large.
    engine.commit_for(Purpose::MakeRoom, transaction).await?;
    Ok(())
}
