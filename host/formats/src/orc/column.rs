//! What one column has in the stripe that is open, and how values become that (ORC specification
//! v1, "Column Encodings").

use std::io;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_buffer::NullBuffer;

use super::bits::{Bits, Bytes};
use super::integers::Integers;
use super::packer::Packer;
use super::statistics::{Bounds, Noted, Statistics};
use super::stream::Stream;
use super::stripe::{StreamKind, Stripe};
use super::types;
use super::values::{self, Rows, Taken, other_type};
use crate::settings::OrcVersion;
use crate::table::{self, Type};

/// No less than a column takes with nothing in it, besides what is in it.
pub const COLUMN_BYTES: usize = 704;

/// A column, and what it has in the stripe that is open.
pub struct Column {
    number: u64,
    present: Bits,
    has_null: bool,
    /// The version of its integers, if it has any.
    version: Option<OrcVersion>,
    data: Data,
    /// Of the stripe that is open, and of those before it.
    statistics: Statistics,
    of_ended: Statistics,
}

/// The streams of a kind of column.
enum Data {
    Boolean(Bits),
    TinyInt(Bytes),
    SmallInt(Integers),
    Int(Integers),
    BigInt(Integers),
    Date(Integers),
    Float(Stream),
    Double(Stream),
    Decimal(Stream, Integers, i64),
    Text(Stream, Integers),
    Binary(Stream, Integers),
    Timestamp(Integers, Integers),
    Array(Integers, Box<Column>),
    Map(Integers, Box<Column>, Box<Column>),
    Struct(Vec<Column>),
}

impl Column {
    /// The rows of a table.
    pub fn of_rows(columns: &[table::Column], version: OrcVersion) -> Self {
        Self::of(Data::fields(columns, 1, version), 0, version)
    }

    /// A column with this number; those within it have the next ones.
    fn new(kind: &Type, number: u64, version: OrcVersion) -> Self {
        let signed = || Integers::new(true, version);
        let unsigned = || Integers::new(false, version);
        let within = |kind: &Type, number| Box::new(Self::new(kind, number, version));
        let data = match kind {
            Type::Boolean => Data::Boolean(Bits::default()),
            Type::TinyInt => Data::TinyInt(Bytes::default()),
            Type::SmallInt => Data::SmallInt(signed()),
            Type::Int => Data::Int(signed()),
            Type::BigInt => Data::BigInt(signed()),
            Type::Date => Data::Date(signed()),
            Type::Float => Data::Float(Stream::default()),
            Type::Double => Data::Double(Stream::default()),
            Type::Decimal(_, scale) => {
                Data::Decimal(Stream::default(), signed(), i64::from(*scale))
            }
            Type::Text(_) | Type::Char(_) => Data::Text(Stream::default(), unsigned()),
            Type::Binary => Data::Binary(Stream::default(), unsigned()),
            Type::Timestamp => Data::Timestamp(signed(), unsigned()),
            Type::Array(element) => Data::Array(unsigned(), within(element, number + 1)),
            Type::Map(key, value) => {
                let second = number + 1 + types::nodes(key);
                Data::Map(unsigned(), within(key, number + 1), within(value, second))
            }
            Type::Struct(fields) => Data::fields(fields, number + 1, version),
        };
        Self::of(data, number, version)
    }

    fn of(data: Data, number: u64, version: OrcVersion) -> Self {
        let statistics = Statistics::new(data.noted());
        Self {
            number,
            present: Bits::default(),
            has_null: false,
            version: data.has_integers().then_some(version),
            data,
            of_ended: statistics.clone(),
            statistics,
        }
    }

    /// Adds the values of an array, those of the rows that `within` says there are.
    ///
    /// # Errors
    /// When the array is one of another type.
    pub fn write(
        &mut self,
        array: &dyn Array,
        within: Option<&NullBuffer>,
        packer: &mut Packer,
    ) -> Result<(), String> {
        let own = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let there = NullBuffer::union(within, own);
        let count = |nulls: Option<&NullBuffer>| {
            nulls.map_or(array.len(), |nulls| nulls.len() - nulls.null_count())
        };
        let (rows, values) = (count(within), count(there.as_ref()));
        match (within, own) {
            (_, None) => (0..rows).for_each(|_| self.present.push(true, packer)),
            (within, Some(own)) => {
                for row in Rows::of(within, array.len()) {
                    self.present.push(own.is_valid(row), packer);
                }
            }
        }
        self.has_null |= values < rows;
        self.statistics.count(values, values < rows);
        let mut taken = Taken {
            statistics: &mut self.statistics,
            packer,
        };
        self.data.write(array, there.as_ref(), &mut taken)
    }

