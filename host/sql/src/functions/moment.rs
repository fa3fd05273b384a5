//! Functions of dates, times and timestamps.

use arrow_array::types::{
    DurationMillisecondType, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMillisecondType,
};
use chrono::Datelike;

use super::arguments::{whole_number, wrong};
use super::calendar::{self, DAY, HOUR, MINUTE, SECOND};
use super::cast;
use super::kernel::{broken, strict};
use crate::ast::TimeUnit;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::{Family, SqlType};

type Timestamps = TimestampMillisecondType;

pub(super) fn outside(what: &str) -> Fault {
    let message = format!("{what} is outside of the years 1 to 9999");
    Fault::new(FaultKind::Overflow, message)
}

/// `EXTRACT(unit FROM x)` of moments and of intervals.
pub(super) fn extract(unit: TimeUnit, operand: Expr) -> Result<Expr, Invalid> {
    let name = format!("EXTRACT {unit:?}");
    let ty = SqlType::BigInt;
    match operand.ty().family() {
        Family::Null => cast::cast(operand, ty),
        Family::DayInterval => {
            let (length, next) = match unit {
                TimeUnit::Day => (DAY, None),
                TimeUnit::Hour => (HOUR, Some(DAY)),
                TimeUnit::Minute => (MINUTE, Some(HOUR)),
                TimeUnit::Second => (SECOND, Some(MINUTE)),
                TimeUnit::Millisecond => (1, Some(MINUTE)),
                TimeUnit::Epoch => (SECOND, None),
                _ => return Err(has_no(unit, &operand)),
            };
            strict(name, vec![operand], ty, move |inputs, faults| {
                let work = |millis: i64| Some(next.map_or(millis, |next| millis % next) / length);
                inputs.map::<DurationMillisecondType, Int64Type>(faults, work, |_| outside("it"))
            })
        }
        Family::YearInterval => {
            let years = match unit {
                TimeUnit::Year => true,
                TimeUnit::Month => false,
                _ => return Err(has_no(unit, &operand)),
            };
            strict(name, vec![operand], ty, move |inputs, faults| {
                let part = |months: i32| if years { months / 12 } else { months % 12 };
                let work = |months: i32| Some(i64::from(part(months)));
                inputs.map::<IntervalYearMonthType, Int64Type>(faults, work, |_| outside("it"))
            })
        }
        family if operand.ty().is_moment() => {
            let of_day = matches!(
                unit,
                TimeUnit::Hour | TimeUnit::Minute | TimeUnit::Second | TimeUnit::Millisecond
            );
            if family == Family::Time && !of_day {
                return Err(has_no(unit, &operand));
            }
            let operand = cast::cast(operand, SqlType::Timestamp)?;
            strict(name, vec![operand], ty, move |inputs, faults| {
                inputs.map::<Timestamps, Int64Type>(
                    faults,
                    |millis| field(unit, millis),
                    |_| outside("a moment"),
                )
            })
        }
        _ => Err(wrong("EXTRACT", &[operand], "a moment or an interval")),
    }
}

fn has_no(unit: TimeUnit, operand: &Expr) -> Invalid {
    Invalid::new(format!("a value of type {} has no {unit:?}", operand.ty()))
}

/// A part of a timestamp. Sunday is the first day of the week; weeks are those of ISO 8601.
fn field(unit: TimeUnit, millis: i64) -> Option<i64> {
    let of_day = millis.rem_euclid(DAY);
    let date = || calendar::date(millis.div_euclid(DAY));
    match unit {
        TimeUnit::Epoch => Some(millis.div_euclid(SECOND)),
        TimeUnit::Hour => Some(of_day / HOUR),
        TimeUnit::Minute => Some(of_day % HOUR / MINUTE),
        TimeUnit::Second => Some(of_day % MINUTE / SECOND),
        // The seconds count among them, as elsewhere in SQL.
        TimeUnit::Millisecond => Some(of_day % MINUTE),
        TimeUnit::Year => Some(i64::from(date()?.year())),
        TimeUnit::Quarter => Some(i64::from(date()?.month0() / 3 + 1)),
        TimeUnit::Month => Some(i64::from(date()?.month())),
        TimeUnit::Week => Some(i64::from(date()?.iso_week().week())),
        TimeUnit::Day => Some(i64::from(date()?.day())),
        TimeUnit::DayOfWeek => Some(i64::from(date()?.weekday().number_from_sunday())),
        TimeUnit::DayOfYear => Some(i64::from(date()?.ordinal())),
    }
}

