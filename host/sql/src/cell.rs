//! One value of a column, for what goes row by row: keys, aggregates, kept rows, output.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, DurationMillisecondBuilder,
    Float64Builder, Int64Builder, IntervalYearMonthBuilder, NullBuilder, StringBuilder,
    Time32MillisecondBuilder, TimestampMillisecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float64Type, Int64Type,
    IntervalYearMonthType, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};

use crate::fault::Invalid;
use crate::ty::SqlType;

/// A value as it lies in a column. Dates, times, timestamps and intervals are their numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Boolean(bool),
    Whole(i64),
    Double(f64),
    /// The digits without the point; where that is, the type says.
    Decimal(i128),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A value that is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Whole(i64),
    Double(f64),
    Decimal(i128),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Cell<'_> {
    pub fn to_value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Boolean(truth) => Value::Boolean(truth),
            Cell::Whole(number) => Value::Whole(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Decimal(number) => Value::Decimal(number),
            Cell::Text(text) => Value::Text(text.into()),
            Cell::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }
}

impl Value {
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Boolean(truth) => Cell::Boolean(*truth),
            Self::Whole(number) => Cell::Whole(*number),
            Self::Double(number) => Cell::Double(*number),
            Self::Decimal(number) => Cell::Decimal(*number),
            Self::Text(text) => Cell::Text(text),
            Self::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }
}

/// A column whose type is known once, for reading many of its cells.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    column: &'a ArrayRef,
    ty: SqlType,
}

impl<'a> Cells<'a> {
    /// A column of this type.
    pub fn new(column: &'a ArrayRef, ty: SqlType) -> Self {
        assert_eq!(
            column.data_type(),
            &ty.arrow(),
            "a column lies as its type says"
        );
        Self { column, ty }
    }

    pub fn get(&self, row: usize) -> Cell<'a> {
        if self.ty == SqlType::Null || self.column.is_null(row) {
            return Cell::Null;
        }
        let column = self.column;
        match self.ty {
            SqlType::Boolean => Cell::Boolean(column.as_boolean().value(row)),
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => {
                Cell::Whole(column.as_primitive::<Int64Type>().value(row))
            }
            SqlType::Real | SqlType::Double => {
                Cell::Double(column.as_primitive::<Float64Type>().value(row))
            }
            SqlType::Decimal { .. } => {
                Cell::Decimal(column.as_primitive::<Decimal128Type>().value(row))
            }
            SqlType::Char { .. } | SqlType::Varchar { .. } => {
                Cell::Text(column.as_string::<i32>().value(row))
            }
            SqlType::Binary { .. } | SqlType::Varbinary { .. } => {
                Cell::Bytes(column.as_binary::<i32>().value(row))
            }
            SqlType::Date => Cell::Whole(i64::from(column.as_primitive::<Date32Type>().value(row))),
            SqlType::Time => Cell::Whole(i64::from(
                column.as_primitive::<Time32MillisecondType>().value(row),
            )),
            SqlType::Timestamp => {
                Cell::Whole(column.as_primitive::<TimestampMillisecondType>().value(row))
            }
            SqlType::DayInterval => {
                Cell::Whole(column.as_primitive::<DurationMillisecondType>().value(row))
            }
            SqlType::YearInterval => Cell::Whole(i64::from(
                column.as_primitive::<IntervalYearMonthType>().value(row),
            )),
            SqlType::Null => Cell::Null,
        }
    }
}

/// A column that grows by cells.
pub struct ColumnBuilder {
    inner: Inner,
}

enum Inner {
    Boolean(BooleanBuilder),
    Whole(Int64Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time32MillisecondBuilder),
    Timestamp(TimestampMillisecondBuilder),
    DayInterval(DurationMillisecondBuilder),
    YearInterval(IntervalYearMonthBuilder),
    Null(NullBuilder),
}

