//! Whole columns against the same reckoned row by row, with numbers that are wide enough.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array};

use crate::ast::BinaryOperator;
use crate::batch::{Batch, timestamps};
use crate::expr::Expr;
use crate::fault::{FaultKind, RowFaults};
use crate::functions;
use crate::ty::SqlType;

const ROWS: usize = 2_000;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Small ones, large ones, and those at the edges.
    fn whole(&mut self) -> Option<i64> {
        let bits = i64::from_ne_bytes(self.next().to_ne_bytes());
        match self.next() % 8 {
            0 => None,
            1 => Some(i64::MAX),
            2 => Some(i64::MIN),
            3 => Some(0),
            4 | 5 => Some(bits % 100),
            6 => Some(bits % 5_000_000_000),
            _ => Some(bits),
        }
    }
}

fn batch(columns: Vec<ArrayRef>) -> Batch {
    let rowtimes = timestamps(vec![0; ROWS]);
    Batch::new(std::iter::once(rowtimes).chain(columns).collect())
}

const ARITHMETIC: [BinaryOperator; 5] = [
    BinaryOperator::Add,
    BinaryOperator::Subtract,
    BinaryOperator::Multiply,
    BinaryOperator::Divide,
    BinaryOperator::Modulo,
];

/// What comes of it, without bounds.
fn reckoned(operator: BinaryOperator, a: i128, b: i128) -> Option<i128> {
    match operator {
        BinaryOperator::Add => Some(a + b),
        BinaryOperator::Subtract => Some(a - b),
        BinaryOperator::Multiply => Some(a * b),
        BinaryOperator::Divide => (b != 0).then(|| a / b),
        _ => (b != 0).then(|| a % b),
    }
}

#[test]
fn whole_numbers_are_reckoned_row_by_row_and_faults_are_those_that_do_not_fit() {
    let mut random = Random(42);
    let left: Vec<Option<i64>> = (0..ROWS).map(|_| random.whole()).collect();
    let right: Vec<Option<i64>> = (0..ROWS).map(|_| random.whole()).collect();
    let rows = batch(vec![
        Arc::new(Int64Array::from(left.clone())),
        Arc::new(Int64Array::from(right.clone())),
    ]);
    for operator in ARITHMETIC {
        let columns = (
            Expr::column(1, SqlType::BigInt),
            Expr::column(2, SqlType::BigInt),
        );
        let expr = functions::binary(operator, columns.0, columns.1).unwrap();
        let mut faults = RowFaults::default();
        let found = expr.evaluate(&rows, &mut faults).unwrap();
        let found = found.as_primitive::<Int64Type>();
        for row in 0..ROWS {
            let both = left[row].zip(right[row]);
            let exact = both.and_then(|(a, b)| reckoned(operator, a.into(), b.into()));
            let expected = exact.and_then(|exact| i64::try_from(exact).ok());
            let value = found.is_valid(row).then(|| found.value(row));
            assert_eq!(value, expected, "{both:?} {operator:?}");
            assert_eq!(faults.has(row), both.is_some() && expected.is_none());
        }
        let zero = faults.iter().all(|(row, fault)| {
            let by_zero = right[row] == Some(0)
                && matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo);
            (fault.kind == FaultKind::DivisionByZero) == by_zero
        });
        assert!(zero, "only a division by zero is called so");
    }
}

#[test]
fn decimals_are_as_near_as_their_digits_allow() {
    let mut random = Random(7);
    let ty = |scale| SqlType::Decimal {
        precision: 18,
        scale,
    };
    let (s1, s2) = (4, 2);
    let mut column = |scale: i8| {
        let values = (0..ROWS).map(|_| random.whole().map(|n| i128::from(n % 1_000_000_000)));
        let values: Vec<Option<i128>> = values.collect();
        let array = Decimal128Array::from(values.clone());
        let array: ArrayRef = Arc::new(array.with_precision_and_scale(18, scale).unwrap());
        (values, array)
    };
    let ((left, a), (right, b)) = (column(4), column(2));
    let rows = batch(vec![a, b]);
    for operator in ARITHMETIC {
        let (a, b) = (Expr::column(1, ty(s1)), Expr::column(2, ty(s2)));
        let expr = functions::binary(operator, a, b).unwrap();
        let SqlType::Decimal { scale, .. } = expr.ty() else {
            panic!("a decimal gives one, not {}", expr.ty());
        };
        let mut faults = RowFaults::default();
        let found = expr.evaluate(&rows, &mut faults).unwrap();
        let found = found.as_primitive::<Decimal128Type>();
        for row in 0..ROWS {
            let Some((a, b)) = left[row].zip(right[row]) else {
                assert!(found.is_null(row) && !faults.has(row));
                continue;
            };
            let divides = matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo);
            assert_eq!(faults.has(row), divides && b == 0, "{a} {operator:?} {b}");
            if faults.has(row) {
                continue;
            }
            let value = found.value(row);
            let at = |number: i128, from: u8| number * 10_i128.pow(u32::from(scale - from));
            match operator {
                // The distance from the exact quotient is at most half of the last digit.
                BinaryOperator::Divide => {
                    let rest = value * b - a * 10_i128.pow(u32::from(scale + s2 - s1));
                    assert!(rest.abs() * 2 <= b.abs(), "{a} / {b} gives {value}");
                }
                BinaryOperator::Multiply => assert_eq!(value, a * b),
                _ => {
                    let exact = reckoned(operator, at(a, s1), at(b, s2));
                    assert_eq!(Some(value), exact, "{a} {operator:?} {b}");
                }
            }
        }
    }
}

