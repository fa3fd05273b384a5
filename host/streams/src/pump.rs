//! The pump: read from a position, do one step, commit the step's effects and the position, all or
//! nothing. Consumers, delivery and SQL give it a [`Step`]; none writes its own loop.
//!
//! ```text
//! claim the row -> read -> step(batch, effects) -> commit(effects + position) -> read -> …
//!                             |  failed: the step says whether and when to try again
//! ```
//!
//! The position lives in one row together with a number that its pump chose when it claimed the
//! row. Every commit expects the row as the pump last wrote it, so of two pumps of one name only
//! the one that claimed last goes on, and an effect is never repeated: what a pump does not know
//! (an answer lost, an outcome unknown) it reads from the row. Its task may be aborted and the
//! process killed anywhere.

mod damage;
pub mod row;
mod step;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{
    CommitError, Engine, Expect, LogId, Position, Purpose, StoreError, TableWrite, Transaction,
    Version,
};
use tokio::sync::watch;

use self::row::Row;
use self::step::pause;
pub use self::step::{Batch, Damage, Retry, Step, StepError};
use crate::codec;
use crate::tables::PUMPS;

/// Bytes that are read at once unless the owner asks for less or more.
pub const BATCH_BYTES: usize = 1024 * 1024;
/// How often a commit is tried that the store has no room for or whose outcome is unknown. After
/// that the pump ends with an error, at its position; its owner may start it again.
const COMMIT_TRIES_MAX: u32 = 30;

/// Why a pump ended though nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The log is sealed and all of it is done.
    LogEnd,
    /// Nothing came for as long as it was to wait (see [`Pump::set_rest_after`]), or nothing came
    /// and the step has something else to do (see [`Step::wakes`]).
    Idle,
}

/// Why a pump ended before it was told to. It stays at its position and can be run again.
#[derive(Clone, Debug)]
pub enum PumpError {
    /// Another pump has claimed the row. This one must not go on.
    Fenced,
    /// The step gave up.
    Step {
        /// What it failed with last.
        error: StepError,
        /// How often it was tried.
        attempts: u32,
    },
    /// The log or the row cannot be read.
    Store(StoreError),
    /// The store takes no commits.
    Commit(CommitError),
}

