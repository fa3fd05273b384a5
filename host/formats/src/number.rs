//! Numbers as they are written, exactly: none goes through a double on its way to an integer or a
//! decimal.

/// Digits of a decimal at most.
pub const DIGITS_MAX: usize = 38;
/// Digits of an exponent that are read. With more it is larger than anything that fits.
const EXPONENT_DIGITS_MAX: usize = 9;

/// Why a text is no number of the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNumber {
    /// It is none at all.
    NotANumber,
    /// It has more digits before its point than there can be.
    TooLarge,
}

/// A number times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// The integer next to it; of two the one that is further from zero.
    pub value: i128,
    /// Whether that is the number itself.
    pub is_exact: bool,
}

/// Reads a decimal number, with or without an exponent, times ten to the power of `scale`.
pub fn scaled(text: &str, scale: u32) -> Result<Scaled, NoNumber> {
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return Err(NoNumber::NotANumber);
    }
    let zeros = digits().take_while(|digit| *digit == b'0').count();
    let significant = whole.len() + fraction.len() - zeros;
    if significant == 0 {
        return Ok(Scaled {
            value: 0,
            is_exact: true,
        });
    }
    let (significant, fraction) = (length(significant)?, length(fraction.len())?);
    // So many zeros come behind the digits; digits are cut off where that is less than none.
    let shift = exponent + i64::from(scale) - fraction;
    let kept = significant + shift;
    if kept > length(DIGITS_MAX)? {
        return Err(NoNumber::TooLarge);
    }
    let (mut value, mut is_exact) = (0_i128, true);
    for (place, digit) in (0_i64..).zip(digits().skip(zeros)) {
        if place < kept {
            value = value * 10 + i128::from(digit - b'0');
            continue;
        }
        is_exact &= digit == b'0';
        if place == kept && digit >= b'5' {
            value += 1;
        }
    }
    for _ in 0..shift.max(0) {
        value *= 10;
    }
    Ok(Scaled {
        value: if is_negative { -value } else { value },
        is_exact,
    })
}

fn length(count: usize) -> Result<i64, NoNumber> {
    i64::try_from(count).map_err(|_| NoNumber::TooLarge)
}

fn read_exponent(text: &str) -> Result<i64, NoNumber> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(NoNumber::NotANumber);
    }
    let significant = digits.trim_start_matches('0');
    let exponent = if significant.is_empty() {
        0
    } else if significant.len() > EXPONENT_DIGITS_MAX {
        10_i64.pow(9)
    } else {
        significant.parse().map_err(|_| NoNumber::NotANumber)?
    };
    Ok(if text.starts_with('-') {
        -exponent
    } else {
        exponent
    })
}

/// Ten to a power of up to 38.
pub fn power_of_ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(text: &str, scale: u32) -> Option<i128> {
        let scaled = scaled(text, scale).ok()?;
        scaled.is_exact.then_some(scaled.value)
    }

    #[test]
    fn a_number_is_what_its_digits_say_however_its_point_is_moved() {
        for (text, scale, wanted) in [
            ("0", 0, 0),
            ("-0.00", 5, 0),
            ("0e999999999999", 3, 0),
            ("12", 0, 12),
            ("+12", 0, 12),
            ("12", 2, 1_200),
            ("-1.5", 1, -15),
            ("1.50", 1, 15),
            ("1.5e1", 0, 15),
            ("150E-1", 0, 15),
            ("0.000123e4", 2, 123),
            ("9007199254740993", 0, 9_007_199_254_740_993),
            ("9223372036854775807", 0, i128::from(i64::MAX)),
            ("-9223372036854775808", 0, i128::from(i64::MIN)),
        ] {
            assert_eq!(exactly(text, scale), Some(wanted), "{text} by {scale}");
        }
        let most = "9".repeat(38);
        assert_eq!(exactly(&most, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(scaled(&most, 1), Err(NoNumber::TooLarge));
    }

    #[test]
    fn what_is_between_two_numbers_goes_to_the_next_and_half_away_from_zero() {
        for (text, scale, wanted) in [
            ("1.4", 0, 1),
            ("1.5", 0, 2),
            ("-1.5", 0, -2),
            ("0.05", 1, 1),
            ("0.04", 1, 0),
            ("0.004", 1, 0),
            ("9.99", 1, 100),
            ("1e-999999999999", 9, 0),
        ] {
            let found = scaled(text, scale).unwrap();
            assert_eq!((found.value, found.is_exact), (wanted, false), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_for_any_is_told_without_being_written_out() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1x", "0x1", "1..2", "١", "1 ",
        ] {
            assert_eq!(scaled(text, 0), Err(NoNumber::NotANumber), "{text}");
        }
        for text in ["1e1000000000", "1e99999999999999999999", "1e38"] {
            assert_eq!(scaled(text, 1), Err(NoNumber::TooLarge), "{text}");
        }
    }
}
