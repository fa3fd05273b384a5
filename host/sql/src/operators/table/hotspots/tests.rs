use std::collections::BTreeSet;

use super::*;
use crate::cell::Value;
use crate::operators::rows::types_of;
use crate::operators::testing::{Event, Random, Subject, stream};
use crate::ty::{Column, SqlType};

const INPUT: [SqlType; 4] = [
    SqlType::Timestamp,
    SqlType::Double,
    SqlType::TEXT,
    SqlType::Double,
];

fn function(window_rows: u32, points_min: u32) -> Hotspots {
    Hotspots {
        window_rows,
        scan_radius: 1.0,
        points_min,
        columns: vec![1, 3],
    }
}

fn with_subject<T>(function: &Hotspots, test: impl FnOnce(&Subject<'_>) -> T) -> T {
    let input = stream(&INPUT).rows;
    let mut columns = input.declared().to_vec();
    let (name, ty) = (
        "HOTSPOTS_RESULT".to_owned(),
        SqlType::Varchar { length: 10_000 },
    );
    columns.push(Column { name, ty });
    let output = RowType::with_rowtime(columns);
    let make =
        || -> Box<dyn Operator> { Box::new(Finding::new(function, &input, &output).unwrap()) };
    test(&Subject {
        make: &make,
        inputs: &[INPUT.to_vec()],
        output: types_of(&output),
    })
}

fn event(x: f64, y: f64) -> Event {
    Event::Row(
        0,
        5,
        vec![Value::Double(x), Value::Text("t".into()), Value::Double(y)],
    )
}

/// The results of all rows.
fn results(function: &Hotspots, events: &[Event]) -> Vec<String> {
    let given = with_subject(function, |subject| subject.run(events));
    let result = |values: &[Value]| match values.last() {
        Some(Value::Text(text)) => text.to_string(),
        other => panic!("{other:?}"),
    };
    given
        .rows
        .iter()
        .map(|(_, values)| result(values))
        .collect()
}

#[test]
fn points_that_lie_together_are_a_hotspot_until_they_leave_the_window() {
    let events = [
        event(0.0, 0.0),
        event(9.0, 9.0),
        event(0.5, 0.0),
        event(0.0, 0.5),
        event(20.0, 0.0),
        event(30.0, 0.0),
    ];
    let none = "{\"hotspots\":[]}";
    let found = "{\"hotspots\":[{\"density\":12,\"minValues\":[0.0,0.0],\"maxValues\":[0.5,0.5]}]}";
    let expected = [none, none, none, found, found, none];
    assert_eq!(results(&function(5, 3), &events), expected);
}

#[test]
fn a_row_without_a_number_is_no_point_and_has_a_result_all_the_same() {
    let null = Event::Row(0, 5, vec![Value::Null, Value::Null, Value::Double(1.0)]);
    let events = [event(0.0, 0.0), event(0.0, 0.0), null];
    // A side of no length counts as long as the radius.
    let found = "{\"hotspots\":[{\"density\":2,\"minValues\":[0.0,0.0],\"maxValues\":[0.0,0.0]}]}";
    assert_eq!(results(&function(5, 2), &events)[1..], [found, found]);
}

/// The clusters of points by the definition: cores that are neighbours, and what is beside them.
fn naive(points: &[[f64; 2]], radius: f64, points_min: usize) -> BTreeSet<String> {
    let near = |a: usize, b: usize| {
        let (a, b) = (points[a], points[b]);
        (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) <= radius * radius
    };
    let all = 0..points.len();
    let beside = |a: usize| all.clone().filter(move |b| near(a, *b));
    let cores: Vec<usize> = all
        .clone()
        .filter(|a| beside(*a).count() >= points_min)
        .collect();
    let mut names: Vec<usize> = all.clone().collect();
    for _ in 0..points.len() {
        for a in &cores {
            for b in &cores {
                if near(*a, *b) {
                    names[*a] = names[*a].min(names[*b]);
                }
            }
        }
    }
    let clusters: BTreeSet<usize> = cores.iter().map(|core| names[*core]).collect();
    let bounds = |cluster: usize| {
        let cores = cores.iter().filter(|core| names[**core] == cluster);
        let members: BTreeSet<usize> = cores.flat_map(|core| beside(*core)).collect();
        let least = |side: usize| members.iter().map(|m| points[*m][side]).fold(1e9, f64::min);
        let most = |side: usize| {
            members
                .iter()
                .map(|m| points[*m][side])
                .fold(-1e9, f64::max)
        };
        format!("{:?} {:?}", [least(0), least(1)], [most(0), most(1)])
    };
    clusters.into_iter().map(bounds).collect()
}

#[test]
fn hotspots_are_those_of_a_search_through_all_pairs() {
    let mut random = Random(2);
    let mut window = Window::new(&function(30, 4), 2).unwrap();
    let mut points: Vec<[f64; 2]> = Vec::new();
    let mut most = 0;
    for _ in 0..400 {
        let coordinate = |number: u64| f64::from(u32::try_from(number).unwrap()) / 10.0;
        let point = [coordinate(random.below(70)), coordinate(random.below(50))];
        window.push(&point).unwrap();
        points.push(point);
        let last = &points[points.len().saturating_sub(30)..];
        let found = window.hotspots();
        most = most.max(found.len());
        let found: BTreeSet<String> = found
            .iter()
            .map(|hotspot| format!("{:?} {:?}", hotspot.low, hotspot.high))
            .collect();
        assert_eq!(found, naive(last, 1.0, 4));
    }
    assert!(most > 1);
}

#[test]
fn a_result_is_never_longer_than_its_column() {
    let hotspot = |number: u32| Hotspot {
        low: vec![f64::from(number) + 0.123_456_789; 8],
        high: vec![f64::from(number) + 0.987_654_321; 8],
        density: f64::from(number),
    };
    let text = result((0..200).map(hotspot).collect()).unwrap();
    assert!(text.len() <= RESULT_CHARACTERS_MAX && text.len() > 9_000);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json["hotspots"][0]["density"], 199,
        "the densest one is there"
    );
}

#[test]
fn cuts_and_restarts_change_nothing() {
    let mut random = Random(4);
    for _ in 0..20 {
        let events: Vec<Event> = (0..60)
            .map(|_| {
                let mut number = || f64::from(u32::try_from(random.below(6)).unwrap());
                event(number(), number())
            })
            .collect();
        with_subject(&function(7, 3), |subject| {
            assert_eq!(subject.run(&events), subject.run_cut(&events, &mut random));
        });
    }
}
