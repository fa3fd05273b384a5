//! `GROUP_RANK`: rows of one `ROWTIME` with their rank.
//!
//! AWS lets a group wait for later rows until an idle time is over. Here the time itself tells that
//! no row of the group comes any more, which is never later, so that the idle time has no part.
//!
//! ```text
//! state: 00              -> the ROWTIME of the open group
//!        01 number       -> the key that ranks the row, and the row
//! ```

#[cfg(test)]
mod tests;

use crate::batch::{Batch, Millis};
use crate::cell::{Cell, Cells};
use crate::fault::Invalid;
use crate::key::{
    put_bytes, put_cell, put_key, put_u64, take_bytes, take_u8, take_u64, take_values,
};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::{RowReader, RowSink, check_held, put_moment, take_moment, types_of};
use crate::plan::GroupRank;
use crate::ty::{RowType, SqlType};

const HEADER: u8 = 0;
const ROW: u8 = 1;

/// About what a held row costs besides its bytes.
const ENTRY_BYTES: usize = 64;

/// A group that is ranked when its last row has come.
pub struct Ranking {
    function: GroupRank,
    input: Vec<SqlType>,
    output: Vec<SqlType>,
    /// The `ROWTIME` of the open group.
    rowtime: Option<Millis>,
    held: Vec<Held>,
    held_bytes: usize,
    saved_rowtime: Option<Millis>,
    /// Rows of the open group that the saved state has, and rows before them that it still has.
    saved: usize,
    stale: usize,
}

struct Held {
    /// Bytes in the order of values, nulls last.
    key: Vec<u8>,
    row: Vec<u8>,
}

impl Ranking {
    /// Ranks no rows yet.
    ///
    /// # Errors
    ///
    /// A plan that is broken.
    pub fn new(function: &GroupRank, input: &RowType, output: &RowType) -> Result<Self, Invalid> {
        let (input, output) = (types_of(input), types_of(output));
        let wanted = input.len().max(function.rank + 1);
        let ranked = 1..input.len();
        if !ranked.contains(&function.rank_by) || function.rank == 0 || output.len() != wanted {
            return Err(Invalid::new(
                "internal: GROUP_RANK with columns that are not there",
            ));
        }
        Ok(Self {
            function: function.clone(),
            input,
            output,
            rowtime: None,
            held: Vec::new(),
            held_bytes: 0,
            saved_rowtime: None,
            saved: 0,
            stale: 0,
        })
    }

    /// Answers the open group, if there is one.
    fn answer(&mut self, out: &mut Out) -> Result<(), Invalid> {
        let Some(rowtime) = self.rowtime.take() else {
            return Ok(());
        };
        let mut rows = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.stale = self.stale.max(self.saved);
        self.saved = 0;
        let descending = self.function.descending;
        // Stable: rows of one rank stay as they came.
        rows.sort_by(|left, right| {
            let order = left.key.cmp(&right.key);
            if descending { order.reverse() } else { order }
        });
        let mut ranked: Vec<(i64, Vec<u8>)> = Vec::with_capacity(rows.len());
        let (mut rank, mut previous) = (0, None);
        for (number, held) in (1..).zip(rows) {
            if previous.as_ref() != Some(&held.key) {
                rank = number;
            }
            previous = Some(held.key);
            ranked.push((rank, held.row));
        }
        if self.function.output_descending {
            ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        }
        let rows_max = match self.function.rows_max {
            0 => ranked.len(),
            most => usize::try_from(most).map_or(ranked.len(), |most| most.min(ranked.len())),
        };
        let mut sink = RowSink::new(&self.output);
        for (rank, row) in &ranked[..rows_max] {
            sink.push(rowtime, &self.with_rank(*rank, row)?, out)?;
        }
        sink.flush(out);
        Ok(())
    }

    fn with_rank(&self, rank: i64, row: &[u8]) -> Result<Vec<u8>, Invalid> {
        let rank = Cell::Whole(rank);
        if self.function.rank == self.input.len() {
            let mut longer = row.to_vec();
            put_cell(&mut longer, rank);
            return Ok(longer);
        }
        let mut changed = Vec::with_capacity(row.len());
        for (index, value) in take_values(row)?.iter().enumerate() {
            let own = index + 1 == self.function.rank;
            put_cell(&mut changed, if own { rank } else { value.cell() });
        }
        Ok(changed)
    }

    fn hold(&mut self, key: Vec<u8>, row: Vec<u8>) {
        self.held_bytes += key.len() + row.len() + ENTRY_BYTES;
        self.held.push(Held { key, row });
    }
}

/// Nulls are greater than all values, as in ORDER BY.
fn key_bytes(cell: Cell<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    match cell {
        Cell::Null => key.push(u8::MAX),
        value => put_key(&mut key, value),
    }
    key
}

impl Operator for Ranking {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let types = self.input.clone();
        let reader = RowReader::new(batch, &types);
        let rowtimes = batch.rowtimes();
        let rank_by = self.function.rank_by;
        let ranked = Cells::new(batch.column(rank_by), types[rank_by]);
        for row in 0..batch.rows() {
            let rowtime = rowtimes.value(row);
            if self.rowtime != Some(rowtime) {
                self.answer(out)?;
                self.rowtime = Some(rowtime);
            }
            let mut values = Vec::new();
            reader.put(row, &mut values);
            self.hold(key_bytes(ranked.get(row)), values);
        }
        check_held("GROUP_RANK", self.held.len(), self.held_bytes)
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        if self.rowtime.is_some_and(|rowtime| rowtime < time) {
            self.answer(out)?;
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.answer(out)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if self.saved_rowtime != self.rowtime {
            let mut moment = Vec::new();
            put_moment(&mut moment, self.rowtime);
            changes.put(&[HEADER], &moment);
            self.saved_rowtime = self.rowtime;
        }
        for (number, held) in self.held.iter().enumerate().skip(self.saved) {
            let mut value = Vec::new();
            put_bytes(&mut value, &held.key);
            value.extend_from_slice(&held.row);
            changes.put(&key_of(number), &value);
        }
        for number in self.held.len()..self.stale {
            changes.delete(&key_of(number));
        }
        self.stale = 0;
        self.saved = self.held.len();
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let mut numbered: Vec<(u64, Vec<u8>)> = Vec::new();
        for (key, value) in rows {
            if key == [HEADER] {
                self.rowtime = take_moment(&mut value.as_slice())?;
                self.saved_rowtime = self.rowtime;
                continue;
            }
            let mut key = key.as_slice();
            if take_u8(&mut key)? != ROW {
                return Err(Invalid::new(
                    "internal: state of GROUP_RANK is of no known kind",
                ));
            }
            numbered.push((take_u64(&mut key)?, value));
        }
        numbered.sort_unstable();
        for (_, value) in numbered {
            let mut value = value.as_slice();
            let key = take_bytes(&mut value)?.to_vec();
            self.hold(key, value.to_vec());
        }
        self.saved = self.held.len();
        Ok(())
    }

    fn time_after(&self, time: Millis) -> Option<Millis> {
        Some(self.rowtime.map_or(time, |rowtime| rowtime.min(time)))
    }

    fn state_bytes(&self) -> usize {
        self.held_bytes
    }
}

fn key_of(number: usize) -> Vec<u8> {
    let mut key = vec![ROW];
    put_u64(&mut key, number as u64);
    key
}
