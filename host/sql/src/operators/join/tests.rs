use super::*;
use crate::batch::Millis;
use crate::cell::Value;
use crate::operators::testing::{
    Event, Given, Random, Row, Subject, assert_in_order, batch_of, stream, unlucky, whole,
};
use crate::plan::{JoinWindow, TableId};
use crate::ty::RowType;

/// ROWTIME, a key and a number.
const TYPES: [SqlType; 3] = [SqlType::Timestamp, SqlType::BigInt, SqlType::BigInt];

const MINUTE: JoinWindow = JoinWindow::Range {
    preceding: 60_000,
    following: 0,
};

fn joined_types() -> Vec<SqlType> {
    let mut types = vec![SqlType::Timestamp];
    types.extend(TYPES);
    types.extend(TYPES);
    types
}

/// Rows of the same key.
fn join(left: JoinWindow, right: JoinWindow) -> plan::Join {
    let side = |window| JoinSide {
        input: JoinInput::Stream(stream(&TYPES)),
        window,
    };
    let key = Expr::column(1, SqlType::BigInt);
    plan::Join {
        left: side(left),
        right: side(right),
        left_outer: false,
        right_outer: false,
        equal: vec![(key.clone(), key)],
        condition: None,
    }
}

fn run(join: &plan::Join, events: &[Event]) -> Given {
    let make = || new(join).unwrap();
    let subject = Subject {
        make: &make,
        inputs: &[TYPES.to_vec(), TYPES.to_vec()],
        output: joined_types(),
    };
    let given = subject.run(events);
    assert_in_order(&given.rows);
    for seed in 0..8 {
        assert_eq!(
            subject.run_cut(events, &mut Random(seed)),
            given,
            "seed {seed}"
        );
    }
    given
}

fn row(input: usize, rowtime: Millis, key: i64, number: i64) -> Event {
    Event::Row(input, rowtime, vec![whole(key), whole(number)])
}

/// The moments of AWS's page: orders on the left, shipments on the right, by order id. Seconds
/// after 10:00.
fn orders_and_shipments() -> Vec<Event> {
    let order = |second: i64, id| row(0, second * 1_000, id, 0);
    let shipment = |second: i64, id| row(1, second * 1_000, id, 0);
    vec![
        order(0, 101),
        shipment(0, 100),
        order(20, 102),
        order(30, 103),
        order(40, 104),
        shipment(45, 104),
        order(45, 100),
        shipment(50, 105),
        Event::Time(110_000),
    ]
}

/// ROWTIME, order id, time of the order and of the shipment, in seconds.
fn results(given: &Given) -> Vec<(i64, i64, Option<i64>, Option<i64>)> {
    let whole = |value: &Value| match value {
        Value::Whole(number) => Some(*number),
        _ => None,
    };
    let result = |row: &Row| {
        let id = whole(&row.1[1]).or(whole(&row.1[4])).unwrap();
        let second = |value| whole(value).map(|millis| millis / 1_000);
        (row.0 / 1_000, id, second(&row.1[0]), second(&row.1[3]))
    };
    given.rows.iter().map(result).collect()
}

#[test]
fn only_the_current_row_of_a_side_without_a_window_is_joined() {
    let given = run(&join(MINUTE, JoinWindow::None), &orders_and_shipments());
    assert_eq!(results(&given), [(45, 104, Some(40), Some(45))]);
}

#[test]
fn windows_on_both_sides_join_a_late_order_too() {
    let given = run(&join(MINUTE, MINUTE), &orders_and_shipments());
    let expected = [(45, 104, Some(40), Some(45)), (45, 100, Some(45), Some(0))];
    assert_eq!(results(&given), expected);
}

#[test]
fn a_right_row_without_a_window_keeps_its_rowtime_if_nothing_matches() {
    let right = plan::Join {
        right_outer: true,
        ..join(MINUTE, JoinWindow::None)
    };
    let given = run(&right, &orders_and_shipments());
    let expected = [
        (0, 100, None, Some(0)),
        (45, 104, Some(40), Some(45)),
        (50, 105, None, Some(50)),
    ];
    assert_eq!(results(&given), expected);
}

