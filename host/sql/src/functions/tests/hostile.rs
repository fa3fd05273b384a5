//! Arguments that nobody means well with: whatever they are, there is an answer or a fault, and a
//! pattern cannot take more time than its length allows.

use super::evaluate::{Literals, evaluate_with};

const TEXTS: [&str; 16] = [
    "''",
    "' '",
    "'a'",
    "'%'",
    "'_%\\'",
    "'é🌏\u{301}ß'",
    "'2004-02-29 23:59:59.999'",
    "'99999999999999999999999999999999999999999999999999999999999'",
    "'-1e-2147483648'",
    "'1e2147483647'",
    "'(((((a*)*)*)*)*'",
    "'yyyyyyyyyy-MM-dd''T''HH:mm:ss.SSSX'",
    "'$1\\'",
    "'[[:alpha:]'",
    "'+99:99 -00:0é'",
    "NULL",
];

const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "-1",
    "2147483647",
    "-9223372036854775808",
    "9223372036854775807",
    "0.000000000000000000000000000000000001",
    "-99999999999999999999999999999999999999",
    "1.7e308",
    "NULL",
];

const MOMENTS: [&str; 7] = [
    "DATE '0001-01-01'",
    "DATE '9999-12-31'",
    "TIMESTAMP '1969-12-31 23:59:59.999'",
    "TIMESTAMP '9999-12-31 23:59:59.999'",
    "TIME '23:59:59'",
    "TO_TIMESTAMP(-62135596800000)",
    "NULL",
];

const INTERVALS: [&str; 5] = [
    "INTERVAL '0' SECOND",
    "INTERVAL '-99' DAY",
    "INTERVAL '99' YEAR",
    "INTERVAL '-99' MONTH",
    "INTERVAL '1' DAY * 9223372036854775807",
];

/// Templates of the arguments t (text), n (number), m (moment) and i (interval).
const TEMPLATES: [&str; 40] = [
    "{t} || {t}",
    "{t} LIKE {t}",
    "{t} LIKE {t} ESCAPE {t}",
    "{t} SIMILAR TO {t}",
    "{t} SIMILAR TO {t} ESCAPE '\\'",
    "SUBSTRING({t} FROM {n} FOR {n})",
    "SUBSTRING({t} FROM {t})",
    "SUBSTRING({t} FROM {t} FOR '#')",
    "OVERLAY({t} PLACING {t} FROM {n})",
    "OVERLAY({t} PLACING {t} FROM {n} FOR {n})",
    "POSITION({t} IN {t})",
    "POSITION({t}, {t}, {n})",
    "TRIM(BOTH {t} FROM {t})",
    "INITCAP({t})",
    "UPPER({t})",
    "REGEX_REPLACE({t}, {t}, {t}, {n}, {n})",
    "CHAR_TO_TIMESTAMP({t}, {t})",
    "TIMESTAMP_TO_CHAR({t}, {m})",
    "CAST({t} AS INTEGER)",
    "CAST({t} AS DECIMAL(38,20))",
    "CAST({t} AS DOUBLE)",
    "CAST({t} AS TIMESTAMP)",
    "CAST({t} AS INTERVAL DAY TO SECOND)",
    "CAST({n} AS DECIMAL(38,38))",
    "CAST({n} AS REAL)",
    "CAST({n} AS TINYINT)",
    "{n} + {n}",
    "{n} * {n}",
    "{n} / {n}",
    "{n} % {n}",
    "{n} < {n}",
    "-({n})",
    "ABS({n})",
    "FLOOR({n})",
    "POWER({n}, {n})",
    "STEP({n} BY {n})",
    "{m} + {i}",
    "{i} / {n}",
    "STEP({m} BY {i})",
    "TO_TIMESTAMP({n})",
];

/// All ways to fill the places of a template.
fn filled(template: &str) -> Vec<String> {
    let places: [(&str, &[&str]); 4] = [
        ("{t}", &TEXTS),
        ("{n}", &NUMBERS),
        ("{m}", &MOMENTS),
        ("{i}", &INTERVALS),
    ];
    let mut done = vec![template.to_owned()];
    for (place, values) in places {
        while done[0].contains(place) {
            let parts = done.iter();
            let parts = parts.flat_map(|part| values.iter().map(|v| part.replacen(place, v, 1)));
            done = parts.collect();
        }
    }
    done
}

#[test]
fn no_argument_makes_a_function_panic() {
    let mut count = 0;
    for template in TEMPLATES {
        for (number, code) in filled(template).into_iter().enumerate() {
            // Of templates with many places, some of their thousands of ways are enough.
            if number > 300 && number % 97 != 0 {
                continue;
            }
            evaluate_with(&code, Literals::Inside);
            let found = evaluate_with(&code, Literals::InColumns);
            assert!(
                !found.starts_with("error: internal"),
                "{code} gives {found}"
            );
            count += 1;
        }
    }
    assert!(count > 5_000, "{count} expressions");
}

#[test]
fn a_text_that_is_too_long_is_a_fault() {
    let long = format!("'{}'", "é".repeat(40_000));
    let found = evaluate_with(&format!("{long} || {long}"), Literals::InColumns);
    assert!(found.starts_with("error: LIMIT_EXCEEDED"), "{found}");
    let replaced = format!("REGEX_REPLACE({long}, 'é', 'xx', 1, 0)");
    assert!(evaluate_with(&replaced, Literals::Inside).starts_with("error: LIMIT_EXCEEDED"));
    let whole = format!("CHAR_LENGTH(SUBSTRING({long} || {long} FROM 1))");
    assert!(evaluate_with(&whole, Literals::Inside).starts_with("error: LIMIT_EXCEEDED"));
}

#[test]
fn a_pattern_that_repeats_repeats_takes_no_more_time_than_others() {
    let text = format!("'{}b'", "a".repeat(20_000));
    let like = format!("{text} LIKE '%a%a%a%a%a%a%a%a%c'");
    assert_eq!(evaluate_with(&like, Literals::InColumns), "FALSE");
    let similar = format!("{text} SIMILAR TO '((a|aa)*)*c'");
    assert_eq!(evaluate_with(&similar, Literals::InColumns), "FALSE");
    let large = "'a' SIMILAR TO '((a{1000}){1000}){1000}'";
    assert!(evaluate_with(large, Literals::Inside).starts_with("error"));
}

/// As SQL says it: the first token against the first character, in all ways.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some(('%', rest)), _) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        (Some((_, _)), None) => false,
        (Some((wanted, rest)), Some((letter, after))) => {
            (*wanted == '_' || wanted == letter) && matches(rest, after)
        }
    }
}

#[test]
fn like_matches_what_its_definition_matches() {
    let letters = ['a', 'b', '%', '_'];
    let word = |mut number: usize, length: usize, letters: &[char]| {
        let word = (0..length).map(|_| {
            let letter = letters[number % letters.len()];
            number /= letters.len();
            letter
        });
        word.collect::<String>()
    };
    for pattern in 0..letters.len().pow(4) {
        let pattern = word(pattern, 4, &letters);
        for text in 0..2_usize.pow(5) {
            let text = word(text, 5, &letters[..2]);
            let (p, t): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), text.chars().collect());
            let expected = if matches(&p, &t) { "TRUE" } else { "FALSE" };
            let code = format!("'{text}' LIKE '{pattern}'");
            assert_eq!(evaluate_with(&code, Literals::Inside), expected, "{code}");
        }
    }
}
