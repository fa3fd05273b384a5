//! Rows on their way into groups, in their order.

use arrow_array::{Array, ArrayRef};

use super::index::{Key, Keys};
use super::panes::Placed;
use super::runs::Seated;
use super::{Aggregate, Evaluated, Windows};
use crate::batch::{Batch, Millis};
use crate::cell::Cells;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::operator::{FaultedRow, Out};
use crate::operators::rows::RowReader;

/// The rows of a batch on their way into groups.
pub struct Rows<'a> {
    batch: &'a Batch,
    evaluated: &'a Evaluated,
    /// The number of the first row since the beginning.
    order: u64,
    /// The groups of rows that have one and are not yet added to it.
    taken: Vec<usize>,
    /// The first of those rows; they follow each other.
    from: usize,
}

/// A row that is to be placed.
#[derive(Clone, Copy)]
struct Row<'a> {
    number: usize,
    key: Key<'a>,
    order: u64,
}

impl<'a> Rows<'a> {
    /// `order`: how many rows came before them.
    pub fn new(batch: &'a Batch, evaluated: &'a Evaluated, order: u64) -> Self {
        Self {
            batch,
            evaluated,
            order,
            taken: Vec::with_capacity(batch.rows()),
            from: 0,
        }
    }

    /// Takes all of them, and answers what they bring to an end.
    pub fn take_all(
        &mut self,
        to: &mut Aggregate,
        faults: &RowFaults,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let rows = self.batch.rows();
        let keys = Keys::new(&self.evaluated.keys, &to.inputs.key_types, rows);
        let mut failing = faults.iter().peekable();
        let rowtimes = self.batch.rowtimes().values();
        let mut number = 0;
        while number < rows {
            let order = self.order + number as u64;
            to.now.rowtime = to.now.rowtime.max(rowtimes[number]);
            let fault = failing.next_if(|(row, _)| *row == number);
            self.turn_clock(to, number, fault.is_none());
            if to.now.clock >= to.due() {
                self.add(to)?;
                to.answer(out)?;
            }
            if let Some((_, fault)) = fault {
                self.leave_out(to, number)?;
                let faulted = self.faulted(to, number, fault.clone());
                out.faults.push(faulted);
                number += 1;
                continue;
            }
            let row = Row {
                number,
                key: keys.get(number),
                order,
            };
            self.take(to, row, out)?;
            number += 1;
            if let (Windows::Panes(panes), true) = (&mut to.windows, to.inputs.in_order) {
                let next_fault = failing.peek().map_or(rows, |(row, _)| *row);
                let end = panes.end_of_spot(to.now.clock);
                let same = rowtimes[number..next_fault].partition_point(|time| *time < end);
                let run = number..number + same;
                panes.place_run(&keys, run, (self.order, &mut to.groups), &mut self.taken);
                number += same;
            }
        }
        if let Some(last) = rowtimes.last() {
            to.now.rowtime = to.now.rowtime.max(*last);
            if to.inputs.watermark.is_none() {
                to.now.clock = to.now.clock.max(*last);
            }
        }
        self.add(to)
    }

    fn turn_clock(&self, to: &mut Aggregate, number: usize, sound: bool) {
        match (&to.inputs.watermark, &self.evaluated.marks) {
            (Some((_, late)), Some(marks)) => {
                if sound && marks.is_valid(number) {
                    let mark = marks.value(number).saturating_sub(*late);
                    to.now.clock = to.now.clock.max(mark);
                }
            }
            _ => to.now.clock = to.now.clock.max(to.now.rowtime),
        }
    }