#[test]
fn a_right_row_with_a_window_is_given_at_its_end_if_nothing_matches() {
    let right = plan::Join {
        right_outer: true,
        ..join(MINUTE, MINUTE)
    };
    let given = run(&right, &orders_and_shipments());
    let expected = [
        (45, 104, Some(40), Some(45)),
        (45, 100, Some(45), Some(0)),
        (110, 105, None, Some(50)),
    ];
    assert_eq!(results(&given), expected);
}

/// AWS's table shows order 104 once more at 10:01:40 although it was joined; the text below it says
/// that only orders without a shipment are given so.
#[test]
fn left_rows_that_nothing_matches_are_given_at_the_end_of_their_window() {
    let left = plan::Join {
        left_outer: true,
        ..join(MINUTE, JoinWindow::None)
    };
    let given = run(&left, &orders_and_shipments());
    let expected = [
        (45, 104, Some(40), Some(45)),
        (60, 101, Some(0), None),
        (80, 102, Some(20), None),
        (90, 103, Some(30), None),
        (105, 100, Some(45), None),
    ];
    assert_eq!(results(&given), expected);
}

#[test]
fn rows_of_both_sides_that_nothing_matches_are_given_in_order() {
    let full = plan::Join {
        left_outer: true,
        right_outer: true,
        ..join(MINUTE, MINUTE)
    };
    let given = run(&full, &orders_and_shipments());
    let expected = [
        (45, 104, Some(40), Some(45)),
        (45, 100, Some(45), Some(0)),
        (60, 101, Some(0), None),
        (80, 102, Some(20), None),
        (90, 103, Some(30), None),
        (110, 105, None, Some(50)),
    ];
    assert_eq!(results(&given), expected);
}

#[test]
fn a_window_that_follows_waits_for_the_other_side() {
    let hour = JoinWindow::Range {
        preceding: 0,
        following: 3_600_000,
    };
    let events = [
        row(0, 1_000, 1, 0),
        row(1, 900_000, 1, 0),
        row(1, 3_600_999, 1, 0),
        row(1, 3_601_000, 1, 0),
    ];
    let given = run(&join(JoinWindow::None, hour), &events);
    let expected = [
        (900, 1, Some(1), Some(900)),
        (3_600, 1, Some(1), Some(3_600)),
    ];
    assert_eq!(results(&given), expected);
}

#[test]
fn rows_of_one_rowtime_meet_whichever_comes_first() {
    for windows in [[MINUTE, JoinWindow::None], [JoinWindow::None, MINUTE]] {
        let [left, right] = windows;
        for first in [0, 1] {
            let events = [row(first, 5_000, 1, 0), row(1 - first, 5_000, 1, 0)];
            let given = run(&join(left, right), &events);
            assert_eq!(results(&given), [(5, 1, Some(5), Some(5))]);
        }
    }
}

#[test]
fn many_rows_leave_in_batches_of_bounded_length_and_can_be_taken_up() {
    let mut plan = join(MINUTE, MINUTE);
    plan.equal.clear();
    plan.left_outer = true;
    let rows = |first: i64, count: i64| -> Vec<Row> {
        let row = |number| (number, vec![whole(0), whole(number)]);
        (first..first + count).map(row).collect()
    };
    let mut operator = new(&plan).unwrap();
    for first in [0, 8_000, 16_000] {
        let batch = batch_of(&TYPES, &rows(first, 8_000));
        operator.on_batch(0, &batch, &mut Out::default()).unwrap();
    }
    let mut state = crate::operators::testing::State::default();
    operator.save(&mut state);
    let mut again = new(&plan).unwrap();
    again.restore(&mut state.rows.into_iter()).unwrap();
    assert!(operator.state_bytes().abs_diff(again.state_bytes()) < operator.state_bytes() / 4);
    // Of those before 60,000 no row is over; the first 50 rows are at 60,050.
    for (rowtime, met) in [(59_999, 24_000), (60_050, 24_000 - 51)] {
        let batch = batch_of(&TYPES, &[(rowtime, vec![whole(0), whole(0)])]);
        for operator in [&mut operator, &mut again] {
            let mut out = Out::default();
            operator.on_batch(1, &batch, &mut out).unwrap();
            assert!(
                out.batches
                    .iter()
                    .all(|batch| batch.rows() <= crate::batch::BATCH_ROWS_MAX)
            );
            assert_eq!(out.batches.iter().map(Batch::rows).sum::<usize>(), met);
        }
    }
}

