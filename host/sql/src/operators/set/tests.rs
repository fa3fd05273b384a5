use super::*;
use crate::cell::Value;
use crate::operators::testing::{
    Event, Given, Random, Row, Subject, assert_in_order, stream, whole,
};

const TYPES: [SqlType; 3] = [SqlType::Timestamp, SqlType::BigInt, SqlType::Double];

fn step(kind: SetKind, inputs: usize, window: Option<Millis>) -> SetStep {
    SetStep {
        kind,
        inputs: vec![stream(&TYPES); inputs],
        window,
    }
}

fn run(step: &SetStep, events: &[Event]) -> Given {
    let make = || -> Box<dyn Operator> { Box::new(Set::new(step).unwrap()) };
    let inputs = vec![TYPES.to_vec(); step.inputs.len()];
    let subject = Subject {
        make: &make,
        inputs: &inputs,
        output: TYPES.to_vec(),
    };
    let given = subject.run(events);
    assert_in_order(&given.rows);
    for seed in 0..20 {
        assert_eq!(subject.run_cut(events, &mut Random(seed)), given);
    }
    given
}

fn row(input: usize, rowtime: Millis, number: i64) -> Event {
    Event::Row(input, rowtime, vec![whole(number), Value::Null])
}

fn numbers(rows: &[Row]) -> Vec<(Millis, i64)> {
    let number = |row: &Row| match row.1[0] {
        Value::Whole(number) => (row.0, number),
        ref other => panic!("{other:?}"),
    };
    rows.iter().map(number).collect()
}

#[test]
fn distinct_gives_a_row_once_in_each_window() {
    let events = [
        row(0, 1, 5),
        row(0, 2, 6),
        row(0, 9, 5),
        row(0, 10, 5),
        Event::Time(25),
        row(0, 26, 5),
    ];
    let given = run(&step(SetKind::Distinct, 1, Some(10)), &events);
    assert_eq!(numbers(&given.rows), [(1, 5), (2, 6), (10, 5), (26, 5)]);
}

#[test]
fn distinct_without_a_window_tells_rows_of_one_rowtime_apart() {
    let events = [row(0, 1, 5), row(0, 1, 5), row(0, 1, 6), row(0, 2, 5)];
    let given = run(&step(SetKind::Distinct, 1, None), &events);
    assert_eq!(numbers(&given.rows), [(1, 5), (1, 6), (2, 5)]);
}

#[test]
fn a_zero_without_sign_is_the_same_as_one_with_it() {
    let double = |number| Event::Row(0, 1, vec![Value::Null, Value::Double(number)]);
    let given = run(
        &step(SetKind::Distinct, 1, None),
        &[double(0.0), double(-0.0), double(1.0)],
    );
    assert_eq!(given.rows.len(), 2);
}

#[test]
fn except_gives_what_no_other_input_had_when_the_window_is_over() {
    let events = [
        row(0, 1, 5),
        row(0, 2, 6),
        row(1, 3, 5),
        row(1, 4, 7),
        row(0, 5, 7),
        row(0, 6, 6),
        row(0, 6, 4),
        Event::Time(10),
        row(0, 11, 5),
    ];
    let given = run(&step(SetKind::Except, 2, Some(10)), &events);
    assert_eq!(numbers(&given.rows), [(10, 6), (10, 4), (20, 5)]);
    let given = run(&step(SetKind::Except, 2, None), &events);
    let expected = [(1, 5), (2, 6), (5, 7), (6, 6), (6, 4), (11, 5)];
    assert_eq!(numbers(&given.rows), expected);
}

#[test]
fn intersect_gives_a_row_when_the_last_input_has_it() {
    let events = [
        row(0, 1, 5),
        row(1, 2, 5),
        row(1, 3, 6),
        row(2, 4, 5),
        row(2, 5, 5),
        row(0, 11, 6),
    ];
    let given = run(&step(SetKind::Intersect, 3, Some(10)), &events);
    assert_eq!(numbers(&given.rows), [(4, 5)]);
}

#[test]
fn random_rows_give_what_a_look_at_each_window_gives() {
    let mut random = Random(3);
    let mut events = Vec::new();
    let mut time = -50;
    for _ in 0..400 {
        time += i64::try_from(random.below(3)).unwrap();
        let input = usize::try_from(random.below(2)).unwrap();
        let number = i64::try_from(random.below(12)).unwrap();
        events.push(row(input, time, number));
    }
    let given = run(&step(SetKind::Except, 2, Some(7)), &events);
    let mut expected = Vec::new();
    for window in -10..100_i64 {
        let inside = |input: usize| -> Vec<i64> {
            let rows = events.iter().filter_map(|event| match event {
                Event::Row(from, at, values) if *from == input => {
                    let inside = (window * 7..(window + 1) * 7).contains(at);
                    inside.then(|| match values[0] {
                        Value::Whole(number) => number,
                        _ => panic!(),
                    })
                }
                _ => None,
            });
            rows.collect()
        };
        let others = inside(1);
        let mut kept: Vec<i64> = Vec::new();
        for number in inside(0) {
            if !others.contains(&number) && !kept.contains(&number) {
                kept.push(number);
            }
        }
        expected.extend(kept.iter().map(|number| ((window + 1) * 7, *number)));
    }
    assert_eq!(numbers(&given.rows), expected);
}
