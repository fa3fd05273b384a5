//! How functions run over whole columns: arguments that are the same for every row are kept once,
//! and a row with a null among its arguments is null.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::batch::{Batch, timestamps};
use crate::cell::{Cells, ColumnBuilder, Value};
use crate::expr::{Arguments, Expr, Scalar};
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::ty::SqlType;

/// Characters of a text that a function gives, at most. More is a fault of the row.
pub(super) const TEXT_CHARS_MAX: usize = 65_535;

/// Bytes of all texts of one column that a function gives, at most, so that their offsets fit in 32
/// bits. A row beyond is a fault.
const TEXT_COLUMN_BYTES_MAX: usize = 1 << 30;

/// A function of rows that have all arguments, with the arguments that are the same for each row.
struct Strict<F> {
    /// With everything that it was resolved with, since a state is kept by what is computed.
    name: String,
    constants: Vec<Option<(Value, ArrayRef)>>,
    can_fail: bool,
    work: F,
}

impl<F> fmt::Debug for Strict<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.constants.iter();
        let values = values.map(|constant| constant.as_ref().map(|(value, _)| value));
        let values: Vec<Option<&Value>> = values.collect();
        f.debug_tuple(&self.name).field(&values).finish()
    }
}

impl<F> Scalar for Strict<F>
where
    F: Fn(&Inputs<'_>, &mut RowFaults) -> Result<ArrayRef, Invalid> + Send + Sync,
{
    fn can_fail(&self) -> bool {
        self.can_fail
    }

    fn evaluate(
        &self,
        arguments: &Arguments<'_>,
        faults: &mut RowFaults,
    ) -> Result<ArrayRef, Invalid> {
        let mut varying = arguments.columns.iter();
        let mut inputs = Vec::with_capacity(self.constants.len());
        for constant in &self.constants {
            inputs.push(match constant {
                Some((_, column)) => Input { column, same: true },
                None => Input {
                    column: varying
                        .next()
                        .ok_or_else(|| broken("an argument is missing"))?,
                    same: false,
                },
            });
        }
        let inputs = Inputs {
            inputs,
            rows: arguments.rows,
            result: arguments.result,
        };
        (self.work)(&inputs, faults)
    }
}

/// A function that is null where an argument is null. What is the same for every row is computed
/// at once; if that fails, it fails for each row.
pub(super) fn strict<F>(
    name: impl Into<String>,
    arguments: Vec<Expr>,
    ty: SqlType,
    work: F,
) -> Result<Expr, Invalid>
where
    F: Fn(&Inputs<'_>, &mut RowFaults) -> Result<ArrayRef, Invalid> + Send + Sync + 'static,
{
    let function = Strict {
        name: name.into(),
        constants: Vec::new(),
        can_fail: true,
        work,
    };
    function.of(arguments, ty)
}

/// The same for a function that never notes a fault.
pub(super) fn sure<F>(
    name: impl Into<String>,
    arguments: Vec<Expr>,
    ty: SqlType,
    work: F,
) -> Result<Expr, Invalid>
where
    F: Fn(&Inputs<'_>, &mut RowFaults) -> Result<ArrayRef, Invalid> + Send + Sync + 'static,
{
    let function = Strict {
        name: name.into(),
        constants: Vec::new(),
        can_fail: false,
        work,
    };
    function.of(arguments, ty)
}

impl<F> Strict<F>
where
    F: Fn(&Inputs<'_>, &mut RowFaults) -> Result<ArrayRef, Invalid> + Send + Sync + 'static,
{
    fn of(mut self, arguments: Vec<Expr>, ty: SqlType) -> Result<Expr, Invalid> {
        let literals = arguments.iter().filter_map(Expr::as_literal);
        let literals: Vec<&Value> = literals.collect();
        if literals.contains(&&Value::Null) {
            return Ok(Expr::literal(Value::Null, ty));
        }
        if literals.len() == arguments.len() {
            self.constants = arguments.iter().map(|_| None).collect();
            return folded(Expr::call(Arc::new(self), arguments, ty));
        }
        let mut varying = Vec::with_capacity(arguments.len());
        for argument in arguments {
            if let Some(value) = argument.as_literal() {
                let mut column = ColumnBuilder::new(argument.ty());
                column.push(value.cell())?;
                self.constants.push(Some((value.clone(), column.finish())));
            } else {
                self.constants.push(None);
                varying.push(argument);
            }
        }
        Ok(Expr::call(Arc::new(self), varying, ty))
    }
}

/// The value of an expression that reads no column, unless computing it fails.
fn folded(expr: Expr) -> Result<Expr, Invalid> {
    let mut faults = RowFaults::default();
    let column = expr.evaluate(&Batch::new(vec![timestamps(vec![0])]), &mut faults)?;
    if !faults.is_empty() {
        return Ok(expr);
    }
    let value = Cells::new(&column, expr.ty()).get(0).to_value();
    Ok(Expr::literal(value, expr.ty()))
}

/// What the rows of a batch call a function with.
pub(super) struct Inputs<'a> {
    inputs: Vec<Input<'a>>,
    pub(super) rows: usize,
    /// The type of what it gives.
    pub(super) result: SqlType,
}

struct Input<'a> {
    column: &'a ArrayRef,
    /// It has one value, which is that of every row.
    same: bool,
}

/// An argument that lies as numbers.
pub(super) struct Numbers<'a, T: ArrowPrimitiveType> {
    values: &'a [T::Native],
    same: bool,
}

impl<T: ArrowPrimitiveType> Numbers<'_, T> {
    pub(super) fn get(&self, row: usize) -> T::Native {
        self.values[if self.same { 0 } else { row }]
    }
}

