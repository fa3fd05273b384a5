use super::*;
use crate::cell::Value;
use crate::operators::testing::{
    Event, Given, Random, Subject, assert_in_order, stream, unlucky, whole,
};

const TYPES: [SqlType; 3] = [SqlType::Timestamp, SqlType::Timestamp, SqlType::BigInt];

fn by_time(within: Millis) -> SortStep {
    SortStep {
        input: stream(&TYPES),
        by: Expr::column(1, SqlType::Timestamp),
        within,
        then: Vec::new(),
    }
}

fn run(step: &SortStep, events: &[Event]) -> Given {
    let make = || -> Box<dyn Operator> { Box::new(Sort::new(step).unwrap()) };
    let subject = Subject {
        make: &make,
        inputs: &[TYPES.to_vec()],
        output: TYPES.to_vec(),
    };
    let given = subject.run(events);
    assert_in_order(&given.rows);
    for seed in 0..20 {
        assert_eq!(subject.run_cut(events, &mut Random(seed)), given);
    }
    given
}

/// A row with a moment and a number.
fn row(rowtime: Millis, moment: Millis, number: i64) -> Event {
    Event::Row(0, rowtime, vec![whole(moment), whole(number)])
}

#[test]
fn rows_within_the_interval_leave_in_order_with_their_moment_as_rowtime() {
    let events = [
        row(100, 10, 1),
        row(101, 30, 2),
        row(102, 20, 3),
        row(103, 40, 4),
    ];
    let given = run(&by_time(10), &events);
    let numbers: Vec<(Millis, Value)> = given
        .rows
        .iter()
        .map(|(time, row)| (*time, row[1].clone()))
        .collect();
    let expected = [(10, 1), (20, 3), (30, 2), (40, 4)];
    assert_eq!(
        numbers,
        expected.map(|(time, number)| (time, whole(number)))
    );
}

#[test]
fn a_row_later_than_the_interval_goes_to_the_error_stream() {
    let events = [row(100, 50, 1), row(101, 40, 2), row(102, 39, 3)];
    let given = run(&by_time(10), &events);
    assert_eq!(given.rows.len(), 2);
    let late = ("LATE_ROW", 102, vec![whole(39), whole(3)]);
    assert_eq!(given.faults, vec![late]);
}

#[test]
fn a_row_without_a_moment_is_dropped() {
    let nothing = Event::Row(0, 1, vec![Value::Null, whole(1)]);
    let given = run(&by_time(10), &[nothing]);
    assert_eq!((given.rows.len(), given.dropped), (0, 1));
}

#[test]
fn rows_are_held_until_a_later_one_is_seen() {
    let mut sort = Sort::new(&by_time(10)).unwrap();
    let mut given = Vec::new();
    for moment in [10, 20, 21] {
        let batch =
            crate::operators::testing::batch_of(&TYPES, &[(moment, vec![whole(moment), whole(0)])]);
        let mut out = Out::default();
        sort.on_batch(0, &batch, &mut out).unwrap();
        given.push(out.batches.iter().map(Batch::rows).sum::<usize>());
    }
    assert_eq!(given, [0, 0, 1]);
    // The time of the input says nothing of a column.
    let mut out = Out::default();
    sort.on_time(1_000, &mut out).unwrap();
    assert!(out.batches.is_empty());
    assert_eq!(sort.time_after(1_000), Some(11));
}

#[test]
fn rows_of_one_rowtime_are_ordered_by_further_keys_with_nulls_greatest() {
    let step = |descending| SortStep {
        by: Expr::column(0, SqlType::Timestamp),
        within: 0,
        then: vec![SortKey {
            value: unlucky(Expr::column(2, SqlType::BigInt)),
            descending,
        }],
        ..by_time(0)
    };
    let null = |rowtime| Event::Row(0, rowtime, vec![Value::Null, Value::Null]);
    let events = [
        row(1, 0, 5),
        null(1),
        row(1, 0, -5),
        row(1, 0, 13),
        Event::Time(2),
        row(2, 0, 1),
        row(2, 0, 9),
    ];
    let numbers = |given: &Given| -> Vec<Value> {
        given.rows.iter().map(|(_, row)| row[1].clone()).collect()
    };
    let given = run(&step(false), &events);
    let expected = [whole(-5), whole(5), Value::Null, whole(1), whole(9)];
    assert_eq!(numbers(&given), expected);
    assert_eq!(given.faults.len(), 1);
    let given = run(&step(true), &events);
    let expected = [Value::Null, whole(5), whole(-5), whole(9), whole(1)];
    assert_eq!(numbers(&given), expected);
}

#[test]
fn rows_of_a_rowtime_leave_when_the_time_is_past_it() {
    let step = SortStep {
        by: Expr::column(0, SqlType::Timestamp),
        ..by_time(0)
    };
    let mut sort = Sort::new(&step).unwrap();
    let batch = crate::operators::testing::batch_of(&TYPES, &[(7, vec![whole(1), whole(0)])]);
    let mut out = Out::default();
    sort.on_batch(0, &batch, &mut out).unwrap();
    sort.on_time(7, &mut out).unwrap();
    assert!(out.batches.is_empty());
    sort.on_time(8, &mut out).unwrap();
    assert_eq!(out.batches.len(), 1);
}

#[test]
fn random_rows_leave_as_a_sort_of_all_of_them_would_give() {
    let mut random = Random(7);
    let mut events = Vec::new();
    let mut expected = Vec::new();
    let mut late = 0;
    let mut greatest = i64::MIN;
    for number in 0..500 {
        let moment = number * 3 + i64::try_from(random.below(60)).unwrap();
        events.push(row(number, moment, number));
        greatest = greatest.max(moment);
        if moment < greatest - 20 {
            late += 1;
        } else {
            expected.push((moment, vec![whole(moment), whole(number)]));
        }
    }
    expected.sort_by_key(|row| row.0);
    let given = run(&by_time(20), &events);
    assert_eq!(given.rows, expected);
    assert_eq!(given.faults.len(), late);
    assert!(late > 10, "some rows are late");
}
