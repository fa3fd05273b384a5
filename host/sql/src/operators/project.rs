//! The values of a `SELECT`.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, BooleanArray};

use crate::batch::{Batch, Millis};
use crate::expr::Expr;
use crate::expr::evaluate::of_arrow;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::key::{put_i64, take_i64};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::filter::without_faults;
use crate::operators::rows::{give_faults, types_of};
use crate::ty::{RowType, SqlType};

/// The key of its state.
const ROWTIME_KEY: &[u8] = b"r";

/// A projection that runs. Where it makes a `ROWTIME` of its own it knows the last one.
pub struct Project {
    values: Vec<Expr>,
    types: Vec<SqlType>,
    own_rowtime: Option<OwnRowtime>,
}

struct OwnRowtime {
    last: Millis,
    saved: Millis,
}

impl Project {
    /// Of rows of this type; the first value is `ROWTIME`.
    pub fn new(values: &[Expr], rows: &RowType) -> Self {
        let keeps = values.first().and_then(Expr::as_column) == Some(0);
        Self {
            values: values.to_vec(),
            types: types_of(rows),
            own_rowtime: (!keeps).then_some(OwnRowtime {
                last: Millis::MIN,
                saved: Millis::MIN,
            }),
        }
    }
}

impl Operator for Project {
    fn on_batch(&mut self, _: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let mut columns = Vec::with_capacity(self.values.len());
        for value in &self.values {
            columns.push(value.evaluate(batch, &mut faults)?);
        }
        let given = Batch::new(columns);
        if let Some(own) = &mut self.own_rowtime {
            own.check(&given, &mut faults)?;
        }
        give_faults(batch, &self.types, &faults, out);
        if faults.is_empty() {
            out.batches.push(given);
            return Ok(());
        }
        let kept = without_faults(BooleanArray::from(vec![true; batch.rows()]), &faults);
        if kept.true_count() > 0 {
            out.batches.push(given.filter(&kept).map_err(of_arrow)?);
        }
        Ok(())
    }

    fn on_time(&mut self, _: Millis, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn time_after(&self, time: Millis) -> Option<Millis> {
        match &self.own_rowtime {
            None => Some(time),
            Some(own) => (own.last > Millis::MIN).then_some(own.last),
        }
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if let Some(own) = &mut self.own_rowtime
            && own.saved != own.last
        {
            own.saved = own.last;
            let mut value = Vec::new();
            put_i64(&mut value, own.last);
            changes.put(ROWTIME_KEY, &value);
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        for (_, value) in rows {
            let Some(own) = &mut self.own_rowtime else {
                return Err(Invalid::new("internal: state of a SELECT that has none"));
            };
            own.last = take_i64(&mut value.as_slice())?;
            own.saved = own.last;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        0
    }
}

impl OwnRowtime {
    /// Notes rows whose `ROWTIME` is null or falls.
    fn check(&mut self, given: &Batch, faults: &mut RowFaults) -> Result<(), Invalid> {
        let rowtimes = given
            .column(0)
            .as_primitive_opt::<TimestampMillisecondType>();
        let rowtimes = rowtimes.ok_or_else(|| Invalid::new("ROWTIME is a TIMESTAMP"))?;
        for row in 0..given.rows() {
            if faults.has(row) {
                continue;
            }
            if rowtimes.is_null(row) {
                faults.add(row, Fault::new(FaultKind::Argument, "ROWTIME is null"));
            } else if rowtimes.value(row) < self.last {
                let fault = Fault::new(FaultKind::LateRow, "ROWTIME is less than it was");
                faults.add(row, fault);
            } else {
                self.last = rowtimes.value(row);
            }
        }
        Ok(())
    }
}
