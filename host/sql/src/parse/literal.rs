//! Values as they are written.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::Parser;
use super::types::{PRECISION_MAX, Qualifier};
use crate::ast::{Literal, TimeUnit};
use crate::fault::{Invalid, Place};
use crate::lex::Token;

impl Parser {
    /// The literal that comes next, if one does. Words like `DATE` begin one only before a text.
    pub(super) fn literal(&mut self) -> Result<Option<Literal>, Invalid> {
        let at = self.place();
        let literal = match self.peek() {
            Token::Number(written) => number(written).map_err(|invalid| invalid.or_at(at))?,
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Bytes(bytes) => Literal::Bytes(bytes.clone()),
            Token::Word(word) => return self.literal_with_word(&word.clone(), at),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }

    fn literal_with_word(&mut self, word: &str, at: Place) -> Result<Option<Literal>, Invalid> {
        let simple = match word {
            "NULL" | "UNKNOWN" => Some(Literal::Null),
            "TRUE" => Some(Literal::Boolean(true)),
            "FALSE" => Some(Literal::Boolean(false)),
            _ => None,
        };
        if simple.is_some() {
            self.advance();
            return Ok(simple);
        }
        if word == "INTERVAL" {
            return self.interval(at);
        }
        let Token::Text(text) = self.peek_at(1).clone() else {
            return Ok(None);
        };
        let moment = match word {
            "DATE" => date(&text),
            "TIME" => time(&text),
            "TIMESTAMP" => timestamp(&text),
            _ => return Ok(None),
        };
        self.advance();
        self.advance();
        let wrong = || Invalid::at(at, format!("'{text}' is not a {word}"));
        moment.ok_or_else(wrong).map(Some)
    }

    /// `INTERVAL [-] '…' qualifier`. The word alone may be a name.
    fn interval(&mut self, at: Place) -> Result<Option<Literal>, Invalid> {
        let signed = usize::from(self.is_symbol_at(1, "-") || self.is_symbol_at(1, "+"));
        if !matches!(self.peek_at(1 + signed), Token::Text(_)) {
            return Ok(None);
        }
        self.advance();
        let negative = self.take_symbol("-");
        self.take_symbol("+");
        let text = self.text("the text of an interval")?;
        let qualifier = self.qualifier()?;
        let wrong = || {
            let fields = if qualifier.first == qualifier.last {
                format!("{:?}", qualifier.first)
            } else {
                format!("{:?} to {:?}", qualifier.first, qualifier.last)
            };
            let fields = fields.to_uppercase();
            Invalid::at(at, format!("'{text}' is not an interval of {fields}"))
        };
        let amount = interval_amount(&text, negative, qualifier).ok_or_else(wrong)?;
        let literal = match qualifier.first {
            TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month => {
                Literal::YearInterval(i32::try_from(amount).map_err(|_| wrong())?)
            }
            _ => Literal::DayInterval(amount),
        };
        Ok(Some(literal))
    }
}

/// A number without a sign.
fn number(written: &str) -> Result<Literal, Invalid> {
    let too_long = || Invalid::new(format!("the number {written} has more than 38 digits"));
    if written.contains('e') {
        return match written.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Double(number)),
            _ => Err(Invalid::new(format!(
                "the number {written} is too large for a DOUBLE"
            ))),
        };
    }
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    let digits = format!("{whole}{fraction}");
    if digits.trim_start_matches('0').len() > usize::from(PRECISION_MAX) {
        return Err(too_long());
    }
    let digits: i128 = digits.parse().map_err(|_| too_long())?;
    if !written.contains('.') {
        return Ok(Literal::Whole(digits));
    }
    match u8::try_from(fraction.len()) {
        Ok(scale) if scale <= PRECISION_MAX => Ok(Literal::Decimal { digits, scale }),
        _ => Err(too_long()),
    }
}

fn date(text: &str) -> Option<Literal> {
    let days = parsed_date(text)?.signed_duration_since(NaiveDate::default());
    i32::try_from(days.num_days()).ok().map(Literal::Date)
}

fn parsed_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.trim().splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    let year = i32::try_from(year).ok()?;
    NaiveDate::from_ymd_opt(year, month.try_into().ok()?, day.try_into().ok()?)
}

