//! Records that are delivered once more may name the version that they go through: then a cut holds
//! records of one such version alone, and goes through it whatever is in force.

use store::{Frame, Position, Records};
use streams::pump::StepError;
use wasm::ContentHash;

use super::failed;
use super::work::Work;
use crate::cut::Gathering;
use crate::let_go::AllLetGo;
use crate::replayed::Former;

/// The version that records name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) version: ContentHash,
    /// Those before this position do not wait for it any more, since an operator said so: they go
    /// by the configuration in force.
    let_go_to: Option<Position>,
}

impl Work {
    /// The version that the records of the first frame from a position on name, if they are there,
    /// can be read, and name one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn named_at(
        &self,
        from: Position,
        let_go: &AllLetGo,
    ) -> Result<Option<Named>, StepError> {
        if !self.key.is_of_replays() {
            return Ok(None);
        }
        let read = match self.tools.engine.read(self.log, from, 1).await {
            Ok(read) => read,
            // Who gathers finds the same.
            Err(error) if error.hides_records() => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let Some(frame) = read.frames.first() else {
            return Ok(None);
        };
        Ok(version_of(frame)?.map(|version| Named {
            version,
            let_go_to: let_go.end_of(version, frame.position),
        }))
    }

    /// The version that what is gathered waits for, whatever is in force.
    pub(super) fn waits_for(&self) -> Option<ContentHash> {
        if let Some(version) = self.ordered.and_then(|ordered| ordered.version) {
            return Some(version);
        }
        let waits = self.named.filter(|named| named.let_go_to.is_none());
        waits.map(|named| named.version)
    }

    /// Whether a frame goes through another version than what was gathered before it, or waits for
    /// one and that does not.
    ///
    /// # Errors
    /// When the frame does not say.
    pub(super) fn goes_apart(
        &self,
        gathering: &Gathering,
        frame: &Frame,
    ) -> Result<bool, StepError> {
        if !self.key.is_of_replays() {
            return Ok(false);
        }
        let goes_along = match (self.named, version_of(frame)?) {
            (Some(named), Some(version)) => {
                let waits_too = named.let_go_to.is_none_or(|to| frame.position < to);
                named.version == version && waits_too
            }
            (named, version) => named.is_none() && version.is_none(),
        };
        if goes_along {
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
