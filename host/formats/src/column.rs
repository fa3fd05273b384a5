//! Columns in memory: lists of values that grow by one record after the other, and can be cut back
//! to what they were before the last one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, ListArray, MapArray,
    PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};

use crate::limits::VALUE_BYTES;
use crate::meter::Meter;
use crate::reading::Reading;
use crate::refusal::{Refusal, Unconverted};
use crate::table::{self, Type};

/// Bytes of a text from which on room is made for it alone, and not for as much again.
const LARGE_TEXT_BYTES: usize = 64 * 1024;

/// One column.
pub struct Column {
    /// Which of its values there are.
    validity: BooleanBufferBuilder,
    pub values: Values,
}

/// The values of a column; where there is none, something stands in its place.
pub enum Values {
    Boolean(BooleanBufferBuilder),
    TinyInt(Vec<i8>),
    SmallInt(Vec<i16>),
    Int(Vec<i32>),
    BigInt(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Decimal(Vec<i128>, u8, u8),
    Text(Texts, Option<usize>),
    Binary(Texts),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Array(Vec<i32>, Box<Column>),
    Map(Vec<i32>, Box<Column>, Box<Column>),
    Struct(Members),
}

/// Texts, one after the other.
pub struct Texts {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

/// The columns of a struct.
pub struct Members {
    pub columns: Vec<Column>,
    pub names: Vec<String>,
    /// Where they are by what keys are looked for as.
    pub places: HashMap<String, usize>,
}

impl Members {
    pub fn new(columns: &[table::Column], reading: &Reading) -> Self {
        let kinds = columns.iter().map(|it| Column::new(&it.kind, reading));
        Self {
            columns: kinds.collect(),
            names: columns.iter().map(|it| it.name.clone()).collect(),
            places: reading.places(columns),
        }
    }

    /// Cuts all of them back.
    pub fn truncate(&mut self, length: usize) {
        for column in &mut self.columns {
            column.truncate(length);
        }
    }

    /// Lets memory go that has nothing in it.
    pub fn shrink(&mut self) {
        for column in &mut self.columns {
            column.shrink();
        }
    }

    /// Takes the values out.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns.iter_mut().map(Column::take).collect()
    }
}

impl Texts {
    fn new() -> Self {
        Self {
            ends: vec![0],
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, text: &[u8]) -> Result<(), Unconverted> {
        if text.len() >= LARGE_TEXT_BYTES {
            self.bytes.reserve_exact(text.len());
        }
        self.bytes.extend_from_slice(text);
        self.ends.push(offset(self.bytes.len())?);
        Ok(())
    }

    fn shrink(&mut self) {
        self.ends.shrink_to_fit();
        self.bytes.shrink_to_fit();
    }

    fn push_none(&mut self) {
        self.ends
            .push(self.ends.last().copied().unwrap_or_default());
    }

    fn truncate(&mut self, length: usize) {
        self.ends.truncate(length + 1);
        self.bytes.truncate(end_of(&self.ends));
    }
}

/// The end of the last of a list's values.
fn end_of(ends: &[i32]) -> usize {
    let end = ends.last().copied().unwrap_or_default();
    // Ends are lengths.
    usize::try_from(end).unwrap_or_default()
}

/// A length as Arrow keeps it. What may be in columns at once is far below its largest.
fn offset(length: usize) -> Result<i32, Unconverted> {
    i32::try_from(length)
        .map_err(|_| Refusal::mismatch("The record becomes too many values").into())
}

fn ends(taken: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(taken, vec![0])))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: NullBuffer,
) -> Result<PrimitiveArray<T>, ArrowError>
where
    ScalarBuffer<T::Native>: From<Vec<T::Native>>,
{
    PrimitiveArray::try_new(ScalarBuffer::from(std::mem::take(values)), Some(nulls))
}

impl Column {
    pub fn new(kind: &Type, reading: &Reading) -> Self {
        let values = match kind {
            Type::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            Type::TinyInt => Values::TinyInt(Vec::new()),
            Type::SmallInt => Values::SmallInt(Vec::new()),
            Type::Int => Values::Int(Vec::new()),
            Type::BigInt => Values::BigInt(Vec::new()),
            Type::Float => Values::Float(Vec::new()),
            Type::Double => Values::Double(Vec::new()),
            Type::Decimal(precision, scale) => Values::Decimal(Vec::new(), *precision, *scale),
            Type::Text(chars_max) => Values::Text(Texts::new(), *chars_max),
            Type::Char(chars_max) => Values::Text(Texts::new(), Some(*chars_max)),
            Type::Binary => Values::Binary(Texts::new()),
            Type::Date => Values::Date(Vec::new()),
            Type::Timestamp => Values::Timestamp(Vec::new()),
            Type::Array(element) => Values::Array(vec![0], Box::new(Self::new(element, reading))),
            Type::Map(key, value) => {
                let [key, value] = [key, value].map(|kind| Box::new(Self::new(kind, reading)));
                Values::Map(vec![0], key, value)
            }
            Type::Struct(fields) => Values::Struct(Members::new(fields, reading)),
        };
        Self {
            validity: BooleanBufferBuilder::new(0),
            values,
        }
    }