#[test]
fn a_pair_whose_condition_fails_goes_to_the_error_stream_and_does_not_match() {
    let fails = plan::Join {
        left_outer: true,
        // The right row's number; anything but 13 and 0 is true.
        condition: Some(is_not_zero(unlucky(Expr::column(6, SqlType::BigInt)))),
        ..join(MINUTE, JoinWindow::None)
    };
    let events = [
        row(0, 1_000, 1, 7),
        row(1, 2_000, 1, 13),
        row(1, 3_000, 1, 0),
        row(0, 4_000, 2, 7),
        row(1, 5_000, 2, 8),
    ];
    let given = run(&fails, &events);
    let expected = [(5, 2, Some(4), Some(5)), (61, 1, Some(1), None)];
    assert_eq!(results(&given), expected);
    assert_eq!(given.faults.len(), 1);
    assert_eq!(given.faults[0].1, 2_000);
    assert_eq!(given.faults[0].2.len(), 6);
}

#[test]
fn a_row_whose_key_fails_goes_to_the_error_stream() {
    let key = unlucky(Expr::column(1, SqlType::BigInt));
    let fails = plan::Join {
        left_outer: true,
        equal: vec![(key.clone(), key)],
        condition: Some(is_not_zero(unlucky(Expr::column(6, SqlType::BigInt)))),
        ..join(MINUTE, JoinWindow::None)
    };
    let events = [
        row(0, 1, 13, 0),
        row(0, 1, 5, 0),
        row(1, 2, 5, 13),
        row(1, 2, 13, 13),
        row(1, 2, 5, 4),
    ];
    let given = run(&fails, &events);
    assert_eq!(given.rows.len(), 1);
    assert_eq!(given.faults.len(), 3);
}

#[test]
fn nulls_do_not_match_but_are_given_by_an_outer_join() {
    let full = plan::Join {
        left_outer: true,
        right_outer: true,
        ..join(MINUTE, MINUTE)
    };
    let null = |input| Event::Row(input, 5, vec![Value::Null, whole(1)]);
    let given = run(&full, &[null(0), null(1)]);
    assert_eq!(given.rows.len(), 2);
    assert!(given.rows.iter().all(|row| row.0 == 60_005));
}

#[test]
fn two_streams_without_a_window_are_refused() {
    let refused = |left, right| new(&join(left, right)).map(|_| ()).unwrap_err().message;
    assert!(refused(JoinWindow::None, JoinWindow::None).contains("needs a window"));
    let following = JoinWindow::Range {
        preceding: 0,
        following: 1,
    };
    assert!(refused(JoinWindow::Rows(2), following).contains("FOLLOWING"));
}

/// Whether the earlier row is kept for the later one, said pair by pair.
fn meets(window: JoinWindow, other: JoinWindow, age: Millis, newer: u64) -> bool {
    let within = |length| age == 0 || age < length;
    let follows = match other {
        JoinWindow::Range { following, .. } => within(following),
        _ => false,
    };
    match window {
        JoinWindow::Range { preceding, .. } => within(preceding) || follows,
        JoinWindow::Rows(count) => newer < count,
        _ => follows,
    }
}