impl fmt::Display for PumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("another pump has taken over"),
            Self::Step { error, attempts } => write!(f, "gave up after {attempts} tries: {error}"),
            Self::Store(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PumpError {}

impl From<StoreError> for PumpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A claimed place in a log.
pub struct Pump {
    engine: Arc<dyn Engine>,
    log: LogId,
    name: Bytes,
    batch_bytes: usize,
    rest_after: Option<Duration>,
    gives_frames: bool,
    purpose: Purpose,
    end: Option<Position>,
    owner: u64,
    position: Position,
    version: Version,
}

/// What became of effects without a step.
#[derive(Clone, Debug)]
pub enum Here {
    /// They are durable.
    Done,
    /// They are not: an earlier commit had gone through whose answer was lost, or the stop came.
    NotDone,
    /// The store refused them.
    Refused(CommitError),
}

/// What became of a try to commit.
enum Outcome {
    Done,
    /// The row is ours but not as we left it: an earlier commit went through whose answer was
    /// lost. The pump now stands where the row says; this commit was refused.
    Moved,
    Refused(CommitError),
    Stopped,
}

impl Pump {
    /// Claims the pump called `name`, 1 to 1,024 bytes, on `log`: from where its row says, or from
    /// `start` if there is none. A pump that claimed it before is fenced off.
    ///
    /// # Errors
    /// [`PumpError::Fenced`] when another claims it at the same moment.
    pub async fn claim(
        engine: Arc<dyn Engine>,
        log: LogId,
        name: &str,
        start: Position,
    ) -> Result<Self, PumpError> {
        let name = Bytes::copy_from_slice(name.as_bytes());
        let owner = row::new_owner()?;
        let row = engine.get(PUMPS, &name).await?;
        let position = match &row {
            Some(row) => Position(codec::decode::<Row>("pumps", &row.value)?.position),
            None => start,
        };
        let mut pump = Self {
            engine,
            log,
            name,
            batch_bytes: BATCH_BYTES,
            rest_after: None,
            gives_frames: true,
            purpose: Purpose::Keep,
            end: None,
            owner,
            position,
            // The row is not written yet; the commit below gives its version.
            version: Version(0),
        };
        let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version));
        let write = pump.row_write(position, expect)?;
        let transaction = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        // Its row stands in the place of the one before, and whoever works on a log leads to what
        // is deleted.
        match pump.engine.commit_for(Purpose::MakeRoom, transaction).await {
            Ok(committed) => pump.version = committed.version,
            Err(error @ (CommitError::Unknown(_) | CommitError::Conflict { .. })) => {
                match (pump.read_row().await?, error) {
                    (Some((row, version)), _) if row.owner == owner => pump.version = version,
                    (_, CommitError::Conflict { .. }) => return Err(PumpError::Fenced),
                    (_, error) => return Err(PumpError::Commit(error)),
                }
            }
            Err(error) => return Err(PumpError::Commit(error)),
        }
        Ok(pump)
    }

    /// Reads about this many bytes at once.
    pub fn set_batch_bytes(&mut self, bytes: usize) {
        self.batch_bytes = bytes.max(1);
    }

    /// The step reads by itself, and may wait for long before it does: it is told how large the
    /// frames are that come next, and nobody holds them meanwhile.
    pub fn gives_no_frames(&mut self) {
        self.gives_frames = false;
    }

    /// What is committed is for this, which matters while the disk is short of room.
    pub fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Takes the log for one that is sealed at this position, at which a frame begins or nothing.
    pub fn set_end(&mut self, end: Position) {
        self.end = Some(end);
    }

    /// Ends with [`Ended::Idle`] when nothing has come for so long, instead of waiting on.
    pub fn set_rest_after(&mut self, time: Duration) {
        self.rest_after = Some(time);
    }

    /// Where the pump stands: all before it is done and durable.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The version of its row, and of all that it committed last.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Pumps until `stop` holds `true` or its sender is gone, or the log is sealed and done. A
    /// step that is under way when the stop comes is finished and committed.
    pub async fn run(
        &mut self,
        step: &mut dyn Step,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Ended, PumpError> {
        while !is_stopped(stop) {
            if self.end.is_some_and(|end| self.position >= end) {
                return Ok(Ended::LogEnd);
            }
            let read = self.engine.read(self.log, self.position, self.batch_bytes);
            let read = match read.await {
                Ok(read) => read,
                Err(error) if error.hides_records() => {
                    self.meet_damage(step, error, stop).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let first = read.frames.first();
            let begins = first.map_or(read.next, |frame| frame.position);
            if begins > self.position {
                let begins = self.end.map_or(begins, |end| begins.min(end));
                self.pass_over(step, begins, stop).await?;
                continue;
            }
            if read.frames.is_empty() {
                if read.sealed {
                    return Ok(Ended::LogEnd);
                }
                tokio::select! {
                    waited = self.engine.wait_beyond(self.log, read.tip) => waited?,
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = rested(self.rest_after) => return Ok(Ended::Idle),
                    () = step.wakes() => return Ok(Ended::Idle),
                }
                continue;
            }
            let bytes = read.frames.iter().map(|frame| frame.body.len()).sum();
            let frames = if self.gives_frames {
                read.frames
            } else {
                Vec::new()
            };
            let batch = Batch {
                frames,
                bytes,
                next: read.next,
                tip: read.tip,
            };
            self.work(step, &batch, stop).await?;
        }
        Ok(Ended::Stopped)
    }

    /// Tells the step what retention took from before it, and stands behind that.
    async fn pass_over(
        &mut self,
        step: &mut dyn Step,
        to: Position,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let gave_up = |error| PumpError::Step { error, attempts: 1 };
        let mut effects = Transaction::default();
        let told = step.passed_over(self.position, to, &mut effects).await;
        told.map_err(gave_up)?;
        match self.commit(effects, to, stop).await? {
            Outcome::Done => step.committed(self.version),
            // The next read finds out what is gone from where the pump stands now.
            Outcome::Moved | Outcome::Stopped => {}
            Outcome::Refused(error) => return Err(gave_up(StepError::Refused(error))),
        }
        Ok(())
    }

    /// Tries one batch until its effects are durable, the step gives up, or the stop comes between
    /// two tries.
    async fn work(
        &mut self,
        step: &mut dyn Step,
        batch: &Batch,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut effects = Transaction::default();
            let done = step.step(batch, &mut effects).await;
            let Some(error) = self.settle(step, (done, effects), stop).await? else {
                return Ok(());
            };
            match step.after_failure(&error, attempts) {
                Retry::GiveUp => return Err(PumpError::Step { error, attempts }),
                Retry::After(pause) => tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    () = step.pause(pause) => {}
                },
            }
        }
    }

    /// Makes durable what a step came to; why that is to be tried again, if it is.
    async fn settle(
        &mut self,
        step: &mut dyn Step,
        (done, effects): (Result<Position, StepError>, Transaction),
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<StepError>, PumpError> {
        let to = match done {
            Ok(to) if to < self.position || to == self.position && effects.is_empty() => {
                return Ok(None);
            }
            Ok(to) => to,
            Err(error) => return Ok(Some(error)),
        };
        match self.commit(effects, to, stop).await? {
            Outcome::Done => step.committed(self.version),
            Outcome::Moved | Outcome::Stopped => {}
            Outcome::Refused(error) => return Ok(Some(StepError::Refused(error))),
        }
        Ok(None)
    }

    /// Makes effects durable while the pump stands where it stands: what ends its work, which is no
    /// step on a batch.
    ///
    /// # Errors
    /// As [`Pump::run`].
    pub async fn commit_here(
        &mut self,
        effects: Transaction,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Here, PumpError> {
        Ok(match self.commit(effects, self.position, stop).await? {
            Outcome::Done => Here::Done,
            Outcome::Moved | Outcome::Stopped => Here::NotDone,
            Outcome::Refused(error) => Here::Refused(error),
        })
    }

    /// Makes effects and position durable together.
    async fn commit(
        &mut self,
        mut effects: Transaction,
        to: Position,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Outcome, PumpError> {
        let row = self.row_write(to, Expect::Version(self.version))?;
        effects.writes.push(row);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let committed = self.engine.commit_for(self.purpose, effects.clone()).await;
            let error = match committed {
                Ok(committed) => {
                    (self.position, self.version) = (to, committed.version);
                    return Ok(Outcome::Done);
                }
                Err(error) => error,
            };
            match error {
                CommitError::Conflict { table, ref key } if table == PUMPS && *key == self.name => {
                    let outcome = self.look_up(to).await?;
                    return outcome.ok_or(PumpError::Commit(error));
                }
                CommitError::Unknown(_) => {
                    if let Some(outcome) = self.look_up(to).await? {
                        return Ok(outcome);
                    }
                }
                CommitError::Busy
                | CommitError::DiskFull
                | CommitError::Key { .. }
                | CommitError::Store(_) => {}
                CommitError::ReadOnly(_) => return Err(PumpError::Commit(error)),
                CommitError::Sealed(_)
                | CommitError::NoLog(_)
                | CommitError::Conflict { .. }
                | CommitError::TooLarge(_) => return Ok(Outcome::Refused(error)),
            }
            if COMMIT_TRIES_MAX <= attempt {
                return Err(PumpError::Commit(error));
            }
            if stopped_within(pause(attempt), stop).await {
                return Ok(Outcome::Stopped);
            }
        }
    }

    /// Finds out from the row what became of a commit that should have moved it to `to`; `None` if
    /// the row is as we left it.
    async fn look_up(&mut self, to: Position) -> Result<Option<Outcome>, PumpError> {
        let Some((row, version)) = self.read_row().await? else {
            return Err(PumpError::Fenced);
        };
        if row.owner != self.owner {
            return Err(PumpError::Fenced);
        }
        if version == self.version {
            return Ok(None);
        }
        (self.position, self.version) = (Position(row.position), version);
        Ok(Some(if self.position == to {
            Outcome::Done
        } else {
            Outcome::Moved
        }))
    }

    async fn read_row(&self) -> Result<Option<(Row, Version)>, PumpError> {
        let Some(row) = self.engine.get(PUMPS, &self.name).await? else {
            return Ok(None);
        };
        Ok(Some((codec::decode("pumps", &row.value)?, row.version)))
    }

    fn row_write(&self, position: Position, expect: Expect) -> Result<TableWrite, StoreError> {
        let row = Row {
            position: position.0,
            owner: self.owner,
        };
        Ok(TableWrite {
            table: PUMPS,
            key: self.name.clone(),
            value: Some(codec::encode(&row)?),
            expect,
        })
    }
}

/// Returns after this time, or never.
async fn rested(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Whether the pump was told to stop. Nobody left to tell it means the same.
fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Pauses; returns early with `true` when the stop comes.
async fn stopped_within(pause: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => true,
        () = tokio::time::sleep(pause) => false,
    }
}
