use super::*;
use crate::aggregate::resolve;
use crate::analytic::{AnalyticCall, AnalyticKind};
use crate::expr::Expr;
use crate::operators::testing::{
    Event, Given, Random, Row, Subject, assert_in_order, stream, unlucky, whole,
};
use crate::plan::{Frame, OverCall, OverWindow};

/// ROWTIME, a key, a number, a double.
const TYPES: [SqlType; 4] = [
    SqlType::Timestamp,
    SqlType::BigInt,
    SqlType::BigInt,
    SqlType::Double,
];

fn key() -> Expr {
    Expr::column(1, SqlType::BigInt)
}

fn number() -> Expr {
    Expr::column(2, SqlType::BigInt)
}

fn double() -> Expr {
    Expr::column(3, SqlType::Double)
}

fn aggregate(name: &str, argument: Option<Expr>) -> OverCall {
    let star = argument.is_none();
    let arguments = argument.into_iter().collect();
    OverCall::Aggregate(resolve(name, arguments, star, false).unwrap())
}

fn analytic(kind: AnalyticKind, ignore_nulls: bool) -> OverCall {
    OverCall::Analytic(AnalyticCall {
        kind,
        argument: number(),
        ignore_nulls,
        default: Some(key()),
        ty: SqlType::BigInt,
    })
}

fn over(windows: Vec<OverWindow>) -> plan::Over {
    plan::Over {
        input: stream(&TYPES),
        windows,
    }
}

fn window(partition: Vec<Expr>, frame: Frame, calls: Vec<OverCall>) -> OverWindow {
    OverWindow {
        partition,
        frame,
        calls,
    }
}

fn output(over: &plan::Over) -> Vec<SqlType> {
    let calls = over.windows.iter().flat_map(|window| &window.calls);
    let added = calls.map(|call| match call {
        OverCall::Aggregate(call) => call.ty,
        OverCall::Analytic(call) => call.ty,
    });
    TYPES.into_iter().chain(added).collect()
}

fn run(over: &plan::Over, events: &[Event]) -> Given {
    let make = || -> Box<dyn Operator> { Box::new(Over::new(over).unwrap()) };
    let subject = Subject {
        make: &make,
        inputs: &[TYPES.to_vec()],
        output: output(over),
    };
    let given = subject.run(events);
    assert_in_order(&given.rows);
    for seed in 0..20 {
        assert_eq!(
            subject.run_cut(events, &mut Random(seed)),
            given,
            "seed {seed}"
        );
    }
    given
}

fn row(rowtime: Millis, key: i64, number: i64) -> Event {
    let double = Value::Double(0.1);
    Event::Row(0, rowtime, vec![whole(key), whole(number), double])
}

/// The first value that was added to each row.
fn added(given: &Given) -> Vec<Value> {
    given.rows.iter().map(|(_, row)| row[3].clone()).collect()
}

fn whole_numbers(numbers: &[i64]) -> Vec<Value> {
    numbers.iter().copied().map(whole).collect()
}

/// AWS's page of sliding windows: rows in seconds 1, 2, 6, 7 and three in second 8, counted over
/// five seconds, give 1, 2, 2, 2 and at last 5.
#[test]
fn rows_are_counted_while_they_are_younger_than_the_window_is_long() {
    let counted = over(vec![window(
        Vec::new(),
        Frame::Range(5_000),
        vec![aggregate("COUNT", None)],
    )]);
    let events = [1, 2, 6, 7, 8, 8, 8].map(|second| row(second * 1_000, 0, 0));
    let given = run(&counted, &events);
    assert_eq!(added(&given), whole_numbers(&[1, 2, 2, 2, 3, 4, 5]));
}

/// AWS's page of window examples: `RANGE CURRENT ROW` has the rows of the same timestamp, and
/// `ROWS CURRENT ROW` the row alone.
#[test]
fn windows_without_length_have_rows_of_one_time_or_one_row() {
    let calls = || vec![aggregate("COUNT", None)];
    let frames = [Frame::Range(0), Frame::Rows(0)];
    let windows = frames
        .map(|frame| window(Vec::new(), frame, calls()))
        .to_vec();
    let given = run(&over(windows), &[row(1, 0, 0), row(1, 0, 0), row(2, 0, 0)]);
    let counts: Vec<&[Value]> = given.rows.iter().map(|(_, row)| &row[3..]).collect();
    let expected = [[1, 1], [2, 1], [1, 1]].map(|counts| counts.map(whole));
    assert_eq!(counts, expected.each_ref().map(|counts| &counts[..]));
}

