//! The state of a join of streams: written as it changes, and taken up.

use std::collections::BTreeMap;

use super::{Side, SideRows, WindowJoin};
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis, timestamps};
use crate::cell::{Cell, ColumnBuilder};
use crate::fault::{Invalid, RowFaults};
use crate::key::{put_cell, put_i64, put_u64, take_i64, take_u8, take_u64, take_value};
use crate::operator::StateWriter;
use crate::operators::rows::{RowReader, put_moment, take_moment};

const HEADER: u8 = 0;
const ROW: u8 = 1;

/// What is written once for both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    time: Option<Millis>,
    left_next: usize,
    right_next: usize,
}

/// Which rows of a side are written.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows from `written.0` on and before `written.1` are in the saved state.
    written: (usize, usize),
    /// Rows among them that were matched since.
    matched: Vec<usize>,
}

impl Changes {
    /// A row was matched for the first time.
    pub fn matched(&mut self, number: usize) {
        if number < self.written.1 {
            self.matched.push(number);
        }
    }
}

impl WindowJoin {
    pub(super) fn save_changes(&mut self, changes: &mut dyn StateWriter) {
        let header = Header {
            time: self.time,
            left_next: self.left.kept.next(),
            right_next: self.right.kept.next(),
        };
        if self.saved != Some(header) {
            changes.put(&[HEADER], &header.bytes());
            self.saved = Some(header);
        }
        self.left.save(changes);
        self.right.save(changes);
    }

    pub(super) fn take_up(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let mut held: [BTreeMap<usize, Vec<u8>>; 2] = [BTreeMap::new(), BTreeMap::new()];
        for (key, value) in rows {
            let mut key = key.as_slice();
            match take_u8(&mut key)? {
                HEADER => self.saved = Some(Header::of(&value)?),
                ROW => {
                    let side = usize::from(take_u8(&mut key)?);
                    let held = held.get_mut(side).ok_or_else(unknown)?;
                    held.insert(take_number(&mut key)?, value);
                }
                _ => return Err(unknown()),
            }
        }
        let Some(header) = self.saved else {
            return Ok(());
        };
        self.time = header.time;
        let [left, right] = held;
        self.left.take_up(&left, header.left_next)?;
        self.right.take_up(&right, header.right_next)
    }
}

impl SideRows {
    fn save(&mut self, changes: &mut dyn StateWriter) {
        let (first, next) = self.changes.written;
        let live = self.kept.live();
        for number in first..live.min(next) {
            changes.delete(&self.state_key(number));
        }
        let matched = std::mem::take(&mut self.changes.matched);
        for number in matched.into_iter().filter(|number| *number >= live) {
            self.put_rows(number, number + 1, changes);
        }
        self.put_rows(next.max(live), self.kept.next(), changes);
        self.changes.written = (live, self.kept.next());
    }

    /// Writes the rows with these numbers, all of which are held.
    fn put_rows(&self, first: usize, next: usize, changes: &mut dyn StateWriter) {
        let rows = self.kept.rows_from(first);
        for (number, row, batch, place) in rows.take(next.saturating_sub(first)) {
            let mut value = Vec::new();
            put_cell(&mut value, Cell::Boolean(row.matched));
            put_i64(&mut value, row.rowtime);
            RowReader::new(batch, &self.types).put(place, &mut value);
            changes.put(&self.state_key(number), &value);
        }
    }

    fn state_key(&self, number: usize) -> Vec<u8> {
        let side = match self.side {
            Side::Left => 0,
            Side::Right => 1,
        };
        let mut key = vec![ROW, side];
        put_u64(&mut key, number as u64);
        key
    }

    fn take_up(&mut self, rows: &BTreeMap<usize, Vec<u8>>, next: usize) -> Result<(), Invalid> {
        let first = match rows.first_key_value() {
            Some((first, _)) => *first,
            None => next,
        };
        if first + rows.len() != next {
            return Err(Invalid::new(
                "internal: rows of a join are missing in its state",
            ));
        }
        self.kept.begin_at(first);
        self.changes.written = (first, next);
        let values: Vec<&Vec<u8>> = rows.values().collect();
        for values in values.chunks(BATCH_ROWS_MAX) {
            self.take_up_some(values)?;
        }
        self.kept.trim()
    }

    fn take_up_some(&mut self, rows: &[&Vec<u8>]) -> Result<(), Invalid> {
        let types = self.types[1..].iter();
        let mut builders: Vec<ColumnBuilder> = types.map(|ty| ColumnBuilder::new(*ty)).collect();
        let mut rowtimes = Vec::with_capacity(rows.len());
        let mut matched = Vec::with_capacity(rows.len());
        for row in rows {
            let mut row = row.as_slice();
            matched.push(take_value(&mut row)?.cell() == Cell::Boolean(true));
            rowtimes.push(take_i64(&mut row)?);
            for builder in &mut builders {
                builder.push(take_value(&mut row)?.cell())?;
            }
        }
        let mut columns = vec![timestamps(rowtimes.clone())];
        columns.extend(builders.iter_mut().map(ColumnBuilder::finish));
        let batch = Batch::new(columns);
        let keys = self.key.keys_of(&batch, &mut RowFaults::default())?;
        self.kept.push_columns(&batch)?;
        for (row, rowtime) in rowtimes.into_iter().enumerate() {
            let number = self.kept.next();
            self.kept.push(rowtime, keys.get(row));
            if matched[row] {
                self.kept.set_matched(number)?;
            }
        }
        Ok(())
    }
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_moment(&mut bytes, self.time);
        put_u64(&mut bytes, self.left_next as u64);
        put_u64(&mut bytes, self.right_next as u64);
        bytes
    }

    fn of(mut bytes: &[u8]) -> Result<Self, Invalid> {
        Ok(Self {
            time: take_moment(&mut bytes)?,
            left_next: take_number(&mut bytes)?,
            right_next: take_number(&mut bytes)?,
        })
    }
}

fn take_number(from: &mut &[u8]) -> Result<usize, Invalid> {
    usize::try_from(take_u64(from)?).map_err(|_| unknown())
}

fn unknown() -> Invalid {
    Invalid::new("internal: state of a join is of no known kind")
}
