//! A join of a stream and a table: each row of the stream looks up the rows of the table that
//! match.
//!
//! Nothing is kept but the table, which is handed over and not part of the state. The `ROWTIME` of
//! what comes out is that of the stream's row.

use std::collections::HashMap;

use arrow_array::UInt32Array;

use super::{Condition, PairCount, Side, SideKey, side_types};
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::cell::ColumnBuilder;
use crate::expr::evaluate::of_arrow;
use crate::fault::{Invalid, RowFaults};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::{RowReader, check_held};
use crate::plan::{self, JoinInput, TableId};
use crate::ty::SqlType;

/// About what a row costs in the index besides its key.
const ROW_BYTES: usize = 48;

/// A join that runs.
pub struct LookupJoin {
    table_id: TableId,
    /// The side of the stream.
    side: Side,
    types: Vec<SqlType>,
    table_types: Vec<SqlType>,
    key: SideKey,
    table_key: SideKey,
    condition: Condition,
    /// Rows of the stream that nothing matches are given.
    outer: bool,
    /// None until it was handed over.
    table: Option<Table>,
}

/// The rows of a table, found by their keys.
struct Table {
    rows: Batch,
    index: HashMap<Box<[u8]>, Vec<u32>>,
    bytes: usize,
}

/// Rows of the stream beside rows of the table; None: nothing of the table matched.
#[derive(Default)]
struct Pairs {
    stream: Vec<u32>,
    table: Vec<Option<u32>>,
}

impl LookupJoin {
    /// A join whose stream is on `side`.
    ///
    /// # Errors
    ///
    /// A join that would have to give the rows of the table that nothing matched.
    pub fn new(join: &plan::Join, side: Side) -> Result<Self, Invalid> {
        let (stream, table, outer, table_outer) = match side {
            Side::Left => (&join.left, &join.right, join.left_outer, join.right_outer),
            Side::Right => (&join.right, &join.left, join.right_outer, join.left_outer),
        };
        if table_outer {
            return Err(Invalid::new(
                "an outer join cannot give the rows of a table that nothing matches, since a \
                 stream does not end",
            ));
        }
        let JoinInput::Table(table_id, _) = &table.input else {
            return Err(Invalid::new("internal: a join of a table without one"));
        };
        Ok(Self {
            table_id: *table_id,
            side,
            types: side_types(stream),
            table_types: side_types(table),
            key: SideKey::of(join, side),
            table_key: SideKey::of(join, side.other()),
            condition: Condition::of(join),
            outer,
            table: None,
        })
    }

    /// Finds out which pairs match, and gives what comes of them.
    fn settle(&self, batch: &Batch, pairs: &Pairs, out: &mut Out) -> Result<(), Invalid> {
        if pairs.stream.is_empty() {
            return Ok(());
        }
        if self.outer {
            return self.settle_outer(batch, pairs, out);
        }
        let candidates = self.batch_of(batch, &pairs.stream, &pairs.table)?;
        let holds = self.condition.holds(&candidates, out)?;
        let given = candidates.filter(&holds).map_err(of_arrow)?;
        push(given, out);
        Ok(())
    }

    /// For an outer join: each row of the stream is given once at least. `pairs` has all
    /// pairs of a row, and a row without a pair for one that has none.
    fn settle_outer(&self, batch: &Batch, pairs: &Pairs, out: &mut Out) -> Result<(), Invalid> {
        let mut met = Pairs::default();
        for (stream, table) in pairs.stream.iter().zip(&pairs.table) {
            if table.is_some() {
                met.stream.push(*stream);
                met.table.push(*table);
            }
        }
        let candidates = self.batch_of(batch, &met.stream, &met.table)?;
        let holds = self.condition.holds(&candidates, out)?;
        let mut given = Pairs::default();
        let mut next = 0;
        for (place, (stream, table)) in pairs.stream.iter().zip(&pairs.table).enumerate() {
            if table.is_some() {
                if holds.value(next) {
                    given.stream.push(*stream);
                    given.table.push(*table);
                }
                next += 1;
            }
            let last = pairs.stream.get(place + 1) != Some(stream);
            if last && given.stream.last() != Some(stream) {
                given.stream.push(*stream);
                given.table.push(None);
            }
        }
        for start in (0..given.stream.len()).step_by(BATCH_ROWS_MAX) {
            let end = given.stream.len().min(start + BATCH_ROWS_MAX);
            let (stream, table) = (&given.stream[start..end], &given.table[start..end]);
            push(self.batch_of(batch, stream, table)?, out);
        }
        Ok(())
    }

