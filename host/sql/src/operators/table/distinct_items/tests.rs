use std::collections::BTreeSet;

use super::*;
use crate::cell::Value;
use crate::operator::Operator;
use crate::operators::testing::{Event, Random, Subject, batch_of, rows_of, stream, whole};
use crate::ty::{Column, SqlType};

const INPUT: [SqlType; 2] = [SqlType::Timestamp, SqlType::BigInt];
const OUTPUT: [SqlType; 2] = [SqlType::Timestamp, SqlType::BigInt];

fn operator() -> Box<dyn Operator> {
    let input = stream(&INPUT).rows;
    let name = "NUMBER_OF_DISTINCT_ITEMS".to_owned();
    let ty = SqlType::BigInt;
    let output = RowType::with_rowtime([Column { name, ty }]);
    Box::new(build(1, 1_000, (&input, &output)).unwrap())
}

fn subject() -> Subject<'static> {
    Subject {
        make: &operator,
        inputs: const { &[] },
        output: OUTPUT.to_vec(),
    }
}

/// Counts the numbers from 0 up, each given twice.
fn counted(numbers: i64) -> i64 {
    let mut operator = operator();
    let mut out = crate::operator::Out::default();
    let numbers: Vec<i64> = (0..numbers).chain(0..numbers).collect();
    for chunk in numbers.chunks(5_000) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|number| (5, vec![whole(*number)]))
            .collect();
        operator
            .on_batch(0, &batch_of(&INPUT, &rows), &mut out)
            .unwrap();
    }
    operator.on_end(&mut out).unwrap();
    let rows = rows_of(&out.batches[0], &OUTPUT);
    let [(1_000, values)] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    let Value::Whole(count) = values[0] else {
        panic!("{values:?}");
    };
    count
}

#[test]
fn up_to_ten_thousand_values_are_counted_exactly() {
    for numbers in [1, 9_999, 10_000] {
        assert_eq!(counted(numbers), numbers);
    }
}

#[test]
fn more_values_are_estimated_within_three_percent() {
    for numbers in [10_001, 15_000, 30_000, 60_000, 100_000, 300_000] {
        let count = counted(numbers);
        let wrong = (count - numbers).abs();
        assert!(wrong * 100 < numbers * 3, "{numbers} counted as {count}");
    }
}

#[test]
fn windows_follow_each_other_and_nulls_are_no_values() {
    let types = [INPUT.to_vec()];
    let subject = Subject {
        inputs: &types,
        ..subject()
    };
    let mut random = Random(9);
    for _ in 0..50 {
        let mut rowtime = 0;
        let mut windows: Vec<(i64, BTreeSet<u64>)> = Vec::new();
        let events: Vec<Event> = (0..100)
            .map(|_| {
                rowtime += i64::try_from(random.below(70)).unwrap();
                let number = random.below(9);
                if number == 0 {
                    return Event::Row(0, rowtime, vec![Value::Null]);
                }
                let end = (rowtime / 1_000 + 1) * 1_000;
                if windows.last().is_none_or(|window| window.0 != end) {
                    windows.push((end, BTreeSet::new()));
                }
                windows.last_mut().unwrap().1.insert(number);
                Event::Row(0, rowtime, vec![whole(i64::try_from(number).unwrap())])
            })
            .collect();
        let expected: Vec<_> = windows
            .iter()
            .map(|(end, values)| (*end, vec![whole(i64::try_from(values.len()).unwrap())]))
            .collect();
        assert_eq!(subject.run(&events).rows, expected);
        assert_eq!(subject.run_cut(&events, &mut random).rows, expected);
    }
}

#[test]
fn a_sketch_is_taken_up_where_it_was_saved_and_forgotten_with_its_window() {
    use crate::operators::testing::State;
    let feed = |operator: &mut dyn Operator, rowtime: i64, numbers: std::ops::Range<i64>| {
        let numbers: Vec<i64> = numbers.collect();
        let mut out = crate::operator::Out::default();
        for chunk in numbers.chunks(5_000) {
            let rows: Vec<_> = chunk
                .iter()
                .map(|number| (rowtime, vec![whole(*number)]))
                .collect();
            operator
                .on_batch(0, &batch_of(&INPUT, &rows), &mut out)
                .unwrap();
        }
        out.batches
    };
    let (mut first, mut state) = (operator(), State::default());
    feed(first.as_mut(), 5, 0..8_000);
    first.save(&mut state);
    feed(first.as_mut(), 6, 8_000..20_000);
    first.save(&mut state);
    feed(first.as_mut(), 7, 20_000..21_000);
    first.save(&mut state);
    let mut second = operator();
    let rows: Vec<_> = state.rows.clone().into_iter().collect();
    second.restore(&mut rows.into_iter()).unwrap();
    let answers = [first, second].map(|mut operator| {
        let mut state = State {
            rows: state.rows.clone(),
        };
        let answer = rows_of(&feed(operator.as_mut(), 1_500, 0..3)[0], &OUTPUT);
        operator.save(&mut state);
        (answer, state)
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(
        answers[0].1.rows.len(),
        4,
        "the window and its three values"
    );
}