#[test]
fn a_window_of_rows_has_the_current_row_and_so_many_before_it() {
    let summed = over(vec![window(
        vec![key()],
        Frame::Rows(2),
        vec![aggregate("SUM", Some(number()))],
    )]);
    let events = [
        row(1, 1, 1),
        row(2, 2, 100),
        row(3, 1, 2),
        row(4, 1, 4),
        row(5, 1, 8),
        row(6, 2, 200),
    ];
    let given = run(&summed, &events);
    assert_eq!(added(&given), whole_numbers(&[1, 100, 3, 7, 14, 300]));
}

#[test]
fn a_row_whose_argument_fails_is_in_no_frame() {
    let summed = over(vec![window(
        Vec::new(),
        Frame::Unbounded,
        vec![aggregate("SUM", Some(unlucky(number())))],
    )]);
    let given = run(&summed, &[row(1, 1, 1), row(2, 1, 13), row(3, 1, 4)]);
    assert_eq!(added(&given), whole_numbers(&[1, 5]));
    assert_eq!(given.faults.len(), 1);
    assert_eq!(given.faults[0].1, 2);
}

#[test]
fn a_row_whose_sum_is_too_large_leaves_for_the_error_stream() {
    let summed = over(vec![window(
        Vec::new(),
        Frame::Rows(1),
        vec![aggregate("SUM", Some(number()))],
    )]);
    let events = [row(1, 1, i64::MAX), row(2, 1, 1), row(3, 1, 2)];
    let given = run(&summed, &events);
    assert_eq!(added(&given), whole_numbers(&[i64::MAX, 3]));
    assert_eq!(given.faults[0].0, "NUMERIC_OVERFLOW");
}

/// AWS's example of LAG: prices before this one, nulls left out, by ticker within a minute.
#[test]
fn lag_gives_former_prices_of_the_same_ticker() {
    let lags = [1, 2]
        .map(|back| analytic(AnalyticKind::Lag(back), true))
        .to_vec();
    let given = run(
        &over(vec![window(vec![key()], Frame::Range(60_000), lags)]),
        &[
            row(0, 7, 50),
            row(1_000, 8, 90),
            Event::Row(0, 2_000, vec![whole(7), Value::Null, Value::Null]),
            row(3_000, 7, 51),
            row(59_999, 7, 52),
            row(60_000, 7, 53),
            row(180_000, 7, 54),
        ],
    );
    let found: Vec<&[Value]> = given.rows.iter().map(|(_, row)| &row[3..]).collect();
    // The default is the key.
    let expected = [[7, 7], [8, 8], [50, 7], [50, 7], [51, 50], [52, 51], [7, 7]];
    let expected = expected.map(|lags| lags.map(whole));
    assert_eq!(found, expected.each_ref().map(|lags| &lags[..]));
}

#[test]
fn partitions_without_rows_are_forgotten() {
    let counted = over(vec![window(
        vec![key()],
        Frame::Range(10),
        vec![aggregate("COUNT", None), aggregate("MAX", Some(number()))],
    )]);
    let mut operator = Over::new(&counted).unwrap();
    let mut state = crate::operators::testing::State::default();
    for time in 0..1_000 {
        let rows = [(time, vec![whole(time), whole(1), Value::Null])];
        let batch = crate::operators::testing::batch_of(&TYPES, &rows);
        operator.on_batch(0, &batch, &mut Out::default()).unwrap();
        operator.save(&mut state);
    }
    assert_eq!(state.rows.len(), 20);
    assert!(operator.state_bytes() < 10_000);
    operator.on_time(2_000, &mut Out::default()).unwrap();
    operator.save(&mut state);
    assert_eq!((state.rows.len(), operator.state_bytes()), (0, 0));
}

/// The rows of the frame of row number `current`, said row by row.
fn frame_of(rows: &[(Millis, Vec<Value>)], current: usize, frame: Frame) -> Vec<usize> {
    let (now, values) = &rows[current];
    let same = (0..=current).filter(|row| rows[*row].1[0] == values[0]);
    let same: Vec<usize> = same.collect();
    let kept = same.iter().enumerate().filter(|(place, row)| {
        let age = now - rows[**row].0;
        match frame {
            Frame::Unbounded => true,
            Frame::Rows(before) => same.len() - place - 1 <= usize::try_from(before).unwrap(),
            Frame::Range(length) => age == 0 || age < length,
        }
    });
    kept.map(|(_, row)| *row).collect()
}

