use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;
use crate::input::path::{Path, Slot};
use crate::input::random::Random;

/// The values at some paths in each row of a text of one document, as serde_json reads their
/// source. Missing ones are null.
fn rows(text: &str, row_path: &str, paths: &[&str]) -> Result<Vec<Vec<Value>>, Broken> {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| Path::parse(path).unwrap())
        .collect();
    let (shape, slots) = Shape::new(&Path::parse(row_path).unwrap(), &paths).unwrap();
    let mut found = Found::default();
    let mut scanner = Scanner::new(text, 0, usize::MAX);
    let mut all = Vec::new();
    while scanner.document(&shape, &mut found)? {
        for row in 0..found.row_count {
            let spans = slots.iter().map(|slot| match slot {
                Slot::Document(at) => found.document[*at],
                Slot::Row(at) => found.rows[row * found.per_row + at],
            });
            all.push(spans.map(|span| value(text, span)).collect());
        }
    }
    Ok(all)
}

fn value(text: &str, span: Span) -> Value {
    let source = &text[span.from..span.to];
    let value = match span.kind {
        Kind::Missing => return Value::Null,
        Kind::Text => Value::String(source.to_owned()),
        Kind::Escaped => {
            let mut text = String::new();
            unescape(source, &mut text);
            Value::String(text)
        }
        _ => serde_json::from_str(source).unwrap(),
    };
    let is_kind = match span.kind {
        Kind::Missing | Kind::Null => value.is_null(),
        Kind::True | Kind::False => value.is_boolean(),
        Kind::Number => value.is_number(),
        Kind::Text | Kind::Escaped => value.is_string(),
        Kind::Composite => value.is_array() || value.is_object(),
    };
    assert!(is_kind, "{:?} of {source}", span.kind);
    value
}

const ORDERS: &str = r#"{"customerName": "John Doe", "address": {"city": "Anytown"}, "orders": [
    {"orderId": "23284", "itemName": "Widget"}, {"orderId": "63122", "n": {"x": [1, 2]}},
    {"orderId": "77284"}], "last": 7}"#;

fn texts(text: &str, row_path: &str, paths: &[&str]) -> Vec<Vec<String>> {
    let rows = rows(text, row_path, paths).unwrap();
    rows.iter()
        .map(|row| row.iter().map(ToString::to_string).collect())
        .collect()
}

#[test]
fn members_are_found_by_their_paths() {
    let paths = [
        "$.customerName",
        "$.address.city",
        "$.customername",
        "$.last",
        "$.address",
    ];
    let expected = [[
        "\"John Doe\"",
        "\"Anytown\"",
        "null",
        "7",
        r#"{"city":"Anytown"}"#,
    ]];
    assert_eq!(texts(ORDERS, "$", &paths), expected);
}

#[test]
fn each_element_of_a_flattened_array_is_a_row() {
    let paths = ["$.last", "$.orders[0:].orderId", "$.orders[0:].itemName"];
    let expected = [
        ["7", "\"23284\"", "\"Widget\""],
        ["7", "\"63122\"", "null"],
        ["7", "\"77284\"", "null"],
    ];
    assert_eq!(texts(ORDERS, "$", &paths), expected);
}

#[test]
fn the_row_path_leads_to_rows_in_each_spelling() {
    let expected = [["\"23284\""], ["\"63122\""], ["\"77284\""]];
    assert_eq!(texts(ORDERS, "$.orders[0:]", &["$.orderId"]), expected);
    assert_eq!(
        texts(ORDERS, "$.orders[0:]", &["$.orders[0:].orderId"]),
        expected
    );
    assert_eq!(texts(ORDERS, "$.orders", &["$.orderId"]), expected);
    assert_eq!(
        texts("[{\"a\":1},{\"a\":2}]", "$", &["$.a"]),
        [["1"], ["2"]]
    );
    assert_eq!(
        texts("[{\"a\":1},{\"a\":2}]", "$[0:]", &["$.a"]),
        [["1"], ["2"]]
    );
}

#[test]
fn an_array_as_a_whole_is_one_value_of_each_row() {
    let text = r#"{"a": [{"x": 1}, {"x": 2}], "b": [3, 4]}"#;
    let expected = [["1", "[3,4]", "3"], ["2", "[3,4]", "3"]];
    assert_eq!(
        texts(text, "$", &["$.a[0:].x", "$.b[0:]", "$.b[0]"][..2]).len(),
        2
    );
    assert_eq!(
        texts(text, "$", &["$.a[0:].x", "$.b[0:]", "$.b[0]"]),
        expected
    );
}