    /// Bytes of memory, with those of the columns within it, besides [`COLUMN_BYTES`] for each.
    pub fn memory_bytes(&self) -> usize {
        self.present.memory_bytes() + self.data.memory_bytes()
    }

    /// Writes what it has into a stripe, and has nothing then.
    ///
    /// # Errors
    /// When the stripe cannot be written.
    pub fn end(&mut self, stripe: &mut Stripe<'_>) -> io::Result<()> {
        self.of_ended.add(&self.statistics);
        let has_runs_2 = self.version == Some(OrcVersion::V0_12);
        stripe.column(has_runs_2, &self.statistics);
        self.statistics.clear();
        if std::mem::take(&mut self.has_null) {
            let place = (self.number, StreamKind::Present);
            stripe.stream(place, |packer| self.present.take(packer))?;
        } else {
            self.present = Bits::default();
        }
        self.data.end(self.number, stripe)
    }

    /// Calls `tell` with what is known of all values of each column.
    pub fn statistics(&self, tell: &mut dyn FnMut(&Statistics)) {
        tell(&self.of_ended);
        match &self.data {
            Data::Array(_, element) => element.statistics(tell),
            Data::Map(_, keys, values) => {
                keys.statistics(tell);
                values.statistics(tell);
            }
            Data::Struct(fields) => fields.iter().for_each(|field| field.statistics(tell)),
            _ => {}
        }
    }
}

impl Data {
    /// Columns of a struct, the first of which has this number.
    fn fields(columns: &[table::Column], number: u64, version: OrcVersion) -> Self {
        let mut next = number;
        let fields = columns.iter().map(|column| {
            let field = Column::new(&column.kind, next, version);
            next += types::nodes(&column.kind);
            field
        });
        Self::Struct(fields.collect())
    }

    /// What is told of its values, before there are any.
    fn noted(&self) -> Noted {
        match self {
            Self::Boolean(_) => Noted::Trues(0),
            Self::TinyInt(_) | Self::SmallInt(_) | Self::Int(_) | Self::BigInt(_) => {
                Noted::Integers(None)
            }
            Self::Date(_) => Noted::Days(None),
            Self::Float(_) | Self::Double(_) => Noted::Numbers(None),
            Self::Text(..) => Noted::Texts(Bounds::None, 0),
            Self::Binary(..) => Noted::Bytes(0),
            Self::Timestamp(..) => Noted::Moments(None),
            Self::Decimal(..) | Self::Array(..) | Self::Map(..) | Self::Struct(_) => Noted::Nothing,
        }
    }

