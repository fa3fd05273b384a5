//! `GROUP BY`: rows of a window and of equal keys become one row.
//!
//! Rows find their groups one by one, since each may end a window; aggregates take them column by
//! column, all rows between two ends of windows at once.

mod answers;
mod groups;
mod hash;
mod index;
mod panes;
mod runs;
mod taking;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, TimestampMillisecondArray};

use self::answers::Answers;
use self::groups::{GROUP_KEY, Groups};
use self::index::KeyShape;
use self::panes::{Line, NEVER, Panes};
use self::runs::{Change, Sessions, Stagger};
use self::taking::Rows;
use crate::batch::{Batch, Millis};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::key::{put_cell, put_i64, put_u64, take_i64, take_u64, take_value};
use crate::operator::{FaultedRow, Operator, Out, StateWriter};
use crate::operators::rows::types_of;
use crate::plan::{self, Clock, Late, Window};
use crate::ty::SqlType;

/// The key of what is saved besides the groups.
const CLOCK_KEY: &[u8] = b"c";

/// A `GROUP BY` that runs.
pub struct Aggregate {
    inputs: Inputs,
    late: Late,
    windows: Windows,
    groups: Groups,
    answers: Answers,
    now: Now,
    /// How [`Now`] was saved last.
    saved: Vec<u8>,
}

/// How far it is.
struct Now {
    /// Windows that end at this time or before it are over.
    clock: Millis,
    /// The greatest `ROWTIME` so far.
    rowtime: Millis,
    /// How many rows came.
    rows: u64,
}

enum Windows {
    Panes(Panes),
    Stagger(Stagger),
    Sessions(Sessions),
    Change(Change),
}

/// What is evaluated of each row.
struct Inputs {
    types: Vec<SqlType>,
    /// When a row was, for windows that go by it.
    time: Option<Expr>,
    /// Whether that is `ROWTIME`, and what tells that a window is over too: time never falls.
    in_order: bool,
    /// The column of a watermark and how late its rows may be.
    watermark: Option<(Expr, Millis)>,
    keys: Vec<Expr>,
    key_types: Vec<SqlType>,
    arguments: Vec<Expr>,
}

/// The same for the rows of a batch.
struct Evaluated {
    times: Option<TimestampMillisecondArray>,
    marks: Option<TimestampMillisecondArray>,
    keys: Vec<ArrayRef>,
    arguments: Vec<ArrayRef>,
}

impl Inputs {
    fn evaluate(&self, batch: &Batch, faults: &mut RowFaults) -> Result<Evaluated, Invalid> {
        let mut all = |exprs: &[Expr]| -> Result<Vec<ArrayRef>, Invalid> {
            let columns = exprs.iter().map(|expr| expr.evaluate(batch, faults));
            columns.collect()
        };
        let keys = all(&self.keys)?;
        let arguments = all(&self.arguments)?;
        let mut moments = |expr: Option<&Expr>| match expr {
            Some(expr) => moments_of(&expr.evaluate(batch, faults)?).map(Some),
            None => Ok(None),
        };
        Ok(Evaluated {
            times: moments(self.time.as_ref())?,
            marks: moments(self.watermark.as_ref().map(|(column, _)| column))?,
            keys,
            arguments,
        })
    }
}

fn moments_of(column: &ArrayRef) -> Result<TimestampMillisecondArray, Invalid> {
    let moments = column.as_primitive_opt::<TimestampMillisecondType>();
    let moments = moments.ok_or_else(|| Invalid::new("the time of a window is a TIMESTAMP"))?;
    Ok(moments.clone())
}

impl Aggregate {
    /// What a plan says.
    ///
    /// # Errors
    ///
    /// Windows of no length.
    pub fn new(step: &plan::Aggregate) -> Result<Self, Invalid> {
        let key_types: Vec<SqlType> = step.keys.iter().map(Expr::ty).collect();
        let shape = KeyShape::of(&key_types);
        let (windows, time, clock, bounds) = windows_of(step, shape)?;
        let watermark = match clock {
            Clock::Rowtime => None,
            Clock::Watermark { column, late } => Some((column, late)),
        };
        let arguments = step.aggregates.iter().flat_map(|call| call.inputs());
        Ok(Self {
            inputs: Inputs {
                types: types_of(&step.input.rows),
                in_order: watermark.is_none() && time.as_ref().and_then(Expr::as_column) == Some(0),
                time,
                watermark,
                keys: step.keys.clone(),
                key_types,
                arguments: arguments.collect(),
            },
            late: step.late,
            windows,
            groups: Groups::new(&step.aggregates),
            answers: Answers::new(step, bounds),
            now: Now {
                clock: Millis::MIN,
                rowtime: Millis::MIN,
                rows: 0,
            },
            saved: Vec::new(),
        })
    }

    /// When the next window ends.
    fn due(&self) -> Millis {
        match &self.windows {
            Windows::Panes(panes) => panes.due(),
            Windows::Stagger(stagger) => stagger.due(),
            Windows::Sessions(sessions) => sessions.due(),
            Windows::Change(_) => NEVER,
        }
    }

