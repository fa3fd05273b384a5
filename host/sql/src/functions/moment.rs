//! Functions of dates, times and timestamps.

use arrow_array::types::{
    DurationMillisecondType, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMillisecondType,
};
use chrono::{Datelike, NaiveDate};

use super::calendar::{self, DAY, HOUR, MINUTE, SECOND};
use super::kernel::{Inputs, broken, strict};
use super::{cast, wrong};
use crate::ast::TimeUnit;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::ty::{Family, SqlType};

type Timestamps = TimestampMillisecondType;

/// 1970-01-04, the first Sunday: weeks begin with one.
const FIRST_SUNDAY: i64 = 3 * DAY;

fn outside(what: &str) -> Fault {
    let message = format!("{what} is outside of the years 1 to 9999");
    Fault::new(FaultKind::Overflow, message)
}

/// Units that are always equally long: their length, and where one of them begins.
fn fixed(unit: TimeUnit) -> Option<(i64, i64)> {
    match unit {
        TimeUnit::Millisecond => Some((1, 0)),
        TimeUnit::Second => Some((SECOND, 0)),
        TimeUnit::Minute => Some((MINUTE, 0)),
        TimeUnit::Hour => Some((HOUR, 0)),
        TimeUnit::Day => Some((DAY, 0)),
        TimeUnit::Week => Some((7 * DAY, FIRST_SUNDAY)),
        _ => None,
    }
}

/// Units that are some months long.
fn months(unit: TimeUnit) -> Option<i32> {
    match unit {
        TimeUnit::Month => Some(1),
        TimeUnit::Quarter => Some(3),
        TimeUnit::Year => Some(12),
        _ => None,
    }
}

/// `FLOOR(x TO unit)` and `CEIL(x TO unit)`.
pub(super) fn round(operand: Expr, up: bool, unit: TimeUnit) -> Result<Expr, Invalid> {
    let name = if up { "CEIL" } else { "FLOOR" };
    let ty = operand.ty();
    if ty == SqlType::Null {
        return cast::cast(operand, SqlType::Timestamp);
    }
    if !ty.is_moment() {
        return Err(wrong(name, &[operand], "a moment, TO a unit of time"));
    }
    let name = format!("{name} TO {unit:?}");
    let operand = cast::cast(operand, SqlType::Timestamp)?;
    let arguments = vec![operand];
    let rounded = match (fixed(unit), months(unit)) {
        (Some((length, begin)), _) => strict(
            name,
            arguments,
            SqlType::Timestamp,
            move |inputs, faults| round_fixed(inputs, faults, (length, begin), up),
        )?,
        (None, Some(count)) => strict(
            name,
            arguments,
            SqlType::Timestamp,
            move |inputs, faults| round_months(inputs, faults, count, up),
        )?,
        (None, None) => {
            return Err(Invalid::new(format!(
                "a moment is not rounded TO {unit:?}; YEAR to MILLISECOND are units"
            )));
        }
    };
    cast::cast(rounded, ty)
}

fn round_fixed(
    inputs: &Inputs<'_>,
    faults: &mut RowFaults,
    (length, begin): (i64, i64),
    up: bool,
) -> Result<arrow_array::ArrayRef, Invalid> {
    let fault = |_| outside("a moment");
    if up {
        let work = |millis: i64| {
            let below = begin.checked_sub(millis)?.rem_euclid(length);
            millis.checked_add(below)
        };
        inputs.map::<Timestamps, Timestamps>(faults, work, fault)
    } else {
        let work = |millis: i64| {
            let above = millis.checked_sub(begin)?.rem_euclid(length);
            millis.checked_sub(above)
        };
        inputs.map::<Timestamps, Timestamps>(faults, work, fault)
    }
}

fn round_months(
    inputs: &Inputs<'_>,
    faults: &mut RowFaults,
    count: i32,
    up: bool,
) -> Result<arrow_array::ArrayRef, Invalid> {
    let work = |millis: i64| {
        let (date, _) = calendar::split(millis)?;
        let month = i32::try_from(date.month0()).ok()?;
        let first = NaiveDate::from_ymd_opt(date.year(), 1, 1)?;
        let first = calendar::add_months(first, month - month % count)?;
        let floor = calendar::days(first) * DAY;
        if up && floor != millis {
            let next = calendar::add_months(first, count)?;
            calendar::timestamp(calendar::days(next) * DAY)
        } else {
            Some(floor)
        }
    };
    inputs.map::<Timestamps, Timestamps>(faults, work, |_| outside("a moment"))
}

/// `STEP(x BY INTERVAL …)`: the last multiple of the interval since 1970 that is not later.
pub(super) fn step(operand: Expr, by: Expr) -> Result<Expr, Invalid> {
    let ty = operand.ty();
    let operand = cast::cast(operand, SqlType::Timestamp)?;
    let nothing = |_: i64| {
        let message = "STEP takes an interval above zero, of a moment of the years 1 to 9999";
        Fault::new(FaultKind::Argument, message)
    };
    let stepped = match by.ty() {
        SqlType::DayInterval => strict(
            "STEP DAY",
            vec![operand, by],
            SqlType::Timestamp,
            move |inputs, faults| {
                inputs.map_two::<Timestamps, DurationMillisecondType, Timestamps>(
                    faults,
                    |millis, by| {
                        let above = millis.checked_rem_euclid(by).filter(|_| by > 0)?;
                        millis.checked_sub(above)
                    },
                    |millis, _| nothing(millis),
                )
            },
        )?,
        SqlType::YearInterval => strict(
            "STEP YEAR",
            vec![operand, by],
            SqlType::Timestamp,
            move |inputs, faults| {
                inputs.map_two::<Timestamps, IntervalYearMonthType, Timestamps>(
                    faults,
                    |millis, by| {
                        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
                        let since = calendar::months(calendar::split(millis)?.0)?
                            - calendar::months(epoch)?;
                        let since = i32::try_from(since).ok()?;
                        let above = since.checked_rem_euclid(by).filter(|_| by > 0)?;
                        let date = calendar::add_months(epoch, since - above)?;
                        calendar::timestamp(calendar::days(date) * DAY)
                    },
                    |millis, _| nothing(millis),
                )
            },
        )?,
        _ => return Err(wrong("STEP", &[operand, by], "a moment and an interval")),
    };
    cast::cast(stepped, ty)
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
    match (unit, fixed(unit)) {
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
    let operand = super::whole_number(operand, "TO_TIMESTAMP")?;
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
        _ => super::whole_number(expr, "TSDIFF"),
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
