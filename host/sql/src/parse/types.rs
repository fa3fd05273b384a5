//! Types as they are written.

use super::Parser;
use crate::ast::TimeUnit;
use crate::fault::Invalid;
use crate::lex::Token;
use crate::ty::SqlType;

/// The longest length that a text or binary type can have.
pub const LENGTH_MAX: u32 = 65_535;

/// The most digits of a decimal.
pub const PRECISION_MAX: u8 = 38;

/// Digits of a `DECIMAL` that does not say how many.
const PRECISION_DEFAULT: u8 = 19;

/// The most digits that a type or interval can have behind the point of its seconds.
const FRACTION_DIGITS_MAX: u32 = 9;

/// The most digits of the first field of an interval.
const LEADING_DIGITS_MAX: u32 = 10;

/// What stands behind an interval: `DAY(3) TO SECOND(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Qualifier {
    pub first: TimeUnit,
    /// The same, if there is only one.
    pub last: TimeUnit,
    /// The most digits of the first field, where it is said.
    pub digits: Option<u32>,
}

impl Qualifier {
    pub fn ty(self) -> SqlType {
        match self.first {
            TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month => SqlType::YearInterval,
            _ => SqlType::DayInterval,
        }
    }
}

/// The unit of an interval that a word means, also in the plural.
pub(super) fn interval_unit(word: &str) -> Option<TimeUnit> {
    Some(match word {
        "YEAR" | "YEARS" => TimeUnit::Year,
        "QUARTER" | "QUARTERS" => TimeUnit::Quarter,
        "MONTH" | "MONTHS" => TimeUnit::Month,
        "WEEK" | "WEEKS" => TimeUnit::Week,
        "DAY" | "DAYS" => TimeUnit::Day,
        "HOUR" | "HOURS" => TimeUnit::Hour,
        "MINUTE" | "MINUTES" => TimeUnit::Minute,
        "SECOND" | "SECONDS" => TimeUnit::Second,
        "MILLISECOND" | "MILLISECONDS" => TimeUnit::Millisecond,
        _ => return None,
    })
}

/// The place of a unit in an interval of several fields, largest first; within days to seconds or
/// within years to months.
fn field(unit: TimeUnit) -> Option<(SqlType, u8)> {
    match unit {
        TimeUnit::Year => Some((SqlType::YearInterval, 0)),
        TimeUnit::Month => Some((SqlType::YearInterval, 1)),
        TimeUnit::Day => Some((SqlType::DayInterval, 0)),
        TimeUnit::Hour => Some((SqlType::DayInterval, 1)),
        TimeUnit::Minute => Some((SqlType::DayInterval, 2)),
        TimeUnit::Second => Some((SqlType::DayInterval, 3)),
        _ => None,
    }
}

impl Parser {
    pub(super) fn sql_type(&mut self) -> Result<SqlType, Invalid> {
        let Token::Word(word) = self.peek().clone() else {
            return Err(self.unexpected("a type"));
        };
        let simple = match word.as_str() {
            "BOOLEAN" => SqlType::Boolean,
            "TINYINT" => SqlType::TinyInt,
            "SMALLINT" => SqlType::SmallInt,
            "INT" | "INTEGER" => SqlType::Integer,
            "BIGINT" => SqlType::BigInt,
            "REAL" => SqlType::Real,
            "DATE" => SqlType::Date,
            "STRING" => SqlType::TEXT,
            _ => return self.type_with_arguments(&word),
        };
        self.advance();
        Ok(simple)
    }

    fn type_with_arguments(&mut self, word: &str) -> Result<SqlType, Invalid> {
        let known = [
            "DOUBLE",
            "FLOAT",
            "DECIMAL",
            "DEC",
            "NUMERIC",
            "CHAR",
            "CHARACTER",
            "VARCHAR",
            "BINARY",
            "VARBINARY",
            "TIME",
            "TIMESTAMP",
            "INTERVAL",
        ];
        if !known.contains(&word) {
            return Err(self.unexpected("a type"));
        }
        self.advance();
        match word {
            "DOUBLE" => {
                self.take_word("PRECISION");
                Ok(SqlType::Double)
            }
            "FLOAT" => {
                self.number_in_parentheses(53)?;
                Ok(SqlType::Double)
            }
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal_type(),
            "CHAR" | "CHARACTER" if self.take_word("VARYING") => self.varchar_type(),
            "CHAR" | "CHARACTER" => {
                let length = self.length()?.unwrap_or(1);
                Ok(SqlType::Char { length })
            }
            "VARCHAR" => self.varchar_type(),
            "BINARY" if !self.is_word("VARYING") => {
                let length = self.length()?.unwrap_or(1);
                Ok(SqlType::Binary { length })
            }
            "BINARY" | "VARBINARY" => {
                self.take_word("VARYING");
                let length = self.length()?.unwrap_or(LENGTH_MAX);
                Ok(SqlType::Varbinary { length })
            }
            "INTERVAL" => Ok(self.qualifier()?.ty()),
            moment => {
                self.number_in_parentheses(FRACTION_DIGITS_MAX)?;
                if self.take_word("WITHOUT") {
                    self.words(&["TIME", "ZONE"])?;
                }
                let is_time = moment == "TIME";
                Ok(if is_time {
                    SqlType::Time
                } else {
                    SqlType::Timestamp
                })
            }
        }
    }

