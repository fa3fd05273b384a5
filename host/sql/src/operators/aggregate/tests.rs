//! Windows against AWS's examples, and against a second computation that keeps all rows.

use std::collections::BTreeSet;

use super::*;
use crate::aggregate::{AggregateCall, resolve};
use crate::operators::testing::{
    Event, Given, Random, Row, Subject, assert_in_order, stream, unlucky, whole,
};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

const KEY: usize = 1;
const NUMBER: usize = 2;
const EVENT_TIME: usize = 3;
const FLAG: usize = 4;

fn types() -> Vec<SqlType> {
    vec![
        SqlType::Timestamp,
        SqlType::Varchar { length: 10 },
        SqlType::Integer,
        SqlType::Timestamp,
        SqlType::Boolean,
    ]
}

fn column(index: usize) -> Expr {
    Expr::column(index, types()[index])
}

fn call(name: &str, arguments: Vec<Expr>) -> AggregateCall {
    let star = arguments.is_empty();
    resolve(name, arguments, star, false).unwrap()
}

/// `COUNT(*), SUM(n), MIN(n) FILTER (WHERE flag), FIRST(n), LAST(n), COUNT(DISTINCT n)`
fn calls() -> Vec<AggregateCall> {
    let number = || vec![unlucky(column(NUMBER))];
    let mut least = call("MIN", number());
    least.filter = Some(column(FLAG));
    vec![
        call("COUNT", Vec::new()),
        call("SUM", number()),
        least,
        call("FIRST", vec![column(NUMBER)]),
        call("LAST", vec![column(NUMBER)]),
        resolve("COUNT", vec![column(NUMBER)], false, true).unwrap(),
    ]
}

/// A row of the input with its number among all of them.
#[derive(Clone, Debug)]
struct Taken {
    key: Value,
    number: Option<i64>,
    at: Millis,
    flag: bool,
    order: usize,
}

/// The same aggregates of some rows, in the order in which they came.
fn folded(rows: &[&Taken]) -> Vec<Value> {
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.number).collect();
    let flagged = rows.iter().filter(|row| row.flag);
    let optional = |number: Option<i64>| number.map_or(Value::Null, whole);
    let count = |count: usize| whole(i64::try_from(count).unwrap());
    vec![
        count(rows.len()),
        optional((!numbers.is_empty()).then(|| numbers.iter().sum())),
        optional(flagged.filter_map(|row| row.number).min()),
        optional(numbers.first().copied()),
        optional(numbers.last().copied()),
        count(numbers.iter().collect::<BTreeSet<_>>().len()),
    ]
}

/// For each key of some rows, in the order of first rows, its values.
fn grouped(rows: &[&Taken]) -> Vec<Vec<Value>> {
    let mut keys: Vec<&Value> = Vec::new();
    for row in rows {
        if !keys.contains(&&row.key) {
            keys.push(&row.key);
        }
    }
    let of_key = |key: &Value| {
        let rows: Vec<&Taken> = rows.iter().copied().filter(|row| row.key == *key).collect();
        let mut values = vec![key.clone()];
        values.extend(folded(&rows));
        values
    };
    keys.into_iter().map(of_key).collect()
}

fn plan(window: Window, keys: Vec<Expr>, late: Late) -> plan::Aggregate {
    plan::Aggregate {
        input: stream(&types()),
        window,
        keys,
        aggregates: calls(),
        late,
    }
}

fn output_of(step: &plan::Aggregate, bounds: bool) -> Vec<SqlType> {
    let mut types = vec![SqlType::Timestamp];
    if bounds {
        types.extend([SqlType::Timestamp, SqlType::Timestamp]);
    }
    types.extend(step.keys.iter().map(Expr::ty));
    types.extend(step.aggregates.iter().map(|call| call.ty));
    types
}

/// What a step gives for events, however they are cut.
fn run(step: &plan::Aggregate, bounds: bool, events: &[Event], seed: u64) -> Given {
    let inputs = [types()];
    let subject = Subject {
        make: &|| Box::new(Aggregate::new(step).unwrap()),
        inputs: &inputs,
        output: output_of(step, bounds),
    };
    let given = subject.run(events);
    for cut in 0..4 {
        let mut random = Random(seed * 31 + cut);
        assert_eq!(subject.run_cut(events, &mut random), given, "seed {seed}");
    }
    assert_in_order(&given.rows);
    given
}