impl ColumnBuilder {
    pub fn new(ty: SqlType) -> Self {
        let inner = match ty {
            SqlType::Boolean => Inner::Boolean(BooleanBuilder::new()),
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => {
                Inner::Whole(Int64Builder::new())
            }
            SqlType::Real | SqlType::Double => Inner::Double(Float64Builder::new()),
            SqlType::Decimal { .. } => {
                Inner::Decimal(Decimal128Builder::new().with_data_type(ty.arrow()))
            }
            SqlType::Char { .. } | SqlType::Varchar { .. } => Inner::Text(StringBuilder::new()),
            SqlType::Binary { .. } | SqlType::Varbinary { .. } => {
                Inner::Bytes(BinaryBuilder::new())
            }
            SqlType::Date => Inner::Date(Date32Builder::new()),
            SqlType::Time => Inner::Time(Time32MillisecondBuilder::new()),
            SqlType::Timestamp => Inner::Timestamp(TimestampMillisecondBuilder::new()),
            SqlType::DayInterval => Inner::DayInterval(DurationMillisecondBuilder::new()),
            SqlType::YearInterval => Inner::YearInterval(IntervalYearMonthBuilder::new()),
            SqlType::Null => Inner::Null(NullBuilder::new()),
        };
        Self { inner }
    }

    /// Adds a value of the column's type, or null.
    ///
    /// # Errors
    ///
    /// A value of another kind: a mistake of ours, since what is pushed was typed before.
    pub fn push(&mut self, cell: Cell<'_>) -> Result<(), Invalid> {
        let number = |number: i64| {
            i32::try_from(number).map_err(|_| Invalid::new("a date or time outside of its range"))
        };
        match (&mut self.inner, cell) {
            (Inner::Boolean(builder), Cell::Boolean(truth)) => builder.append_value(truth),
            (Inner::Whole(builder), Cell::Whole(number)) => builder.append_value(number),
            (Inner::Double(builder), Cell::Double(number)) => builder.append_value(number),
            (Inner::Decimal(builder), Cell::Decimal(number)) => builder.append_value(number),
            (Inner::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Inner::Bytes(builder), Cell::Bytes(bytes)) => builder.append_value(bytes),
            (Inner::Date(builder), Cell::Whole(days)) => builder.append_value(number(days)?),
            (Inner::Time(builder), Cell::Whole(millis)) => builder.append_value(number(millis)?),
            (Inner::Timestamp(builder), Cell::Whole(millis)) => builder.append_value(millis),
            (Inner::DayInterval(builder), Cell::Whole(millis)) => builder.append_value(millis),
            (Inner::YearInterval(builder), Cell::Whole(months)) => {
                builder.append_value(number(months)?);
            }
            (_, Cell::Null) => self.push_null(),
            (_, other) => {
                return Err(Invalid::new(format!(
                    "internal: {other:?} in a column of another type"
                )));
            }
        }
        Ok(())
    }

    pub fn push_null(&mut self) {
        match &mut self.inner {
            Inner::Boolean(builder) => builder.append_null(),
            Inner::Whole(builder) => builder.append_null(),
            Inner::Double(builder) => builder.append_null(),
            Inner::Decimal(builder) => builder.append_null(),
            Inner::Text(builder) => builder.append_null(),
            Inner::Bytes(builder) => builder.append_null(),
            Inner::Date(builder) => builder.append_null(),
            Inner::Time(builder) => builder.append_null(),
            Inner::Timestamp(builder) => builder.append_null(),
            Inner::DayInterval(builder) => builder.append_null(),
            Inner::YearInterval(builder) => builder.append_null(),
            Inner::Null(builder) => builder.append_null(),
        }
    }

    /// The column so far; the builder is empty after it.
    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.inner {
            Inner::Boolean(builder) => Arc::new(builder.finish()),
            Inner::Whole(builder) => Arc::new(builder.finish()),
            Inner::Double(builder) => Arc::new(builder.finish()),
            Inner::Decimal(builder) => Arc::new(builder.finish()),
            Inner::Text(builder) => Arc::new(builder.finish()),
            Inner::Bytes(builder) => Arc::new(builder.finish()),
            Inner::Date(builder) => Arc::new(builder.finish()),
            Inner::Time(builder) => Arc::new(builder.finish()),
            Inner::Timestamp(builder) => Arc::new(builder.finish()),
            Inner::DayInterval(builder) => Arc::new(builder.finish()),
            Inner::YearInterval(builder) => Arc::new(builder.finish()),
            Inner::Null(builder) => Arc::new(builder.finish()),
        }
    }
}