/// A moment and an interval that is added to it.
pub(super) fn add(moment: Expr, interval: Expr) -> Result<Expr, Invalid> {
    let ty = moment.ty();
    if ty == SqlType::Time {
        return add_to_time(moment, interval);
    }
    let moment = cast::cast(moment, SqlType::Timestamp)?;
    let result = SqlType::Timestamp;
    let added = match interval.ty() {
        SqlType::DayInterval => strict(
            "ADD DAYS",
            vec![moment, interval],
            result,
            |inputs, faults| {
                inputs.map_two::<Timestamps, DurationMillisecondType, Timestamps>(
                    faults,
                    |millis, by| millis.checked_add(by).and_then(calendar::timestamp),
                    |_, _| outside("a moment"),
                )
            },
        )?,
        SqlType::YearInterval => strict(
            "ADD MONTHS",
            vec![moment, interval],
            result,
            |inputs, faults| {
                inputs.map_two::<Timestamps, IntervalYearMonthType, Timestamps>(
                    faults,
                    |millis, by| {
                        let (date, rest) = calendar::split(millis)?;
                        let date = calendar::add_months(date, by)?;
                        calendar::timestamp(calendar::days(date) * DAY + rest)
                    },
                    |_, _| outside("a moment"),
                )
            },
        )?,
        _ => return Err(broken("an interval is added")),
    };
    cast::cast(added, ty)
}

/// A time of the day goes round at midnight.
fn add_to_time(time: Expr, interval: Expr) -> Result<Expr, Invalid> {
    if interval.ty() != SqlType::DayInterval {
        return Err(wrong(
            "+",
            &[time, interval],
            "a TIME and an interval of days to seconds",
        ));
    }
    strict(
        "ADD TO TIME",
        vec![time, interval],
        SqlType::Time,
        |inputs, faults| {
            inputs.map_two::<Time32MillisecondType, DurationMillisecondType, Time32MillisecondType>(
                faults,
                |millis, by| {
                    let sum = i64::from(millis).checked_add(by)?.rem_euclid(DAY);
                    i32::try_from(sum).ok()
                },
                |_, _| outside("a time"),
            )
        },
    )
}

