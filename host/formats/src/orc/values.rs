//! Values of arrays go into the streams of their column.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_buffer::bit_iterator::BitIndexIterator;
use arrow_schema::DataType;

use super::bits::Bits;
use super::integers::Integers;
use super::moment;
use super::packer::Packer;
use super::statistics::Statistics;
use super::stream::Stream;
use super::varint;

/// Where values go besides their streams.
pub struct Taken<'a> {
    /// What is known of them.
    pub statistics: &'a mut Statistics,
    /// Packs the streams.
    pub packer: &'a mut Packer,
}

/// An array, and which of its rows there are; all, if nothing is said of them.
type Given<'a> = (&'a dyn Array, Option<&'a NullBuffer>);

/// The numbers of rows that there are.
pub enum Rows<'a> {
    /// All.
    All(std::ops::Range<usize>),
    /// Those whose bit is set.
    Set(BitIndexIterator<'a>),
}

impl<'a> Rows<'a> {
    /// Of so many, those that there are.
    pub fn of(there: Option<&'a NullBuffer>, length: usize) -> Self {
        there.map_or(Self::All(0..length), |there| {
            Self::Set(there.valid_indices())
        })
    }
}

impl Iterator for Rows<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::All(rows) => rows.next(),
            Self::Set(rows) => rows.next(),
        }
    }
}

/// Why values cannot be written.
pub fn other_type() -> String {
    "an array is none of its column's type".to_owned()
}

/// Calls `take` with each value that there is.
pub fn each<T: ArrowPrimitiveType>(
    (array, there): Given<'_>,
    mut take: impl FnMut(T::Native),
) -> Result<(), String> {
    let array: &PrimitiveArray<T> = array.as_primitive_opt().ok_or_else(other_type)?;
    let values = array.values();
    Rows::of(there, array.len()).for_each(|row| take(values[row]));
    Ok(())
}

/// Integers of any width, and days.
pub fn integers<T>(
    given: Given<'_>,
    data: &mut Integers,
    into: &mut Taken<'_>,
) -> Result<(), String>
where
    T: ArrowPrimitiveType,
    i64: From<T::Native>,
{
    each::<T>(given, |value| {
        let value = i64::from(value);
        into.statistics.note_integer(value);
        data.push(value, into.packer);
    })
}

/// Booleans.
pub fn booleans(
    (array, there): Given<'_>,
    data: &mut Bits,
    into: &mut Taken<'_>,
) -> Result<(), String> {
    let array = array.as_boolean_opt().ok_or_else(other_type)?;
    for row in Rows::of(there, array.len()) {
        let value = array.value(row);
        into.statistics.note_boolean(value);
        data.push(value, into.packer);
    }
    Ok(())
}

/// Decimals, all of one scale.
pub fn decimals(
    given: Given<'_>,
    data: &mut Stream,
    (scales, scale): (&mut Integers, i64),
    into: &mut Taken<'_>,
) -> Result<(), String> {
    let mut digits = Vec::new();
    each::<Decimal128Type>(given, |value| {
        digits.clear();
        varint::write_digits(&mut digits, value);
        data.write(&digits, into.packer);
        scales.push(scale, into.packer);
    })
}

/// Moments.
pub fn moments(
    given: Given<'_>,
    seconds: &mut Integers,
    nanos: &mut Integers,
    into: &mut Taken<'_>,
) -> Result<(), String> {
    each::<TimestampMicrosecondType>(given, |value| {
        let (whole, rest) = moment::parts(value);
        into.statistics.note_integer(value);
        seconds.push(whole, into.packer);
        nanos.push(rest, into.packer);
    })
}

/// Texts, and bytes.
pub fn texts(
    (array, there): Given<'_>,
    data: &mut Stream,
    lengths: &mut Integers,
    into: &mut Taken<'_>,
) -> Result<(), String> {
    let mut take = |value: &[u8]| -> Result<(), String> {
        let length = i64::try_from(value.len()).map_err(|error| error.to_string())?;
        into.statistics.note_text(value);
        data.write(value, into.packer);
        lengths.push(length, into.packer);
        Ok(())
    };
    let mut rows = Rows::of(there, array.len());
    if array.data_type() == &DataType::Binary {
        let array = array.as_binary_opt::<i32>().ok_or_else(other_type)?;
        rows.try_for_each(|row| take(array.value(row)))
    } else {
        let array = array.as_string_opt::<i32>().ok_or_else(other_type)?;
        rows.try_for_each(|row| take(array.value(row).as_bytes()))
    }
}
