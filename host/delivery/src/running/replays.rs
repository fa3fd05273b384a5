//! The lane of failed records that are delivered once more. It begins when the first of them comes.

use store::{CommitError, Engine, Expect, LogChange, Position, RowCheck, StoreError, Transaction};
use streams::pump::row;
use tokio::sync::watch;

use super::{Running, Wanted};
use crate::counts::Counts;
use crate::delivery_stream::Status;
use crate::lane::Tools;
use crate::rows::{self, Lane};
use crate::tables::{self, DELIVERY_STREAMS, LaneKey};

/// Why there is no lane of replays.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// The account has as many lanes as it may; the number is that.
    NoRoom(usize),
    /// The delivery stream is being deleted.
    NotActive,
    /// It could not be kept.
    Commit(CommitError),
}

impl From<StoreError> for NotBegun {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}

impl Running {
    /// Changes when it has a lane of replays from then on.
    pub(crate) fn replays(&self) -> watch::Receiver<bool> {
        self.replays.subscribe()
    }

    /// The lane of replays, if it has one.
    pub(super) fn wanted_of_replays(&self) -> Option<Wanted> {
        let id = self.stream().id;
        self.replays.borrow().then(|| Wanted {
            key: LaneKey::of_replays(id),
            log: tables::replay_log(id),
            numbering: None,
            is_closed: false,
            parents: Vec::new(),
        })
    }

    /// Whether records wait to be delivered once more.
    pub(crate) fn has_replays_waiting(&self, engine: &dyn Engine) -> bool {
        let (lanes, _) = self.lanes(engine);
        let mut replays = lanes.iter().filter(|(key, _)| key.is_of_replays());
        replays.any(|(_, lane)| lane.waiting_records > 0)
    }

    /// Sees whether an earlier process began a lane of replays.
    pub(super) fn look_for_replays(&self, engine: &dyn Engine) {
        let is_there = engine.tip(tables::replay_log(self.stream().id)).is_ok();
        self.replays.send_replace(is_there);
    }

    /// Begins the lane of replays durably, if it has not begun: its log and its rows come in one
    /// transaction, which a delivery stream that is deleted or changed meanwhile refuses.
    ///
    /// # Errors
    /// When it has not begun.
    pub(crate) async fn begin_replays(&self, tools: &Tools) -> Result<(), NotBegun> {
        if *self.replays.borrow() {
            return Ok(());
        }
        let (engine, stream) = (&*tools.engine, self.stream());
        // The row that is checked is of this status.
        if stream.status != Status::Active {
            return Err(NotBegun::NotActive);
        }
        let (key, log) = (
            LaneKey::of_replays(stream.id),
            tables::replay_log(stream.id),
        );
        if !tools.lane_quota.take(&stream, self.lane_count() + 1) {
            return Err(NotBegun::NoRoom(tools.lane_quota.max()));
        }
        let kept = match engine.tip(log) {
            // An earlier try went through whose answer was lost.
            Ok(_) => Ok(()),
            Err(StoreError::NoLog(_)) => {
                let transaction = Transaction {
                    writes: vec![
                        row::beginning(&key.pump_name(), Position::FIRST)?,
                        rows::lane_write(key, &Lane::default())?,
                    ],
                    checks: vec![RowCheck {
                        table: DELIVERY_STREAMS,
                        key: tables::stream_key(&stream.arn),
                        expect: Expect::Version(stream.row_version),
                    }],
                    changes: vec![LogChange::Create(log)],
                    ..Transaction::default()
                };
                engine.commit(transaction).await.map(|_| ())
            }
            Err(error) => Err(CommitError::Store(error)),
        };
        if let Err(error) = kept {
            tools.lane_quota.note(&stream, self.lane_count());
            return Err(NotBegun::Commit(error));
        }
        let state = self.shown(key, Some(log));
        if state.position().is_none() {
            // Nothing reads it before it is shown.
            state.stands_at(Position::FIRST, Counts::default(), Vec::new());
        }
        self.replays.send_replace(true);
        Ok(())
    }
}