    /// Values so far.
    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// A value has been added.
    pub fn is_there(&mut self) {
        self.validity.append(true);
    }

    /// Adds a value that is not there.
    pub fn push_null(&mut self, meter: &mut Meter<'_>) -> Result<(), Unconverted> {
        meter.take(VALUE_BYTES)?;
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::TinyInt(values) => values.push(0),
            Values::SmallInt(values) => values.push(0),
            Values::Int(values) | Values::Date(values) => values.push(0),
            Values::BigInt(values) | Values::Timestamp(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Double(values) => values.push(0.0),
            Values::Decimal(values, ..) => values.push(0),
            Values::Text(texts, _) | Values::Binary(texts) => texts.push_none(),
            Values::Array(ends, _) | Values::Map(ends, ..) => {
                ends.push(ends.last().copied().unwrap_or_default());
            }
            Values::Struct(members) => {
                for column in &mut members.columns {
                    column.push_null(meter)?;
                }
            }
        }
        self.validity.append(false);
        Ok(())
    }

    /// Adds a text to a column of texts; of one with a length only so many characters of it, as
    /// Hive does.
    pub fn push_text(&mut self, text: &str, meter: &mut Meter<'_>) -> Result<(), Unconverted> {
        meter.take(VALUE_BYTES + text.len())?;
        match &mut self.values {
            Values::Text(texts, chars_max) => {
                let end = chars_max.and_then(|chars| text.char_indices().nth(chars));
                let end = end.map_or(text.len(), |(end, _)| end);
                texts.push(text.get(..end).unwrap_or_default().as_bytes())?;
            }
            Values::Binary(texts) => texts.push(text.as_bytes())?,
            _ => {
                return Err(Unconverted::Broken(
                    "a text is in no column of texts".into(),
                ));
            }
        }
        self.is_there();
        Ok(())
    }

    /// Items of lists so far, where the last one ends that is there.
    pub fn ends_list(&mut self) -> Result<(), Unconverted> {
        match &mut self.values {
            Values::Array(ends, items) | Values::Map(ends, items, _) => {
                ends.push(offset(items.len())?);
            }
            _ => {
                return Err(Unconverted::Broken(
                    "a list is in no column of lists".into(),
                ));
            }
        }
        self.is_there();
        Ok(())
    }

    /// Cuts the column back to so many values.
    pub fn truncate(&mut self, length: usize) {
        match &mut self.values {
            Values::Boolean(values) => values.truncate(length),
            Values::TinyInt(values) => values.truncate(length),
            Values::SmallInt(values) => values.truncate(length),
            Values::Int(values) | Values::Date(values) => values.truncate(length),
            Values::BigInt(values) | Values::Timestamp(values) => values.truncate(length),
            Values::Float(values) => values.truncate(length),
            Values::Double(values) => values.truncate(length),
            Values::Decimal(values, ..) => values.truncate(length),
            Values::Text(texts, _) | Values::Binary(texts) => texts.truncate(length),
            Values::Array(ends, items) => {
                ends.truncate(length + 1);
                items.truncate(end_of(ends));
            }
            Values::Map(ends, keys, items) => {
                ends.truncate(length + 1);
                keys.truncate(end_of(ends));
                items.truncate(end_of(ends));
            }
            Values::Struct(members) => members.truncate(length),
        }
        self.validity.truncate(length);
    }

    fn shrink(&mut self) {
        match &mut self.values {
            // They have eight values in a byte.
            Values::Boolean(_) => {}
            Values::TinyInt(values) => values.shrink_to_fit(),
            Values::SmallInt(values) => values.shrink_to_fit(),
            Values::Int(values) | Values::Date(values) => values.shrink_to_fit(),
            Values::BigInt(values) | Values::Timestamp(values) => values.shrink_to_fit(),
            Values::Float(values) => values.shrink_to_fit(),
            Values::Double(values) => values.shrink_to_fit(),
            Values::Decimal(values, ..) => values.shrink_to_fit(),
            Values::Text(texts, _) | Values::Binary(texts) => texts.shrink(),
            Values::Array(ends, items) => {
                ends.shrink_to_fit();
                items.shrink();
            }
            Values::Map(ends, keys, items) => {
                ends.shrink_to_fit();
                keys.shrink();
                items.shrink();
            }
            Values::Struct(members) => members.shrink(),
        }
    }