    fn batch_of(
        &self,
        batch: &Batch,
        stream: &[u32],
        table: &[Option<u32>],
    ) -> Result<Batch, Invalid> {
        let stream = batch
            .take(&UInt32Array::from(stream.to_vec()))
            .map_err(of_arrow)?;
        let rows = &self.table()?.rows;
        let table = rows
            .take(&UInt32Array::from(table.to_vec()))
            .map_err(of_arrow)?;
        let mut columns = vec![stream.column(0).clone()];
        let (left, right) = match self.side {
            Side::Left => (&stream, &table),
            Side::Right => (&table, &stream),
        };
        columns.extend(left.columns().iter().cloned());
        columns.extend(right.columns().iter().cloned());
        Ok(Batch::new(columns))
    }

    fn table(&self) -> Result<&Table, Invalid> {
        let missing = || Invalid::new("internal: a join before its table was handed over");
        self.table.as_ref().ok_or_else(missing)
    }
}

impl Operator for LookupJoin {
    fn on_batch(&mut self, input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        if Side::of_input(input)? != self.side {
            return Err(Invalid::new("internal: rows of a stream for a table"));
        }
        let mut faults = RowFaults::default();
        let keys = self.key.keys_of(batch, &mut faults)?;
        let table = self.table()?;
        let reader = RowReader::new(batch, &self.types);
        let mut count = PairCount { pairs: 0 };
        let mut pairs = Pairs::default();
        for row in 0..batch.rows() {
            if let Some(fault) = faults.get(row) {
                self.settle(batch, &std::mem::take(&mut pairs), out)?;
                let rowtime = batch.rowtimes().value(row);
                out.faults.push(reader.faulted(row, rowtime, fault.clone()));
                continue;
            }
            let number = u32::try_from(row).map_err(too_many)?;
            let found = keys.get(row).and_then(|key| table.index.get(key));
            let found = found.map_or(&[][..], Vec::as_slice);
            count.add(found.len())?;
            if found.is_empty() && self.outer {
                pairs.stream.push(number);
                pairs.table.push(None);
            }
            for met in found {
                pairs.stream.push(number);
                pairs.table.push(Some(*met));
                // The pairs of a row stay together where one has to know whether any matched.
                if !self.outer && pairs.stream.len() == BATCH_ROWS_MAX {
                    self.settle(batch, &std::mem::take(&mut pairs), out)?;
                }
            }
            if pairs.stream.len() >= BATCH_ROWS_MAX {
                self.settle(batch, &std::mem::take(&mut pairs), out)?;
            }
        }
        self.settle(batch, &pairs, out)
    }

    fn on_time(&mut self, _time: Millis, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn set_table(&mut self, table: TableId, rows: &[Batch]) -> Result<(), Invalid> {
        if table == self.table_id {
            self.table = Some(Table::new(&self.table_key, &self.table_types, rows)?);
        }
        Ok(())
    }

    fn save(&mut self, _changes: &mut dyn StateWriter) {}

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        match rows.next() {
            Some(_) => Err(Invalid::new("internal: state of a join that keeps none")),
            None => Ok(()),
        }
    }

    fn state_bytes(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.bytes)
    }
}

impl Table {
    fn new(key: &SideKey, types: &[SqlType], batches: &[Batch]) -> Result<Self, Invalid> {
        let count = batches.iter().map(Batch::rows).sum();
        let mut bytes = 0;
        for column in batches.iter().flat_map(Batch::columns) {
            bytes += column.to_data().get_slice_memory_size().map_err(of_arrow)?;
        }
        check_held("a table", count, bytes)?;
        let rows = if batches.is_empty() {
            let columns = types.iter().map(|ty| ColumnBuilder::new(*ty).finish());
            Batch::new(columns.collect())
        } else {
            Batch::concat(batches).map_err(of_arrow)?
        };
        let mut faults = RowFaults::default();
        let keys = key.keys_of(&rows, &mut faults)?;
        let mut index: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
        for row in 0..rows.rows() {
            // A row of a table whose key cannot be made equals nothing.
            let Some(key) = keys.get(row).filter(|_| !faults.has(row)) else {
                continue;
            };
            let number = u32::try_from(row).map_err(too_many)?;
            bytes += ROW_BYTES;
            if let Some(rows) = index.get_mut(key) {
                rows.push(number);
            } else {
                bytes += key.len();
                index.insert(key.into(), vec![number]);
            }
        }
        Ok(Self { rows, index, bytes })
    }
}

fn push(rows: Batch, out: &mut Out) {
    if rows.rows() > 0 {
        out.batches.push(rows);
    }
}

fn too_many(_: std::num::TryFromIntError) -> Invalid {
    Invalid::new("internal: more rows than can be counted")
}