#[test]
fn an_array_gives_at_least_one_row() {
    let paths = ["$.id", "$.a[0:].x"];
    for text in [
        r#"{"id":1,"a":[]}"#,
        r#"{"id":1}"#,
        r#"{"id":1,"a":null}"#,
        r#"{"id":1,"a":[{}]}"#,
    ] {
        assert_eq!(texts(text, "$", &paths), [["1", "null"]], "{text}");
    }
    assert_eq!(texts(r#"{"id":1,"a":{"x":2}}"#, "$", &paths), [["1", "2"]]);
}

#[test]
fn the_last_of_several_members_of_one_name_counts() {
    assert_eq!(texts(r#"{"a":1,"a":2}"#, "$", &["$.a"]), [["2"]]);
    let text = r#"{"a":[{"x":1},{"x":2}],"a":[{"x":3}]}"#;
    assert_eq!(texts(text, "$", &["$.a[0:].x"]), [["3"]]);
}

#[test]
fn documents_follow_each_other_with_or_without_space() {
    let text = "{\"a\":1}{\"a\":2}\n {\"a\":3}\r\n";
    assert_eq!(texts(text, "$", &["$.a"]), [["1"], ["2"], ["3"]]);
    assert!(texts(" \n", "$", &["$.a"]).is_empty());
}

#[test]
fn a_document_that_is_no_object_has_no_members() {
    for text in ["1", "\"a\"", "null", "{} 5"] {
        assert!(rows(text, "$", &["$.a"]).is_err(), "{text}");
    }
    assert_eq!(texts("5", "$", &["$"]), [["5"]]);
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{{\"b\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let most = usize::try_from(NESTING_MAX).unwrap();
    assert!(rows(&nested(most), "$", &["$.a"]).is_ok());
    assert!(rows(&nested(most + 1), "$", &["$.a"]).is_err());
    assert!(rows(&"[{\"a\":".repeat(1_000_000), "$", &["$.a"]).is_err());
}

#[test]
fn many_members_are_found_in_any_order() {
    let names: Vec<_> = (0..100).map(|n| format!("name{n}")).collect();
    let paths: Vec<_> = names.iter().map(|name| format!("$.{name}")).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let backwards = names.iter().enumerate().rev();
    let members: Vec<_> = backwards
        .map(|(n, name)| format!("\"{name}\":{n}"))
        .collect();
    let text = format!("{{{}}}", members.join(","));
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(texts(&text, "$", &paths), [expected]);
}

/// What a path means, found the slow way.
fn at_path<'a>(value: &'a Value, steps: &[&str]) -> &'a Value {
    steps.iter().fold(value, |value, step| match value {
        Value::Object(members) => members.get(*step).unwrap_or(&Value::Null),
        _ => &Value::Null,
    })
}

#[test]
fn random_documents_have_what_serde_json_finds_in_them() {
    let paths = [
        "$.a",
        "$.b.c",
        "$[\"x y\"]",
        "$.b",
        "$['\"q\"'].a.b",
        "$.é.c",
    ];
    let steps: [&[&str]; 6] = [
        &["a"],
        &["b", "c"],
        &["x y"],
        &["b"],
        &["\"q\"", "a", "b"],
        &["é", "c"],
    ];
    let mut random = Random::new(1);
    for _ in 0..3_000 {
        let document = random.object(5);
        let mut text = String::new();
        random.write(&document, &mut text);
        let expected: Vec<_> = steps
            .iter()
            .map(|steps| at_path(&document, steps).clone())
            .collect();
        assert_eq!(rows(&text, "$", &paths).unwrap(), [expected], "{text}");
    }
}

#[test]
fn random_arrays_are_flattened_as_a_loop_would() {
    let mut random = Random::new(2);
    for _ in 0..3_000 {
        let document = random.object(5);
        let mut text = String::new();
        random.write(&document, &mut text);
        let outer = at_path(&document, &["b"]);
        let mut expected = Vec::new();
        match at_path(&document, &["a"]) {
            Value::Array(elements) => {
                for element in elements {
                    expected.push(vec![at_path(element, &["c"]).clone(), outer.clone()]);
                }
            }
            other => expected.push(vec![at_path(other, &["c"]).clone(), outer.clone()]),
        }
        if expected.is_empty() {
            expected.push(vec![Value::Null, outer.clone()]);
        }
        assert_eq!(
            rows(&text, "$", &["$.a[0:].c", "$.b"]).unwrap(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn damaged_documents_are_refused_exactly_where_serde_json_refuses_them() {
    let mut random = Random::new(3);
    let junk: Vec<char> = "{}[]\",:\\u0123456789eE+-.tfn \n\u{1}ä".chars().collect();
    let mut refused = 0;
    for _ in 0..30_000 {
        let mut text = String::new();
        let document = random.value(4);
        random.write(&document, &mut text);
        let mut damaged: Vec<char> = text.chars().collect();
        for _ in 0..random.below(3) {
            let at = random.below(damaged.len());
            let c = junk[random.below(junk.len())];
            match random.below(3) {
                0 => damaged[at] = c,
                1 => damaged.insert(at, c),
                _ if damaged.len() > 1 => {
                    damaged.remove(at);
                }
                _ => {}
            }
        }
        let damaged: String = damaged.into_iter().collect();
        let theirs = serde_json::from_str::<IgnoredAny>(&damaged).is_ok();
        refused += usize::from(!theirs);
        for paths in [
            &["$"][..],
            &["$", "$.a.b", "$.b[1].c"],
            &["$", "$.a[0:].a", "$.c"],
        ] {
            let (shape, _) = {
                let paths: Vec<_> = paths
                    .iter()
                    .map(|path| Path::parse(path).unwrap())
                    .collect();
                Shape::new(&Path::parse("$").unwrap(), &paths).unwrap()
            };
            let mut found = Found::default();
            let mut scanner = Scanner::new(&damaged, 0, usize::MAX);
            let first = scanner.document(&shape, &mut found);
            let ours = first == Ok(true) && scanner.document(&shape, &mut found) == Ok(false);
            assert_eq!(ours, theirs, "{damaged:?} {paths:?}");
        }
    }
    assert!(refused > 5_000, "{refused}");
}
