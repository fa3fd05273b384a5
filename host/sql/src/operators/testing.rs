//! What tests of operators share: rows by hand, random cuts, and state that is saved and taken up.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::{Batch, Millis, timestamps};
use crate::cell::{Cells, ColumnBuilder, Value};
use crate::expr::{Arguments, Expr, Scalar};
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::operator::{Operator, Out, StateWriter};
use crate::plan::{Plan, Step, StreamId};
use crate::ty::{Column, RowType, SqlType};

/// What an operator is given.
#[derive(Clone, Debug)]
pub enum Event {
    Row(usize, Millis, Vec<Value>),
    Time(Millis),
}

/// A row with its `ROWTIME`.
pub type Row = (Millis, Vec<Value>);

/// Numbers that look random and are the same each time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Given {
    pub rows: Vec<Row>,
    /// `ERROR_NAME`, `ROWTIME` and the row.
    pub faults: Vec<(&'static str, Millis, Vec<Value>)>,
    pub dropped: u64,
}

impl Given {
    fn take(&mut self, out: &Out, types: &[SqlType]) {
        for batch in &out.batches {
            self.rows.extend(rows_of(batch, types));
        }
        for faulted in &out.faults {
            let name = faulted.fault.kind.name();
            self.faults
                .push((name, faulted.rowtime, faulted.row.clone()));
        }
        self.dropped += out.dropped;
    }
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct State {
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl StateWriter for State {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.rows.insert(key.to_vec(), value.to_vec());
    }

    fn delete(&mut self, key: &[u8]) {
        let old = self.rows.remove(key);
        assert!(old.is_some(), "what is deleted was written: {key:?}");
    }
}

/// A query to test: how it begins, and what its rows look like.
pub struct Subject<'a> {
    pub make: &'a dyn Fn() -> Box<dyn Operator>,
    pub inputs: &'a [Vec<SqlType>],
    pub output: Vec<SqlType>,
}

impl Subject<'_> {
    /// One row at a time, to the end.
    pub fn run(&self, events: &[Event]) -> Given {
        let mut operator = (self.make)();
        let mut given = Given::default();
        for event in events {
            let mut out = Out::default();
            self.feed(operator.as_mut(), std::slice::from_ref(event), &mut out);
            given.take(&out, &self.output);
        }
        let mut out = Out::default();
        operator.on_end(&mut out).unwrap();
        given.take(&out, &self.output);
        given
    }

    /// The same in batches, saved and taken up by another instance now and then.
    pub fn run_cut(&self, events: &[Event], random: &mut Random) -> Given {
        let mut operator = (self.make)();
        let mut state = State::default();
        let mut given = Given::default();
        let mut rest = events;
        while !rest.is_empty() {
            let length = self.cut(rest, random);
            let mut out = Out::default();
            self.feed(operator.as_mut(), &rest[..length], &mut out);
            given.take(&out, &self.output);
            rest = &rest[length..];
            match random.below(4) {
                0 => operator.save(&mut state),
                1 => {
                    operator.save(&mut state);
                    operator = (self.make)();
                    let rows: Vec<_> = state.rows.clone().into_iter().collect();
                    operator.restore(&mut rows.into_iter()).unwrap();
                    let mut again = State::default();
                    operator.save(&mut again);
                    assert!(again.rows.is_empty(), "what was taken up is saved");
                }
                _ => {}
            }
        }
        let mut out = Out::default();
        operator.on_end(&mut out).unwrap();
        given.take(&out, &self.output);
        given
    }

    /// How many events go together.
    fn cut(&self, events: &[Event], random: &mut Random) -> usize {
        let Event::Row(first, ..) = events[0] else {
            return 1;
        };
        let most = usize::try_from(random.below(9) + 1).unwrap();
        let together = events.iter().take(most);
        together
            .take_while(|event| matches!(event, Event::Row(input, ..) if *input == first))
            .count()
    }

    fn feed(&self, operator: &mut dyn Operator, events: &[Event], out: &mut Out) {
        match &events[0] {
            Event::Time(time) => operator.on_time(*time, out).unwrap(),
            Event::Row(input, ..) => {
                let rows = events.iter().map(|event| match event {
                    Event::Row(_, rowtime, values) => (*rowtime, values.clone()),
                    Event::Time(_) => panic!("rows go together with rows"),
                });
                let rows: Vec<Row> = rows.collect();
                let batch = batch_of(&self.inputs[*input], &rows);
                operator.on_batch(*input, &batch, out).unwrap();
            }
        }
    }
}

/// Rows as a batch. `types` begin with that of `ROWTIME`.
pub fn batch_of(types: &[SqlType], rows: &[Row]) -> Batch {
    let mut columns = vec![timestamps(
        rows.iter().map(|(rowtime, _)| *rowtime).collect(),
    )];
    for (index, ty) in types[1..].iter().enumerate() {
        let mut builder = ColumnBuilder::new(*ty);
        for (_, values) in rows {
            builder.push(values[index].cell()).unwrap();
        }
        columns.push(builder.finish());
    }
    Batch::new(columns)
}

pub fn rows_of(batch: &Batch, types: &[SqlType]) -> Vec<Row> {
    let columns: Vec<Cells<'_>> = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(column, ty)| Cells::new(column, *ty))
        .collect();
    assert_eq!(columns.len(), types.len());
    let row = |row: usize| {
        let values = columns[1..].iter().map(|cells| cells.get(row).to_value());
        (batch.rowtimes().value(row), values.collect())
    };
    (0..batch.rows()).map(row).collect()
}

/// `ROWTIME` does not fall.
pub fn assert_in_order(rows: &[Row]) {
    assert!(
        rows.is_sorted_by_key(|row| row.0),
        "rows in order: {rows:?}"
    );
}

/// All rows of a stream of these columns behind `ROWTIME`.
pub fn stream(types: &[SqlType]) -> Plan {
    let columns = types[1..].iter().enumerate().map(|(index, ty)| Column {
        name: format!("C{index}"),
        ty: *ty,
    });
    Plan {
        step: Step::Stream(StreamId(0)),
        rows: RowType::with_rowtime(columns),
    }
}

/// Fails for rows in which the number is 13, and gives it otherwise.
pub fn unlucky(argument: Expr) -> Expr {
    #[derive(Debug)]
    struct Unlucky;

    impl Scalar for Unlucky {
        fn evaluate(
            &self,
            arguments: &Arguments<'_>,
            faults: &mut RowFaults,
        ) -> Result<arrow_array::ArrayRef, Invalid> {
            let cells = Cells::new(&arguments.columns[0], arguments.types[0]);
            for row in 0..arguments.rows {
                if cells.get(row).to_value() == Value::Whole(13) {
                    faults.add(row, Fault::new(FaultKind::Argument, "13"));
                }
            }
            Ok(arguments.columns[0].clone())
        }
    }
    let ty = argument.ty();
    Expr::call(Arc::new(Unlucky), vec![argument], ty)
}

pub fn whole(number: i64) -> Value {
    Value::Whole(number)
}
