//! The rows of one side of a join that the other side may still meet.
//!
//! Rows are numbered as they come and are forgotten in that order, so they lie in pieces of
//! columns of which the oldest go first. An index leads from a key to its newest row, and each row
//! to the one of the same key before it.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_select::interleave::interleave;

use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::expr::evaluate::of_arrow;
use crate::fault::Invalid;
use crate::ty::SqlType;

/// About what a row costs besides its columns.
const ROW_BYTES: usize = 48;

/// About what a key costs in the index besides its bytes.
const KEY_BYTES: usize = 64;

/// The rows of a side.
pub struct Kept {
    types: Vec<SqlType>,
    pieces: VecDeque<Piece>,
    piece_bytes: usize,
    rows: VecDeque<KeptRow>,
    /// The number of the first of `rows`.
    first: usize,
    /// Rows before this number are over: nothing meets them any more. They are dropped by
    /// [`Kept::trim`].
    live: usize,
    newest: HashMap<Arc<[u8]>, Cell<usize>>,
    key_bytes: usize,
}

struct Piece {
    /// The number of its first row.
    first: usize,
    batch: Batch,
    bytes: usize,
}

pub struct KeptRow {
    pub rowtime: Millis,
    key: Option<Arc<[u8]>>,
    /// The row of the same key before it.
    before: Option<usize>,
    /// It was given with a row of the other side.
    pub matched: bool,
}

impl Kept {
    pub fn new(types: Vec<SqlType>) -> Self {
        Self {
            types,
            pieces: VecDeque::new(),
            piece_bytes: 0,
            rows: VecDeque::new(),
            first: 0,
            live: 0,
            newest: HashMap::new(),
            key_bytes: 0,
        }
    }

    /// Begins with another number, while there are no rows.
    pub fn begin_at(&mut self, number: usize) {
        self.first = number;
        self.live = number;
    }

    /// The number of the next row.
    pub fn next(&self) -> usize {
        self.first + self.rows.len()
    }

    /// The first row that is not over.
    pub fn live(&self) -> usize {
        self.live
    }

    pub fn held_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn held_bytes(&self) -> usize {
        self.piece_bytes + self.key_bytes + self.rows.len() * ROW_BYTES
    }

