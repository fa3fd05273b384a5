use std::sync::Arc;

use arrow_array::Int64Array;

use super::*;

fn column(index: usize, ty: SqlType) -> Expr {
    Expr::column(index, ty)
}

fn call(name: &str, ty: SqlType) -> AggregateCall {
    resolve(name, vec![column(1, ty)], false, false).unwrap()
}

fn over(call: &AggregateCall, cells: &[Cell<'_>]) -> Result<Value, Fault> {
    let mut accumulator = call.accumulator();
    for cell in cells {
        accumulator.add(&[*cell]).unwrap();
    }
    accumulator.result()
}

#[test]
fn aggregates_of_nothing_but_nulls_are_null_and_their_count_is_zero() {
    for name in [
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "VAR_POP",
        "STDDEV_SAMP",
        "FIRST",
        "LAST",
    ] {
        let call = call(name, SqlType::Integer);
        assert_eq!(over(&call, &[Cell::Null]), Ok(Value::Null), "{name}");
    }
    let count = call("COUNT", SqlType::Integer);
    assert_eq!(over(&count, &[Cell::Null]), Ok(Value::Whole(0)));
}

#[test]
fn an_average_of_integers_is_an_integer_towards_zero() {
    let call = call("AVG", SqlType::Integer);
    assert_eq!(call.ty, SqlType::Integer);
    let seven = [Cell::Whole(-3), Cell::Whole(-4)];
    assert_eq!(over(&call, &seven), Ok(Value::Whole(-3)));
}

#[test]
fn a_sum_that_overflows_on_its_way_and_comes_back_is_right() {
    let call = call("SUM", SqlType::BigInt);
    let there = [Cell::Whole(i64::MAX), Cell::Whole(i64::MAX)];
    assert!(over(&call, &there).is_err());
    let back = [Cell::Whole(i64::MAX), Cell::Whole(9), Cell::Whole(-9)];
    assert_eq!(over(&call, &back), Ok(Value::Whole(i64::MAX)));
}

#[test]
fn decimals_are_exact_and_their_average_is_rounded_half_up() {
    let ty = SqlType::Decimal {
        precision: 5,
        scale: 2,
    };
    let sum = call("SUM", ty);
    let average = call("AVG", ty);
    let cells = [Cell::Decimal(10), Cell::Decimal(20), Cell::Decimal(20)];
    assert_eq!(over(&sum, &cells), Ok(Value::Decimal(50)));
    // 0.50 / 3 = 0.166667
    assert_eq!(over(&average, &cells), Ok(Value::Decimal(166_667)));
    let huge = SqlType::Decimal {
        precision: 38,
        scale: 0,
    };
    let most = 10_i128.pow(38) - 1;
    let cells = [
        Cell::Decimal(most),
        Cell::Decimal(most),
        Cell::Decimal(-most),
    ];
    assert!(over(&call("SUM", huge), &cells[..2]).is_err());
    assert_eq!(over(&call("SUM", huge), &cells), Ok(Value::Decimal(most)));
}

#[test]
fn deviations_follow_the_formulas_of_the_reference() {
    // 2, 4, 4, 4, 5, 5, 7, 9: the textbook's example, with a deviation of 2.
    let cells = [2, 4, 4, 4, 5, 5, 7, 9].map(Cell::Whole);
    let of = |name| over(&call(name, SqlType::Integer), &cells);
    assert_eq!(of("STDDEV_POP"), Ok(Value::Double(2.0)));
    assert_eq!(of("VAR_POP"), Ok(Value::Double(4.0)));
    assert_eq!(of("VAR_SAMP"), Ok(Value::Double(32.0 / 7.0)));
    let one = over(&call("VAR_SAMP", SqlType::Integer), &cells[..1]);
    assert_eq!(one, Ok(Value::Null));
}

#[test]
fn a_variance_of_large_numbers_close_together_is_not_lost() {
    let cells = [1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0].map(Cell::Double);
    let call = call("VAR_SAMP", SqlType::Double);
    assert_eq!(over(&call, &cells), Ok(Value::Double(1.0)));
}

#[test]
fn an_exponential_average_halves_the_weight_with_each_half_life() {
    let half_life = Expr::literal(Value::Whole(10_000), SqlType::DayInterval);
    let arguments = vec![column(1, SqlType::Double), half_life];
    let call = resolve("EXP_AVG", arguments, false, false).unwrap();
    let mut accumulator = call.accumulator();
    for (price, at) in [(1.0, 0), (2.0, 10_000), (4.0, 20_000)] {
        let row = [Cell::Double(price), Cell::Whole(at)];
        accumulator.add(&row).unwrap();
    }
    // (1/4 + 2/2 + 4) / (1/4 + 1/2 + 1)
    assert_eq!(accumulator.result(), Ok(Value::Double(3.0)));
    let oldest = [Cell::Double(1.0), Cell::Whole(0)];
    accumulator.remove(&oldest).unwrap();
    // (2/2 + 4) / (1/2 + 1)
    assert_eq!(accumulator.result(), Ok(Value::Double(5.0 / 1.5)));
}

#[test]
fn distinct_takes_each_value_once_until_its_last_row_leaves() {
    let argument = vec![column(1, SqlType::Integer)];
    let call = resolve("SUM", argument, false, true).unwrap();
    let mut accumulator = call.accumulator();
    for number in [5, 7, 5] {
        accumulator.add(&[Cell::Whole(number)]).unwrap();
    }
    assert_eq!(accumulator.result(), Ok(Value::Whole(12)));
    accumulator.remove(&[Cell::Whole(5)]).unwrap();
    assert_eq!(accumulator.result(), Ok(Value::Whole(12)));
    accumulator.remove(&[Cell::Whole(7)]).unwrap();
    assert_eq!(accumulator.result(), Ok(Value::Whole(5)));
}

/// A generator of numbers that look random, the same ones for a seed.
fn numbers(mut seed: u64) -> impl FnMut(u64) -> i64 {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        i64::try_from((seed >> 33) % below).unwrap()
    }
}