/// All events with each other, as pairs of row numbers.
fn all_pairs(windows: [JoinWindow; 2], events: &[Event], cross: bool) -> Vec<Row> {
    let mut found = Vec::new();
    for (number, later) in events.iter().enumerate() {
        let Event::Row(input, at, values) = later else {
            continue;
        };
        for (place, earlier) in events[..number].iter().enumerate() {
            let Event::Row(other, before, others) = earlier else {
                continue;
            };
            if other == input || !(cross || values[0] == others[0]) {
                continue;
            }
            let newer = events[place + 1..number].iter();
            let newer = newer.filter(|row| matches!(row, Event::Row(side, ..) if side == other));
            let newer = u64::try_from(newer.count()).unwrap();
            if meets(windows[*other], windows[*input], at - before, newer) {
                let side = |at: Millis, values: &[Value]| [&[whole(at)], values].concat();
                let (own, met) = (side(*at, values), side(*before, others));
                let row = if *input == 0 {
                    [own, met].concat()
                } else {
                    [met, own].concat()
                };
                found.push((*at, row));
            }
        }
    }
    found
}

#[test]
fn random_rows_give_the_pairs_that_a_look_at_all_of_them_gives() {
    let range = |preceding, following| JoinWindow::Range {
        preceding,
        following,
    };
    let windows = [
        [range(10, 0), JoinWindow::None],
        [JoinWindow::None, range(0, 7)],
        [range(5, 3), range(0, 0)],
        [range(12, 0), range(4, 9)],
        [JoinWindow::Rows(3), JoinWindow::None],
        [JoinWindow::Rows(2), JoinWindow::Rows(4)],
        [JoinWindow::Rows(2), range(6, 0)],
    ];
    for (seed, windows) in windows.into_iter().enumerate() {
        let mut random = Random(u64::try_from(seed).unwrap());
        let mut events = Vec::new();
        let mut time = 0;
        for number in 0..200 {
            time += i64::try_from(random.below(3)).unwrap();
            let key = i64::try_from(random.below(6)).unwrap();
            let input = usize::try_from(random.below(2)).unwrap();
            events.push(row(input, time, key, number));
            if random.below(10) == 0 {
                time += 2;
                events.push(Event::Time(time));
            }
        }
        for outer in [[false, false], [true, false], [true, true]] {
            let [left, right] = windows;
            let mut plan = join(left, right);
            [plan.left_outer, plan.right_outer] = outer;
            compare(&run(&plan, &events), windows, &events, outer);
        }
        let mut cross = join(windows[0], windows[1]);
        cross.equal.clear();
        assert_eq!(run(&cross, &events).rows, all_pairs(windows, &events, true));
    }
}

/// Inner pairs as they are; of the others, that each row without a pair is there once.
fn compare(given: &Given, windows: [JoinWindow; 2], events: &[Event], outer: [bool; 2]) {
    let whole_rows = |rows: &[Row]| -> Vec<Row> {
        let whole = rows.iter().filter(|(_, row)| !row.contains(&Value::Null));
        whole.cloned().collect()
    };
    let pairs = all_pairs(windows, events, false);
    assert_eq!(whole_rows(&given.rows), pairs);
    for side in [0, 1] {
        let part = |row: &Row| row.1[side * 3 + 2].clone();
        let alone = events.iter().filter_map(|event| match event {
            Event::Row(input, at, values) if *input == side => {
                let found = pairs.iter().any(|pair| part(pair) == values[1]);
                (!found).then(|| (*at, values[1].clone()))
            }
            _ => None,
        });
        let mut expected: Vec<(Millis, Value)> = alone.collect();
        let padded = given
            .rows
            .iter()
            .filter(|(_, row)| row[(1 - side) * 3] == Value::Null);
        let mut found: Vec<(Millis, Value)> = padded
            .map(|row| match row.1[side * 3] {
                Value::Whole(at) => (at, part(row)),
                _ => panic!("a row without both sides: {row:?}"),
            })
            .collect();
        if !outer[side] {
            expected.clear();
        }
        let order = |row: &(Millis, Value)| format!("{row:?}");
        expected.sort_by_key(order);
        found.sort_by_key(order);
        assert_eq!(found, expected);
    }
}

