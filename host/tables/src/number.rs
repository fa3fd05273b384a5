//! Numbers as DynamoDB has them: exact decimals of up to 38 significant digits, from 1E-130 to
//! 9.9999999999999999999999999999999999999E+125
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).

use std::cmp::Ordering;
use std::fmt;

use bincode::{Decode, Encode};
use types::Invalid;

/// Significant digits at most. A number with more is refused, never rounded.
const DIGITS_MAX: usize = 38;
/// 10 to the power of [`DIGITS_MAX`]: every coefficient is below.
const COEFFICIENT_END: u128 = 10_u128.pow(38);
/// The power of ten of the first digit, at most. A greater number is an overflow.
const MAGNITUDE_MAX: i32 = 125;
/// The power of ten of the first digit, at least. A smaller number is an underflow.
const MAGNITUDE_MIN: i32 = -130;

const TOO_PRECISE: &str = "Attempting to store more than 38 significant digits in a Number";
const OVERFLOW: &str = "Number overflow. Attempting to store a number with magnitude larger than \
                        supported range";
const UNDERFLOW: &str = "Number underflow. Attempting to store a number with magnitude smaller \
                         than supported range";

/// An exact decimal: `coefficient * 10^exponent`. The coefficient has no zeros at its end, so that
/// equal numbers are equal in every member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Number {
    is_negative: bool,
    coefficient: u128,
    exponent: i16,
}

/// A number's first digits and where they stand, for keys in order.
pub struct Digits {
    /// Below zero.
    pub is_negative: bool,
    /// The power of ten of the first digit, -130 to 125.
    pub magnitude: i32,
    /// The significant digits, 0 to 9 each, without zeros at either end.
    pub digits: Vec<u8>,
}

impl Number {
    /// Nothing.
    pub const ZERO: Self = Self {
        is_negative: false,
        coefficient: 0,
        exponent: 0,
    };