    /// Takes the values out.
    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = NullBuffer::new(self.validity.finish());
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), Some(nulls))),
            Values::TinyInt(values) => Arc::new(primitive::<Int8Type>(values, nulls)?),
            Values::SmallInt(values) => Arc::new(primitive::<Int16Type>(values, nulls)?),
            Values::Int(values) => Arc::new(primitive::<Int32Type>(values, nulls)?),
            Values::BigInt(values) => Arc::new(primitive::<Int64Type>(values, nulls)?),
            Values::Float(values) => Arc::new(primitive::<Float32Type>(values, nulls)?),
            Values::Double(values) => Arc::new(primitive::<Float64Type>(values, nulls)?),
            Values::Decimal(values, precision, scale) => {
                let decimals: Decimal128Array = primitive::<Decimal128Type>(values, nulls)?;
                let scale = i8::try_from(*scale);
                let scale =
                    scale.map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
                Arc::new(decimals.with_precision_and_scale(*precision, scale)?)
            }
            Values::Text(texts, _) => {
                let bytes = Buffer::from_vec(std::mem::take(&mut texts.bytes));
                Arc::new(StringArray::try_new(
                    ends(&mut texts.ends),
                    bytes,
                    Some(nulls),
                )?)
            }
            Values::Binary(texts) => {
                let bytes = Buffer::from_vec(std::mem::take(&mut texts.bytes));
                Arc::new(BinaryArray::try_new(
                    ends(&mut texts.ends),
                    bytes,
                    Some(nulls),
                )?)
            }
            Values::Date(values) => Arc::new(primitive::<Date32Type>(values, nulls)?),
            Values::Timestamp(values) => {
                Arc::new(primitive::<TimestampMicrosecondType>(values, nulls)?)
            }
            Values::Array(list, items) => {
                let items = items.take()?;
                let field = element(items.data_type().clone());
                Arc::new(ListArray::try_new(field, ends(list), items, Some(nulls))?)
            }
            Values::Map(list, keys, items) => {
                let (keys, items) = (keys.take()?, items.take()?);
                let fields = entry(keys.data_type().clone(), items.data_type().clone());
                let entries = StructArray::try_new(fields.clone(), vec![keys, items], None)?;
                let field = entries_field(fields);
                let nulls = Some(nulls);
                Arc::new(MapArray::try_new(field, ends(list), entries, nulls, false)?)
            }
            Values::Struct(members) => {
                let arrays = members.take()?;
                let fields = members.names.iter().zip(&arrays);
                let fields =
                    fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true));
                let fields: Fields = fields.collect();
                Arc::new(StructArray::try_new(fields, arrays, Some(nulls))?)
            }
        })
    }
}

/// The names of what is in lists and maps are those of Parquet's specification (LogicalTypes).
fn element(kind: DataType) -> FieldRef {
    Arc::new(Field::new("element", kind, true))
}

fn entry(key: DataType, value: DataType) -> Fields {
    Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ])
}

fn entries_field(fields: Fields) -> FieldRef {
    Arc::new(Field::new("key_value", DataType::Struct(fields), false))
}

/// A column's type as Arrow has it.
pub fn data_type(kind: &Type) -> DataType {
    match kind {
        Type::Boolean => DataType::Boolean,
        Type::TinyInt => DataType::Int8,
        Type::SmallInt => DataType::Int16,
        Type::Int => DataType::Int32,
        Type::BigInt => DataType::Int64,
        Type::Float => DataType::Float32,
        Type::Double => DataType::Float64,
        // It is one of up to 38 digits.
        Type::Decimal(precision, scale) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        Type::Text(_) | Type::Char(_) => DataType::Utf8,
        Type::Binary => DataType::Binary,
        Type::Date => DataType::Date32,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::Array(of) => DataType::List(element(data_type(of))),
        Type::Map(key, value) => {
            let fields = entry(data_type(key), data_type(value));
            DataType::Map(entries_field(fields), false)
        }
        Type::Struct(columns) => DataType::Struct(fields(columns)),
    }
}

/// Columns as Arrow has them.
pub fn fields(columns: &[table::Column]) -> Fields {
    let fields = columns.iter();
    let fields = fields.map(|it| Field::new(&it.name, data_type(&it.kind), true));
    fields.collect()
}
