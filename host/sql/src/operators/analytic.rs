//! What `FIRST_VALUE`, `LAST_VALUE`, `LAG` and `NTH_VALUE` know of the rows of one frame.

use std::collections::VecDeque;

use crate::analytic::{AnalyticCall, AnalyticKind};
use crate::cell::{Cell, Value};
use crate::fault::Invalid;
use crate::key::{put_cell, put_u64, take_u64, take_value};

/// The values of a frame that one call counts, oldest first: with `IGNORE NULLS` those that are
/// none.
#[derive(Debug)]
pub struct FrameValues {
    kind: AnalyticKind,
    ignore_nulls: bool,
    keep: Keep,
    /// The number of each value's row, and the value.
    values: VecDeque<(u64, Value)>,
    /// The newest row, and whether its value is counted.
    current: (u64, bool),
    value_bytes: usize,
}

/// Which values can be asked for. The others are not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    All,
    First(usize),
    Last(usize),
}

impl FrameValues {
    /// Of no rows yet. `grows`: no row leaves the frame.
    ///
    /// # Errors
    ///
    /// A call that looks further than rows can be counted.
    pub fn new(call: &AnalyticCall, grows: bool) -> Result<Self, Invalid> {
        let count = |number: u64| {
            let far = |_| Invalid::new("a call of LAG or NTH_VALUE looks too far");
            usize::try_from(number).map_err(far)
        };
        let keep = match call.kind {
            AnalyticKind::LastValue => Keep::Last(1),
            AnalyticKind::Lag(back) => Keep::Last(count(back)?.saturating_add(1)),
            AnalyticKind::FirstValue if grows => Keep::First(1),
            AnalyticKind::NthValue(nth) if grows => Keep::First(count(nth)?),
            // What is asked for later lies behind what leaves.
            AnalyticKind::FirstValue | AnalyticKind::NthValue(_) => Keep::All,
        };
        Ok(Self {
            kind: call.kind,
            ignore_nulls: call.ignore_nulls,
            keep,
            values: VecDeque::new(),
            current: (0, false),
            value_bytes: 0,
        })
    }

    /// Takes the value of the next row.
    pub fn add(&mut self, number: u64, value: Cell<'_>) {
        let counted = !(self.ignore_nulls && value == Cell::Null);
        self.current = (number, counted);
        if !counted {
            return;
        }
        match self.keep {
            Keep::First(count) if self.values.len() >= count => return,
            Keep::Last(count) if self.values.len() >= count => self.drop_oldest(),
            _ => {}
        }
        self.value_bytes += bytes_of(value);
        self.values.push_back((number, value.to_value()));
    }

    /// Takes the oldest row out.
    pub fn remove(&mut self, number: u64) {
        if self
            .values
            .front()
            .is_some_and(|(oldest, _)| *oldest == number)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, value)) = self.values.pop_front() {
            self.value_bytes -= bytes_of(value.cell());
        }
    }

    /// What the call gives for the newest row, whose default this is.
    pub fn result(&self, default: Cell<'_>) -> Value {
        let found = match self.kind {
            AnalyticKind::FirstValue => self.values.front(),
            AnalyticKind::LastValue => self.values.back(),
            AnalyticKind::NthValue(nth) => {
                let place = usize::try_from(nth).ok().and_then(|nth| nth.checked_sub(1));
                place.and_then(|place| self.values.get(place))
            }
            AnalyticKind::Lag(back) => return self.lag(back, default),
        };
        found.map_or(Value::Null, |(_, value)| value.clone())
    }

    /// The counted value so many before the newest row.
    fn lag(&self, back: u64, default: Cell<'_>) -> Value {
        let (_, counted) = self.current;
        if back == 0 && !counted {
            return Value::Null;
        }
        // A row that is not counted lies behind the last of the values.
        let behind = if counted { 1 } else { 0 };
        let place = usize::try_from(back).ok();
        let place = place.and_then(|back| self.values.len().checked_sub(back + behind));
        let found = place.and_then(|place| self.values.get(place));
        found.map_or_else(|| default.to_value(), |(_, value)| value.clone())
    }

    /// Its state as bytes, behind what is there.
    pub fn save(&self, to: &mut Vec<u8>) {
        put_u64(to, self.current.0);
        put_cell(to, Cell::Boolean(self.current.1));
        put_u64(to, self.values.len() as u64);
        for (number, value) in &self.values {
            put_u64(to, *number);
            put_cell(to, value.cell());
        }
    }

    /// A state that was saved, in the place of its own.
    ///
    /// # Errors
    ///
    /// Bytes that it did not write.
    pub fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.current = (
            take_u64(from)?,
            take_value(from)?.cell() == Cell::Boolean(true),
        );
        self.values.clear();
        self.value_bytes = 0;
        for _ in 0..take_u64(from)? {
            let number = take_u64(from)?;
            let value = take_value(from)?;
            self.value_bytes += bytes_of(value.cell());
            self.values.push_back((number, value));
        }
        Ok(())
    }

    /// Bytes that it holds besides itself, about.
    pub fn held_bytes(&self) -> usize {
        self.value_bytes
    }
}

