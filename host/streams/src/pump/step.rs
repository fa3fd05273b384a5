//! What is done with what a pump reads, by those who have one.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use store::{CommitError, Frame, LogId, Position, Transaction, Version};

/// How often a step is tried unless it decides otherwise.
const STEP_TRIES_MAX: u32 = 10;
/// The first pause between two tries; each is twice the one before, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A stretch of the log that one step works on.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The frames in order, at least one, or none for a step that reads by itself: see
    /// [`super::Pump::gives_no_frames`]. [`store::Records`] gives their records.
    pub frames: Vec<Frame>,
    /// Bytes of the bodies of the frames, whether or not they are given.
    pub bytes: usize,
    /// Where the pump will stand once the step's effects are durable.
    pub next: Position,
    /// The position that the log's next frame will have at least: `next == tip` is the end.
    pub tip: Position,
}

/// A stretch of a log that cannot be read, since the disk does not hold what was written, or what
/// it was sealed with is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The log.
    pub log: LogId,
    /// The first record that cannot be read.
    pub from: Position,
    /// The first after it that can be, or the log's tip.
    pub to: Position,
    /// The file, the place in it, and what is wrong there; or the key, and why it is not to be had.
    pub what: String,
}

impl Damage {
    /// How many records cannot be read.
    pub fn records(&self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records of log {} from position {} on cannot be read: {}",
            self.records(),
            self.log.0,
            self.from,
            self.what
        )
    }
}

/// Why a step was not done.
#[derive(Clone, Debug)]
pub enum StepError {
    /// The step could not be done; the text is for an operator.
    Failed(String),
    /// The store refused the effects: a log is sealed or gone, a row not as expected, or they are
    /// too large.
    Refused(CommitError),
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Refused(error) => write!(f, "the effects were refused: {error}"),
        }
    }
}

/// What comes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Try the same batch again after this pause.
    After(Duration),
    /// End the pump at its position.
    GiveUp,
}

impl Retry {
    /// A pause that doubles with each failure, from 50 ms to 10 s; `attempt` counts from 1.
    pub fn backoff(attempt: u32) -> Self {
        Self::After(pause(attempt))
    }
}

pub(super) fn pause(attempt: u32) -> Duration {
    let doubled = attempt.saturating_sub(1).min(16);
    PAUSE_MAX.min(PAUSE_FIRST.saturating_mul(1 << doubled))
}

/// One turn of work on a batch.
#[async_trait]
pub trait Step: Send {
    /// Puts what shall become of `batch` into `effects`, which the pump makes durable together with
    /// its position. Answers where the pump stands once they are: [`Batch::next`], or further if
    /// the step has read on by itself, or less; the batch's own first position if nothing is to be
    /// done before the pump was asked to stop. Effects at the batch's own first position are made
    /// durable as well, and the same batch comes again: what was done of it is for the step to
    /// know.
    ///
    /// What a step does outside of the effects must come to the same when it is done again: the
    /// step may be called again with the same batch, or with one that begins at the same place,
    /// in this process or the next.
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError>;

    /// Records from `from` to before `to` are gone: retention took them before this pump came to
    /// them. Puts what is to be kept of that into `effects`, which the pump makes durable together
    /// with its new position, `to`.
    ///
    /// # Errors
    /// The pump ends at `from`, and its owner may start it again.
    async fn passed_over(
        &mut self,
        from: Position,
        to: Position,
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        let _ = (from, to, effects);
        Ok(())
    }

    /// Records cannot be read, now or when the pump looks again before the next try. Answers where
    /// the pump goes on: [`Damage::to`] passes them over, together with what is put into `effects`.
    ///
    /// # Errors
    /// The pump stays where it is, and the step says in [`Step::after_failure`] for how long.
    /// Unless it says otherwise no step passes over anything.
    async fn damaged(
        &mut self,
        damage: &Damage,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let _ = effects;
        Err(StepError::Failed(damage.to_string()))
    }

    /// The effects of the last step are durable, and the pump stands where the step said; their
    /// rows have this version. The same after records were passed over.
    fn committed(&mut self, version: Version) {
        let _ = version;
    }

    /// Asked while nothing comes: returns when the step has something to do all the same, and the
    /// pump ends with [`super::Ended::Idle`] for that. Dropped as soon as anything comes. Unless a
    /// step says otherwise it never does.
    async fn wakes(&mut self) {
        std::future::pending().await
    }

    /// Waits between two tries of a batch. A step that can be told to try at once returns earlier.
    async fn pause(&mut self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }

    /// Decides what comes after the `attempt`-th failure of a batch, counted from 1. Unless a step
    /// says otherwise it is tried 10 times with growing pauses.
    fn after_failure(&mut self, error: &StepError, attempt: u32) -> Retry {
        let _ = error;
        if attempt < STEP_TRIES_MAX {
            Retry::backoff(attempt)
        } else {
            Retry::GiveUp
        }
    }
}
