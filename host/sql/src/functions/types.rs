//! Which type a value of several types has, and which one comes of arithmetic.

use crate::ty::{Family, SqlType};

/// Digits of a decimal number, at most.
pub(super) const DIGITS_MAX: u8 = 38;

/// Digits of a decimal number of AWS, at most (page "Numeric Types and Precision"). Quotients of
/// numbers that fit in it have as many digits behind the point as they have there.
const AWS_DIGITS_MAX: u8 = 18;

/// Digits behind the point that a quotient has at least.
const QUOTIENT_SCALE_MIN: u8 = 6;

/// The type that values of all these types can be made, for CASE, comparisons, IN and sets of rows.
/// `NULL` goes with every type.
pub(crate) fn common_type(types: &[SqlType]) -> Option<SqlType> {
    let mut types = types.iter().copied();
    let first = types.next()?;
    types.try_fold(first, of_two)
}

fn of_two(left: SqlType, right: SqlType) -> Option<SqlType> {
    if left == right {
        return Some(left);
    }
    match (left.family(), right.family()) {
        (Family::Null, _) => Some(right),
        (_, Family::Null) => Some(left),
        (Family::Whole, Family::Whole) => Some(wider_whole(left, right)),
        (Family::Float, Family::Float | Family::Decimal | Family::Whole)
        | (Family::Decimal | Family::Whole, Family::Float) => Some(float(left, right)),
        (Family::Decimal | Family::Whole, Family::Decimal | Family::Whole) => {
            let ((p1, s1), (p2, s2)) = (digits(left)?, digits(right)?);
            let scale = s1.max(s2);
            Some(decimal(whole(p1, s1).max(whole(p2, s2)), scale))
        }
        (Family::Text, Family::Text) => Some(SqlType::Varchar {
            length: length(left)?.max(length(right)?),
        }),
        (Family::Bytes, Family::Bytes) => Some(SqlType::Varbinary {
            length: length(left)?.max(length(right)?),
        }),
        (Family::Date, Family::Timestamp) | (Family::Timestamp, Family::Date) => {
            Some(SqlType::Timestamp)
        }
        _ => None,
    }
}

/// The least and the greatest number of a type of whole numbers.
pub(super) fn range(ty: SqlType) -> (i64, i64) {
    match ty {
        SqlType::TinyInt => (i64::from(i8::MIN), i64::from(i8::MAX)),
        SqlType::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The length of texts and bytes of the type, if it has one.
pub(super) fn length(ty: SqlType) -> Option<u32> {
    match ty {
        SqlType::Char { length }
        | SqlType::Varchar { length }
        | SqlType::Binary { length }
        | SqlType::Varbinary { length } => Some(length),
        _ => None,
    }
}

fn wider_whole(left: SqlType, right: SqlType) -> SqlType {
    let order = [SqlType::TinyInt, SqlType::SmallInt, SqlType::Integer];
    let narrowest_that_holds = |ty| order.iter().position(|other| *other == ty);
    match (narrowest_that_holds(left), narrowest_that_holds(right)) {
        (Some(a), Some(b)) if a > b => left,
        (Some(_), Some(_)) => right,
        _ => SqlType::BigInt,
    }
}

/// `REAL` stays one only with whole numbers and its like.
fn float(left: SqlType, right: SqlType) -> SqlType {
    let narrow = |ty: SqlType| ty == SqlType::Real || ty.family() == Family::Whole;
    if narrow(left) && narrow(right) {
        SqlType::Real
    } else {
        SqlType::Double
    }
}

/// How many digits an exact number has, and how many of them stand behind the point.
pub(super) fn digits(ty: SqlType) -> Option<(u8, u8)> {
    match ty {
        SqlType::TinyInt => Some((3, 0)),
        SqlType::SmallInt => Some((5, 0)),
        SqlType::Integer => Some((10, 0)),
        SqlType::BigInt => Some((19, 0)),
        SqlType::Decimal { precision, scale } => Some((precision, scale)),
        _ => None,
    }
}

fn whole(precision: u8, scale: u8) -> u8 {
    precision.saturating_sub(scale)
}

fn decimal(whole: u8, scale: u8) -> SqlType {
    let scale = scale.min(DIGITS_MAX);
    SqlType::Decimal {
        precision: whole.saturating_add(scale).clamp(1, DIGITS_MAX),
        scale,
    }
}

/// The digits of two exact numbers of which one has a point.
fn exact(left: SqlType, right: SqlType) -> Option<((u8, u8), (u8, u8))> {
    let with_point = [left, right]
        .iter()
        .any(|ty| ty.family() == Family::Decimal);
    digits(left).zip(digits(right)).filter(|_| with_point)
}

/// The type of a sum or difference of numbers.
pub(super) fn sum(left: SqlType, right: SqlType) -> Option<SqlType> {
    if let Some(((p1, s1), (p2, s2))) = exact(left, right) {
        let whole = whole(p1, s1).max(whole(p2, s2));
        return Some(decimal(whole.saturating_add(1), s1.max(s2)));
    }
    arithmetic(left, right)
}

/// The type of a product of numbers.
pub(super) fn product(left: SqlType, right: SqlType) -> Option<SqlType> {
    if let Some(((p1, s1), (p2, s2))) = exact(left, right) {
        let precision = p1.saturating_add(p2);
        let scale = s1.saturating_add(s2);
        let most = DIGITS_MAX.saturating_sub(whole(precision, scale));
        let scale = scale.min(most.max(s1).max(QUOTIENT_SCALE_MIN));
        return Some(decimal(whole(precision, s1.saturating_add(s2)), scale));
    }
    arithmetic(left, right)
}

/// The type of a quotient of numbers.
pub(super) fn quotient(left: SqlType, right: SqlType) -> Option<SqlType> {
    if let Some(((p1, s1), (p2, s2))) = exact(left, right) {
        let most = if p1.max(p2) <= AWS_DIGITS_MAX {
            AWS_DIGITS_MAX
        } else {
            DIGITS_MAX
        };
        let whole = whole(p1, s1).saturating_add(s2);
        let scale = s1.saturating_add(p2).saturating_add(1);
        let scale = scale.max(QUOTIENT_SCALE_MIN);
        let scale = scale.min(most.saturating_sub(whole).max(s1));
        return Some(decimal(whole, scale));
    }
    arithmetic(left, right)
}

/// The type of a remainder of exact numbers.
pub(super) fn remainder(left: SqlType, right: SqlType) -> Option<SqlType> {
    match (left.family(), right.family()) {
        (Family::Whole | Family::Decimal, Family::Decimal) | (Family::Decimal, Family::Whole) => {
            of_two(left, right)
        }
        (Family::Whole, Family::Whole) => arithmetic(left, right),
        _ => None,
    }
}

/// Of whole numbers: at least INTEGER. Of a number that is not exact: not exact.
fn arithmetic(left: SqlType, right: SqlType) -> Option<SqlType> {
    match (left.family(), right.family()) {
        (Family::Whole, Family::Whole) => {
            Some(wider_whole(SqlType::Integer, wider_whole(left, right)))
        }
        (Family::Float, Family::Float | Family::Decimal | Family::Whole)
        | (Family::Decimal | Family::Whole, Family::Float) => Some(float(left, right)),
        _ => None,
    }
}
