//! A join of two streams, of which one at least has a window.
//!
//! ```text
//! a row `a` is kept as long as later rows of the other side meet it:
//!   a's window RANGE p PRECEDING, or the other's RANGE f FOLLOWING:  p or f after its ROWTIME
//!   no window, the other's is a RANGE:                               while it is its ROWTIME
//!   a's window ROWS n:                                               until n newer ones came
//!   neither:                                                         not at all
//! then it is over, and given with nulls if nothing matched and its side is an outer one
//! ```
//!
//! A window reaches less than its length, so that a row is over when the time is its end; rows of
//! the same `ROWTIME` belong to it always. A row that nothing matched has the end of its window as
//! `ROWTIME`, as AWS's page of the JOIN clause wants it.
//!
//! ```text
//! state: 00                  -> the time, the next number of each side
//!        01 side, number     -> whether it was matched, ROWTIME, the row
//! ```

mod settle;
mod state;

use std::ops::Range;

use self::settle::Step;
use super::kept::Kept;
use super::{BatchKeys, Condition, PairCount, Side, SideKey, side_types};
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::fault::{Invalid, RowFaults};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::{RowReader, check_held};
use crate::plan::{self, JoinWindow};
use crate::ty::SqlType;

/// A join that runs.
pub struct WindowJoin {
    left: SideRows,
    right: SideRows,
    condition: Condition,
    /// The latest `ROWTIME` or time.
    time: Option<Millis>,
    saved: Option<state::Header>,
}

/// The rows of a side, and what is known of it.
struct SideRows {
    side: Side,
    types: Vec<SqlType>,
    key: SideKey,
    reach: Reach,
    /// Rows that nothing matches are given.
    outer: bool,
    kept: Kept,
    changes: state::Changes,
}

/// How long a row is met by later rows of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Not at all.
    Nothing,
    /// So long after its `ROWTIME`, and by rows of the same `ROWTIME`.
    Millis(Millis),
    /// Until so many newer rows of its side came.
    Rows(usize),
}

impl WindowJoin {
    /// A join of no rows yet.
    ///
    /// # Errors
    ///
    /// Two streams without a window, or windows that cannot be joined.
    pub fn new(join: &plan::Join) -> Result<Self, Invalid> {
        let (left, right) = (join.left.window, join.right.window);
        let reaches = [reach_of(left, right)?, reach_of(right, left)?];
        if reaches == [Reach::Nothing; 2] {
            return Err(Invalid::new(
                "a join of two streams needs a window of one of them: JOIN … OVER (RANGE …)",
            ));
        }
        let side_rows = |side: Side, reach, outer| {
            let input = match side {
                Side::Left => &join.left,
                Side::Right => &join.right,
            };
            let types = side_types(input);
            SideRows {
                side,
                kept: Kept::new(types.clone()),
                types,
                key: SideKey::of(join, side),
                reach,
                outer,
                changes: state::Changes::default(),
            }
        };
        Ok(Self {
            left: side_rows(Side::Left, reaches[0], join.left_outer),
            right: side_rows(Side::Right, reaches[1], join.right_outer),
            condition: Condition::of(join),
            time: None,
            saved: None,
        })
    }

    fn side(&self, side: Side) -> &SideRows {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut SideRows {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// Passes the rows of both sides that are over at a time, in the order of their ends.
    fn advance(&mut self, time: Millis, steps: &mut Vec<Step>) -> Result<(), Invalid> {
        self.time = self.time.max(Some(time));
        loop {
            let left = self.left.first_end(time)?;
            let right = self.right.first_end(time)?;
            let side = match (left, right) {
                (Some(left), Some(right)) if right < left => Side::Right,
                (Some(_), _) => Side::Left,
                (None, Some(_)) => Side::Right,
                (None, None) => return Ok(()),
            };
            let end = if side == Side::Left { left } else { right };
            let Some((_, rowtime)) = end else {
                return Ok(());
            };
            self.side_mut(side).pass(rowtime, steps);
        }
    }

    /// Lets a row that came meet those of the other side.
    fn meet(
        &mut self,
        side: Side,
        rowtime: Millis,
        key: Option<&[u8]>,
        work: &mut Work,
    ) -> Result<(), Invalid> {
        self.advance(rowtime, &mut work.steps)?;
        let came = self.side(side).kept.next();
        if let Some(key) = key {
            self.side(side.other()).kept.find(key, &mut work.found)?;
            work.count.add(work.found.len())?;
            let pairs = work.found.iter().map(|met| Step::Pair { came, met: *met });
            work.steps.extend(pairs);
        }
        let own = self.side_mut(side);
        // What is not kept is in no index, since nothing meets it.
        let key = key.filter(|_| own.reach != Reach::Nothing);
        own.kept.push(rowtime, key);
        match own.reach {
            Reach::Nothing => own.pass(rowtime, &mut work.steps),
            Reach::Rows(count) => {
                while own.kept.next() - own.kept.live() > count {
                    own.pass(rowtime, &mut work.steps);
                }
            }
            Reach::Millis(_) => {}
        }
        Ok(())
    }

    fn take_slice(
        &mut self,
        side: Side,
        batch: &Batch,
        rows: Range<usize>,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let rows = batch.slice(rows.start, rows.len());
        let keys = self
            .side(side)
            .key
            .keys_of(&rows, &mut RowFaults::default())?;
        self.take_rows(side, &rows, &keys, out)
    }

    fn take_rows(
        &mut self,
        side: Side,
        batch: &Batch,
        keys: &BatchKeys,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        self.side_mut(side).kept.push_columns(batch)?;
        let mut work = Work {
            steps: Vec::new(),
            found: Vec::new(),
            count: PairCount { pairs: 0 },
        };
        let rowtimes = batch.rowtimes();
        for row in 0..batch.rows() {
            self.meet(side, rowtimes.value(row), keys.get(row), &mut work)?;
            if work.steps.len() >= BATCH_ROWS_MAX {
                self.settle(side, &mut work.steps, out)?;
            }
        }
        self.settle(side, &mut work.steps, out)?;
        self.trim()
    }

    fn trim(&mut self) -> Result<(), Invalid> {
        self.left.kept.trim()?;
        self.right.kept.trim()?;
        let rows = self.left.kept.held_rows() + self.right.kept.held_rows();
        check_held("JOIN", rows, self.state_bytes())
    }

    /// Does what the passing of time brings.
    fn pass_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        let mut steps = Vec::new();
        self.advance(time, &mut steps)?;
        self.settle(Side::Left, &mut steps, out)?;
        self.trim()
    }
}

/// What the rows of a batch bring, until it is settled.
struct Work {
    steps: Vec<Step>,
    found: Vec<usize>,
    count: PairCount,
}

impl SideRows {
    /// When the oldest row is over, if that is at `time` or before: that moment, and the `ROWTIME`
    /// that it has if nothing matched it.
    fn first_end(&self, time: Millis) -> Result<Option<(Millis, Millis)>, Invalid> {
        let Reach::Millis(millis) = self.reach else {
            return Ok(None);
        };
        let Some(oldest) = self.kept.oldest()? else {
            return Ok(None);
        };
        // Rows of the same ROWTIME meet also in a window without length.
        let over = oldest.rowtime.saturating_add(millis.max(1));
        let end = oldest.rowtime.saturating_add(millis);
        Ok((over <= time).then_some((over, end)))
    }

