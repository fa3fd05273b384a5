use super::*;
use crate::cell::Value;
use crate::operators::testing::{Event, Given, Random, Row, Subject, stream, whole};
use crate::ty::Column;

const INPUT: [SqlType; 3] = [SqlType::Timestamp, SqlType::TEXT, SqlType::BigInt];

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn event(rowtime: Millis, name: &str, number: Option<i64>) -> Event {
    let number = number.map_or(Value::Null, whole);
    Event::Row(0, rowtime, vec![text(name), number])
}

fn function() -> GroupRank {
    GroupRank {
        rank_by: 2,
        rank: 3,
        descending: true,
        output_descending: false,
        rows_max: 0,
    }
}

fn with_subject<T>(function: &GroupRank, test: impl FnOnce(&Subject<'_>) -> T) -> T {
    let input = stream(&INPUT).rows;
    let mut columns = input.declared().to_vec();
    if function.rank == 3 {
        let (name, ty) = ("groupRank".to_owned(), SqlType::Integer);
        columns.push(Column { name, ty });
    }
    let output = RowType::with_rowtime(columns);
    let make =
        || -> Box<dyn Operator> { Box::new(Ranking::new(function, &input, &output).unwrap()) };
    test(&Subject {
        make: &make,
        inputs: &[INPUT.to_vec()],
        output: types_of(&output),
    })
}

fn run(function: &GroupRank, events: &[Event]) -> Given {
    with_subject(function, |subject| subject.run(events))
}

fn names_and_ranks(given: &Given) -> Vec<String> {
    let line = |(rowtime, values): &Row| format!("{rowtime} {:?} {:?}", values[0], values.last());
    given.rows.iter().map(line).collect()
}

fn line(rowtime: Millis, name: &str, rank: i64) -> String {
    format!("{rowtime} {:?} {:?}", text(name), Some(whole(rank)))
}

#[test]
fn rows_of_one_rowtime_get_ranks_with_gaps_after_equal_ones() {
    let events = [
        event(10, "a", Some(5)),
        event(10, "b", Some(9)),
        event(10, "c", Some(5)),
        event(10, "d", Some(1)),
        event(20, "e", Some(2)),
    ];
    let expected = [
        line(10, "b", 1),
        line(10, "a", 2),
        line(10, "c", 2),
        line(10, "d", 4),
        line(20, "e", 1),
    ];
    assert_eq!(names_and_ranks(&run(&function(), &events)), expected);
}

#[test]
fn rows_leave_in_the_other_order_of_ranks_and_only_so_many() {
    let function = GroupRank {
        descending: false,
        output_descending: true,
        rows_max: 2,
        ..function()
    };
    let events = [
        event(10, "a", Some(1)),
        event(10, "b", None),
        event(10, "c", Some(3)),
    ];
    let expected = [line(10, "b", 3), line(10, "c", 2)];
    assert_eq!(names_and_ranks(&run(&function, &events)), expected);
}

#[test]
fn the_rank_may_stand_in_a_column_of_the_cursor() {
    let function = GroupRank {
        rank: 2,
        ..function()
    };
    let given = run(
        &function,
        &[event(10, "a", Some(7)), event(10, "b", Some(8))],
    );
    let expected = vec![
        (10, vec![text("b"), whole(1)]),
        (10, vec![text("a"), whole(2)]),
    ];
    assert_eq!(given.rows, expected);
}

#[test]
fn a_group_is_answered_when_time_passes_it() {
    let function = function();
    with_subject(&function, |subject| {
        let mut operator = (subject.make)();
        let mut out = Out::default();
        let batch = crate::operators::testing::batch_of(&INPUT, &[(10, vec![text("a"), whole(1)])]);
        operator.on_batch(0, &batch, &mut out).unwrap();
        operator.on_time(10, &mut out).unwrap();
        assert!(
            out.batches.is_empty(),
            "a row of the same moment may still come"
        );
        operator.on_time(11, &mut out).unwrap();
        assert_eq!(out.batches.len(), 1);
    });
}

#[test]
fn cuts_and_restarts_change_nothing() {
    let mut random = Random(3);
    for _ in 0..50 {
        let mut rowtime = 0;
        let events: Vec<Event> = (0..60)
            .map(|_| {
                rowtime += i64::try_from(random.below(4) / 3 * 5).unwrap();
                let number = random.below(6);
                let number = (number > 0).then(|| i64::try_from(number).unwrap());
                match random.below(9) {
                    0 => Event::Time(rowtime),
                    _ => event(
                        rowtime,
                        ["x", "y", "z"][usize::try_from(random.below(3)).unwrap()],
                        number,
                    ),
                }
            })
            .collect();
        let function = function();
        with_subject(&function, |subject| {
            assert_eq!(subject.run(&events), subject.run_cut(&events, &mut random));
        });
    }
}
