//! From the steps of a join of streams to the rows that it gives: conditions are looked at for many
//! pairs at once, and only then it is known which rows nothing matched.

use super::{Side, WindowJoin};
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis, timestamps};
use crate::expr::evaluate::of_arrow;
use crate::fault::Invalid;
use crate::operator::Out;

/// What comes out of a join, in its order, as far as the condition lets it.
pub enum Step {
    /// The row that came and one of the other side.
    Pair { came: usize, met: usize },
    /// A row is over; it is given at this time if nothing matched it.
    Over {
        side: Side,
        number: usize,
        rowtime: Millis,
    },
}

/// A row of the join.
struct Joined {
    rowtime: Millis,
    left: Option<usize>,
    right: Option<usize>,
}

impl WindowJoin {
    /// Finds out which pairs match, and gives what comes of the steps.
    pub(super) fn settle(
        &mut self,
        came: Side,
        steps: &mut Vec<Step>,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        for steps in steps.chunks(BATCH_ROWS_MAX) {
            self.settle_some(came, steps, out)?;
        }
        steps.clear();
        Ok(())
    }

    fn settle_some(&mut self, came: Side, steps: &[Step], out: &mut Out) -> Result<(), Invalid> {
        let mut pairs = Vec::new();
        for step in steps {
            if let Step::Pair { came: number, met } = step {
                let rowtime = self.side(came).kept.row(*number)?.rowtime;
                let (left, right) = match came {
                    Side::Left => (Some(*number), Some(*met)),
                    Side::Right => (Some(*met), Some(*number)),
                };
                pairs.push(Joined {
                    rowtime,
                    left,
                    right,
                });
            }
        }
        let all_pairs = pairs.len() == steps.len();
        let batch = self.batch_of(&pairs)?;
        let holds = self.condition.holds(&batch, out)?;
        if self.left.outer || self.right.outer {
            for (row, pair) in pairs.iter().enumerate() {
                if holds.value(row) {
                    self.set_matched(pair)?;
                }
            }
        }
        let given = if all_pairs {
            batch.filter(&holds).map_err(of_arrow)?
        } else {
            let mut given = Vec::with_capacity(steps.len());
            let mut pairs = pairs.into_iter().enumerate();
            for step in steps {
                match step {
                    Step::Pair { .. } => {
                        given.extend(
                            pairs
                                .next()
                                .filter(|(row, _)| holds.value(*row))
                                .map(|p| p.1),
                        );
                    }
                    Step::Over {
                        side,
                        number,
                        rowtime,
                    } => given.extend(self.unmatched(*side, *number, *rowtime)?),
                }
            }
            self.batch_of(&given)?
        };
        if given.rows() > 0 {
            out.batches.push(given);
        }
        Ok(())
    }

    fn set_matched(&mut self, pair: &Joined) -> Result<(), Invalid> {
        if let Some(number) = pair.left {
            self.left.set_matched(number)?;
        }
        if let Some(number) = pair.right {
            self.right.set_matched(number)?;
        }
        Ok(())
    }

    /// The row of nulls that is given for a row that is over.
    fn unmatched(
        &self,
        side: Side,
        number: usize,
        rowtime: Millis,
    ) -> Result<Option<Joined>, Invalid> {
        if self.side(side).kept.row(number)?.matched {
            return Ok(None);
        }
        let (left, right) = match side {
            Side::Left => (Some(number), None),
            Side::Right => (None, Some(number)),
        };
        Ok(Some(Joined {
            rowtime,
            left,
            right,
        }))
    }

    fn batch_of(&self, rows: &[Joined]) -> Result<Batch, Invalid> {
        let mut columns = vec![timestamps(rows.iter().map(|row| row.rowtime).collect())];
        let left: Vec<_> = rows.iter().map(|row| row.left).collect();
        let right: Vec<_> = rows.iter().map(|row| row.right).collect();
        columns.extend(self.left.kept.columns(&left)?);
        columns.extend(self.right.kept.columns(&right)?);
        Ok(Batch::new(columns))
    }
}
