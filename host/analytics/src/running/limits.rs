//! The limits of applications at work, and what happens at each.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Bytes of frames that a step takes at most, unless one frame has more. What is more goes into the
/// next one.
pub const STEP_BYTES_MAX: usize = 2 * MIB;
/// Bytes that are read of a shard at once, at most and at least: between the two each shard has its
/// part of a step.
pub const READ_BYTES_MAX: usize = MIB;
pub const READ_BYTES_MIN: usize = 64 * KIB;
/// Bytes of records for outputs with which a step is committed though its time has not come.
pub const PRODUCED_BYTES: usize = 4 * MIB;
/// Bytes of records for outputs that one step may come to. A program that makes more of
/// [`STEP_BYTES_MAX`] stands still at those records, and says so, until it is changed.
pub const STEP_PRODUCED_BYTES_MAX: usize = 64 * MIB;
/// Rows that go through a program at once, at most, and fewer where much comes of each: how much
/// comes out is looked at after them.
pub const ROWS_AT_ONCE_MAX: usize = 1_024;
/// Bytes for outputs after which fewer rows go through at once, and below which more do.
pub const MUCH_PRODUCED_BYTES: usize = MIB;
/// Bytes of state and records that one transaction takes. What is more is kept in a journal first.
pub const COMMIT_BYTES_MAX: usize = 8 * MIB;
/// Bytes of an entry of the journal, unless one row or record alone has more.
pub const JOURNAL_ENTRY_BYTES: usize = 256 * KIB;
/// Entries of the journal that are written in one transaction.
pub const JOURNAL_ENTRIES_PER_COMMIT: usize = 8;
/// Bytes of a record for an output (developer guide, limits: a row has 512 KB). A row that is
/// larger is left out and counted as refused.
pub const OUTPUT_RECORD_BYTES_MAX: usize = 512 * KIB;
/// How long what came of records waits for more of it before it is committed, while records keep
/// coming. It is committed at once when none waits.
pub const COMMIT_PERIOD: Duration = Duration::from_millis(100);
/// How often an application without records is told the time, so that its windows close.
pub const IDLE_PERIOD: Duration = Duration::from_millis(50);
/// Applications whose steps are in memory at a time; others wait for their turn. Those of one
/// account leave a quarter to others. A step has some four times [`STEP_BYTES_MAX`], and what comes
/// out of it.
pub const STEPS_AT_ONCE_MAX: usize = 8;
/// Bytes of state that one application holds in memory, unless the configuration says otherwise.
/// One that needs more stands still, at the records that it could not take, and says so.
pub const STATE_BYTES_MAX: usize = 256 * MIB;
/// Bytes of state of all applications together. One that needs more of it than there is stands
/// still until others hold less.
pub const STATES_BYTES_MAX: usize = 1024 * MIB;
/// How long a step waits for its outputs with its turn in hand. Where it takes longer it gives
/// the turn to others, and keeps only what is to be put.
pub const OUTPUT_TIME_IN_HAND_MAX: Duration = Duration::from_millis(100);
/// The first pause after something stood in an application's way; each is twice the one before.
pub const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// The longest.
pub const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long an application that is told to stop waits for outputs that take nothing. What it has
/// not put then it does again after the next start.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(5);
