//! Numbers as jq 1.6 prints them: the fewest digits that give the same double, and an exponent
//! where there would be many zeros (`jvp_dtoa_fmt` in its source).

use std::fmt::Write;

/// Zeros behind the digits of a number beyond which it has an exponent.
const ZEROS_MAX: i32 = 15;

/// The text of a number. What is none is null, and what is infinite the largest that there is.
pub fn to_text(number: f64) -> String {
    if number.is_nan() {
        return "null".to_owned();
    }
    let number = number.clamp(f64::MIN, f64::MAX);
    let short = format!("{number:e}");
    let Some((digits, exponent)) = short.split_once('e') else {
        return short;
    };
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = digits.replace('.', "");
    // Where the point stands among the digits.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let mut out = sign.to_owned();
    if number == 0.0 {
        out.push('0');
    } else if point <= -4 || point > count.saturating_add(ZEROS_MAX) {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let exponent = point - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing into a string does not fail.
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    } else if point <= 0 {
        out.push_str("0.");
        (point..0).for_each(|_| out.push('0'));
        out.push_str(&digits);
    } else if point >= count {
        out.push_str(&digits);
        (count..point).for_each(|_| out.push('0'));
    } else {
        let (whole, part) = digits.split_at(usize::try_from(point).unwrap_or(0));
        out.push_str(whole);
        out.push('.');
        out.push_str(part);
    }
    out
}

/// The number that a string is, with white space around it. What JSON does not have, jq does: a
/// plus, and a point without digits on one side.
pub fn read(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let is_part = |it: char| it.is_ascii_digit() || "+-.eE".contains(it);
    text.chars().all(is_part).then(|| text.parse().ok())?
}

/// A number that is a whole one, cut where it is not; `None` if there is no such.
pub fn to_whole(number: f64) -> Option<i64> {
    // Doubles within are exact as whole numbers of this width.
    const WITHIN: f64 = 9_007_199_254_740_992.0;
    let whole = number.trunc();
    if !(-WITHIN..=WITHIN).contains(&whole) {
        return None;
    }
    format!("{whole:.0}").parse().ok()
}

/// A number cut to a whole one, and the nearest that there is where it is beyond all of them: what
/// C's cast gives on processors that say so. What is none is zero.
pub fn to_nearest_whole(number: f64) -> i64 {
    // The least and the greatest that doubles have among whole numbers of this width.
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    const GREATEST: f64 = 9_223_372_036_854_774_784.0;
    if number.is_nan() {
        return 0;
    }
    if number > GREATEST {
        return i64::MAX;
    }
    let whole = number.trunc().max(LEAST);
    format!("{whole:.0}").parse().unwrap_or(i64::MIN)
}

/// A whole number as jq has it.
pub fn of_whole(whole: i64) -> f64 {
    // The nearest double, where it is beyond what these count exactly.
    whole.to_string().parse().unwrap_or(f64::NAN)
}