/// An argument of texts.
pub(super) struct Texts<'a> {
    column: &'a StringArray,
    same: bool,
}

impl<'a> Texts<'a> {
    pub(super) fn get(&self, row: usize) -> &'a str {
        self.column.value(if self.same { 0 } else { row })
    }
}

impl<'a> Inputs<'a> {
    fn input(&self, index: usize) -> Result<&Input<'a>, Invalid> {
        let input = self.inputs.get(index);
        input.ok_or_else(|| broken("an argument is missing"))
    }

    pub(super) fn column(&self, index: usize) -> Result<&'a ArrayRef, Invalid> {
        Ok(self.input(index)?.column)
    }

    /// Where the value of a row lies in a column of so many values: one value is that of every row.
    pub(super) fn place(&self, values: usize, row: usize) -> usize {
        if values == self.rows { row } else { 0 }
    }

    pub(super) fn numbers<T: ArrowPrimitiveType>(
        &self,
        index: usize,
    ) -> Result<Numbers<'a, T>, Invalid> {
        let input = self.input(index)?;
        let column = input.column.as_primitive_opt::<T>();
        let column = column.ok_or_else(|| broken("an argument does not lie as its type says"))?;
        let values = column.values().as_ref();
        Ok(Numbers {
            values,
            same: input.same,
        })
    }

    pub(super) fn texts(&self, index: usize) -> Result<Texts<'a>, Invalid> {
        let input = self.input(index)?;
        let column = input.column.as_string_opt::<i32>();
        let column = column.ok_or_else(|| broken("an argument does not lie as a text"))?;
        Ok(Texts {
            column,
            same: input.same,
        })
    }

    /// The rows that have all arguments.
    pub(super) fn nulls(&self) -> Option<NullBuffer> {
        let varying = self.inputs.iter().filter(|input| !input.same);
        varying.fold(None, |nulls, input| {
            NullBuffer::union(nulls.as_ref(), input.column.nulls())
        })
    }

    /// A number for each row that has all arguments.
    pub(super) fn map<A: ArrowPrimitiveType, R: ArrowPrimitiveType>(
        &self,
        faults: &mut RowFaults,
        work: impl Fn(A::Native) -> Option<R::Native>,
        fault: impl Fn(A::Native) -> Fault,
    ) -> Result<ArrayRef, Invalid> {
        let a = self.numbers::<A>(0)?;
        let values = a.values.iter().map(|a| work(*a));
        Ok(self.gather::<R>(values, faults, |row| fault(a.get(row))))
    }

    /// A number for each row, of two arguments.
    pub(super) fn map_two<A: ArrowPrimitiveType, B: ArrowPrimitiveType, R: ArrowPrimitiveType>(
        &self,
        faults: &mut RowFaults,
        work: impl Fn(A::Native, B::Native) -> Option<R::Native>,
        fault: impl Fn(A::Native, B::Native) -> Fault,
    ) -> Result<ArrayRef, Invalid> {
        let (a, b) = (self.numbers::<A>(0)?, self.numbers::<B>(1)?);
        let fault = |row| fault(a.get(row), b.get(row));
        let (a_same, b_same) = (a.same, b.same);
        let done = match (a.values, b.values) {
            (values, [b, ..]) if b_same => {
                let values = values.iter().map(|a| work(*a, *b));
                self.gather::<R>(values, faults, fault)
            }
            ([a, ..], values) if a_same => {
                let values = values.iter().map(|b| work(*a, *b));
                self.gather::<R>(values, faults, fault)
            }
            (left, right) => {
                let values = left.iter().zip(right).map(|(a, b)| work(*a, *b));
                self.gather::<R>(values, faults, fault)
            }
        };
        Ok(done)
    }

    /// A truth for each row, of two arguments.
    pub(super) fn compare<A: ArrowPrimitiveType>(
        &self,
        holds: impl Fn(A::Native, A::Native) -> bool,
    ) -> Result<ArrayRef, Invalid> {
        let (a, b) = (self.numbers::<A>(0)?, self.numbers::<A>(1)?);
        let (a_same, b_same) = (a.same, b.same);
        let truths = match (a.values, b.values) {
            (values, [b, ..]) if b_same => {
                BooleanBuffer::collect_bool(self.rows, |row| holds(values[row], *b))
            }
            ([a, ..], values) if a_same => {
                BooleanBuffer::collect_bool(self.rows, |row| holds(*a, values[row]))
            }
            (left, right) => {
                BooleanBuffer::collect_bool(self.rows, |row| holds(left[row], right[row]))
            }
        };
        Ok(Arc::new(BooleanArray::new(truths, self.nulls())))
    }

    fn gather<R: ArrowPrimitiveType>(
        &self,
        values: impl Iterator<Item = Option<R::Native>>,
        faults: &mut RowFaults,
        fault: impl Fn(usize) -> Fault,
    ) -> ArrayRef {
        let mut failed = Vec::new();
        let values = values.enumerate().map(|(row, value)| {
            value.unwrap_or_else(|| {
                failed.push(row);
                R::Native::default()
            })
        });
        let values: Vec<R::Native> = values.collect();
        let mut nulls = self.nulls();
        // What lies where an argument is null means nothing, so that it cannot fail either.
        failed.retain(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)));
        if !failed.is_empty() {
            let mut valid = match &nulls {
                Some(nulls) => nulls.iter().collect(),
                None => vec![true; self.rows],
            };
            for row in failed {
                faults.add(row, fault(row));
                valid[row] = false;
            }
            nulls = Some(NullBuffer::from(valid));
        }
        let column = PrimitiveArray::<R>::new(values.into(), nulls);
        Arc::new(column.with_data_type(self.result.arrow()))
    }

    /// A number for each row that has all arguments, by its row.
    pub(super) fn rows<R: ArrowPrimitiveType>(
        &self,
        faults: &mut RowFaults,
        mut work: impl FnMut(usize) -> Result<Option<R::Native>, Fault>,
    ) -> ArrayRef {
        let mut builder = PrimitiveArray::<R>::builder(self.rows);
        self.each(faults, |row| {
            let value = match row {
                Some(row) => work(row),
                None => Ok(None),
            };
            builder.append_option(*value.as_ref().unwrap_or(&None));
            value.map(|_| ())
        });
        Arc::new(builder.finish().with_data_type(self.result.arrow()))
    }

    /// A truth for each row that has all arguments.
    pub(super) fn truths(
        &self,
        faults: &mut RowFaults,
        mut work: impl FnMut(usize) -> Result<Option<bool>, Fault>,
    ) -> ArrayRef {
        let mut truths = Vec::with_capacity(self.rows);
        self.each(faults, |row| {
            let truth = match row {
                Some(row) => work(row),
                None => Ok(None),
            };
            truths.push(*truth.as_ref().unwrap_or(&None));
            truth.map(|_| ())
        });
        Arc::new(BooleanArray::from(truths))
    }

    /// A text for each row that has all arguments: `work` writes it, or says that it is null.
    pub(super) fn write(
        &self,
        faults: &mut RowFaults,
        mut work: impl FnMut(usize, &mut String) -> Result<bool, Fault>,
    ) -> ArrayRef {
        let mut builder = StringBuilder::new();
        let mut text = String::new();
        self.each(faults, |row| {
            text.clear();
            let written = match row {
                Some(row) => work(row, &mut text).and_then(|some| fits(some, &text, &builder)),
                None => Ok(false),
            };
            match written {
                Ok(true) => builder.append_value(&text),
                _ => builder.append_null(),
            }
            written.map(|_| ())
        });
        Arc::new(builder.finish())
    }

    /// Calls `work` with each row, or with none where an argument is null, and notes its faults.
    fn each(
        &self,
        faults: &mut RowFaults,
        mut work: impl FnMut(Option<usize>) -> Result<(), Fault>,
    ) {
        let nulls = self.nulls();
        for row in 0..self.rows {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            if let Err(fault) = work(valid.then_some(row)) {
                faults.add(row, fault);
            }
        }
    }
}

fn fits(some: bool, text: &str, column: &StringBuilder) -> Result<bool, Fault> {
    if text.len() > TEXT_CHARS_MAX && text.chars().count() > TEXT_CHARS_MAX {
        let message = format!("a text of more than {TEXT_CHARS_MAX} characters");
        return Err(Fault::new(FaultKind::Limit, message));
    }
    if column.values_slice().len() + text.len() > TEXT_COLUMN_BYTES_MAX {
        let message = "texts of too many bytes in rows that are worked on together";
        return Err(Fault::new(FaultKind::Limit, message));
    }
    Ok(some)
}

pub(super) fn broken(what: &str) -> Invalid {
    Invalid::new(format!("internal: {what}"))
}