#[test]
fn doubles_are_compared_with_a_literal_as_rust_compares_them() {
    let mut random = Random(99);
    let values: Vec<Option<f64>> = (0..ROWS)
        .map(|_| random.whole().map(|number| (number % 7) as f64 / 2.0))
        .collect();
    let rows = batch(vec![Arc::new(Float64Array::from(values.clone()))]);
    let half = functions::literal(&crate::ast::Literal::Decimal {
        digits: 5,
        scale: 1,
    })
    .unwrap();
    let column = Expr::column(1, SqlType::Double);
    type Holds = fn(f64) -> bool;
    let relations: [(BinaryOperator, Holds); 6] = [
        (BinaryOperator::Equal, |x| x == 0.5),
        (BinaryOperator::NotEqual, |x| x != 0.5),
        (BinaryOperator::Less, |x| x < 0.5),
        (BinaryOperator::LessOrEqual, |x| x <= 0.5),
        (BinaryOperator::Greater, |x| x > 0.5),
        (BinaryOperator::GreaterOrEqual, |x| x >= 0.5),
    ];
    for (operator, holds) in relations {
        let expr = functions::binary(operator, column.clone(), half.clone()).unwrap();
        let found = expr.evaluate(&rows, &mut RowFaults::default()).unwrap();
        let found = found.as_boolean();
        for (row, value) in values.iter().enumerate() {
            let truth = found.is_valid(row).then(|| found.value(row));
            assert_eq!(truth, value.map(holds));
        }
    }
    let doubled = functions::binary(BinaryOperator::Add, column.clone(), column).unwrap();
    let found = doubled.evaluate(&rows, &mut RowFaults::default()).unwrap();
    let found = found.as_primitive::<Float64Type>();
    for (row, value) in values.iter().enumerate() {
        let sum = found.is_valid(row).then(|| found.value(row));
        assert_eq!(sum, value.map(|x| x + x));
    }
}

#[test]
fn a_condition_spares_what_would_fail() {
    let rows = batch(vec![Arc::new(Int64Array::from(
        (0..ROWS)
            .map(|row| i64::try_from(row % 3).unwrap())
            .collect::<Vec<i64>>(),
    ))]);
    let column = || Expr::column(1, SqlType::BigInt);
    let number = |number| functions::literal(&crate::ast::Literal::Whole(number)).unwrap();
    let divided = functions::binary(BinaryOperator::Divide, number(6), column()).unwrap();
    let large = functions::binary(BinaryOperator::Greater, divided.clone(), number(3)).unwrap();
    let some = functions::binary(BinaryOperator::NotEqual, column(), number(0)).unwrap();
    let mut faults = RowFaults::default();
    let both = functions::binary(BinaryOperator::And, some, large).unwrap();
    let found = both.holds(&rows, &mut faults).unwrap();
    assert!(faults.is_empty(), "rows with 0 are not divided by");
    assert!((0..ROWS).all(|row| found.value(row) == (row % 3 == 1)));
    let null_if = functions::call("NULLIF", vec![column(), number(0)]).unwrap();
    let divided = functions::binary(BinaryOperator::Divide, number(6), null_if).unwrap();
    let given = functions::call("COALESCE", vec![divided, number(-1)]).unwrap();
    let found = given.evaluate(&rows, &mut faults).unwrap();
    let found = found.as_primitive::<Int64Type>();
    let expected = |row| [-1, 6, 3][row % 3];
    assert!(faults.is_empty());
    assert!((0..ROWS).all(|row| found.value(row) == expected(row)));
}

#[test]
fn two_nulls_are_not_distinct() {
    let rows = batch(vec![
        Arc::new(Int64Array::from_iter(
            (0..ROWS).map(|row| (row % 2 == 0).then_some(1)),
        )),
        Arc::new(Int64Array::from_iter(
            (0..ROWS).map(|row| (row % 3 == 0).then_some(1)),
        )),
    ]);
    let columns = (
        Expr::column(1, SqlType::BigInt),
        Expr::column(2, SqlType::BigInt),
    );
    let distinct = functions::is_distinct(columns.0, columns.1, false).unwrap();
    let found = distinct.evaluate(&rows, &mut RowFaults::default()).unwrap();
    let found = found.as_boolean();
    assert_eq!(found.null_count(), 0);
    assert!((0..ROWS).all(|row| found.value(row) == ((row % 2 == 0) != (row % 3 == 0))));
}

#[test]
fn a_long_list_is_searched_without_a_deep_tree() {
    let numbers = (0..ROWS).map(|row| i64::try_from(row).unwrap());
    let rows = batch(vec![Arc::new(Int64Array::from_iter_values(numbers))]);
    let literal = |digits| {
        let scale = 1;
        functions::literal(&crate::ast::Literal::Decimal { digits, scale }).unwrap()
    };
    // Every number of a half, so that the list is not one of whole numbers: 0.0, 0.5, 1.0, …
    let list: Vec<Expr> = (0..500).map(|half| literal(half * 5)).collect();
    let column = Expr::column(1, SqlType::BigInt);
    let found = functions::in_list(column.clone(), list).unwrap();
    let found = found.holds(&rows, &mut RowFaults::default()).unwrap();
    assert!((0..ROWS).all(|row| found.value(row) == (row < 250)));
    let whole = |number| functions::literal(&crate::ast::Literal::Whole(number)).unwrap();
    let list = (0..20_000).map(|number| whole(number * 3)).collect();
    let found = functions::in_list(column, list).unwrap();
    let found = found.holds(&rows, &mut RowFaults::default()).unwrap();
    assert!((0..ROWS).all(|row| found.value(row) == (row % 3 == 0)));
}
