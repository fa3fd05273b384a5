//! Records that are delivered once more may name the version that they go through: then a cut holds
//! records of one such version alone, and goes through it whatever is in force.

use store::{Frame, Position, Records};
use streams::pump::StepError;
use wasm::ContentHash;

use super::failed;
use super::work::Work;
use crate::cut::Gathering;
use crate::replayed::Former;

impl Work {
    /// The version that the records of the frame at a position name, if they are there, can be
    /// read, and name one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn version_at(
        &self,
        from: Position,
    ) -> Result<Option<ContentHash>, StepError> {
        if !self.key.is_of_replays() {
            return Ok(None);
        }
        match self.tools.engine.read(self.log, from, 1).await {
            Ok(read) => read.frames.first().map_or(Ok(None), version_of),
            // Who gathers finds the same.
            Err(error) if error.hides_records() => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The version that what is gathered waits for, whatever is in force.
    pub(super) fn waits_for(&self) -> Option<ContentHash> {
        self.pinned.filter(|pinned| self.let_go != Some(*pinned))
    }

    /// Whether a frame goes through another version than what was gathered before it.
    ///
    /// # Errors
    /// When the frame does not say.
    pub(super) fn goes_apart(
        &self,
        gathering: &Gathering,
        frame: &Frame,
    ) -> Result<bool, StepError> {
        if !self.key.is_of_replays() || version_of(frame)? == self.pinned {
            return Ok(false);
        }
        if gathering.oldest.is_none() {
            let why = "records that can be read again name another version than was looked for";
            return Err(StepError::Failed(why.to_owned()));
        }
        Ok(true)
    }
}

/// The version that the records of a frame of a log of replays name. All of a frame name the same.
fn version_of(frame: &Frame) -> Result<Option<ContentHash>, StepError> {
    let first = Records::new(&frame.body).next();
    let first = first.ok_or_else(|| StepError::Failed("a frame has no records".to_owned()))?;
    let former = Former::read(first.partition_key).map_err(StepError::Failed)?;
    Ok(former.version)
}