fn row(rowtime: Millis, key: &str, number: i64) -> Event {
    let values = vec![
        Value::Text(key.into()),
        whole(number),
        whole(rowtime),
        Value::Boolean(true),
    ];
    Event::Row(0, rowtime, values)
}

/// Random rows whose times of event are at most `disorder` behind `ROWTIME`.
fn random_events(random: &mut Random, disorder: u64) -> Vec<Event> {
    let mut rowtime = 100;
    let mut events = Vec::new();
    let signed = |number: u64| i64::try_from(number).unwrap();
    for _ in 0..80 {
        rowtime += [0, 0, 1, 2, 3, 9, 25][usize::try_from(random.below(7)).unwrap()];
        if random.below(12) == 0 {
            events.push(Event::Time(rowtime));
            continue;
        }
        let key = match random.below(4) {
            0 => Value::Null,
            key => Value::Text(key.to_string().into()),
        };
        let number = match random.below(6) {
            0 => Value::Null,
            _ => whole(signed(random.below(16))),
        };
        let at = match random.below(40) {
            0 => Value::Null,
            _ => whole(rowtime - signed(random.below(disorder + 1))),
        };
        let flag = Value::Boolean(random.below(2) == 0);
        events.push(Event::Row(0, rowtime, vec![key, number, at, flag]));
    }
    events
}

/// The row of an event with its `ROWTIME`, unless it fails: a number of 13, or no time where the
/// window goes by the event's.
fn sound(event: &Event, order: usize, by_event: bool) -> Option<Taken> {
    let Event::Row(_, rowtime, values) = event else {
        return None;
    };
    let number = match &values[1] {
        Value::Whole(13) => return None,
        Value::Whole(number) => Some(*number),
        _ => None,
    };
    let at = match &values[2] {
        Value::Whole(at) => Some(*at),
        _ => None,
    };
    let at = if by_event { at? } else { *rowtime };
    Some(Taken {
        key: values[0].clone(),
        number,
        at,
        flag: values[3] == Value::Boolean(true),
        order,
    })
}

/// All windows of a line of time that matter to a test: start and end.
type Lines = Vec<(Millis, Millis)>;

/// Keeps all rows, and looks at all windows for each event.
fn naive(events: &[Event], windows: &Lines, watermark: Option<Millis>, late: Late) -> Given {
    let mut given = Given::default();
    let mut taken: Vec<Taken> = Vec::new();
    let mut clock = Millis::MIN;
    let by_event = watermark.is_some();
    let answer = |taken: &[Taken], after: Millis, until: Millis, given: &mut Given| {
        for (start, end) in windows
            .iter()
            .filter(|(_, end)| *end > after && *end <= until)
        {
            let rows = taken.iter().filter(|row| row.at >= *start && row.at < *end);
            for values in grouped(&rows.collect::<Vec<_>>()) {
                let bounds = vec![whole(*start), whole(*end)];
                given.rows.push((*end, [bounds, values].concat()));
            }
        }
    };
    for (order, event) in events.iter().enumerate() {
        let row = sound(event, order, by_event);
        let turned = match (event, watermark) {
            (Event::Time(time), None) | (Event::Row(_, time, _), None) => *time,
            (_, Some(late)) => row.as_ref().map_or(Millis::MIN, |row| row.at - late),
        };
        if turned > clock {
            answer(&taken, clock, turned, &mut given);
            clock = turned;
        }
        let Event::Row(_, rowtime, values) = event else {
            continue;
        };
        let Some(row) = row else {
            given
                .faults
                .push(("INVALID_ARGUMENT", *rowtime, values.clone()));
            continue;
        };
        let own = windows
            .iter()
            .filter(|(start, end)| *start <= row.at && row.at < *end);
        let own: Vec<&(Millis, Millis)> = own.collect();
        if own.is_empty() {
            continue;
        }
        let over: Vec<_> = own
            .iter()
            .copied()
            .filter(|(_, end)| *end <= clock)
            .collect();
        match late {
            Late::Update => {
                taken.push(row.clone());
                for (start, end) in over {
                    let rows = taken.iter().filter(|other| {
                        other.key == row.key && other.at >= *start && other.at < *end
                    });
                    let rows: Vec<&Taken> = rows.collect();
                    let mut values = vec![whole(*start), whole(*end), row.key.clone()];
                    values.extend(folded(&rows));
                    given.rows.push((clock, values));
                }
            }
            _ if over.len() < own.len() => taken.push(row),
            Late::Drop => given.dropped += 1,
            Late::Fault => given.faults.push(("LATE_ROW", *rowtime, values.clone())),
        }
    }
    answer(&taken, clock, Millis::MAX, &mut given);
    given
}

