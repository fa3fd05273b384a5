//! A record that always fails, or that an operator has passed over, goes to the dead letters in the
//! commit that passes over it.

use std::sync::Arc;

use store::{Append, BodyBuilder, Expect, NewFrame, Position, Transaction};
use streams::pump::StepError;
use wasm::Version;

use super::Lane;
use crate::batch::First;
use crate::dead_letters::{self, Letter, LetterKey, Sum};
use crate::limits::{DEAD_LETTER_BYTES_MAX, DEAD_LETTERS_MAX, REASON_CHARS_MAX};
use crate::place::Place;
use crate::table_ids::dead_letter_log;
use crate::work::Lone;

/// A record on its way to the dead letters.
#[derive(Clone)]
pub(super) struct Condemned {
    pub(super) first: First,
    pub(super) lone: Lone,
    /// Where the shard stands after it.
    pub(super) end: Place,
    /// Records before and behind it that were left out.
    pub(super) foreign: u64,
    pub(super) reason: String,
    pub(super) version: Arc<Version>,
    pub(super) tries: u32,
}

impl Lane {
    /// The record that fails is not tried any more.
    pub(super) fn condemn_next(&mut self) {
        self.condemned = self.failing.take();
    }

    /// An operator does not want the record tried any more that stands in the way. Where it is not
    /// known which one that is, the next ones go one by one until one fails. Where a version stands
    /// in the way that does not end well, another takes its place without what it wants done.
    pub(super) fn skips_next(&mut self) {
        if self.wants_another() {
            self.endings.give_up();
        } else if self.failing.is_some() {
            self.condemn_next();
        } else {
            self.plan.isolates();
            self.skips = true;
        }
    }

    /// Hands over the dead letter.
    pub(super) async fn bury(&mut self, effects: &mut Transaction) -> Result<Position, StepError> {
        let Some(condemned) = self.condemned.clone() else {
            return Ok(self.stands_at);
        };
        let (engine, id) = (Arc::clone(&self.ground.engine), self.of.key.application);
        let sum = dead_letters::sum_of(&*engine, id).await;
        let (sum, version) = sum.map_err(|error| self.waits(error.to_string()))?;
        let bytes = condemned.lone.data.len() as u64;
        if sum.letters >= DEAD_LETTERS_MAX || sum.bytes + bytes > DEAD_LETTER_BYTES_MAX {
            let why = format!(
                "its next record always fails ({}), and there is no room for another dead letter \
                 beside {} with {} bytes: replay or discard some",
                condemned.reason, sum.letters, sum.bytes
            );
            return Err(self.waits(why));
        }
        let log = dead_letter_log(id);
        let log_from = engine.tip(log);
        let log_from = log_from.map_err(|error| self.waits(error.to_string()))?;
        let key = LetterKey {
            shard: self.of.key,
            place: condemned.first.place,
        };
        let mut body = BodyBuilder::default();
        let text = key.with(&condemned.lone.partition_key);
        if body.push(&text, &condemned.lone.data).is_none() {
            return Err(self.waits("a record is larger than a frame's layout holds"));
        }
        let (body, count) = body.finish();
        let frame = NewFrame {
            count,
            arrival: self.ground.now(),
            body,
            key: condemned.first.key,
        };
        effects.appends.push(Append { log, frame });
        let letter = Letter {
            sequence_number: condemned.first.number.to_string(),
            arrival: condemned.first.arrival,
            failed_at: self.ground.now(),
            reason: condemned.reason.chars().take(REASON_CHARS_MAX).collect(),
            version: condemned.version.hash(),
            tries: condemned.tries,
            bytes,
            log_from,
            is_sealed: condemned.first.key.is_some(),
            shard_created: self.of.origin.numbering.created().number(),
        };
        let sum = Sum {
            letters: sum.letters + 1,
            bytes: sum.bytes + bytes,
            ..sum
        };
        let written = dead_letters::write(key, &letter, Expect::Absent)
            .and_then(|row| Ok([row, dead_letters::sum_write(id, sum, version)?]));
        let rows = written.map_err(|error| self.waits(error.to_string()))?;
        effects.writes.extend(rows);
        let mut progress = self.progress;
        progress.within = condemned.end.within;
        progress.counts.dead_letters += 1;
        progress.counts.foreign += condemned.foreign;
        self.tells_of(&letter);
        let mut pending = self.without_batch(condemned.end.position, progress);
        pending.planned = 1;
        pending.ended = Some((condemned.version, 1, 1));
        pending.last_arrival = Some(condemned.first.arrival);
        self.hand_over(pending, effects)
    }

    fn tells_of(&self, letter: &Letter) {
        let name = self.of.running.application().name.clone();
        let (shard, number) = (&self.of.origin.shard, &letter.sequence_number);
        let why = &letter.reason;
        tracing::error!(application = %name, shard, number, why, "a record becomes a dead letter");
    }
}