/// A stream on one side and a table of these rows on the other.
fn lookup(outer: bool, table: &[Row]) -> impl Fn() -> Box<dyn Operator> + use<> {
    let columns = stream(&TYPES).rows.declared().to_vec();
    let rows = batch_of(&TYPES, table);
    move || {
        let mut plan = join(JoinWindow::None, JoinWindow::All);
        plan.right.input = JoinInput::Table(TableId(3), RowType::with_rowtime(columns.clone()));
        plan.left_outer = outer;
        plan.condition = Some(is_not_zero(unlucky(Expr::column(6, SqlType::BigInt))));
        let mut operator = new(&plan).unwrap();
        operator.set_table(TableId(9), &[]).unwrap();
        operator
            .set_table(
                TableId(3),
                &[rows.slice(0, 1), rows.slice(1, rows.rows() - 1)],
            )
            .unwrap();
        operator
    }
}

#[test]
fn a_stream_looks_up_the_rows_of_a_table() {
    let entry = |key, number| (0, vec![whole(key), whole(number)]);
    let table = [
        entry(1, 10),
        entry(2, 20),
        entry(1, 11),
        entry(3, 0),
        entry(4, 13),
    ];
    let events = [
        row(0, 5, 1, 0),
        row(0, 6, 3, 0),
        row(0, 7, 4, 0),
        row(0, 8, 9, 0),
        row(0, 9, 2, 0),
    ];
    for outer in [false, true] {
        let make = lookup(outer, &table);
        let subject = Subject {
            make: &make,
            inputs: &[TYPES.to_vec()],
            output: joined_types(),
        };
        let given = subject.run(&events);
        for seed in 0..10 {
            assert_eq!(subject.run_cut(&events, &mut Random(seed)), given);
        }
        let found: Vec<(Millis, Value)> = given
            .rows
            .iter()
            .map(|(at, row)| (*at, row[5].clone()))
            .collect();
        let mut expected = vec![(5, whole(10)), (5, whole(11)), (9, whole(20))];
        if outer {
            for (place, at) in [(2, 6), (3, 7), (4, 8)] {
                expected.insert(place, (at, Value::Null));
            }
        }
        assert_eq!(found, expected);
        assert_eq!(given.faults.len(), 1);
    }
}

#[test]
fn a_table_can_be_replaced_and_be_empty() {
    let make = lookup(false, &[(0, vec![whole(1), whole(1)])]);
    let mut operator = make();
    let stream_row = batch_of(&TYPES, &[(5, vec![whole(1), whole(0)])]);
    let mut counts = Vec::new();
    for table in [None, Some(Vec::new())] {
        if let Some(rows) = table {
            operator.set_table(TableId(3), &rows).unwrap();
        }
        let mut out = Out::default();
        operator.on_batch(0, &stream_row, &mut out).unwrap();
        counts.push(out.batches.iter().map(Batch::rows).sum::<usize>());
    }
    assert_eq!(counts, [1, 0]);
}

#[test]
fn an_outer_join_of_the_rows_of_a_table_is_refused() {
    let mut plan = join(JoinWindow::None, JoinWindow::All);
    plan.right.input = JoinInput::Table(TableId(0), stream(&TYPES).rows);
    plan.right_outer = true;
    assert!(new(&plan).is_err());
}

/// Whether a number is something else than 0.
fn is_not_zero(number: Expr) -> Expr {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    #[derive(Debug)]
    struct IsNotZero;

    impl crate::expr::Scalar for IsNotZero {
        fn evaluate(
            &self,
            arguments: &crate::expr::Arguments<'_>,
            _faults: &mut RowFaults,
        ) -> Result<ArrayRef, Invalid> {
            let numbers = arguments.columns[0].as_primitive::<Int64Type>();
            let truths = numbers
                .iter()
                .map(|number| number.map(|number| number != 0));
            Ok(std::sync::Arc::new(truths.collect::<BooleanArray>()))
        }
    }
    Expr::call(
        std::sync::Arc::new(IsNotZero),
        vec![number],
        SqlType::Boolean,
    )
}
