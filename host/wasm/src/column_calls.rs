//! The answers to what a guest asks of the records of its batch: `records`.

use crate::bindings::records;
use crate::bindings::types::Slab as RawSlab;
use crate::columns::Columns;
use crate::effects::EffectsUnavailable;
use crate::state::State;
use std::ops::Range;

impl State {
    /// What the guest asks of the columns, or nothing outside of a call with a batch.
    fn column<T: Default>(
        &mut self,
        ask: impl FnOnce(&Columns, Range<usize>) -> T,
    ) -> wasmtime::Result<T> {
        self.host_call()?;
        let Some(columns) = &self.columns else {
            return Ok(T::default());
        };
        match columns.get() {
            Ok((columns, range)) => Ok(ask(columns, range)),
            Err(why) => Err(EffectsUnavailable(format!("its records' metadata: {why}")).into()),
        }
    }
}

/// Some of a column that may be empty.
fn some<T>(column: &[T], range: Range<usize>) -> &[T] {
    column.get(range).unwrap_or_default()
}

impl records::Host for State {
    fn source(&mut self) -> wasmtime::Result<records::Origin> {
        let (arn, shard) =
            self.column(|columns, _| (columns.arn.clone(), columns.shard.clone()))?;
        Ok(records::Origin { arn, shard })
    }

    fn partition_keys(&mut self) -> wasmtime::Result<RawSlab> {
        let keys = self.column(|columns, range| columns.partition_keys.part(range))?;
        Ok(keys.into_raw())
    }

    fn arrivals_ms(&mut self) -> wasmtime::Result<Vec<u64>> {
        self.column(|columns, range| some(&columns.arrivals_ms, range).to_vec())
    }

    fn sequence_numbers(&mut self) -> wasmtime::Result<Vec<records::SequenceNumber>> {
        self.column(|columns, range| {
            let numbers = some(&columns.sequence_numbers, range).iter();
            let numbers = numbers.map(|number| {
                let [high, middle, low] = number.words();
                records::SequenceNumber { high, middle, low }
            });
            numbers.collect()
        })
    }

    fn sub_sequence_numbers(&mut self) -> wasmtime::Result<Vec<u64>> {
        self.column(|columns, range| some(&columns.sub_sequence_numbers, range).to_vec())
    }
}
