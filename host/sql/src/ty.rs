//! The types of columns and values.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

/// A type of the dialect, as declared or inferred.
///
/// How values lie in memory is told by [`SqlType::arrow`]: all whole numbers are 64 bits wide
/// there, all times milliseconds. The narrower ranges are checked where a value becomes one of the
/// type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// True or false.
    Boolean,
    /// 8 bits.
    TinyInt,
    /// 16 bits.
    SmallInt,
    /// 32 bits.
    Integer,
    /// 64 bits.
    BigInt,
    /// Kept as a double; written with the digits of a 32-bit number.
    Real,
    /// A 64-bit floating-point number.
    Double,
    /// At most 38 digits, of which `scale` stand behind the point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Padded with spaces to its length, in characters.
    Char {
        /// In characters, or bytes.
        length: u32,
    },
    /// Of at most so many characters.
    Varchar {
        /// In characters, or bytes.
        length: u32,
    },
    /// Of so many bytes.
    Binary {
        /// In characters, or bytes.
        length: u32,
    },
    /// Of at most so many bytes.
    Varbinary {
        /// In characters, or bytes.
        length: u32,
    },
    /// Days since 1970-01-01.
    Date,
    /// Milliseconds since midnight.
    Time,
    /// Milliseconds since 1970-01-01T00:00:00, without a time zone.
    Timestamp,
    /// Of days to seconds: milliseconds.
    DayInterval,
    /// Of years and months: months.
    YearInterval,
    /// The type of `NULL` alone.
    Null,
}

/// What kind of values a type has, for what matters only by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Boolean,
    Whole,
    Decimal,
    Float,
    Text,
    Bytes,
    Date,
    Time,
    Timestamp,
    DayInterval,
    YearInterval,
    Null,
}

impl SqlType {
    /// The longest text that a type without a length of its own gets.
    pub const TEXT: Self = Self::Varchar { length: 65_535 };

    /// The kind of its values.
    pub fn family(self) -> Family {
        match self {
            Self::Boolean => Family::Boolean,
            Self::TinyInt | Self::SmallInt | Self::Integer | Self::BigInt => Family::Whole,
            Self::Real | Self::Double => Family::Float,
            Self::Decimal { .. } => Family::Decimal,
            Self::Char { .. } | Self::Varchar { .. } => Family::Text,
            Self::Binary { .. } | Self::Varbinary { .. } => Family::Bytes,
            Self::Date => Family::Date,
            Self::Time => Family::Time,
            Self::Timestamp => Family::Timestamp,
            Self::DayInterval => Family::DayInterval,
            Self::YearInterval => Family::YearInterval,
            Self::Null => Family::Null,
        }
    }

    /// How a column of it lies in memory.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt | Self::SmallInt | Self::Integer | Self::BigInt => DataType::Int64,
            Self::Real | Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Char { .. } | Self::Varchar { .. } => DataType::Utf8,
            Self::Binary { .. } | Self::Varbinary { .. } => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time32(TimeUnit::Millisecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::DayInterval => DataType::Duration(TimeUnit::Millisecond),
            Self::YearInterval => DataType::Interval(arrow_schema::IntervalUnit::YearMonth),
            Self::Null => DataType::Null,
        }
    }

    /// A whole number, a decimal or a floating-point one.
    pub fn is_number(self) -> bool {
        matches!(
            self.family(),
            Family::Whole | Family::Decimal | Family::Float
        )
    }

    /// A date, a time or a timestamp.
    pub fn is_moment(self) -> bool {
        matches!(
            self.family(),
            Family::Date | Family::Time | Family::Timestamp
        )
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Integer => f.write_str("INTEGER"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Real => f.write_str("REAL"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Char { length } => write!(f, "CHAR({length})"),
            Self::Varchar { length } => write!(f, "VARCHAR({length})"),
            Self::Binary { length } => write!(f, "BINARY({length})"),
            Self::Varbinary { length } => write!(f, "VARBINARY({length})"),
            Self::Date => f.write_str("DATE"),
            Self::Time => f.write_str("TIME"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::DayInterval => f.write_str("INTERVAL DAY TO SECOND"),
            Self::YearInterval => f.write_str("INTERVAL YEAR TO MONTH"),
            Self::Null => f.write_str("NULL"),
        }
    }
}

/// A column of a stream or of what a query gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// As it is kept: capitals, unless it was written in quotes.
    pub name: String,
    /// Of its values.
    pub ty: SqlType,
}

/// The columns of rows. The first one is always `ROWTIME`, a timestamp that is never null and that
/// `*` leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowType {
    columns: Arc<[Column]>,
}

/// The name of the first column of all rows.
pub const ROWTIME: &str = "ROWTIME";

impl RowType {
    /// Rows of these columns behind `ROWTIME`.
    pub fn with_rowtime(columns: impl IntoIterator<Item = Column>) -> Self {
        let rowtime = Column {
            name: ROWTIME.to_owned(),
            ty: SqlType::Timestamp,
        };
        Self {
            columns: std::iter::once(rowtime).chain(columns).collect(),
        }
    }

    /// All columns, `ROWTIME` first.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns that `*` means.
    pub fn declared(&self) -> &[Column] {
        &self.columns[1..]
    }
}
