//! Which aggregate a name means, and what it gives for arguments of these types.

use super::{Aggregate, AggregateCall, AggregateKind};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

/// Digits that a decimal has at most.
const DECIMAL_PRECISION_MAX: u8 = 38;

/// Digits behind the point that an average of decimals has at least.
const AVERAGE_SCALE_MIN: u8 = 6;

/// The column that is `ROWTIME` in all rows.
const ROWTIME_COLUMN: usize = 0;

/// Resolves a call of an aggregate; its filter is set by the caller. `star`: `COUNT(*)`.
///
/// # Errors
///
/// A name that is no aggregate, or arguments that it does not take.
pub fn resolve(
    name: &str,
    arguments: Vec<Expr>,
    star: bool,
    distinct: bool,
) -> Result<AggregateCall, Invalid> {
    let Some(kind) = kind_of(name) else {
        return Err(Invalid::new(format!("there is no aggregate {name}")));
    };
    if kind == AggregateKind::Count {
        return count(arguments, star, distinct);
    }
    if star {
        return Err(Invalid::new(format!("{name}(*) is not an aggregate")));
    }
    if let AggregateKind::ExponentialAverage { .. } = kind {
        return exponential_average(arguments, distinct);
    }
    let [argument] = arguments.as_slice() else {
        let given = arguments.len();
        return Err(Invalid::new(format!(
            "{name} takes one argument, not {given}"
        )));
    };
    let argument = argument.ty();
    let Some(result) = result_of(kind, argument) else {
        return Err(Invalid::new(format!("{name} does not take {argument}")));
    };
    Ok(call(kind, arguments, distinct, result))
}

/// Whether a name is one of an aggregate, so that a call of it groups rows.
pub fn is_aggregate(name: &str) -> bool {
    kind_of(name).is_some()
}

fn kind_of(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "COUNT" => AggregateKind::Count,
        "SUM" => AggregateKind::Sum,
        "AVG" => AggregateKind::Average,
        "MIN" => AggregateKind::Minimum,
        "MAX" => AggregateKind::Maximum,
        "VAR_POP" => AggregateKind::VariancePopulation,
        "VAR_SAMP" => AggregateKind::VarianceSample,
        "STDDEV_POP" => AggregateKind::DeviationPopulation,
        "STDDEV_SAMP" | "STDDEV" | "STD_DEV" => AggregateKind::DeviationSample,
        "EXP_AVG" => AggregateKind::ExponentialAverage { time_constant: 0 },
        // Without a window of their own these are what a group begins and ends with.
        "FIRST" | "FIRST_VALUE" => AggregateKind::First,
        "LAST" | "LAST_VALUE" => AggregateKind::Last,
        _ => return None,
    })
}

/// None: it does not take such an argument.
fn result_of(kind: AggregateKind, argument: SqlType) -> Option<SqlType> {
    let keeps_any = matches!(
        kind,
        AggregateKind::Minimum
            | AggregateKind::Maximum
            | AggregateKind::First
            | AggregateKind::Last
    );
    if keeps_any {
        return Some(argument);
    }
    let average = kind == AggregateKind::Average;
    if !average && kind != AggregateKind::Sum {
        let takes = argument.is_number() || argument == SqlType::Null;
        return takes.then_some(SqlType::Double);
    }
    match argument.family() {
        // An average of whole numbers is one of the same type, as a division of them is.
        Family::Whole if average => Some(argument),
        Family::Whole | Family::Null => Some(SqlType::BigInt),
        Family::Float => Some(SqlType::Double),
        Family::Decimal => {
            let SqlType::Decimal { scale, .. } = argument else {
                return None;
            };
            let scale = if average {
                scale.max(AVERAGE_SCALE_MIN)
            } else {
                scale
            };
            let precision = DECIMAL_PRECISION_MAX;
            Some(SqlType::Decimal { precision, scale })
        }
        Family::DayInterval | Family::YearInterval => Some(argument),
        _ => None,
    }
}

fn count(arguments: Vec<Expr>, star: bool, distinct: bool) -> Result<AggregateCall, Invalid> {
    if star == arguments.is_empty() && !(star && distinct) {
        let kind = AggregateKind::Count;
        return Ok(call(kind, arguments, distinct, SqlType::BigInt));
    }
    Err(Invalid::new(
        "COUNT takes *, or one or more arguments that may be DISTINCT",
    ))
}

fn exponential_average(arguments: Vec<Expr>, distinct: bool) -> Result<AggregateCall, Invalid> {
    if distinct {
        return Err(Invalid::new("EXP_AVG is not taken of DISTINCT values"));
    }
    let Ok([value, interval]) = <[Expr; 2]>::try_from(arguments) else {
        return Err(Invalid::new("EXP_AVG takes a number and an interval"));
    };
    let time_constant = match interval.as_literal() {
        Some(Value::Whole(millis)) if interval.ty() == SqlType::DayInterval && *millis > 0 => {
            *millis
        }
        _ => {
            return Err(Invalid::new(
                "the second argument of EXP_AVG is a literal interval above zero",
            ));
        }
    };
    let kind = AggregateKind::ExponentialAverage { time_constant };
    if !value.ty().is_number() {
        let ty = value.ty();
        return Err(Invalid::new(format!("EXP_AVG does not take {ty}")));
    }
    let rowtime = Expr::column(ROWTIME_COLUMN, SqlType::Timestamp);
    Ok(call(kind, vec![value, rowtime], false, SqlType::Double))
}

fn call(
    kind: AggregateKind,
    arguments: Vec<Expr>,
    distinct: bool,
    result: SqlType,
) -> AggregateCall {
    let aggregate = Aggregate {
        kind,
        arguments: arguments.iter().map(Expr::ty).collect(),
        result,
    };
    AggregateCall {
        aggregate,
        arguments,
        distinct,
        filter: None,
        ty: result,
    }
}