    /// Lays down the columns of rows that get the next numbers; [`Kept::push`] follows for each.
    pub fn push_columns(&mut self, batch: &Batch) -> Result<(), Invalid> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let first = self.next();
        let piece = Piece::new(first, batch.clone())?;
        self.piece_bytes += piece.bytes;
        self.pieces.push_back(piece);
        Ok(())
    }

    /// Adds a row. One without a key is met by none.
    pub fn push(&mut self, rowtime: Millis, key: Option<&[u8]>) {
        let number = self.next();
        let mut before = None;
        let key = key.map(|bytes| {
            if let Some((key, newest)) = self.newest.get_key_value(bytes) {
                before = Some(newest.replace(number));
                return key.clone();
            }
            self.key_bytes += bytes.len() + KEY_BYTES;
            let key: Arc<[u8]> = bytes.into();
            self.newest.insert(key.clone(), Cell::new(number));
            key
        });
        self.rows.push_back(KeptRow {
            rowtime,
            key,
            before,
            matched: false,
        });
    }

    /// The rows of a key that are not over, oldest first.
    pub fn find(&self, key: &[u8], found: &mut Vec<usize>) -> Result<(), Invalid> {
        found.clear();
        let mut next = self.newest.get(key).map(Cell::get);
        while let Some(number) = next.filter(|number| *number >= self.live) {
            found.push(number);
            next = self.row(number)?.before;
        }
        found.reverse();
        Ok(())
    }

    pub fn row(&self, number: usize) -> Result<&KeptRow, Invalid> {
        let place = number.checked_sub(self.first);
        place
            .and_then(|place| self.rows.get(place))
            .ok_or_else(missing)
    }

    /// Notes that a row has a match; whether it had none before.
    pub fn set_matched(&mut self, number: usize) -> Result<bool, Invalid> {
        let place = number.checked_sub(self.first);
        let row = place.and_then(|place| self.rows.get_mut(place));
        let row = row.ok_or_else(missing)?;
        Ok(!std::mem::replace(&mut row.matched, true))
    }

    /// The oldest row that is not over.
    pub fn oldest(&self) -> Result<Option<&KeptRow>, Invalid> {
        if self.live == self.next() {
            return Ok(None);
        }
        self.row(self.live).map(Some)
    }

    /// The oldest row is over. Its columns can be read until [`Kept::trim`].
    pub fn pass_oldest(&mut self) {
        self.live += 1;
    }

    /// Drops the rows that are over, and puts small pieces together.
    pub fn trim(&mut self) -> Result<(), Invalid> {
        while self.first < self.live {
            let Some(row) = self.rows.pop_front() else {
                return Err(missing());
            };
            if let Some(key) = row.key
                && self
                    .newest
                    .get(&key)
                    .is_some_and(|newest| newest.get() == self.first)
            {
                self.newest.remove(&key);
                self.key_bytes -= key.len() + KEY_BYTES;
            }
            self.first += 1;
        }
        while let Some(piece) = self.pieces.front()
            && piece.next() <= self.first
        {
            self.piece_bytes -= piece.bytes;
            self.pieces.pop_front();
        }
        self.join_pieces()
    }

    /// Joins the last pieces while they are of like size, so that a row is copied a few times only
    /// and many small batches do not stay many pieces.
    fn join_pieces(&mut self) -> Result<(), Invalid> {
        while let [.., before, last] = self.pieces.make_contiguous()
            && before.batch.rows() <= 2 * last.batch.rows()
            && before.batch.rows() + last.batch.rows() <= BATCH_ROWS_MAX
        {
            let both = [before.batch.clone(), last.batch.clone()];
            let joined = Piece::new(before.first, Batch::concat(&both).map_err(of_arrow)?)?;
            self.piece_bytes += joined.bytes;
            for _ in 0..2 {
                if let Some(piece) = self.pieces.pop_back() {
                    self.piece_bytes -= piece.bytes;
                }
            }
            self.pieces.push_back(joined);
        }
        Ok(())
    }

    /// The rows from number `first` on, each with the batch and the place in it where its columns
    /// are.
    pub fn rows_from(
        &self,
        first: usize,
    ) -> impl Iterator<Item = (usize, &KeptRow, &Batch, usize)> {
        let piece = self.pieces.partition_point(|piece| piece.next() <= first);
        let before = self
            .pieces
            .get(piece)
            .map(|piece| first.saturating_sub(piece.first));
        let places = self.pieces.range(piece..).flat_map(|piece| {
            let numbers = (piece.first..piece.next()).enumerate();
            numbers.map(move |(place, number)| (number, &piece.batch, place))
        });
        let rows = self.rows.iter().skip(first.saturating_sub(self.first));
        places
            .skip(before.unwrap_or(0))
            .zip(rows)
            .map(|((number, batch, place), row)| (number, row, batch, place))
    }

    /// The columns of these rows; None is a row of nulls.
    pub fn columns(&self, numbers: &[Option<usize>]) -> Result<Vec<ArrayRef>, Invalid> {
        // Most rows lie in few pieces; the first place is that of a row of nulls.
        let mut used: Vec<&Piece> = Vec::new();
        let mut among_used = vec![None; self.pieces.len()];
        let mut places = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(number) = number else {
                places.push((0, 0));
                continue;
            };
            let (piece, row) = self.place(*number)?;
            let place = *among_used[piece].get_or_insert_with(|| {
                used.push(&self.pieces[piece]);
                used.len()
            });
            places.push((place, row));
        }
        let mut columns = Vec::with_capacity(self.types.len());
        for (index, ty) in self.types.iter().enumerate() {
            let nulls = new_null_array(&ty.arrow(), 1);
            let mut arrays: Vec<&dyn Array> = Vec::with_capacity(used.len() + 1);
            arrays.push(nulls.as_ref());
            arrays.extend(used.iter().map(|piece| piece.batch.column(index).as_ref()));
            columns.push(interleave(&arrays, &places).map_err(of_arrow)?);
        }
        Ok(columns)
    }

    /// The piece of a row, and the row in it.
    fn place(&self, number: usize) -> Result<(usize, usize), Invalid> {
        let after = self.pieces.partition_point(|piece| piece.first <= number);
        let index = after.checked_sub(1).ok_or_else(missing)?;
        let piece = &self.pieces[index];
        let row = number - piece.first;
        if row >= piece.batch.rows() {
            return Err(missing());
        }
        Ok((index, row))
    }
}

impl Piece {
    fn new(first: usize, batch: Batch) -> Result<Self, Invalid> {
        let mut bytes = 0;
        for column in batch.columns() {
            bytes += column.to_data().get_slice_memory_size().map_err(of_arrow)?;
        }
        Ok(Self {
            first,
            batch,
            bytes,
        })
    }

    fn next(&self) -> usize {
        self.first + self.batch.rows()
    }
}

fn missing() -> Invalid {
    Invalid::new("internal: a join looks for a row that it does not hold")
}
