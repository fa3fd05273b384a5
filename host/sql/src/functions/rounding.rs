//! Moments that are rounded to units of time and to multiples of intervals.

use arrow_array::ArrayRef;
use arrow_array::types::{
    DurationMillisecondType, IntervalYearMonthType, TimestampMillisecondType,
};
use chrono::{Datelike, NaiveDate};

use super::arguments::wrong;
use super::calendar::{self, DAY};
use super::cast;
use super::kernel::{Inputs, strict};
use super::moment::outside;
use crate::ast::TimeUnit;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::ty::SqlType;

type Timestamps = TimestampMillisecondType;

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
    let rounded = match (calendar::fixed(unit), calendar::months_of(unit)) {
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
) -> Result<ArrayRef, Invalid> {
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
) -> Result<ArrayRef, Invalid> {
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
