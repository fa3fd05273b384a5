//! Steps that look at no row: `VALUES`, and `UNION`, behind the merge that puts rows in order.

use crate::batch::{Batch, Millis, timestamps};
use crate::expr::Expr;
use crate::expr::evaluate::of_arrow;
use crate::fault::{Invalid, RowFaults};
use crate::operator::{FaultedRow, Operator, Out, StateWriter};

/// Says that the rows were given.
const GIVEN_KEY: &[u8] = b"v";

/// `VALUES` that run: they give their rows once.
pub struct Values {
    rows: Vec<Vec<Expr>>,
    given: bool,
    saved: bool,
}

impl Values {
    pub fn new(rows: &[Vec<Expr>]) -> Self {
        Self {
            rows: rows.to_vec(),
            given: false,
            saved: false,
        }
    }

    fn give(&mut self, out: &mut Out) -> Result<(), Invalid> {
        if self.given {
            return Ok(());
        }
        self.given = true;
        // Constants are evaluated over a row that they do not look at.
        let row = Batch::new(vec![timestamps(vec![0])]);
        let mut batches = Vec::new();
        for values in &self.rows {
            let mut faults = RowFaults::default();
            let mut columns = Vec::with_capacity(values.len());
            for value in values {
                columns.push(value.evaluate(&row, &mut faults)?);
            }
            match faults.iter().next() {
                None => batches.push(Batch::new(columns)),
                Some((_, fault)) => out.faults.push(FaultedRow {
                    fault: fault.clone(),
                    rowtime: 0,
                    row: Vec::new(),
                }),
            }
        }
        if !batches.is_empty() {
            out.batches.push(Batch::concat(&batches).map_err(of_arrow)?);
        }
        Ok(())
    }
}

impl Operator for Values {
    fn on_batch(&mut self, _: usize, _: &Batch, _: &mut Out) -> Result<(), Invalid> {
        Err(Invalid::new("internal: VALUES have no input"))
    }

    fn on_time(&mut self, _: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.give(out)
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.give(out)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if self.given && !self.saved {
            self.saved = true;
            changes.put(GIVEN_KEY, &[]);
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        self.given = rows.next().is_some();
        self.saved = self.given;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        0
    }
}

/// `UNION ALL` that runs. What comes is in order already.
pub struct Union;

impl Operator for Union {
    fn on_batch(&mut self, _: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        out.batches.push(batch.clone());
        Ok(())
    }

    fn on_time(&mut self, _: Millis, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn save(&mut self, _: &mut dyn StateWriter) {}

    fn restore(&mut self, _: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), Invalid> {
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        0
    }
}
