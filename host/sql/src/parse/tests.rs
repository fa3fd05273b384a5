mod expressions;
mod guide;
mod print;
mod refused;
mod statements;

use super::{parse, parse_expression};

/// How a program was understood, a line for each statement, after reading that once more gave the
/// same.
fn understood(code: &str) -> String {
    let printed = |code: &str| {
        let statements = parse(code).unwrap_or_else(|invalid| panic!("{invalid}: {code}"));
        let lines: Vec<String> = statements.iter().map(print::statement).collect();
        lines.join(";\n")
    };
    let once = printed(code);
    assert_eq!(once, printed(&once), "read again: {code}");
    once
}

/// The same for one expression.
fn expression(code: &str) -> String {
    let parsed = parse_expression(code).unwrap_or_else(|invalid| panic!("{invalid}: {code}"));
    let once = print::expression(&parsed);
    let again = parse_expression(&once).unwrap_or_else(|invalid| panic!("{invalid}: {once}"));
    assert_eq!(once, print::expression(&again), "read again: {code}");
    once
}

fn check_expressions(cases: &[(&str, &str)]) {
    for (code, expected) in cases {
        assert_eq!(expression(code), *expected, "{code}");
    }
}