    /// Finds the group of a row.
    fn take(&mut self, to: &mut Aggregate, row: Row<'_>, out: &mut Out) -> Result<(), Invalid> {
        let at = match &self.evaluated.times {
            Some(times) if times.is_null(row.number) => {
                self.leave_out(to, row.number)?;
                let fault = Fault::new(FaultKind::Argument, "the time of the row is null");
                out.faults.push(self.faulted(to, row.number, fault));
                return Ok(());
            }
            Some(times) => times.value(row.number),
            None => to.now.rowtime,
        };
        match &mut to.windows {
            Windows::Panes(panes) => {
                let placed = panes.place(row.key, at, to.now.clock, (row.order, &mut to.groups));
                self.take_placed(to, row, (at, placed), out)
            }
            Windows::Stagger(stagger) => {
                let group = stagger.place(row.key, at, row.order, &mut to.groups);
                self.taken.push(group);
                Ok(())
            }
            Windows::Sessions(sessions) => {
                let groups = (row.order, &mut to.groups);
                let seated = sessions.place(row.key, at, to.now.clock, groups);
                self.take_seated(to, row.number, seated, out)
            }
            Windows::Change(_) => self.take_changing(to, row, at, out),
        }
    }

    fn take_placed(
        &mut self,
        to: &mut Aggregate,
        row: Row<'_>,
        (at, placed): (Millis, Placed),
        out: &mut Out,
    ) -> Result<(), Invalid> {
        match placed {
            Placed::In(group) => self.taken.push(group),
            Placed::Nowhere => self.leave_out(to, row.number)?,
            Placed::Late => {
                self.leave_out(to, row.number)?;
                to.late_row(out, |fault| self.faulted(to, row.number, fault));
            }
            Placed::Revises(group) => {
                self.taken.push(group);
                self.add(to)?;
                let times = (at, to.now.clock);
                if let Windows::Panes(panes) = &mut to.windows {
                    panes.revise(row.key, times, (&mut to.groups, &mut to.answers), out)?;
                }
            }
        }
        Ok(())
    }

    fn take_seated(
        &mut self,
        to: &mut Aggregate,
        number: usize,
        seated: Seated,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        match seated {
            Seated::In(group) => self.taken.push(group),
            Seated::Joins(group, others) => {
                self.taken.push(group);
                self.add(to)?;
                for other in others {
                    to.groups.merge(other, group)?;
                    to.groups.close(other);
                }
            }
            Seated::Late => {
                self.leave_out(to, number)?;
                to.late_row(out, |fault| self.faulted(to, number, fault));
            }
        }
        Ok(())
    }

    fn take_changing(
        &mut self,
        to: &mut Aggregate,
        row: Row<'_>,
        at: Millis,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let Windows::Change(change) = &to.windows else {
            return Err(Invalid::new("internal: a window that does not change"));
        };
        let column = &self.evaluated.keys[change.key];
        let cell = Cells::new(column, to.inputs.key_types[change.key]).get(row.number);
        if change.closes(cell) {
            self.add(to)?;
            to.answer(out)?;
        }
        if let Windows::Change(change) = &mut to.windows {
            let group = change.place(row.key, (cell, at), row.order, &mut to.groups);
            self.taken.push(group);
        }
        Ok(())
    }

    /// Adds the rows that found their groups.
    fn add(&mut self, to: &mut Aggregate) -> Result<(), Invalid> {
        let count = self.taken.len();
        if count == 0 {
            return Ok(());
        }
        let order = self.order + self.from as u64;
        let arguments = &self.evaluated.arguments;
        if count == self.batch.rows() {
            to.groups.add(&self.taken, arguments, order)?;
        } else {
            let some = arguments
                .iter()
                .map(|column| column.slice(self.from, count));
            let some: Vec<ArrayRef> = some.collect();
            to.groups.add(&self.taken, &some, order)?;
        }
        self.taken.clear();
        self.from += count;
        Ok(())
    }

    /// Goes on behind a row that no group takes.
    fn leave_out(&mut self, to: &mut Aggregate, number: usize) -> Result<(), Invalid> {
        self.add(to)?;
        self.from = number + 1;
        Ok(())
    }

    fn faulted(&self, to: &Aggregate, number: usize, fault: Fault) -> FaultedRow {
        let rowtime = self.batch.rowtimes().value(number);
        RowReader::new(self.batch, &to.inputs.types).faulted(number, rowtime, fault)
    }
}
