//! Exact numbers with digits behind the point: 128 bits, and 256 between.

use arrow_buffer::i256;

/// 10 to the power, which is at most 38.
pub(super) fn power_of_ten(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

/// The number, if it has at most so many digits.
pub(super) fn within(number: i128, precision: u8) -> Option<i128> {
    let bound = power_of_ten(precision)?;
    (number > -bound && number < bound).then_some(number)
}

/// The same number with another count of digits behind the point; half goes away from zero.
pub(super) fn rescale(number: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return number.checked_mul(power_of_ten(to - from)?);
    }
    match power_of_ten(from - to) {
        Some(divisor) => rounded(number, divisor),
        None => Some(0),
    }
}

/// A quotient to the nearest; half goes away from zero.
pub(super) fn rounded(number: i128, divisor: i128) -> Option<i128> {
    let quotient = number.checked_div(divisor)?;
    let rest = number.checked_rem(divisor)?.unsigned_abs();
    if rest < divisor.unsigned_abs() - rest {
        return Some(quotient);
    }
    quotient.checked_add(if (number < 0) == (divisor < 0) { 1 } else { -1 })
}

/// A product of which `cut` digits at the end are rounded away.
pub(super) fn product(left: i128, right: i128, cut: u8) -> Option<i128> {
    let divisor = power_of_ten(cut)?;
    match left.checked_mul(right) {
        Some(product) if divisor == 1 => Some(product),
        Some(product) => rounded(product, divisor),
        None => {
            let product = i256::from_i128(left).checked_mul(i256::from_i128(right))?;
            wide_rounded(product, i256::from_i128(divisor))
        }
    }
}

/// A quotient of whole numbers with so many more digits at its end.
pub(super) fn quotient(left: i128, right: i128, more: u8) -> Option<i128> {
    if let Some(left) = power_of_ten(more).and_then(|power| left.checked_mul(power)) {
        return rounded(left, right);
    }
    let mut wide = i256::from_i128(left);
    let half = more / 2;
    for part in [half, more - half] {
        wide = wide.checked_mul(i256::from_i128(power_of_ten(part)?))?;
    }
    wide_rounded(wide, i256::from_i128(right))
}

fn wide_rounded(number: i256, divisor: i256) -> Option<i128> {
    let quotient = number.checked_div(divisor)?;
    let rest = number.checked_rem(divisor)?.checked_abs()?;
    let divisor_size = divisor.checked_abs()?;
    let quotient = if rest < divisor_size.checked_sub(rest)? {
        quotient
    } else if number.is_negative() == divisor.is_negative() {
        quotient.checked_add(i256::ONE)?
    } else {
        quotient.checked_sub(i256::ONE)?
    };
    quotient.to_i128()
}

/// As it is written: its digits with a point in them.
pub(super) fn text(number: i128, scale: u8) -> String {
    let digits = number.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let sign = if number < 0 { "-" } else { "" };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{part}")
}

/// A number as it is written, with an exponent or without, at this scale; half goes away from zero.
pub(super) fn parse(text: &str, scale: u8) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let bytes = || whole.bytes().chain(part.bytes());
    if whole.len() + part.len() == 0 || !bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part_len = i32::try_from(part.len()).ok()?;
    let mut shift = i32::from(scale)
        .checked_add(exponent)?
        .checked_sub(part_len)?;
    let mut number: i128 = 0;
    for byte in bytes() {
        if number < DIGITS_END {
            number = number * 10 + i128::from(byte - b'0');
        } else if shift < 0 {
            // A digit beyond the 38th would only be rounded away.
            shift += 1;
        } else {
            return None;
        }
    }
    if number == 0 {
        return Some(0);
    }
    let number = if negative { -number } else { number };
    let places = u8::try_from(shift.unsigned_abs()).ok();
    match (shift < 0, places) {
        (true, Some(places)) => rescale(number, places, 0),
        (true, None) => Some(0),
        (false, Some(places)) => number.checked_mul(power_of_ten(places)?),
        (false, None) => None,
    }
}

/// A number that has 38 digits takes no more.
const DIGITS_END: i128 = 10_i128.pow(37);