fn hops(size: Millis, slide: Millis, offset: Millis) -> Lines {
    let starts = (-20..2_000).map(|number| offset + number * slide);
    starts.map(|start| (start, start + size)).collect()
}

fn cumulating(size: Millis, step: Millis) -> Lines {
    let mut windows = Lines::new();
    for start in (0..100).map(|number| number * size) {
        windows.extend((1..=size / step).map(|steps| (start, start + steps * step)));
    }
    windows
}

fn clock(watermark: Option<Millis>) -> (Expr, Clock) {
    match watermark {
        None => (column(0), Clock::Rowtime),
        Some(late) => {
            let column = column(EVENT_TIME);
            (column.clone(), Clock::Watermark { column, late })
        }
    }
}

#[test]
fn windows_on_the_line_of_time_give_what_all_their_rows_give() {
    let sizes = [
        (20, 20, 0),
        (20, 5, 3),
        (12, 8, 0),
        (7, 3, 1),
        (5, 20, 0),
        (60, 1, 0),
    ];
    for seed in 0..60 {
        let mut random = Random(seed);
        let events = random_events(&mut random, 30);
        let (size, slide, offset) = sizes[usize::try_from(seed).unwrap() % sizes.len()];
        let watermark = [None, Some(0), Some(10), Some(40)][usize::try_from(seed / 7 % 4).unwrap()];
        let late = [Late::Fault, Late::Drop, Late::Update][usize::try_from(seed / 3 % 3).unwrap()];
        let (time, clock) = clock(watermark);
        let window = Window::Hop {
            time,
            size,
            slide,
            offset,
            clock,
            bounds: true,
        };
        let step = plan(window, vec![column(KEY)], late);
        let expected = naive(&events, &hops(size, slide, offset), watermark, late);
        assert_eq!(run(&step, true, &events, seed), expected, "seed {seed}");
    }
}

#[test]
fn cumulating_windows_give_what_all_their_rows_give() {
    for seed in 0..30 {
        let mut random = Random(seed + 1_000);
        let events = random_events(&mut random, 30);
        let watermark = [None, Some(5)][usize::try_from(seed % 2).unwrap()];
        let late = [Late::Fault, Late::Drop, Late::Update][usize::try_from(seed % 3).unwrap()];
        let (time, clock) = clock(watermark);
        let window = Window::Cumulate {
            time,
            size: 30,
            step: 10,
            clock,
            bounds: true,
        };
        let step = plan(window, vec![column(KEY)], late);
        let expected = naive(&events, &cumulating(30, 10), watermark, late);
        assert_eq!(run(&step, true, &events, seed), expected, "seed {seed}");
    }
}

/// Cuts the rows of each key where `ends` says that the next row is in another window, and gives
/// the windows by their ends and their first rows.
fn cut_by_key(
    events: &[Event],
    by_event: bool,
    window: impl Fn(&[&Taken]) -> (Millis, Millis),
) -> Vec<Row> {
    let all = events.iter().enumerate();
    let rows: Vec<Taken> = all
        .filter_map(|(order, event)| sound(event, order, by_event))
        .collect();
    let mut sorted: Vec<&Taken> = rows.iter().collect();
    sorted.sort_by_key(|row| row.at);
    let mut windows: Vec<Vec<&Taken>> = Vec::new();
    for row in sorted {
        let own = windows.iter_mut().rev().find(|rows| rows[0].key == row.key);
        match own {
            Some(own) if row.at < window(own).1 => own.push(row),
            _ => windows.push(vec![row]),
        }
    }
    let mut answers = Vec::new();
    for mut rows in windows {
        let (start, end) = window(&rows);
        rows.sort_by_key(|row| row.order);
        let mut values = vec![whole(start), whole(end), rows[0].key.clone()];
        values.extend(folded(&rows));
        answers.push((end, rows[0].order, values));
    }
    answers.sort_by_key(|(end, order, _)| (*end, *order));
    answers
        .into_iter()
        .map(|(end, _, values)| (end, values))
        .collect()
}