    /// The oldest row is over.
    fn pass(&mut self, rowtime: Millis, steps: &mut Vec<Step>) {
        if self.outer {
            steps.push(Step::Over {
                side: self.side,
                number: self.kept.live(),
                rowtime,
            });
        }
        self.kept.pass_oldest();
    }

    fn set_matched(&mut self, number: usize) -> Result<(), Invalid> {
        if self.outer && self.kept.set_matched(number)? {
            self.changes.matched(number);
        }
        Ok(())
    }
}

impl Operator for WindowJoin {
    fn on_batch(&mut self, input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let side = Side::of_input(input)?;
        let mut faults = RowFaults::default();
        let keys = self.side(side).key.keys_of(batch, &mut faults)?;
        if faults.is_empty() {
            return self.take_rows(side, batch, &keys, out);
        }
        // What fails stays between what the rows before and behind it give.
        let mut next = 0;
        for (row, fault) in faults.iter() {
            self.take_slice(side, batch, next..row, out)?;
            let reader = RowReader::new(batch, &self.side(side).types);
            let rowtime = batch.rowtimes().value(row);
            out.faults.push(reader.faulted(row, rowtime, fault.clone()));
            next = row + 1;
        }
        self.take_slice(side, batch, next..batch.rows(), out)
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.pass_time(time, out)
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        let mut steps = Vec::new();
        if let Some(time) = self.time {
            for side in [Side::Left, Side::Right] {
                let rows = self.side_mut(side);
                while matches!(rows.reach, Reach::Rows(_)) && rows.kept.live() < rows.kept.next() {
                    rows.pass(time, &mut steps);
                }
            }
        }
        self.settle(Side::Left, &mut steps, out)?;
        self.pass_time(Millis::MAX, out)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        self.save_changes(changes);
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        self.take_up(rows)
    }

    fn state_bytes(&self) -> usize {
        self.left.kept.held_bytes() + self.right.kept.held_bytes()
    }
}

/// How long rows of a side with window `own` are met by later rows of the other side.
fn reach_of(own: JoinWindow, other: JoinWindow) -> Result<Reach, Invalid> {
    let following = match other {
        JoinWindow::Range { following, .. } => Some(following),
        JoinWindow::None | JoinWindow::Rows(_) => None,
        JoinWindow::All => return Err(Invalid::new("internal: a stream as a table in a join")),
    };
    Ok(match (own, following) {
        (JoinWindow::Range { preceding, .. }, None) => Reach::Millis(preceding),
        (JoinWindow::Range { preceding, .. }, Some(following)) => {
            Reach::Millis(preceding.max(following))
        }
        // A window of time has the rows of the same ROWTIME, also those that come a bit later.
        (JoinWindow::None, Some(following)) => Reach::Millis(following),
        (JoinWindow::None, None) | (JoinWindow::Rows(0), _) => Reach::Nothing,
        (JoinWindow::Rows(_), Some(1..)) => {
            return Err(Invalid::new(
                "a window of ROWS cannot be joined with one of RANGE … FOLLOWING",
            ));
        }
        (JoinWindow::Rows(count), _) => {
            let count = usize::try_from(count);
            Reach::Rows(count.map_err(|_| Invalid::new("a window of too many ROWS"))?)
        }
        (JoinWindow::All, _) => {
            return Err(Invalid::new("internal: a stream as a table in a join"));
        }
    })
}
