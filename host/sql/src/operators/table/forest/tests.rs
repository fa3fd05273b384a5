use super::*;
use crate::cell::Value;
use crate::operators::rows::types_of;
use crate::operators::table::hash;
use crate::operators::testing::{Event, Random, Subject, stream, whole};
use crate::ty::{Column, SqlType};

const INPUT: [SqlType; 4] = [
    SqlType::Timestamp,
    SqlType::Double,
    SqlType::TEXT,
    SqlType::BigInt,
];

fn function() -> RandomCutForest {
    RandomCutForest {
        trees: 30,
        sample_size: 64,
        time_decay: 100_000,
        shingle_size: 1,
        explain: false,
        directions: false,
        columns: vec![1, 3],
    }
}

fn with_subject<T>(function: &RandomCutForest, test: impl FnOnce(&Subject<'_>) -> T) -> T {
    let input = stream(&INPUT).rows;
    let mut columns = input.declared().to_vec();
    let mut add = |name: &str, ty| {
        let name = name.to_owned();
        columns.push(Column { name, ty });
    };
    add("ANOMALY_SCORE", SqlType::Double);
    if function.explain {
        add("ANOMALY_EXPLANATION", SqlType::Varchar { length: 20_480 });
    }
    let output = RowType::with_rowtime(columns);
    let make =
        || -> Box<dyn Operator> { Box::new(Scoring::new(function, &input, &output).unwrap()) };
    test(&Subject {
        make: &make,
        inputs: &[INPUT.to_vec()],
        output: types_of(&output),
    })
}

fn event(x: f64, y: i64) -> Event {
    Event::Row(
        0,
        5,
        vec![Value::Double(x), Value::Text("t".into()), whole(y)],
    )
}

/// Points around (0, 0), at most 1 and 10 away.
fn cloud(count: usize, random: &mut Random) -> Vec<Event> {
    let mut one = || {
        let x = i32::try_from(random.below(2_001)).unwrap() - 1_000;
        let y = i64::try_from(random.below(21)).unwrap() - 10;
        event(f64::from(x) / 1_000.0, y)
    };
    (0..count).map(|_| one()).collect()
}

fn scores(function: &RandomCutForest, events: &[Event]) -> Vec<f64> {
    let given = with_subject(function, |subject| subject.run(events));
    let score = |values: &[Value]| match values[3] {
        Value::Double(score) => score,
        ref other => panic!("{other:?}"),
    };
    given.rows.iter().map(|(_, values)| score(values)).collect()
}

#[test]
fn a_point_far_away_scores_more_than_all_that_are_like_the_others() {
    let mut random = Random(1);
    let mut events = cloud(400, &mut random);
    events.push(event(5.0, 60));
    let scores = scores(&function(), &events);
    assert!(
        scores[..16].iter().all(|score| *score == 0.0),
        "nothing is known yet"
    );
    let usual = scores[200..400].iter().copied().fold(0.0, f64::max);
    assert!(scores[400] > usual * 1.5, "{} {usual}", scores[400]);
    // AWS: at most the logarithm of the size of a sample, give or take the one that is added.
    assert!(
        scores
            .iter()
            .all(|score| (0.0..=65_f64.log2()).contains(score))
    );
}

#[test]
fn shares_tell_the_column_and_the_direction_and_sum_up_to_the_score() {
    let function = RandomCutForest {
        explain: true,
        directions: true,
        ..function()
    };
    let mut random = Random(1);
    let mut events = cloud(300, &mut random);
    events.extend([event(0.0, -90), event(30.0, 0)]);
    let given = with_subject(&function, |subject| subject.run(&events));
    let mut last = Vec::new();
    for (_, values) in &given.rows {
        let (Value::Double(score), Value::Text(text)) = (&values[3], &values[4]) else {
            panic!("{values:?}");
        };
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let share = |column: &str| json[column]["ATTRIBUTION_SCORE"].as_f64().unwrap();
        assert!(
            (share("C0") + share("C2") - score).abs() < 1e-9,
            "{text} {score}"
        );
        last.push(json);
    }
    let [.., low, right] = last.as_slice() else {
        panic!("two rows at least");
    };
    let number =
        |json: &serde_json::Value, column: &str, name: &str| json[column][name].as_f64().unwrap();
    assert_eq!(low["C2"]["DIRECTION"], "LOW");
    assert!(number(low, "C2", "ATTRIBUTION_SCORE") > 5.0 * number(low, "C0", "ATTRIBUTION_SCORE"));
    assert_eq!(right["C0"]["DIRECTION"], "HIGH");
    assert!(number(right, "C0", "STRENGTH") > 0.9);
}

#[test]
fn an_explanation_has_no_direction_where_none_is_wanted() {
    let function = RandomCutForest {
        explain: true,
        ..function()
    };
    let given = with_subject(&function, |subject| subject.run(&[event(1.0, 1)]));
    let expected = "{\"C0\":{\"ATTRIBUTION_SCORE\":0.0},\"C2\":{\"ATTRIBUTION_SCORE\":0.0}}";
    assert_eq!(given.rows[0].1[4], Value::Text(expected.into()));
}

#[test]
fn a_shingle_sees_a_value_that_is_strange_only_where_it_stands() {
    let function = RandomCutForest {
        shingle_size: 4,
        ..function()
    };
    // Up and down, up and down; then up twice.
    let mut events: Vec<Event> = (0..400).map(|row| event(0.0, row % 2 * 10)).collect();
    events.extend([event(0.0, 10), event(0.0, 10)]);
    let scores = scores(&function, &events);
    let usual = scores[300..400].iter().copied().fold(0.0, f64::max);
    assert!(scores[401] > usual * 1.5, "{} {usual}", scores[401]);
}

#[test]
fn a_row_with_a_null_has_no_score() {
    let null = Event::Row(0, 5, vec![Value::Null, Value::Null, whole(1)]);
    let given = with_subject(&function(), |subject| subject.run(&[null]));
    assert_eq!(given.rows[0].1[3], Value::Null);
}

#[test]
fn cuts_and_restarts_change_nothing() {
    let function = RandomCutForest {
        trees: 3,
        sample_size: 12,
        time_decay: 50,
        shingle_size: 2,
        explain: true,
        directions: true,
        ..function()
    };
    let mut random = Random(8);
    for _ in 0..8 {
        let mut events = cloud(120, &mut random);
        // Points that are the same.
        events.extend(events.clone().into_iter().take(40));
        with_subject(&function, |subject| {
            assert_eq!(subject.run(&events), subject.run_cut(&events, &mut random));
        });
    }
}

#[test]
fn a_tree_knows_its_points_after_any_that_came_and_left() {
    let mut random = hash::Random(3);
    let mut tree = tree::Tree::default();
    let mut points: Vec<Vec<f64>> = Vec::new();
    for step in 0..2_000 {
        let leaves = points.len() > 60 || (!points.is_empty() && random.unit() < 0.4);
        if leaves {
            let place = (0..points.len()).find(|_| random.unit() < 0.1).unwrap_or(0);
            tree.remove(&points.swap_remove(place)).unwrap();
        } else {
            let mut coordinate = || (random.unit() * 6.0).floor();
            let point = vec![coordinate(), coordinate(), coordinate()];
            tree.insert(&point, &mut random);
            points.push(point);
        }
        assert_eq!(usize::try_from(tree.mass()).unwrap(), points.len());
        if step % 20 != 0 {
            continue;
        }
        for point in &points {
            let (mut top, mut same) = (None, 0);
            tree.climb(point, &mut |level| {
                same += if level.same { level.mass } else { 0 };
                top = Some((level.low.to_vec(), level.high.to_vec()));
                true
            });
            let alike = points.iter().filter(|other| *other == point).count();
            assert_eq!(usize::try_from(same).unwrap(), alike);
            let side = |fold: fn(f64, f64) -> f64, begin: f64| -> Vec<f64> {
                let side = |index: usize| points.iter().map(|p| p[index]).fold(begin, fold);
                (0..3).map(side).collect()
            };
            assert_eq!(top, Some((side(f64::min, 1e9), side(f64::max, -1e9))));
        }
    }
    assert!(tree.remove(&[99.0, 0.0, 0.0]).is_err() || points.is_empty());
}
