use std::collections::BTreeMap;

use super::*;
use crate::cell::Value;
use crate::operator::Operator;
use crate::operators::testing::{Event, Random, Row, Subject, stream, whole};
use crate::ty::{Column, SqlType};

fn with_subject<T>(
    ty: SqlType,
    (count, held_max): (u64, usize),
    test: impl FnOnce(&Subject<'_>) -> T,
) -> T {
    let types = [SqlType::Timestamp, ty];
    let input = stream(&types).rows;
    let column = |name: &str, ty| Column {
        name: name.to_owned(),
        ty,
    };
    let output = RowType::with_rowtime([
        column("ITEM", SqlType::Varchar { length: 1_024 }),
        column("ITEM_COUNT", SqlType::BigInt),
    ]);
    let make = || -> Box<dyn Operator> {
        let value = cast(Expr::column(1, ty), output.columns()[1].ty).unwrap();
        let tally = TopItems::new(usize::try_from(count).unwrap(), held_max);
        let types = (types_of(&input), types_of(&output));
        Box::new(Tumbling::new(tally, value, 1_000, types).unwrap())
    };
    test(&Subject {
        make: &make,
        inputs: &[types.to_vec()],
        output: types_of(&output),
    })
}

fn row(rowtime: Millis, item: &str, count: i64) -> Row {
    (rowtime, vec![Value::Text(item.into()), whole(count)])
}

fn text_event(rowtime: Millis, item: &str) -> Event {
    Event::Row(0, rowtime, vec![Value::Text(item.into())])
}

#[test]
fn each_window_gives_its_most_frequent_values_those_that_came_first_before_others() {
    let events = [
        text_event(100, "b"),
        text_event(200, "a"),
        text_event(300, "a"),
        text_event(999, "c"),
        text_event(1_000, "c"),
        Event::Row(0, 1_500, vec![Value::Null]),
        Event::Time(2_000),
        Event::Time(5_000),
        text_event(7_100, "d"),
    ];
    let given = with_subject(SqlType::TEXT, (2, 100), |subject| subject.run(&events));
    let expected = [
        row(1_000, "a", 2),
        row(1_000, "b", 1),
        row(2_000, "c", 1),
        row(8_000, "d", 1),
    ];
    assert_eq!(given.rows, expected);
}

#[test]
fn numbers_are_given_as_texts() {
    let events = [7, 8, 7].map(|number| Event::Row(0, 5, vec![whole(number)]));
    let given = with_subject(SqlType::BigInt, (5, 100), |subject| subject.run(&events));
    assert_eq!(given.rows, [row(1_000, "7", 2), row(1_000, "8", 1)]);
}

#[test]
fn frequent_values_are_never_missed_though_few_are_held() {
    let mut random = Random(11);
    let mut exact: BTreeMap<String, i64> = BTreeMap::new();
    let events: Vec<Event> = (0..2_000)
        .map(|_| {
            // Three values come each fifth time, the others hardly ever.
            let item = match random.below(10) {
                chosen @ 0..6 => format!("often {}", chosen % 3),
                _ => format!("rare {}", random.below(1_000)),
            };
            *exact.entry(item.clone()).or_default() += 1;
            text_event(10, &item)
        })
        .collect();
    let given = with_subject(SqlType::TEXT, (3, 40), |subject| subject.run(&events));
    assert_eq!(given.rows.len(), 3);
    for (_, values) in given.rows {
        let [Value::Text(item), Value::Whole(count)] = values.as_slice() else {
            panic!("{values:?}");
        };
        assert!(item.starts_with("often"), "{item}");
        // At most too large by what 40 places leave to chance.
        assert!((exact[&**item]..=exact[&**item] + 2_000 / 40).contains(count));
    }
}

#[test]
fn cuts_and_restarts_change_nothing() {
    let mut random = Random(5);
    for held_max in [3, 8, 100] {
        for _ in 0..30 {
            let mut rowtime = 0;
            let events: Vec<Event> = (0..80)
                .map(|_| {
                    rowtime += i64::try_from(random.below(60)).unwrap();
                    if random.below(10) == 0 {
                        return Event::Time(rowtime);
                    }
                    text_event(rowtime, &random.below(12).to_string())
                })
                .collect();
            with_subject(SqlType::TEXT, (3, held_max), |subject| {
                assert_eq!(subject.run(&events), subject.run_cut(&events, &mut random));
            });
        }
    }
}