fn time(text: &str) -> Option<Literal> {
    let time = parsed_time(text)?;
    let seconds = time.num_seconds_from_midnight();
    let millis = seconds.checked_mul(1_000)? + time.nanosecond() / 1_000_000;
    i32::try_from(millis).ok().map(Literal::Time)
}

fn parsed_time(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = match text.trim().split_once('.') {
        Some((whole, fraction)) => (whole, millis_of_fraction(fraction)?),
        None => (text.trim(), 0),
    };
    let mut parts = whole.splitn(3, ':');
    let hour = u32::try_from(digits(parts.next()?, 2)?).ok()?;
    let minute = u32::try_from(digits(parts.next()?, 2)?).ok()?;
    let second = u32::try_from(digits(parts.next()?, 2)?).ok()?;
    NaiveTime::from_hms_milli_opt(hour, minute, second, u32::try_from(fraction).ok()?)
}

fn timestamp(text: &str) -> Option<Literal> {
    let (day, moment) = text.trim().split_once([' ', 'T'])?;
    let moment = NaiveDateTime::new(parsed_date(day)?, parsed_time(moment)?);
    Some(Literal::Timestamp(moment.and_utc().timestamp_millis()))
}

/// Digits of a field and nothing else.
fn digits(text: &str, digits_max: usize) -> Option<i64> {
    let plain = (1..=digits_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// What stands behind the point of seconds, in milliseconds; smaller parts are cut off, since
/// moments have none.
fn millis_of_fraction(text: &str) -> Option<i64> {
    digits(text, 9)?;
    digits(&format!("{text}000")[..3], 3)
}

/// An interval in milliseconds or months.
fn interval_amount(text: &str, negative: bool, qualifier: Qualifier) -> Option<i64> {
    let text = text.trim();
    let (minus, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let amount = match qualifier.first {
        TimeUnit::Year if qualifier.last == TimeUnit::Month => {
            let (years, months) = text.split_once('-')?;
            let months = digits(months.trim(), 2).filter(|months| *months < 12)?;
            leading(years, qualifier)?
                .checked_mul(12)?
                .checked_add(months)?
        }
        TimeUnit::Year => leading(text, qualifier)?.checked_mul(12)?,
        TimeUnit::Quarter => leading(text, qualifier)?.checked_mul(3)?,
        TimeUnit::Month => leading(text, qualifier)?,
        _ => day_time_amount(text, qualifier)?,
    };
    let sign = if minus == negative { 1 } else { -1 };
    amount.checked_mul(sign)
}

fn leading(text: &str, qualifier: Qualifier) -> Option<i64> {
    let digits_max = qualifier.digits.unwrap_or(18);
    digits(text.trim(), usize::try_from(digits_max).ok()?)
}

/// The fields from days to seconds that may follow each other, with what stands before each one,
/// how many of it make one of the field before, and its milliseconds.
const FIELDS: [(TimeUnit, char, i64, i64); 4] = [
    (TimeUnit::Day, ' ', i64::MAX, 86_400_000),
    (TimeUnit::Hour, ' ', 24, 3_600_000),
    (TimeUnit::Minute, ':', 60, 60_000),
    (TimeUnit::Second, ':', 60, 1_000),
];

fn day_time_amount(text: &str, qualifier: Qualifier) -> Option<i64> {
    match qualifier.first {
        TimeUnit::Week => return leading(text, qualifier)?.checked_mul(604_800_000),
        TimeUnit::Millisecond => return leading(text, qualifier),
        _ => {}
    }
    let (mut rest, mut total) = (text, 0_i64);
    if qualifier.last == TimeUnit::Second
        && let Some((whole, fraction)) = text.split_once('.')
    {
        rest = whole;
        total = millis_of_fraction(fraction.trim_end())?;
    }
    let first = FIELDS.iter().position(|field| field.0 == qualifier.first)?;
    let last = FIELDS.iter().position(|field| field.0 == qualifier.last)?;
    for (index, (_, _, limit, millis)) in FIELDS.iter().enumerate().take(last + 1).skip(first) {
        let part = if index == last {
            std::mem::take(&mut rest)
        } else {
            let (part, behind) = rest.split_once(FIELDS[index + 1].1)?;
            rest = behind.trim_start();
            part
        };
        let amount = if index == first {
            leading(part, qualifier)?
        } else {
            digits(part.trim(), 2).filter(|amount| amount < limit)?
        };
        total = total.checked_add(amount.checked_mul(*millis)?)?;
    }
    Some(total)
}