    fn varchar_type(&mut self) -> Result<SqlType, Invalid> {
        let length = self.length()?;
        Ok(length.map_or(SqlType::TEXT, |length| SqlType::Varchar { length }))
    }

    /// A length in parentheses, if one is there.
    fn length(&mut self) -> Result<Option<u32>, Invalid> {
        let place = self.place();
        match self.number_in_parentheses(LENGTH_MAX)? {
            Some(0) => Err(Invalid::at(place, "a length of 0 is too short")),
            length => Ok(length),
        }
    }

    fn decimal_type(&mut self) -> Result<SqlType, Invalid> {
        let place = self.place();
        if !self.take_symbol("(") {
            return Ok(SqlType::Decimal {
                precision: PRECISION_DEFAULT,
                scale: 0,
            });
        }
        let precision = self.small_number(u32::from(PRECISION_MAX))?;
        let scale = if self.take_symbol(",") {
            self.small_number(u32::from(PRECISION_MAX))?
        } else {
            0
        };
        self.symbol(")")?;
        if precision == 0 || scale > precision {
            let message = "a decimal has at least one digit, and not more behind its point";
            return Err(Invalid::at(place, message));
        }
        let byte = |number: u32| {
            u8::try_from(number).map_err(|_| Invalid::at(place, "internal: more digits than 38"))
        };
        Ok(SqlType::Decimal {
            precision: byte(precision)?,
            scale: byte(scale)?,
        })
    }

    /// `(n)`, if it is there.
    fn number_in_parentheses(&mut self, max: u32) -> Result<Option<u32>, Invalid> {
        if !self.take_symbol("(") {
            return Ok(None);
        }
        let number = self.small_number(max)?;
        self.symbol(")")?;
        Ok(Some(number))
    }

    fn small_number(&mut self, max: u32) -> Result<u32, Invalid> {
        let Token::Number(digits) = self.peek() else {
            return Err(self.unexpected("a whole number"));
        };
        match digits.parse::<u32>() {
            Ok(number) if number <= max => {
                self.advance();
                Ok(number)
            }
            _ => Err(self.unexpected(&format!("a whole number of at most {max}"))),
        }
    }

    /// The unit that comes next, if one does.
    pub(super) fn peek_interval_unit(&self) -> Option<TimeUnit> {
        match self.peek() {
            Token::Word(word) => interval_unit(word),
            _ => None,
        }
    }

    fn interval_unit(&mut self) -> Result<TimeUnit, Invalid> {
        let Some(unit) = self.peek_interval_unit() else {
            return Err(self.unexpected("YEAR, MONTH, DAY, HOUR, MINUTE or SECOND"));
        };
        self.advance();
        Ok(unit)
    }

    /// `MINUTE`, `DAY(3) TO SECOND(2)` and the like.
    pub(super) fn qualifier(&mut self) -> Result<Qualifier, Invalid> {
        let first = self.interval_unit()?;
        let mut digits = None;
        if self.take_symbol("(") {
            digits = Some(self.small_number(LEADING_DIGITS_MAX)?);
            if first == TimeUnit::Second && self.take_symbol(",") {
                self.small_number(FRACTION_DIGITS_MAX)?;
            }
            self.symbol(")")?;
        }
        if !self.take_word("TO") {
            return Ok(Qualifier {
                first,
                last: first,
                digits,
            });
        }
        let place = self.place();
        let last = self.interval_unit()?;
        let smaller = match (field(first), field(last)) {
            (Some((one, larger)), Some((other, smaller))) => one == other && larger < smaller,
            _ => false,
        };
        if !smaller {
            let message = "an interval goes from a unit TO a smaller one, within years and months \
                           or within days to seconds";
            return Err(Invalid::at(place, message));
        }
        if last == TimeUnit::Second {
            self.number_in_parentheses(FRACTION_DIGITS_MAX)?;
        }
        Ok(Qualifier {
            first,
            last,
            digits,
        })
    }
}