/// `(left - right) unit`: the interval between two moments, cut to the unit.
pub(super) fn difference(left: Expr, right: Expr, unit: TimeUnit) -> Result<Expr, Invalid> {
    let null = |expr: &Expr| expr.ty() == SqlType::Null;
    let is_time = |expr: &Expr| expr.ty() == SqlType::Time || null(expr);
    let is_day = |expr: &Expr| (expr.ty().is_moment() && !is_time(expr)) || null(expr);
    let both = is_time(&left) && is_time(&right) || is_day(&left) && is_day(&right);
    if !both {
        return Err(wrong("-", &[left, right], "two moments of one kind"));
    }
    let left = cast::cast(left, SqlType::Timestamp)?;
    let right = cast::cast(right, SqlType::Timestamp)?;
    let arguments = vec![left, right];
    let name = format!("DIFFERENCE {unit:?}");
    match (unit, calendar::fixed(unit)) {
        (TimeUnit::Year | TimeUnit::Month, _) => {
            let count = if unit == TimeUnit::Year { 12 } else { 1 };
            strict(
                name,
                arguments,
                SqlType::YearInterval,
                move |inputs, faults| {
                    inputs.map_two::<Timestamps, Timestamps, IntervalYearMonthType>(
                        faults,
                        |left, right| {
                            let months = whole_months(left, right)?;
                            Some(months - months % count)
                        },
                        |_, _| outside("a moment"),
                    )
                },
            )
        }
        (TimeUnit::Week, _) | (_, None) => Err(Invalid::new(format!(
            "an interval has no unit {unit:?}; YEAR, MONTH, DAY, HOUR, MINUTE and SECOND are"
        ))),
        (_, Some((length, _))) => {
            // Seconds have parts.
            let length = if unit == TimeUnit::Second { 1 } else { length };
            strict(
                name,
                arguments,
                SqlType::DayInterval,
                move |inputs, faults| {
                    inputs.map_two::<Timestamps, Timestamps, DurationMillisecondType>(
                        faults,
                        |left, right| {
                            let millis = left.checked_sub(right)?;
                            Some(millis - millis % length)
                        },
                        |_, _| outside("a moment"),
                    )
                },
            )
        }
    }
}

/// Whole months between two timestamps, towards zero.
fn whole_months(left: i64, right: i64) -> Option<i32> {
    let ((date, rest), (other, other_rest)) = (calendar::split(left)?, calendar::split(right)?);
    let months = calendar::months(date)? - calendar::months(other)?;
    let (within, other_within) = ((date.day(), rest), (other.day(), other_rest));
    let months = if months > 0 && within < other_within {
        months - 1
    } else if months < 0 && within > other_within {
        months + 1
    } else {
        months
    };
    i32::try_from(months).ok()
}

/// `UNIX_TIMESTAMP(x)`: milliseconds since 1970.
pub(super) fn unix_timestamp(operand: Expr) -> Result<Expr, Invalid> {
    let operand = timestamp(operand, "UNIX_TIMESTAMP")?;
    strict(
        "UNIX_TIMESTAMP",
        vec![operand],
        SqlType::BigInt,
        |inputs, faults| inputs.map::<Timestamps, Int64Type>(faults, Some, |_| outside("a moment")),
    )
}

/// `TO_TIMESTAMP(x)`, of milliseconds since 1970.
pub(super) fn to_timestamp(operand: Expr) -> Result<Expr, Invalid> {
    let operand = whole_number(operand, "TO_TIMESTAMP")?;
    strict(
        "TO_TIMESTAMP",
        vec![operand],
        SqlType::Timestamp,
        |inputs, faults| {
            inputs.map::<Int64Type, Timestamps>(faults, calendar::timestamp, |millis| {
                outside(&format!("TO_TIMESTAMP({millis})"))
            })
        },
    )
}

/// `TSDIFF(start, end)`: milliseconds from one to the other. Both are timestamps, or milliseconds.
pub(super) fn tsdiff(start: Expr, end: Expr) -> Result<Expr, Invalid> {
    let millis = |expr: Expr| match expr.ty().family() {
        Family::Date | Family::Timestamp => unix_timestamp(expr),
        _ => whole_number(expr, "TSDIFF"),
    };
    let (start, end) = (millis(start)?, millis(end)?);
    strict(
        "TSDIFF",
        vec![start, end],
        SqlType::BigInt,
        |inputs, faults| {
            inputs.map_two::<Int64Type, Int64Type, Int64Type>(
                faults,
                |start, end| end.checked_sub(start),
                |_, _| cast::outside("a difference", SqlType::BigInt),
            )
        },
    )
}

/// The operand as a timestamp.
pub(super) fn timestamp(operand: Expr, of: &str) -> Result<Expr, Invalid> {
    match operand.ty().family() {
        Family::Date | Family::Timestamp | Family::Null => cast::cast(operand, SqlType::Timestamp),
        _ => Err(wrong(of, &[operand], "a TIMESTAMP")),
    }
}