    /// Reads a decimal, with or without an exponent.
    ///
    /// # Errors
    /// DynamoDB's text, when it is no number, has more than 38 significant digits, or is too large
    /// or too small.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            let what = "The parameter cannot be converted to a numeric value";
            Invalid(if text.is_empty() {
                what.to_owned()
            } else {
                format!("{what}: {}", shown(text))
            })
        };
        let (is_negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power).ok_or_else(wrong)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if !digits().all(|digit| digit.is_ascii_digit()) || digits().next().is_none() {
            return Err(wrong());
        }
        let digits: Vec<u8> = digits().skip_while(|digit| *digit == b'0').collect();
        let zeros = digits.iter().rev().take_while(|&&d| d == b'0').count();
        let significant = digits.get(..digits.len() - zeros).unwrap_or_default();
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        // The end of the digits stands so many places left of the point.
        let places = i64::try_from(zeros).map_err(|_| wrong())?
            - i64::try_from(fraction.len()).map_err(|_| wrong())?;
        if significant.len() > DIGITS_MAX {
            return Err(Invalid(TOO_PRECISE.to_owned()));
        }
        let coefficient = significant
            .iter()
            .fold(0, |sum: u128, digit| sum * 10 + u128::from(digit - b'0'));
        Self::checked(is_negative, coefficient, power.saturating_add(places))
    }

    /// The number of a coefficient that may end in zeros.
    fn checked(is_negative: bool, coefficient: u128, exponent: i64) -> Result<Self, Invalid> {
        let (mut coefficient, mut exponent) = (coefficient, exponent);
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent = exponent.saturating_add(1);
        }
        if coefficient >= COEFFICIENT_END {
            return Err(Invalid(TOO_PRECISE.to_owned()));
        }
        let magnitude = exponent.saturating_add(i64::from(coefficient.ilog10()));
        if magnitude > i64::from(MAGNITUDE_MAX) {
            return Err(Invalid(OVERFLOW.to_owned()));
        }
        if magnitude < i64::from(MAGNITUDE_MIN) {
            return Err(Invalid(UNDERFLOW.to_owned()));
        }
        Ok(Self {
            is_negative,
            coefficient,
            exponent: i16::try_from(exponent).map_err(|_| Invalid(UNDERFLOW.to_owned()))?,
        })
    }

    /// The sum.
    ///
    /// # Errors
    /// DynamoDB's text, when it has more than 38 significant digits or is too large.
    pub fn plus(self, other: Self) -> Result<Self, Invalid> {
        if self.coefficient == 0 {
            return Ok(other);
        }
        if other.coefficient == 0 {
            return Ok(self);
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let places = u32::try_from(i32::from(high.exponent) - i32::from(low.exponent));
        // The lower one's last digit is not zero and stays the last one of the sum. So where the
        // higher one does not fit beside it, the sum has more digits than a number may.
        let scaled = places
            .ok()
            .and_then(|places| 10_u128.checked_pow(places))
            .and_then(|factor| high.coefficient.checked_mul(factor))
            .ok_or_else(|| Invalid(TOO_PRECISE.to_owned()))?;
        let exponent = i64::from(low.exponent);
        if high.is_negative == low.is_negative {
            let sum = scaled.checked_add(low.coefficient);
            let sum = sum.ok_or_else(|| Invalid(TOO_PRECISE.to_owned()))?;
            return Self::checked(high.is_negative, sum, exponent);
        }
        match scaled.cmp(&low.coefficient) {
            Ordering::Less => Self::checked(low.is_negative, low.coefficient - scaled, exponent),
            _ => Self::checked(high.is_negative, scaled - low.coefficient, exponent),
        }
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Number::plus`].
    pub fn minus(self, other: Self) -> Result<Self, Invalid> {
        self.plus(Self {
            is_negative: !other.is_negative && other.coefficient != 0,
            ..other
        })
    }

    /// Bytes that it counts for in an item: one for two digits, and one or two more.
    pub fn size(self) -> usize {
        let digits = self.digits().map_or(1, |digits| digits.digits.len());
        digits.div_ceil(2) + 1 + usize::from(self.is_negative)
    }

    /// Its digits; `None` of zero.
    pub fn digits(self) -> Option<Digits> {
        let power = self.coefficient.checked_ilog10()?;
        let digits = self.coefficient.to_string();
        Some(Digits {
            is_negative: self.is_negative,
            magnitude: i32::from(self.exponent) + i32::try_from(power).ok()?,
            digits: digits.bytes().map(|digit| digit - b'0').collect(),
        })
    }

    /// Compares what they are without their signs.
    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        let of = |number: &Self| match number.coefficient.checked_ilog10() {
            Some(power) => {
                let scale = 10_u128.pow(37_u32.saturating_sub(power));
                (
                    i64::from(number.exponent) + i64::from(power),
                    number.coefficient * scale,
                )
            }
            None => (i64::MIN, 0),
        };
        of(self).cmp(&of(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without an exponent, as DynamoDB gives it back.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative {
            f.write_str("-")?;
        }
        let digits = self.coefficient.to_string();
        let Ok(places) = usize::try_from(-i32::from(self.exponent)) else {
            let zeros = usize::from(self.exponent.unsigned_abs());
            return write!(f, "{digits}{}", "0".repeat(zeros));
        };
        match digits.len().checked_sub(places) {
            _ if places == 0 => f.write_str(&digits),
            Some(whole) if whole > 0 => {
                let (whole, fraction) = digits.split_at(whole);
                write!(f, "{whole}.{fraction}")
            }
            _ => write!(f, "0.{}{digits}", "0".repeat(places - digits.len())),
        }
    }
}

/// The exponent of a number, far enough to tell that it is out of range.
fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let power = digits.parse().unwrap_or(i64::from(i32::MAX));
    Some(if text.starts_with('-') { -power } else { power })
}

/// The beginning of a text, as far as an answer quotes it.
fn shown(text: &str) -> &str {
    const SHOWN_CHARS: usize = 100;
    let end = text.char_indices().nth(SHOWN_CHARS);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn a_number_prints_without_zeros_or_exponent() {
        for (given, printed) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("+007", "7"),
            ("1e2", "100"),
            ("1.50", "1.5"),
            ("-12.5E-3", "-0.0125"),
            (".5", "0.5"),
            ("5.", "5"),
            (
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
        ] {
            assert_eq!(number(given).to_string(), printed, "{given}");
        }
        assert_eq!(number("1e-130").to_string().len(), "0.".len() + 130);
        assert_eq!(number("9e125").to_string().len(), 126);
    }

    #[test]
    fn what_is_no_number_or_none_of_dynamodb_is_refused() {
        for bad in [
            "", "-", "x", "1e", "1e+", "1.2.3", "0x10", " 1", "1 ", "e5", ".", "NaN",
        ] {
            let Invalid(why) = Number::parse(bad).unwrap_err();
            assert!(
                why.starts_with("The parameter cannot be converted"),
                "{why}"
            );
        }
        for (bad, why) in [
            ("123456789012345678901234567890123456789", TOO_PRECISE),
            ("1e126", OVERFLOW),
            ("-1e99999999999999999999", OVERFLOW),
            ("1e-131", UNDERFLOW),
        ] {
            assert_eq!(Number::parse(bad), Err(Invalid(why.to_owned())), "{bad}");
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        for (a, b, sum) in [
            ("1", "-1", "0"),
            ("0.1", "0.2", "0.3"),
            ("1e37", "1", "10000000000000000000000000000000000001"),
            ("99999999999999999999999999999999999999", "1", "1e38"),
            ("-5", "3", "-2"),
            ("1e38", "-1", "99999999999999999999999999999999999999"),
            ("1e125", "1e125", "2e125"),
        ] {
            assert_eq!(number(a).plus(number(b)), Ok(number(sum)), "{a} + {b}");
            assert_eq!(number(b).plus(number(a)), Ok(number(sum)), "{b} + {a}");
            assert_eq!(number(sum).minus(number(b)), Ok(number(a)), "{sum} - {b}");
        }
        for (a, b, why) in [
            ("1e38", "1", TOO_PRECISE),
            ("1e125", "1e-130", TOO_PRECISE),
            ("9e125", "1e125", OVERFLOW),
        ] {
            assert_eq!(number(a).plus(number(b)), Err(Invalid(why.to_owned())));
        }
    }

    #[test]
    fn numbers_are_in_order() {
        let ascending = [
            "-1e125",
            "-10.5",
            "-10",
            "-1",
            "-0.5",
            "-1e-130",
            "0",
            "1e-130",
            "0.09",
            "0.1",
            "1",
            "1.0000000000000000000000000000000000001",
            "9.9",
            "10",
            "1e2",
            "9e125",
        ];
        for (place, one) in ascending.iter().enumerate() {
            for (other_place, other) in ascending.iter().enumerate() {
                let wanted = place.cmp(&other_place);
                assert_eq!(number(one).cmp(&number(other)), wanted, "{one} {other}");
            }
        }
    }
}
