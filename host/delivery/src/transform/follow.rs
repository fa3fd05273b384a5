//! Doing with a batch what an earlier try of its cut did.

use std::ops::Range;

use wasm::Slab;

use super::{Sink, Stopped, Stretch, Transformer};
use crate::settled::{Noted, Words};

/// [`Noted`], on its own.
pub(super) enum Note {
    Together,
    OneByOne,
    Failed(Words),
}

impl Note {
    pub(super) fn of(noted: Noted<'_>) -> Self {
        match noted {
            Noted::Together => Self::Together,
            Noted::OneByOne => Self::OneByOne,
            Noted::Failed(words) => Self::Failed(words.clone()),
        }
    }
}

impl Transformer {
    /// Does with a batch what an earlier try did.
    pub(super) fn follow(
        &mut self,
        batch: &Slab,
        notes: Vec<(Range<usize>, Note)>,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let mut at = 0;
        for (range, note) in notes {
            if range.start != at {
                break;
            }
            at = range.end;
            match note {
                Note::Together => {
                    if let Err(failed) = self.call_together(batch, range, sink)? {
                        let fault = failed.fault;
                        tracing::debug!(%fault, "a batch that came out before fails");
                        return Err(self.changed());
                    }
                }
                Note::OneByOne => {
                    // Records that fail on their own account may not be noted.
                    let stretch = Stretch::new(range, 1, false, false);
                    self.call_one_by_one(batch, stretch, sink)?;
                }
                Note::Failed(words) => self.give_failed(range, &words, sink),
            }
        }
        if at == batch.len() {
            Ok(())
        } else {
            // Other records than those that were noted make up this batch.
            Err(self.changed())
        }
    }
}
