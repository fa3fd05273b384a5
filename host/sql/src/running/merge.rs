//! Puts the rows of several inputs in the order of `ROWTIME`, in front of an operator that wants
//! that.
//!
//! A row waits until no input can give an earlier one. Rows of one `ROWTIME` leave by the number of
//! their input: so their order does not depend on how rows were cut into batches.

use std::collections::VecDeque;

use arrow_array::Array;

use super::StateRow;
use crate::batch::{Batch, Millis};
use crate::fault::Invalid;
use crate::key::{put_i64, put_u64, take_i64, take_u64};
use crate::operator::{Out, StateWriter};
use crate::operators::rows::{RowReader, RowSink, check_held};
use crate::ty::SqlType;

pub struct Merge {
    inputs: Vec<Waiting>,
    /// What waits, over all inputs.
    rows: usize,
    bytes: usize,
}

/// The rows of one input. They are numbered as they come.
struct Waiting {
    types: Vec<SqlType>,
    pieces: VecDeque<Piece>,
    /// The numbers of the rows that wait.
    from: u64,
    to: u64,
    /// And of those that the saved state has.
    saved_from: u64,
    saved_to: u64,
}

/// Rows that came together, and the bytes of each, about.
struct Piece {
    batch: Batch,
    row_bytes: usize,
}

impl Piece {
    fn new(batch: Batch) -> Self {
        let columns = batch.columns().iter();
        let bytes: usize = columns.map(|column| column.get_array_memory_size()).sum();
        let row_bytes = bytes.div_ceil(batch.rows().max(1));
        Self { batch, row_bytes }
    }
}

impl Merge {
    /// For inputs of these types.
    pub fn new(inputs: Vec<Vec<SqlType>>) -> Self {
        let inputs = inputs.into_iter().map(|types| Waiting {
            types,
            pieces: VecDeque::new(),
            from: 0,
            to: 0,
            saved_from: 0,
            saved_to: 0,
        });
        Self {
            inputs: inputs.collect(),
            rows: 0,
            bytes: 0,
        }
    }

    pub fn push(&mut self, input: usize, batch: Batch) -> Result<(), Invalid> {
        self.inputs[input].to += batch.rows() as u64;
        self.hold(input, batch);
        check_held("a step with several inputs", self.rows, self.bytes)
    }

    /// Takes out the rows before a moment, or all: pieces in the order of `ROWTIME`, each with the
    /// number of its input.
    pub fn release(&mut self, before: Option<Millis>) -> Vec<(usize, Batch)> {
        let mut pieces = Vec::new();
        while let Some((head, input)) = self.heads().min() {
            if before.is_some_and(|before| head >= before) {
                break;
            }
            let other = self.heads().filter(|(_, other)| *other != input).min();
            // Rows that leave with this one: as long as they are before the next of another input.
            let leaves = |rowtime: Millis| {
                before.is_none_or(|before| rowtime < before)
                    && other.is_none_or(|other| (rowtime, input) < other)
            };
            let Some(piece) = self.inputs[input].take_while(leaves) else {
                break;
            };
            let rows = piece.batch.rows();
            self.rows -= rows;
            self.bytes -= rows * piece.row_bytes;
            pieces.push((input, piece.batch));
        }
        pieces
    }

    /// The first `ROWTIME` of each input that has rows.
    fn heads(&self) -> impl Iterator<Item = (Millis, usize)> {
        let inputs = self.inputs.iter().enumerate();
        inputs.filter_map(|(input, waiting)| {
            let first = waiting.pieces.front()?;
            Some((first.batch.rowtimes().value(0), input))
        })
    }

    fn hold(&mut self, input: usize, batch: Batch) {
        let piece = Piece::new(batch);
        let rows = piece.batch.rows();
        self.rows += rows;
        self.bytes += rows * piece.row_bytes;
        self.inputs[input].pieces.push_back(piece);
    }

    /// Bytes of the rows that wait, about.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    pub fn save(&mut self, changes: &mut dyn StateWriter) {
        for (input, waiting) in (0_u64..).zip(&mut self.inputs) {
            for number in waiting.saved_from..waiting.from.min(waiting.saved_to) {
                changes.delete(&state_key(input, number));
            }
            let mut number = waiting.from;
            let mut value = Vec::new();
            for Piece { batch, .. } in &waiting.pieces {
                let behind = number + batch.rows() as u64;
                if behind <= waiting.saved_to {
                    number = behind;
                    continue;
                }
                let reader = RowReader::new(batch, &waiting.types);
                for row in 0..batch.rows() {
                    if number >= waiting.saved_to {
                        value.clear();
                        put_i64(&mut value, batch.rowtimes().value(row));
                        reader.put(row, &mut value);
                        changes.put(&state_key(input, number), &value);
                    }
                    number += 1;
                }
            }
            waiting.saved_from = waiting.from;
            waiting.saved_to = waiting.to;
        }
    }

    /// Takes up rows that were saved.
    pub fn restore(&mut self, mut rows: Vec<StateRow>) -> Result<(), Invalid> {
        // By input and number: keys have that order.
        rows.sort_unstable();
        let mut out = Out::default();
        let mut numbers: Vec<Vec<(u64, &[u8])>> = vec![Vec::new(); self.inputs.len()];
        for (key, value) in &rows {
            let mut key = key.as_slice();
            let input = usize::try_from(take_u64(&mut key)?).ok();
            let list = input.and_then(|input| numbers.get_mut(input));
            let list = list.ok_or_else(|| Invalid::new("internal: rows of no input"))?;
            list.push((take_u64(&mut key)?, value));
        }
        for (input, list) in numbers.into_iter().enumerate() {
            let waiting = &mut self.inputs[input];
            let (Some((first, _)), Some((last, _))) = (list.first(), list.last()) else {
                continue;
            };
            (waiting.from, waiting.to) = (*first, last + 1);
            (waiting.saved_from, waiting.saved_to) = (waiting.from, waiting.to);
            let mut sink = RowSink::new(&waiting.types);
            for (_, mut value) in list {
                let rowtime = take_i64(&mut value)?;
                sink.push(rowtime, value, &mut out)?;
            }
            sink.flush(&mut out);
            for batch in out.batches.drain(..) {
                self.hold(input, batch);
            }
        }
        Ok(())
    }
}

impl Waiting {
    /// Takes rows off the first piece as long as their `ROWTIME` says so.
    fn take_while(&mut self, leaves: impl Fn(Millis) -> bool) -> Option<Piece> {
        let Piece { batch, row_bytes } = self.pieces.pop_front()?;
        let rowtimes = batch.rowtimes();
        let count = rowtimes
            .values()
            .partition_point(|rowtime| leaves(*rowtime));
        let (taken, rest) = (batch.slice(0, count), batch.rows() - count);
        if rest > 0 {
            let batch = batch.slice(count, rest);
            self.pieces.push_front(Piece { batch, row_bytes });
        }
        self.from += count as u64;
        (count > 0).then_some(Piece {
            batch: taken,
            row_bytes,
        })
    }
}

fn state_key(input: u64, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    put_u64(&mut key, input);
    put_u64(&mut key, number);
    key
}