#[test]
fn a_stagger_window_opens_with_the_first_row_of_its_group() {
    for seed in 0..30 {
        let mut random = Random(seed + 2_000);
        let events = random_events(&mut random, 0);
        let step = plan(
            Window::Stagger { range: 20 },
            vec![column(KEY)],
            Late::Fault,
        );
        let given = run(&step, false, &events, seed);
        let window = |rows: &[&Taken]| (rows[0].at, rows[0].at + 20);
        let mut expected = cut_by_key(&events, false, window);
        expected
            .iter_mut()
            .for_each(|(_, values)| drop(values.drain(..2)));
        assert_eq!(given.rows, expected, "seed {seed}");
    }
}

#[test]
fn a_session_ends_when_its_group_had_no_row_for_the_gap() {
    for seed in 0..40 {
        let mut random = Random(seed + 3_000);
        let events = random_events(&mut random, 30);
        // Late enough that no row is late.
        let watermark = [None, Some(35)][usize::try_from(seed % 2).unwrap()];
        let (time, clock) = clock(watermark);
        let window = Window::Session {
            time,
            gap: 12,
            clock,
            bounds: true,
        };
        let step = plan(window, vec![column(KEY)], Late::Fault);
        let given = run(&step, true, &events, seed);
        let window = |rows: &[&Taken]| (rows[0].at, rows[rows.len() - 1].at + 12);
        let expected = cut_by_key(&events, watermark.is_some(), window);
        assert_eq!(given.rows, expected, "seed {seed}");
    }
}

#[test]
fn a_row_that_joins_two_sessions_makes_them_one() {
    let (time, clock) = clock(Some(1_000));
    let window = Window::Session {
        time,
        gap: 10,
        clock,
        bounds: true,
    };
    let mut step = plan(window, vec![column(KEY)], Late::Fault);
    step.aggregates.truncate(2);
    let event = |rowtime, at| {
        let values = vec![
            Value::Text("a".into()),
            whole(1),
            whole(at),
            Value::Boolean(true),
        ];
        Event::Row(0, rowtime, values)
    };
    let events = [
        event(100, 50),
        event(101, 65),
        event(102, 58),
        event(103, 80),
    ];
    let given = run(&step, true, &events, 1);
    let values = |start, end, rows| {
        let key = Value::Text("a".into());
        (
            end,
            vec![whole(start), whole(end), key, whole(rows), whole(rows)],
        )
    };
    assert_eq!(given.rows, [values(50, 75, 3), values(80, 90, 1)]);
}

#[test]
fn a_window_lasts_as_long_as_its_value_does_not_change() {
    for seed in 0..30 {
        let mut random = Random(seed + 4_000);
        let mut events = random_events(&mut random, 0);
        // A number that rises slowly.
        for (order, event) in events.iter_mut().enumerate() {
            if let Event::Row(_, _, values) = event {
                values[1] = whole(i64::try_from(order / 7).unwrap());
            }
        }
        let keys = vec![column(NUMBER), column(KEY)];
        let step = plan(Window::Change { key: 0 }, keys, Late::Fault);
        let given = run(&step, false, &events, seed);
        let all = events.iter().enumerate();
        let rows: Vec<Taken> = all
            .filter_map(|(order, event)| sound(event, order, false))
            .collect();
        let mut expected: Vec<Row> = Vec::new();
        let runs: Vec<&[Taken]> = rows.chunk_by(|a, b| a.number == b.number).collect();
        let last = events.iter().map(|event| match event {
            Event::Row(_, time, _) | Event::Time(time) => *time,
        });
        let last = last.max().unwrap();
        for (at, run) in runs.iter().enumerate() {
            // The row that closes it may be one that fails, but numbers of 13 change nothing.
            let closed = runs.get(at + 1).map_or(last, |next| next[0].at);
            for values in grouped(&run.iter().collect::<Vec<_>>()) {
                let number = whole(run[0].number.unwrap());
                expected.push((closed, [vec![number], values].concat()));
            }
        }
        assert_eq!(given.rows, expected, "seed {seed}");
    }
}