/// Bytes of a value with its number.
fn bytes_of(value: Cell<'_>) -> usize {
    let own = size_of::<(u64, Value)>();
    match value {
        Cell::Text(text) => own + text.len(),
        Cell::Bytes(bytes) => own + bytes.len(),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Expr;
    use crate::ty::SqlType;

    fn call(kind: AnalyticKind, ignore_nulls: bool) -> AnalyticCall {
        AnalyticCall {
            kind,
            argument: Expr::column(1, SqlType::BigInt),
            ignore_nulls,
            default: None,
            ty: SqlType::BigInt,
        }
    }

    /// What comes of each row; 0 stands for null, and -1 is the default.
    fn results(kind: AnalyticKind, ignore_nulls: bool, frame: usize, rows: &[i64]) -> Vec<i64> {
        let mut values = FrameValues::new(&call(kind, ignore_nulls), false).unwrap();
        let mut all = FrameValues::new(&call(kind, ignore_nulls), true).unwrap();
        let mut given = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let number = place as u64;
            if let Some(leaves) = place.checked_sub(frame) {
                values.remove(leaves as u64);
            }
            let cell = if *row == 0 {
                Cell::Null
            } else {
                Cell::Whole(*row)
            };
            values.add(number, cell);
            all.add(number, cell);
            let whole = |value| match value {
                Value::Whole(number) => number,
                _ => 0,
            };
            given.push(whole(values.result(Cell::Whole(-1))));
            if place < frame {
                assert_eq!(whole(all.result(Cell::Whole(-1))), given[place]);
            }
        }
        given
    }

    #[test]
    fn the_first_and_the_last_value_are_those_of_the_frame() {
        let rows = [0, 5, 0, 7, 8];
        assert_eq!(
            results(AnalyticKind::FirstValue, false, 3, &rows),
            [0, 0, 0, 5, 0]
        );
        assert_eq!(
            results(AnalyticKind::FirstValue, true, 3, &rows),
            [0, 5, 5, 5, 7]
        );
        assert_eq!(results(AnalyticKind::LastValue, false, 3, &rows), rows);
        assert_eq!(
            results(AnalyticKind::LastValue, true, 3, &[5, 0, 0, 0, 8]),
            [5, 5, 5, 0, 8]
        );
    }

    #[test]
    fn lag_looks_back_and_gives_the_default_outside_of_the_frame() {
        let rows = [3, 0, 5, 6, 0];
        assert_eq!(results(AnalyticKind::Lag(0), false, 9, &rows), rows);
        assert_eq!(
            results(AnalyticKind::Lag(1), false, 9, &rows),
            [-1, 3, 0, 5, 6]
        );
        assert_eq!(results(AnalyticKind::Lag(2), false, 2, &rows), [-1; 5]);
        assert_eq!(
            results(AnalyticKind::Lag(1), true, 9, &rows),
            [-1, 3, 3, 5, 6]
        );
        assert_eq!(
            results(AnalyticKind::Lag(2), true, 9, &rows),
            [-1, -1, -1, 3, 5]
        );
        assert_eq!(
            results(AnalyticKind::Lag(1), true, 2, &[3, 0, 0, 6]),
            [-1, 3, -1, -1]
        );
    }

    #[test]
    fn the_nth_value_is_null_while_there_are_fewer() {
        let rows = [3, 0, 5, 6];
        assert_eq!(
            results(AnalyticKind::NthValue(2), false, 3, &rows),
            [0, 0, 0, 5]
        );
        assert_eq!(
            results(AnalyticKind::NthValue(2), true, 9, &rows),
            [0, 0, 5, 5]
        );
        assert_eq!(
            results(AnalyticKind::NthValue(1), false, 2, &rows),
            [3, 3, 0, 5]
        );
    }

    #[test]
    fn a_state_that_was_saved_goes_on() {
        let mut values = FrameValues::new(&call(AnalyticKind::Lag(2), true), true).unwrap();
        for (number, value) in [Cell::Whole(1), Cell::Whole(2), Cell::Null]
            .into_iter()
            .enumerate()
        {
            values.add(number as u64, value);
        }
        let mut bytes = Vec::new();
        values.save(&mut bytes);
        let mut again = FrameValues::new(&call(AnalyticKind::Lag(2), true), true).unwrap();
        again.restore(&mut bytes.as_slice()).unwrap();
        assert_eq!(again.result(Cell::Null), Value::Whole(1));
        assert_eq!(again.held_bytes(), values.held_bytes());
    }
}
