//! Functions that tell something of the values that came in each window of `ROWTIME`.
//!
//! ```text
//! state: 00        -> the beginning of the open window
//!        01 …      -> what the tally keeps
//! ```

use crate::batch::{Batch, Millis};
use crate::cell::Cells;
use crate::expr::Expr;
use crate::fault::{Invalid, RowFaults};
use crate::key::put_key;
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::{RowSink, give_faults, put_moment, take_moment};
use crate::ty::SqlType;

const HEADER: u8 = 0;

/// The first byte of all keys of a tally.
pub const TALLY: u8 = 1;

/// Gathers what the values of a window tell.
pub trait Tally: Send {
    /// Takes a value that is not null, as the bytes of its key.
    ///
    /// # Errors
    ///
    /// More than may be held.
    fn add(&mut self, value: &[u8]) -> Result<(), Invalid>;

    /// The rows of the window without their `ROWTIME`, as bytes of cells. The tally is empty then.
    fn answer(&mut self) -> Result<Vec<Vec<u8>>, Invalid>;

    /// Writes what changed, under keys that begin with [`TALLY`].
    fn save(&mut self, changes: &mut dyn StateWriter);

    /// Takes a row that was saved.
    ///
    /// # Errors
    ///
    /// A row that this tally did not write.
    fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<(), Invalid>;

    fn held_bytes(&self) -> usize;
}

/// A tally for each window, one after the other.
pub struct Tumbling<T> {
    input: Vec<SqlType>,
    output: Vec<SqlType>,
    /// The value that is looked at.
    value: Expr,
    window: Millis,
    /// The beginning of the open window.
    start: Option<Millis>,
    saved_start: Option<Millis>,
    tally: T,
}

impl<T: Tally> Tumbling<T> {
    /// Windows of so many milliseconds, beginning at multiples of that since 1970.
    ///
    /// # Errors
    ///
    /// A plan that is broken.
    pub fn new(
        tally: T,
        value: Expr,
        window: Millis,
        (input, output): (Vec<SqlType>, Vec<SqlType>),
    ) -> Result<Self, Invalid> {
        if window <= 0 {
            return Err(Invalid::new("internal: a window of no length"));
        }
        Ok(Self {
            input,
            output,
            value,
            window,
            start: None,
            saved_start: None,
            tally,
        })
    }

    /// Answers the open window, if it is over at `time` or `time` is the end of all.
    fn close(&mut self, time: Option<Millis>, out: &mut Out) -> Result<(), Invalid> {
        let Some(start) = self.start else {
            return Ok(());
        };
        let end = start.saturating_add(self.window);
        if time.is_some_and(|time| time < end) {
            return Ok(());
        }
        self.start = None;
        let mut sink = RowSink::new(&self.output);
        for row in self.tally.answer()? {
            sink.push(end, &row, out)?;
        }
        sink.flush(out);
        Ok(())
    }
}

impl<T: Tally> Operator for Tumbling<T> {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let values = self.value.evaluate(batch, &mut faults)?;
        let cells = Cells::new(&values, self.value.ty());
        let rowtimes = batch.rowtimes();
        let mut key = Vec::new();
        for row in 0..batch.rows() {
            let rowtime = rowtimes.value(row);
            self.close(Some(rowtime), out)?;
            if faults.has(row) || arrow_array::Array::is_null(&values, row) {
                continue;
            }
            let begun = rowtime.saturating_sub(rowtime.rem_euclid(self.window));
            self.start.get_or_insert(begun);
            key.clear();
            put_key(&mut key, cells.get(row));
            self.tally.add(&key)?;
        }
        give_faults(batch, &self.input, &faults, out);
        Ok(())
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.close(Some(time), out)
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.close(None, out)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if self.saved_start != self.start {
            let mut moment = Vec::new();
            put_moment(&mut moment, self.start);
            changes.put(&[HEADER], &moment);
            self.saved_start = self.start;
        }
        self.tally.save(changes);
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        for (key, value) in rows {
            if key == [HEADER] {
                self.start = take_moment(&mut value.as_slice())?;
                self.saved_start = self.start;
            } else {
                self.tally.restore(&key, &value)?;
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.tally.held_bytes()
    }
}