/// COUNT, SUM, MIN and MAX of the numbers, then FIRST_VALUE, LAST_VALUE and NTH_VALUE 2 of them.
fn naive(numbers: &[Value]) -> Vec<Value> {
    let whole_only = numbers.iter().filter_map(|value| match value {
        Value::Whole(number) => Some(*number),
        _ => None,
    });
    let known: Vec<i64> = whole_only.collect();
    let or_null = |number: Option<i64>| number.map_or(Value::Null, whole);
    let sum = (!known.is_empty()).then(|| known.iter().sum());
    vec![
        whole(i64::try_from(known.len()).unwrap()),
        or_null(sum),
        or_null(known.iter().copied().min()),
        or_null(known.iter().copied().max()),
        numbers[0].clone(),
        numbers[numbers.len() - 1].clone(),
        or_null(known.get(1).copied()),
    ]
}

fn random_rows() -> (Vec<Row>, Vec<Event>) {
    let mut random = Random(5);
    let mut rows = Vec::new();
    let mut events = Vec::new();
    let mut time = 0;
    for _ in 0..300 {
        time += i64::try_from(random.below(4)).unwrap();
        let number = match random.below(5) {
            0 => Value::Null,
            _ => whole(i64::try_from(random.below(100)).unwrap() - 50),
        };
        let key = whole(i64::try_from(random.below(4)).unwrap());
        let double = i32::try_from(random.below(1_000_000)).unwrap();
        let values = vec![key, number, Value::Double(f64::from(double) / 7.0)];
        rows.push((time, values.clone()));
        events.push(Event::Row(0, time, values));
        if random.below(20) == 0 {
            time += 15;
            events.push(Event::Time(time));
        }
    }
    (rows, events)
}

#[test]
fn random_rows_give_what_a_look_at_each_frame_gives() {
    let frames = [
        Frame::Unbounded,
        Frame::Rows(3),
        Frame::Range(9),
        Frame::Range(40),
    ];
    let calls = || {
        vec![
            aggregate("COUNT", Some(number())),
            aggregate("SUM", Some(number())),
            aggregate("MIN", Some(number())),
            aggregate("MAX", Some(number())),
            analytic(AnalyticKind::FirstValue, false),
            analytic(AnalyticKind::LastValue, false),
            analytic(AnalyticKind::NthValue(2), true),
            aggregate("AVG", Some(double())),
            aggregate("STDDEV_SAMP", Some(double())),
        ]
    };
    let windows = frames
        .map(|frame| window(vec![key()], frame, calls()))
        .to_vec();
    let (rows, events) = random_rows();
    let given = run(&over(windows), &events);
    assert_eq!(given.rows.len(), rows.len());
    for (current, (_, values)) in given.rows.iter().enumerate() {
        for (frame, added) in frames.iter().zip(values[3..].chunks(9)) {
            let inside = frame_of(&rows, current, *frame);
            let numbers: Vec<Value> = inside.iter().map(|row| rows[*row].1[1].clone()).collect();
            assert_eq!(added[..7], naive(&numbers), "row {current}, {frame:?}");
            let doubles = inside.iter().map(|row| match rows[*row].1[2] {
                Value::Double(number) => number,
                _ => panic!("a double"),
            });
            let doubles: Vec<f64> = doubles.collect();
            let count = f64::from(u32::try_from(doubles.len()).unwrap());
            let mean = doubles.iter().sum::<f64>() / count;
            let Value::Double(average) = added[7] else {
                panic!("an average");
            };
            assert!(
                (average - mean).abs() <= 1e-9 * mean.abs(),
                "{average} {mean}"
            );
            let squares: f64 = doubles.iter().map(|number| (number - mean).powi(2)).sum();
            match added[8] {
                Value::Double(deviation) => {
                    let expected = (squares / (count - 1.0)).sqrt();
                    assert!((deviation - expected).abs() <= 1e-6 * mean.abs());
                }
                ref other => assert_eq!((other, doubles.len()), (&Value::Null, 1)),
            }
        }
    }
}
