//! What an operator tells the lanes of a delivery stream that do not get on, and what they answer.

use serde::Serialize;
use tokio::sync::oneshot;

/// Orders that wait until their lane has come to the end of what it is trying. One more is told to
/// come again.
pub const ORDERS_WAITING_MAX: usize = 4;

/// What shall become of the cut that a lane does not get rid of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is tried again at once.
    Retry,
    /// Its records go to the error output as failed records.
    Skip,
    /// Those of its records are left out that are in no object.
    LeaveOut,
    /// It is forgotten, and its records are delivered by the configuration in force.
    Move,
}

/// The commands by which an operator decides what becomes of a cut.
pub(crate) fn commands(name: &str, lane: &str) -> String {
    format!(
        "`millrace delivery retry {name} --lane {lane}` tries it again at once, `millrace delivery \
         move {name} --lane {lane}` delivers its records by the configuration in \
         force, and `millrace delivery skip {name} --lane {lane}` puts them below the error prefix"
    )
}

/// The same about a cut that is skipped and does not get on.
pub(crate) fn commands_about_skipped(name: &str, lane: &str) -> String {
    format!(
        "these records are skipped; `millrace delivery skip {name} --lane {lane}` begins that anew \
         with the error output in force, and with `--leave-out` it puts them nowhere and counts \
         them as lost, but for those that are in objects"
    )
}

/// The same about records that come next in the log and cannot be read.
pub(crate) fn commands_about_damage(name: &str, lane: &str) -> String {
    format!(
        "`millrace delivery retry {name} --lane {lane}` looks again at once, and `millrace \
         delivery skip {name} --lane {lane} --leave-out` counts them as lost and goes on \
         behind them"
    )
}

/// The same about a cut that holds records which cannot be read.
pub(crate) fn commands_about_damaged_cut(name: &str, lane: &str) -> String {
    format!(
        "`millrace delivery retry {name} --lane {lane}` looks again at once, `millrace delivery \
         move {name} --lane {lane}` delivers what lies before them by the configuration in \
         force, and `millrace delivery skip {name} --lane {lane} --leave-out` leaves all of the \
         delivery out"
    )
}

/// An order on its way to a lane.
pub(crate) struct Asked {
    pub(crate) order: Order,
    /// The number of the cut that the operator saw; `None` where records wait before there is one.
    pub(crate) cut: Option<u64>,
    pub(crate) answer: oneshot::Sender<Obeyed>,
}

/// What a lane did about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is done, durably, and the lane goes on.
    Done,
    /// The lane has no cut that it does not get rid of: it has got on by itself, or waits for
    /// something else than its destination.
    NothingStuck,
    /// The lane is still trying; it obeys when that has ended.
    Later,
    /// The lane has too many orders already, or ends: ask again.
    NotTaken,
    /// It could not be kept. The lane tries the cut as before.
    Failed,
    /// What is stuck cannot be read, so that it cannot be put anywhere: it can only be left out.
    Unreadable,
}

/// What a lane answers to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneAnswer {
    /// The lane: the id of the shard that it reads, or `direct`.
    pub lane: String,
    /// What it did.
    pub outcome: Outcome,
    /// Records of the cut.
    pub records: u64,
    /// Objects of these records that may exist already, by the configuration and the names of
    /// before.
    pub objects_that_may_exist: u32,
}

/// The same before the lane has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Obeyed {
    pub(crate) outcome: Outcome,
    pub(crate) records: u64,
    pub(crate) objects: u32,
}

impl Obeyed {
    /// Nothing came of it.
    pub(crate) fn not(outcome: Outcome) -> Self {
        Self {
            outcome,
            records: 0,
            objects: 0,
        }
    }
}