    /// Answers the windows that are over.
    fn answer(&mut self, out: &mut Out) -> Result<(), Invalid> {
        let clock = self.now.clock;
        let (groups, answers) = (&mut self.groups, &mut self.answers);
        match &mut self.windows {
            Windows::Panes(panes) => panes.answer(clock, groups, answers, out),
            Windows::Stagger(stagger) => stagger.answer(clock, groups, answers, out),
            Windows::Sessions(sessions) => sessions.answer(clock, groups, answers, out),
            Windows::Change(change) => change.answer(self.now.rowtime, groups, answers, out),
        }
    }

    fn late_row(&self, out: &mut Out, faulted: impl FnOnce(Fault) -> FaultedRow) {
        if self.late == Late::Drop {
            out.dropped += 1;
        } else {
            let fault = Fault::new(
                FaultKind::LateRow,
                "the row came after its window was answered",
            );
            out.faults.push(faulted(fault));
        }
    }
}

/// The windows of a step, what they go by, and whether their bounds are columns.
fn windows_of(
    step: &plan::Aggregate,
    shape: KeyShape,
) -> Result<(Windows, Option<Expr>, Clock, bool), Invalid> {
    let revises = step.late == Late::Update;
    let panes = |line| Panes::new(line, shape, revises).map(Windows::Panes);
    Ok(match step.window.clone() {
        Window::Hop {
            time,
            size,
            slide,
            offset,
            clock,
            bounds,
        } => {
            let line = Line {
                size,
                step: slide,
                offset,
                cumulates: false,
            };
            (panes(line)?, Some(time), clock, bounds)
        }
        Window::Cumulate {
            time,
            size,
            step,
            clock,
            bounds,
        } => {
            let line = Line {
                size,
                step,
                offset: 0,
                cumulates: true,
            };
            (panes(line)?, Some(time), clock, bounds)
        }
        Window::Session {
            time,
            gap,
            clock,
            bounds,
        } => {
            let sessions = Windows::Sessions(Sessions::new(gap)?);
            (sessions, Some(time), clock, bounds)
        }
        Window::Stagger { range } => {
            let stagger = Windows::Stagger(Stagger::new(range, shape)?);
            (stagger, None, Clock::Rowtime, false)
        }
        Window::Change { key } => {
            if key >= step.keys.len() {
                return Err(Invalid::new("internal: a window changes with no key"));
            }
            let change = Windows::Change(Change::new(key, shape));
            (change, None, Clock::Rowtime, false)
        }
    })
}

impl Operator for Aggregate {
    fn on_batch(&mut self, _: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let evaluated = self.inputs.evaluate(batch, &mut faults)?;
        let order = self.now.rows;
        self.now.rows += batch.rows() as u64;
        Rows::new(batch, &evaluated, order).take_all(self, &faults, out)?;
        self.answers.flush(out);
        self.groups.check()
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.now.rowtime = self.now.rowtime.max(time);
        if self.inputs.watermark.is_some() {
            return Ok(());
        }
        self.now.clock = self.now.clock.max(time);
        if self.now.clock >= self.due() {
            self.answer(out)?;
            self.answers.flush(out);
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.now.clock = NEVER;
        self.answer(out)?;
        if let Windows::Panes(panes) = &mut self.windows {
            panes.end(&mut self.groups);
        }
        self.answers.flush(out);
        Ok(())
    }

    fn time_after(&self, time: Millis) -> Option<Millis> {
        if self.inputs.watermark.is_none() {
            return Some(time);
        }
        (self.now.clock > Millis::MIN).then_some(self.now.clock)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        let mut value = Vec::new();
        put_u64(&mut value, self.now.rows);
        put_i64(&mut value, self.now.clock);
        put_i64(&mut value, self.now.rowtime);
        if let Windows::Change(change) = &self.windows
            && let Some(open) = change.value()
        {
            put_cell(&mut value, open.cell());
        }
        if value != self.saved {
            changes.put(CLOCK_KEY, &value);
            self.saved = value;
        }
        self.groups.save(changes);
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let mut places = Vec::new();
        let mut value: Option<Value> = None;
        for (key, bytes) in rows {
            if key == CLOCK_KEY {
                let mut from = bytes.as_slice();
                self.now.rows = take_u64(&mut from)?;
                self.now.clock = take_i64(&mut from)?;
                self.now.rowtime = take_i64(&mut from)?;
                if !from.is_empty() {
                    value = Some(take_value(&mut from)?);
                }
                self.saved = bytes;
            } else if key.first() == Some(&GROUP_KEY) {
                places.push(self.groups.restore(&key, &bytes)?);
            } else {
                return Err(Invalid::new("internal: a GROUP BY did not save this"));
            }
        }
        places.sort_unstable_by_key(|place| self.groups.first(*place));
        match &mut self.windows {
            Windows::Panes(panes) => panes.restore(&places, self.now.clock, &self.groups),
            Windows::Stagger(stagger) => stagger.restore(&places, &self.groups),
            Windows::Change(change) => change.restore(&places, value, &self.groups),
            Windows::Sessions(sessions) => {
                sessions.restore(&places, &self.groups);
                Ok(())
            }
        }
    }

    fn state_bytes(&self) -> usize {
        self.groups.held_bytes()
    }
}

#[cfg(test)]
mod tests;
