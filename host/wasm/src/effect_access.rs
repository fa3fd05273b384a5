//! Who does what the guest of an instance asks for, and how much of it may still be asked for in
//! the batch at work.

use crate::effects::{EffectError, Effects, EffectsUnavailable};
use crate::limit_reached::LimitReached;
use crate::limits::CallLimits;

/// What is said where nobody keeps effects: before the instance has a shard, and when it lost it.
const NO_EFFECTS: &str = "there are no tables, streams and checkpoints outside of a shard's work";

/// What a guest may still ask for in the batch at work, and who does it.
pub(crate) struct EffectAccess {
    effects: Option<Box<dyn Effects>>,
    /// Bytes that may still be asked for.
    bytes_left: usize,
    bytes_max: usize,
    /// Records of the batch, and those that the guest said are done.
    pub(crate) records: u32,
    pub(crate) done: u32,
}

impl EffectAccess {
    pub(crate) fn new(limits: &CallLimits) -> Self {
        Self {
            effects: None,
            bytes_left: limits.output_bytes_max,
            bytes_max: limits.output_bytes_max,
            records: 0,
            done: 0,
        }
    }

    /// From now on this does what the guest asks for; `None`: nobody does.
    pub(crate) fn set(&mut self, effects: Option<Box<dyn Effects>>) {
        self.effects = effects;
    }

    /// A new batch may ask anew.
    pub(crate) fn begin_batch(&mut self, records: u32, limits: &CallLimits) {
        (self.records, self.done) = (records, 0);
        self.bytes_max = limits.output_bytes_max;
        self.bytes_left = self.bytes_max;
    }

    /// Counts bytes that are kept until the batch is over.
    ///
    /// # Errors
    /// When there are more than a batch may ask for: the guest's call ends.
    pub(crate) fn keep_bytes(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or(LimitReached::EffectBytes(self.bytes_max))?;
        Ok(())
    }

    /// Says how many bytes the call at work has on their way into the guest or out of it.
    ///
    /// # Errors
    /// When there is no room for them: the guest's call ends.
    pub(crate) fn carries(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let Some(effects) = &mut self.effects else {
            return Ok(());
        };
        effects.carries(bytes).map_err(|error| match error {
            EffectError::Refused(why) | EffectError::Unavailable(why) => {
                EffectsUnavailable(why).into()
            }
        })
    }

    /// Bytes that may still be kept.
    pub(crate) fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    pub(crate) fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Effects) -> Result<T, EffectError>,
    ) -> Told<T> {
        let Some(effects) = &mut self.effects else {
            return Ok(Err(NO_EFFECTS.to_owned()));
        };
        match ask(effects.as_mut()) {
            Ok(answer) => Ok(Ok(answer)),
            Err(EffectError::Refused(why)) => Ok(Err(why)),
            Err(EffectError::Unavailable(why)) => Err(EffectsUnavailable(why).into()),
        }
    }
}

/// What the guest is told, unless its call ends.
pub(crate) type Told<T> = wasmtime::Result<Result<T, String>>;