/// The rows of the reference's pages on aggregation: hours since 2018-11-01T00:00, city,
/// temperature.
const WEATHER: [(Millis, &str, i64); 18] = [
    (1, "Denver", 29),
    (1, "Anchorage", 2),
    (6, "Miami", 65),
    (7, "Denver", 32),
    (9, "Anchorage", 9),
    (13, "Denver", 50),
    (17, "Anchorage", 10),
    (18, "Miami", 71),
    (19, "Denver", 43),
    (25, "Anchorage", 4),
    (25, "Denver", 39),
    (31, "Denver", 46),
    (33, "Anchorage", 3),
    (37, "Denver", 56),
    (41, "Anchorage", 2),
    (43, "Denver", 50),
    (49, "Denver", 36),
    (49, "Anchorage", 1),
];

#[test]
fn the_weather_of_the_reference_has_its_extremes_of_each_day() {
    let begin = 1_541_030_400_000; // 2018-11-01T00:00:00
    let events: Vec<Event> = WEATHER
        .iter()
        .map(|(hours, city, temperature)| row(begin + hours * HOUR, city, *temperature))
        .collect();
    let window = Window::Hop {
        time: column(0),
        size: DAY,
        slide: DAY,
        offset: 0,
        clock: Clock::Rowtime,
        bounds: false,
    };
    let mut step = plan(window, vec![column(KEY)], Late::Fault);
    let number = || vec![column(NUMBER)];
    step.aggregates = vec![call("MIN", number()), call("MAX", number())];
    let given = run(&step, false, &events, 7);
    let day = |day: Millis, city: &str, least, most| {
        let values = vec![Value::Text(city.into()), whole(least), whole(most)];
        (begin + day * DAY, values)
    };
    let expected = [
        day(1, "Denver", 29, 50),
        day(1, "Anchorage", 2, 10),
        day(1, "Miami", 65, 71),
        day(2, "Anchorage", 2, 4),
        day(2, "Denver", 39, 56),
        day(3, "Denver", 36, 36),
        day(3, "Anchorage", 1, 1),
    ];
    assert_eq!(given.rows, expected);
}

/// The trades of the guide's pages on stagger windows: `ROWTIME` and time of event, in seconds
/// since 11:00, and the minute of the latter, by which they are grouped.
const TRADES: [(Millis, Millis, Millis); 4] = [(20, 10, 0), (30, 20, 0), (65, 55, 0), (75, 65, 1)];

/// The counts of trades that a window gives, by `ROWTIME` and minute, both since 11:00.
fn counts_of_trades(window: Window) -> Vec<(Millis, i64, i64)> {
    let begin = 11 * HOUR;
    let trade = |(rowtime, at, minute): &(Millis, Millis, Millis)| {
        let values = vec![
            Value::Text("AMZN".into()),
            whole(*minute),
            whole(begin + at * 1_000),
            Value::Null,
        ];
        Event::Row(0, begin + rowtime * 1_000, values)
    };
    let events: Vec<Event> = TRADES.iter().map(trade).collect();
    let mut step = plan(window, vec![column(KEY), column(NUMBER)], Late::Fault);
    step.aggregates = vec![call("COUNT", vec![column(KEY)])];
    let given = run(&step, false, &events, 3);
    let count = |(rowtime, values): &Row| match values.as_slice() {
        [Value::Text(_), Value::Whole(minute), Value::Whole(count)] => {
            ((rowtime - begin) / 1_000, *minute, *count)
        }
        other => panic!("{other:?}"),
    };
    given.rows.iter().map(count).collect()
}

#[test]
fn the_trades_of_the_guide_fall_apart_in_tumbling_windows() {
    let window = Window::Hop {
        time: column(0),
        size: MINUTE,
        slide: MINUTE,
        offset: 0,
        clock: Clock::Rowtime,
        bounds: false,
    };
    let expected = [(60, 0, 2), (120, 0, 1), (120, 1, 1)];
    assert_eq!(counts_of_trades(window), expected);
}

#[test]
fn the_trades_of_the_guide_stay_together_in_stagger_windows() {
    let window = Window::Stagger { range: MINUTE };
    assert_eq!(counts_of_trades(window), [(80, 0, 3), (135, 1, 1)]);
}

