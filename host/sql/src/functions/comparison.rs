//! `=`, `<>`, `<`, `<=`, `>` and `>=` of values of any type.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float64Type, Int64Type,
    IntervalYearMonthType, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow_buffer::BooleanBuffer;

use super::cast;
use super::kernel::{Inputs, broken, sure};
use super::types::common_type;
use crate::ast::BinaryOperator;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

/// How two values lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn of(operator: BinaryOperator) -> Option<Self> {
        match operator {
            BinaryOperator::Equal => Some(Self::Equal),
            BinaryOperator::NotEqual => Some(Self::NotEqual),
            BinaryOperator::Less => Some(Self::Less),
            BinaryOperator::LessOrEqual => Some(Self::LessOrEqual),
            BinaryOperator::Greater => Some(Self::Greater),
            BinaryOperator::GreaterOrEqual => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// Compares two values that have a common type.
pub(super) fn compare(
    operator: BinaryOperator,
    left: Expr,
    right: Expr,
) -> Result<Option<Expr>, Invalid> {
    let (Some(relation), Some(ty)) = (
        Relation::of(operator),
        common_type(&[left.ty(), right.ty()]),
    ) else {
        return Ok(None);
    };
    let padded = |ty| matches!(ty, SqlType::Char { .. });
    let padded = padded(left.ty()) || padded(right.ty());
    let (left, right) = match ty.family() {
        Family::Text | Family::Bytes => (typed(left, ty)?, typed(right, ty)?),
        // A comparison with `NULL` is unknown, of whatever type.
        Family::Null => {
            let unknown = crate::cell::Value::Null;
            return Ok(Some(Expr::literal(unknown, SqlType::Boolean)));
        }
        // Numbers that are not exact lie the same way.
        Family::Float => (
            cast::cast(left, SqlType::Double)?,
            cast::cast(right, SqlType::Double)?,
        ),
        _ => (cast::cast(left, ty)?, cast::cast(right, ty)?),
    };
    let name = if padded {
        format!("{} PADDED", relation.name())
    } else {
        relation.name().to_owned()
    };
    let arguments = vec![left, right];
    let done = sure(
        name,
        arguments,
        SqlType::Boolean,
        move |inputs, _| match ty.family() {
            Family::Whole => numbers::<Int64Type>(inputs, relation),
            Family::Float => numbers::<Float64Type>(inputs, relation),
            Family::Decimal => numbers::<Decimal128Type>(inputs, relation),
            Family::Date => numbers::<Date32Type>(inputs, relation),
            Family::Time => numbers::<Time32MillisecondType>(inputs, relation),
            Family::Timestamp => numbers::<TimestampMillisecondType>(inputs, relation),
            Family::DayInterval => numbers::<DurationMillisecondType>(inputs, relation),
            Family::YearInterval => numbers::<IntervalYearMonthType>(inputs, relation),
            Family::Text => texts(inputs, relation, padded),
            Family::Bytes => bytes(inputs, relation),
            Family::Boolean => truths(inputs, relation),
            Family::Null => Err(broken("nulls are not compared")),
        },
    );
    done.map(Some)
}

/// `NULL` as a value of the type, and anything else as it is.
fn typed(expr: Expr, ty: SqlType) -> Result<Expr, Invalid> {
    if expr.ty() == SqlType::Null {
        return cast::cast(expr, ty);
    }
    Ok(expr)
}

fn numbers<T: ArrowPrimitiveType>(
    inputs: &Inputs<'_>,
    relation: Relation,
) -> Result<ArrayRef, Invalid>
where
    T::Native: PartialOrd,
{
    match relation {
        Relation::Equal => inputs.compare::<T>(|a, b| a == b),
        Relation::NotEqual => inputs.compare::<T>(|a, b| a != b),
        Relation::Less => inputs.compare::<T>(|a, b| a < b),
        Relation::LessOrEqual => inputs.compare::<T>(|a, b| a <= b),
        Relation::Greater => inputs.compare::<T>(|a, b| a > b),
        Relation::GreaterOrEqual => inputs.compare::<T>(|a, b| a >= b),
    }
}

/// Spaces at the end do not count where one side has a fixed length, since it is filled up with
/// them.
fn texts(inputs: &Inputs<'_>, relation: Relation, padded: bool) -> Result<ArrayRef, Invalid> {
    let (a, b) = (inputs.texts(0)?, inputs.texts(1)?);
    let truths = match (relation, padded) {
        (Relation::Equal, false) => {
            BooleanBuffer::collect_bool(inputs.rows, |row| a.get(row) == b.get(row))
        }
        (_, false) => BooleanBuffer::collect_bool(inputs.rows, |row| {
            relation.holds(a.get(row).cmp(b.get(row)))
        }),
        (_, true) => BooleanBuffer::collect_bool(inputs.rows, |row| {
            let (a, b) = (a.get(row), b.get(row));
            relation.holds(a.trim_end_matches(' ').cmp(b.trim_end_matches(' ')))
        }),
    };
    Ok(Arc::new(BooleanArray::new(truths, inputs.nulls())))
}

fn bytes(inputs: &Inputs<'_>, relation: Relation) -> Result<ArrayRef, Invalid> {
    let (a, b) = (inputs.column(0)?, inputs.column(1)?);
    let (a, b) = (a.as_binary::<i32>(), b.as_binary::<i32>());
    by_order(inputs, relation, |row| {
        a.value(inputs.place(a.len(), row))
            .cmp(b.value(inputs.place(b.len(), row)))
    })
}

fn truths(inputs: &Inputs<'_>, relation: Relation) -> Result<ArrayRef, Invalid> {
    let (a, b) = (inputs.column(0)?, inputs.column(1)?);
    let (a, b) = (a.as_boolean(), b.as_boolean());
    by_order(inputs, relation, |row| {
        a.value(inputs.place(a.len(), row))
            .cmp(&b.value(inputs.place(b.len(), row)))
    })
}

fn by_order(
    inputs: &Inputs<'_>,
    relation: Relation,
    order: impl Fn(usize) -> Ordering,
) -> Result<ArrayRef, Invalid> {
    let truths = BooleanBuffer::collect_bool(inputs.rows, |row| relation.holds(order(row)));
    Ok(Arc::new(BooleanArray::new(truths, inputs.nulls())))
}