const ALL: [&str; 10] = [
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "VAR_POP",
    "VAR_SAMP",
    "STDDEV_POP",
    "FIRST",
    "LAST",
];

#[test]
fn a_window_that_slides_gives_what_its_rows_alone_give() {
    for seed in 0..40 {
        let mut next = numbers(seed);
        let rows: Vec<Cell<'_>> = (0..60)
            .map(|_| match next(5) {
                0 => Cell::Null,
                _ => Cell::Whole(next(10) - 5),
            })
            .collect();
        let width = usize::try_from(next(8) + 1).unwrap();
        for name in ALL {
            for distinct in [false, true] {
                let argument = vec![column(1, SqlType::Integer)];
                let call = resolve(name, argument, false, distinct).unwrap();
                let mut sliding = call.accumulator();
                for (at, cell) in rows.iter().enumerate() {
                    sliding.add(&[*cell]).unwrap();
                    if at >= width {
                        sliding.remove(&[rows[at - width]]).unwrap();
                    }
                    if next(7) == 0 {
                        let mut saved = Vec::new();
                        sliding.save(&mut saved);
                        sliding = call.accumulator();
                        let mut from = saved.as_slice();
                        sliding.restore(&mut from).unwrap();
                        assert!(from.is_empty());
                    }
                    let alone = over(&call, &rows[(at + 1).saturating_sub(width)..=at]);
                    assert_eq!(sliding.result(), alone, "{name} {distinct} seed {seed}");
                }
            }
        }
    }
}

#[test]
fn groups_that_are_merged_give_what_all_their_rows_give() {
    for seed in 0..40 {
        let mut next = numbers(seed);
        let rows: Vec<Option<i64>> = (0..50)
            .map(|_| (next(5) > 0).then(|| next(10) - 5))
            .collect();
        let groups: Vec<usize> = rows
            .iter()
            .map(|_| usize::try_from(next(3)).unwrap())
            .collect();
        let columns: [ArrayRef; 1] = [Arc::new(Int64Array::from(rows.clone()))];
        for name in ALL {
            for distinct in [false, true] {
                let argument = vec![column(1, SqlType::Integer)];
                let call = resolve(name, argument, false, distinct).unwrap();
                let mut grouped = call.accumulators();
                (0..4).for_each(|_| grouped.grow());
                let arguments = ArgumentRows {
                    columns: &columns,
                    types: &[SqlType::Integer],
                    order: 0,
                };
                grouped.add(&groups, &arguments).unwrap();
                (0..3).for_each(|group| grouped.merge(group, 3).unwrap());
                let cell = |row: &Option<i64>| row.map_or(Cell::Null, Cell::Whole);
                let all: Vec<Cell<'_>> = rows.iter().map(cell).collect();
                assert_eq!(grouped.result(3), over(&call, &all), "{name} seed {seed}");
                let of_one: Vec<Cell<'_>> = rows
                    .iter()
                    .zip(&groups)
                    .filter(|(_, group)| **group == 1)
                    .map(|(row, _)| cell(row))
                    .collect();
                assert_eq!(
                    grouped.result(1),
                    over(&call, &of_one),
                    "{name} seed {seed}"
                );
            }
        }
    }
}

#[test]
fn a_sum_of_doubles_loses_nothing_when_rows_leave() {
    let call = call("SUM", SqlType::Double);
    let mut sliding = call.accumulator();
    for number in [1e16, 1.0, f64::INFINITY, 0.1] {
        sliding.add(&[Cell::Double(number)]).unwrap();
    }
    for number in [1e16, 1.0, f64::INFINITY] {
        sliding.remove(&[Cell::Double(number)]).unwrap();
    }
    let Ok(Value::Double(left)) = sliding.result() else {
        panic!("no sum");
    };
    assert!((left - 0.1).abs() < 1e-15, "{left}");
}

#[test]
fn what_an_aggregate_does_not_take_is_refused_with_its_reason() {
    let text = SqlType::Varchar { length: 4 };
    let refused = |name, ty| resolve(name, vec![column(1, ty)], false, false).unwrap_err();
    assert_eq!(refused("SUM", text).message, "SUM does not take VARCHAR(4)");
    assert_eq!(
        refused("MEDIAN", text).message,
        "there is no aggregate MEDIAN"
    );
    assert!(resolve("COUNT", Vec::new(), false, false).is_err());
    assert!(resolve("COUNT", Vec::new(), true, false).is_ok());
}