#[test]
fn a_row_at_the_end_of_a_window_ends_it_and_is_of_the_next_one() {
    // The reference: of a GROUP BY of minutes, a row of 9:59:30 is answered by one of 10:00:00, or
    // when time is known to be that.
    let (half, full) = (9 * HOUR + 59 * MINUTE + 30_000, 10 * HOUR);
    let window = Window::Hop {
        time: column(0),
        size: MINUTE,
        slide: MINUTE,
        offset: 0,
        clock: Clock::Rowtime,
        bounds: false,
    };
    let mut step = plan(window, Vec::new(), Late::Fault);
    step.aggregates.truncate(1);
    for last in [row(full, "b", 1), Event::Time(full)] {
        let mut operator = Aggregate::new(&step).unwrap();
        let mut out = Out::default();
        let before = crate::operators::testing::batch_of(
            &types(),
            &[(half, vec![Value::Null, whole(1), whole(half), Value::Null])],
        );
        operator.on_batch(0, &before, &mut out).unwrap();
        operator.on_time(full - 1, &mut out).unwrap();
        assert!(out.batches.is_empty());
        match last {
            Event::Time(time) => operator.on_time(time, &mut out).unwrap(),
            Event::Row(_, time, values) => {
                let rows = [(time, values)];
                let batch = crate::operators::testing::batch_of(&types(), &rows);
                operator.on_batch(0, &batch, &mut out).unwrap();
            }
        }
        let [answer] = out.batches.as_slice() else {
            panic!("no answer");
        };
        assert_eq!((answer.rowtimes().value(0), answer.rows()), (full, 1));
    }
}

#[test]
fn a_group_whose_sum_overflows_is_a_fault_with_its_key_and_costs_no_other() {
    let window = Window::Hop {
        time: column(0),
        size: 10,
        slide: 10,
        offset: 0,
        clock: Clock::Rowtime,
        bounds: false,
    };
    let mut step = plan(window, vec![column(KEY)], Late::Fault);
    let big = Expr::column(NUMBER, SqlType::BigInt);
    step.aggregates = vec![call("SUM", vec![big])];
    let events = [row(1, "a", i64::MAX), row(2, "b", 5), row(3, "a", 1)];
    let given = run(&step, false, &events, 1);
    assert_eq!(given.rows, [(10, vec![Value::Text("b".into()), whole(5)])]);
    let fault = ("NUMERIC_OVERFLOW", 10, vec![Value::Text("a".into())]);
    assert_eq!(given.faults, [fault]);
}

#[test]
fn keys_of_every_shape_tell_groups_apart() {
    for seed in 0..12 {
        let mut random = Random(seed + 5_000);
        let events = random_events(&mut random, 0);
        let window = Window::Hop {
            time: column(0),
            size: 50,
            slide: 50,
            offset: 0,
            clock: Clock::Rowtime,
            bounds: false,
        };
        let count = |keys: Vec<Expr>| {
            let mut step = plan(window.clone(), keys, Late::Fault);
            step.aggregates.truncate(1);
            run(&step, false, &events, seed).rows
        };
        let keys: [&[usize]; 5] = [&[], &[NUMBER], &[EVENT_TIME], &[FLAG], &[KEY, NUMBER, FLAG]];
        for columns in keys {
            let given = count(columns.iter().map(|index| column(*index)).collect());
            let mut expected: Vec<(Row, i64)> = Vec::new();
            for event in &events {
                let Event::Row(_, rowtime, values) = event else {
                    continue;
                };
                let end = (rowtime / 50 + 1) * 50;
                let key = columns.iter().map(|index| values[index - 1].clone());
                let key = (end, key.collect());
                match expected.iter_mut().find(|(row, _)| *row == key) {
                    Some((_, rows)) => *rows += 1,
                    None => expected.push((key, 1)),
                }
            }
            let expected: Vec<Row> = expected
                .into_iter()
                .map(|((end, mut key), rows)| {
                    key.push(whole(rows));
                    (end, key)
                })
                .collect();
            assert_eq!(given, expected, "columns {columns:?} seed {seed}");
        }
    }
}

#[test]
fn a_window_of_no_length_is_refused() {
    let window = Window::Stagger { range: 0 };
    assert!(Aggregate::new(&plan(window, Vec::new(), Late::Fault)).is_err());
}