    /// Whether integers are in its streams, which have two versions.
    fn has_integers(&self) -> bool {
        match self {
            Self::Boolean(_)
            | Self::TinyInt(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::Struct(_) => false,
            Self::SmallInt(_)
            | Self::Int(_)
            | Self::BigInt(_)
            | Self::Date(_)
            | Self::Decimal(..)
            | Self::Text(..)
            | Self::Binary(..)
            | Self::Timestamp(..)
            | Self::Array(..)
            | Self::Map(..) => true,
        }
    }

    fn write(
        &mut self,
        array: &dyn Array,
        there: Option<&NullBuffer>,
        into: &mut Taken<'_>,
    ) -> Result<(), String> {
        match self {
            Self::Boolean(data) => values::booleans((array, there), data, into),
            Self::TinyInt(data) => values::each::<Int8Type>((array, there), |value| {
                let [byte] = value.to_le_bytes();
                into.statistics.note_integer(i64::from(value));
                data.push(byte, into.packer);
            }),
            Self::SmallInt(data) => values::integers::<Int16Type>((array, there), data, into),
            Self::Int(data) => values::integers::<Int32Type>((array, there), data, into),
            Self::BigInt(data) => values::integers::<Int64Type>((array, there), data, into),
            Self::Date(data) => values::integers::<Date32Type>((array, there), data, into),
            Self::Float(data) => values::each::<Float32Type>((array, there), |value| {
                into.statistics.note_number(f64::from(value));
                data.write(&value.to_le_bytes(), into.packer);
            }),
            Self::Double(data) => values::each::<Float64Type>((array, there), |value| {
                into.statistics.note_number(value);
                data.write(&value.to_le_bytes(), into.packer);
            }),
            Self::Decimal(data, scales, scale) => {
                values::decimals((array, there), data, (scales, *scale), into)
            }
            Self::Text(data, lengths) | Self::Binary(data, lengths) => {
                values::texts((array, there), data, lengths, into)
            }
            Self::Timestamp(seconds, nanos) => {
                values::moments((array, there), seconds, nanos, into)
            }
            Self::Array(lengths, element) => {
                let list = array.as_list_opt::<i32>().ok_or_else(other_type)?;
                for row in Rows::of(there, list.len()) {
                    lengths.push(i64::from(list.value_length(row)), into.packer);
                }
                // Lists that are not there have no items.
                element.write(list.values(), None, into.packer)
            }
            Self::Map(lengths, keys, items) => {
                let map = array.as_map_opt().ok_or_else(other_type)?;
                for row in Rows::of(there, map.len()) {
                    lengths.push(i64::from(map.value_length(row)), into.packer);
                }
                keys.write(map.keys(), None, into.packer)?;
                items.write(map.values(), None, into.packer)
            }
            Self::Struct(fields) => {
                let rows = array.as_struct_opt().ok_or_else(other_type)?;
                let mut columns = fields.iter_mut().zip(rows.columns());
                columns.try_for_each(|(field, array)| field.write(array, there, into.packer))
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Boolean(data) => data.memory_bytes(),
            Self::TinyInt(data) => data.memory_bytes(),
            Self::SmallInt(data) | Self::Int(data) | Self::BigInt(data) | Self::Date(data) => {
                data.memory_bytes()
            }
            Self::Float(data) | Self::Double(data) => data.memory_bytes(),
            Self::Decimal(data, more, _) | Self::Text(data, more) | Self::Binary(data, more) => {
                data.memory_bytes() + more.memory_bytes()
            }
            Self::Timestamp(data, more) => data.memory_bytes() + more.memory_bytes(),
            Self::Array(lengths, element) => lengths.memory_bytes() + element.memory_bytes(),
            Self::Map(lengths, keys, values) => {
                lengths.memory_bytes() + keys.memory_bytes() + values.memory_bytes()
            }
            Self::Struct(fields) => fields.iter().map(Column::memory_bytes).sum(),
        }
    }

    /// Writes the streams of a column with this number, and of those within it.
    fn end(&mut self, number: u64, stripe: &mut Stripe<'_>) -> io::Result<()> {
        let (data_kind, length_kind) = ((number, StreamKind::Data), (number, StreamKind::Length));
        let secondary_kind = (number, StreamKind::Secondary);
        match self {
            Self::Boolean(data) => stripe.stream(data_kind, |packer| data.take(packer)),
            Self::TinyInt(data) => stripe.stream(data_kind, |packer| data.take(packer)),
            Self::SmallInt(data) | Self::Int(data) | Self::BigInt(data) | Self::Date(data) => {
                stripe.stream(data_kind, |packer| data.take(packer))
            }
            Self::Float(data) | Self::Double(data) => {
                stripe.stream(data_kind, |packer| data.take(packer))
            }
            Self::Decimal(data, scales, _) => {
                stripe.stream(data_kind, |packer| data.take(packer))?;
                stripe.stream(secondary_kind, |packer| scales.take(packer))
            }
            Self::Text(data, lengths) | Self::Binary(data, lengths) => {
                stripe.stream(data_kind, |packer| data.take(packer))?;
                stripe.stream(length_kind, |packer| lengths.take(packer))
            }
            Self::Timestamp(seconds, nanos) => {
                stripe.stream(data_kind, |packer| seconds.take(packer))?;
                stripe.stream(secondary_kind, |packer| nanos.take(packer))
            }
            Self::Array(lengths, element) => {
                stripe.stream(length_kind, |packer| lengths.take(packer))?;
                element.end(stripe)
            }
            Self::Map(lengths, keys, values) => {
                stripe.stream(length_kind, |packer| lengths.take(packer))?;
                keys.end(stripe)?;
                values.end(stripe)
            }
            Self::Struct(fields) => fields.iter_mut().try_for_each(|field| field.end(stripe)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_no_more_than_is_reckoned_for_it() {
        assert!(
            size_of::<Column>() <= COLUMN_BYTES,
            "{}",
            size_of::<Column>()
        );
    }
}
