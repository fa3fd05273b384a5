use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::query::json::read;
use crate::query::run::Run;

/// What a query gives, value by value as JSON; `None` from where it fails on.
fn evaluate(query: &str, input: &str) -> Vec<Option<String>> {
    let query = Query::parse(query).unwrap_or_else(|why| panic!("{query}: {why:?}"));
    let mut may_hold = |_| true;
    let mut meter = Meter::new(1_000_000, 1 << 26, &mut may_hold);
    let input = read(input.as_bytes(), &mut meter).unwrap();
    let mut run = Run {
        meter: &mut meter,
        depth: 0,
        next: 0,
    };
    let mut found = Vec::new();
    let flow = run.eval(&query.0, &run::Env::default(), input, &mut |run, value| {
        found.push(Some(text::to_json(&value, run.meter)?));
        Ok(())
    });
    if flow.is_err() {
        found.push(None);
    }
    found
}

/// A value and, line by line, a query and what jq 1.6 made of the value by it; `!` is a failure.
const KNOWN: &str = include_str!("tests/known.txt");

fn known() -> impl Iterator<Item = (&'static str, &'static str, Vec<Option<String>>)> {
    let (input, lines) = KNOWN.split_once('\n').unwrap();
    lines.lines().map(move |line| {
        let mut parts = line.split('\t');
        let query = parts.next().unwrap();
        let found = parts.map(|part| (part != "!").then(|| part.to_owned()));
        (query, input, found.collect())
    })
}

#[test]
fn queries_give_what_jq_1_6_was_seen_to_give() {
    let (mut count, mut others) = (0, Vec::new());
    for (query, input, wanted) in known() {
        let found = evaluate(query, input);
        if found != wanted {
            others.push((query, found, wanted));
        }
        count += 1;
    }
    assert!(others.is_empty(), "{others:#?}");
    assert!(count > 190, "{count}");
}

/// What jq gives, if it is on the machine and is of version 1.6.
fn jq(query: &str, input: &str) -> Option<Vec<Option<String>>> {
    let version = Command::new("jq").arg("--version").output().ok()?;
    if version.stdout != b"jq-1.6\n" {
        return None;
    }
    let mut child = Command::new("jq")
        .args(["-c", query])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One that does not compile reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let mut found: Vec<Option<String>> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| Some(line.to_owned()))
        .collect();
    if !done.status.success() {
        found.push(None);
    }
    Some(found)
}

#[test]
fn what_is_kept_of_jq_1_6_is_what_it_gives() {
    for (query, input, wanted) in known() {
        match jq(query, input) {
            Some(found) => assert_eq!(found, wanted, "{query} of {input}"),
            None => return,
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn any_filter(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random
            .one_of(&[
                ".", ".a", ".b", ".c?", "1", "2.5", "\"x\"", "null", "true", ".[0]?", ".[]?",
                ".b[1]?", "-1", "[]", "{}",
            ])
            .to_owned();
    }
    let (one, other) = (any_filter(random, depth - 1), any_filter(random, depth - 1));
    match random.below(13) {
        0 => format!("({one}) | ({other})"),
        1 => format!("({one}) , ({other})"),
        2 => format!("[{one}]"),
        3 => format!("{{a: ({one}), b: ({other})}}"),
        4 => {
            let operator = random.one_of(&["+", "-", "*", "/", "%", "==", "<", ">=", "!="]);
            format!("({one}) {operator} ({other})")
        }
        5 => format!("({one}) // ({other})"),
        6 => format!("({one}) and ({other}) or false"),
        7 => format!("if {one} then {other} else . end"),
        8 => format!("(try ({one}) catch \"caught\")"),
        9 => format!("({one}) as $v | [$v, ({other})]"),
        10 => format!("reduce ({one}) as $v (null; [., $v])"),
        11 => format!("\"s\\({one})-\\({other})\""),
        _ => {
            let function = random.one_of(&[
                "length?",
                "tostring",
                "keys?",
                "add?",
                "sort?",
                "type",
                "not",
                "floor?",
                "to_entries?",
                "unique?",
                "min?",
                "max?",
                "reverse?",
                "tojson",
                "flatten?",
            ]);
            format!("({one}) | {function}")
        }
    }
}

/// A dozen queries in each process of jq: it takes longer to start than to evaluate.
#[test]
fn queries_by_chance_give_what_jq_1_6_gives() {
    let seed = 20_261_130;
    let mut random = Random(seed);
    let inputs = [
        r#"{"a":1,"b":[3,1,2],"c":{"a":"x","b":null}}"#,
        r#"{"a":"text","b":{"a":[1,[2]],"c":"d"},"c":false}"#,
        "[1,\"a\",null,{\"a\":2}]",
        "\"text\"",
        "null",
    ];
    let mut others = Vec::new();
    for _ in 0..150 {
        let input = inputs[random.below(inputs.len())];
        let filters: Vec<String> = (0..12)
            .map(|_| format!("[try [{}] catch \"fails\"]", any_filter(&mut random, 3)))
            .collect();
        let Some(wanted) = jq(&filters.join(", "), input) else {
            return;
        };
        let found: Vec<_> = filters.iter().flat_map(|it| evaluate(it, input)).collect();
        assert_eq!(found.len(), wanted.len());
        for ((filter, found), wanted) in filters.iter().zip(found).zip(wanted) {
            if found != wanted {
                others.push((filter.clone(), input, found, wanted));
            }
        }
    }
    assert!(others.is_empty(), "seed {seed}: {others:#?}");
}

#[test]
fn a_query_says_which_members_it_gives_where_its_text_does() {
    let keys = |query: &str| Query::parse(query).unwrap().keys();
    let wanted = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        Some(names.collect::<Vec<String>>())
    };
    assert_eq!(keys("{a:.x, b}"), wanted(&["a", "b"]));
    assert_eq!(keys(".x | {\"a b\": .y}"), wanted(&["a b"]));
    assert_eq!(keys(". as $x | {$x}"), wanted(&["x"]));
    assert_eq!(keys("if .x then {a:1} else {a:2} end"), wanted(&["a"]));
    assert_eq!(keys("if .x then {a:1} else {b:2} end"), None);
    assert_eq!(keys("{(.x): 1}"), None);
    assert_eq!(keys("."), None);
}

#[test]
fn what_is_no_query_or_is_not_known_is_refused_by_name() {
    for (query, what) in [
        ("", "ends too early"),
        ("{a: .b + 1}", "unexpected '+ 1}'"),
        ("{a: .b // 1}", "unexpected '// 1}'"),
        ("{a:.b", "ends too early"),
        ("{a:.b} x", "unexpected 'x'"),
        ("if . then 1 end", "unexpected 'end'"),
        ("def f: f; f", "uses def,"),
        ("now", "uses now/0,"),
        ("input", "uses input/0,"),
        ("env.A", "uses env/0,"),
        ("$ENV.A", "uses $ENV,"),
        (".a |= 1", "uses an assignment,"),
        (".a = 1", "uses an assignment,"),
        (".a += 1", "uses an assignment,"),
        (".a //= 1", "uses an assignment,"),
        (". as [$a] | $a", "uses a pattern other than a variable,"),
        ("$x", "uses $x, which is not defined"),
        ("test(\"a\")", "uses test/1,"),
        ("@csv", "uses @csv,"),
        ("foreach .[] as $x (0; 1)", "uses foreach,"),
        ("path(..)", "uses path/1,"),
        ("label $x | 1", "uses label,"),
    ] {
        let Err(Invalid(told)) = Query::parse(query) else {
            panic!("{query} is taken");
        };
        assert!(told.contains(what), "{query}: {told}");
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let Err(Invalid(told)) = Query::parse(&deep) else {
        panic!("it is taken");
    };
    assert!(told.contains("nested too deeply"), "{told}");
}

#[test]
fn what_hangs_together_without_an_end_is_refused_by_name() {
    let nested = format!(
        "{}.{}",
        "(".repeat(40),
        format!("{})", "?".repeat(100)).repeat(40)
    );
    for (query, what) in [
        (
            format!(".{}", "?".repeat(5_119)),
            "more than 192 in a row of '?', '[' or '.'",
        ),
        (
            format!(".{}", "[]".repeat(2_500)),
            "more than 192 in a row of '?', '[' or '.'",
        ),
        (vec!["1"; 2_500].join(","), "more than 192 in a row of ','"),
        (
            vec!["1"; 2_500].join("-"),
            "more than 192 in a row of '+' or '-'",
        ),
        (
            vec!["1"; 2_500].join("*"),
            "more than 192 in a row of '*', '/' or '%'",
        ),
        (
            vec!["1"; 1_250].join(" or "),
            "more than 192 in a row of 'or'",
        ),
        (
            vec!["1"; 1_000].join(" and "),
            "more than 192 in a row of 'and'",
        ),
        (nested, "more than 1024 operators and suffixes"),
    ] {
        let Err(Invalid(told)) = Query::parse(&query) else {
            panic!("{query} is taken");
        };
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn members_that_stand_beside_each_other_are_not_nested() {
    let members: Vec<String> = (0..200).map(|n| format!("k{n}:(.a.b|tostring)")).collect();
    let found = evaluate(
        &format!("{{{}}}|length", members.join(",")),
        r#"{"a":{"b":1}}"#,
    );
    assert_eq!(found, [Some("200".to_owned())]);
    // What gives several, or catches what comes next, is as before.
    let found = evaluate("{a:(1,2),b:3,c:(empty,4)}|[.a,.b,.c]", "null");
    let wanted = ["[1,3,4]", "[2,3,4]"].map(|it| Some(it.to_owned()));
    assert_eq!(found, wanted);
    assert!(evaluate("{a:(1?),b:error}", "null").is_empty());
    assert_eq!(evaluate("{a:1,b:error}", "\"x\""), [None]);
    assert!(evaluate("{a:numbers,b:1}", "\"x\"").is_empty());
}

/// What a query may use for a record here.
fn spent(query: &str, data: &[u8]) -> Spent {
    let query = Query::parse(query).unwrap();
    let mut held = 0;
    let mut may_hold = |bytes| {
        held = bytes;
        true
    };
    let mut meter = Meter::new(50_000, 8 << 20, &mut may_hold);
    match query.members(data, (&[], 0), &mut meter) {
        Err(Failed::Spent(spent)) => {
            assert!(held <= (8 << 20) + (64 << 10), "{held}");
            spent
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_that_has_no_end_or_grows_is_stopped() {
    for (query, what) in [
        ("last(range(1e18))", Spent::Steps),
        ("[recurse(.)]", Spent::Depth),
        ("[range(1e18)]", Spent::Steps),
        ("reduce range(1e9) as $i (\"x\"; . + .)", Spent::Steps),
        ("\"x\" * 1e15", Spent::Steps),
        ("\"x\" * 1e6 * 1e6", Spent::Steps),
        ("reduce range(1e6) as $i (null; [.])", Spent::Depth),
        ("reduce range(1e6) as $i ({}; {a: .})", Spent::Depth),
        ("reduce range(1e6) as $i ([]; . + .)", Spent::Steps),
        ("reduce range(1e6) as $i ([1]; . + .)", Spent::Steps),
        ("[range(40000)] | [., .] | tojson", Spent::Steps),
        ("try last(range(1e18)) catch {a:1}", Spent::Steps),
        ("(last(range(1e18)))? // {a:1}", Spent::Steps),
    ] {
        assert_eq!(spent(query, b"{}"), what, "{query}");
    }
    // Each level has twice as many.
    let doubling = vec!["(.,.)"; 40].join("|");
    assert_eq!(spent(&format!("[{doubling}]"), b"1"), Spent::Steps);
    let shared = vec!["[.,.]"; 40].join("|");
    assert_eq!(spent(&format!("{shared}|tostring"), b"1"), Spent::Steps);
    let long = format!("[{}1]", "1,".repeat(2_000_000));
    assert_eq!(spent("{a:.}", long.as_bytes()), Spent::Bytes);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(spent("{a:.}", deep.as_bytes()), Spent::Depth);
    let wide: Vec<String> = (0..20_000).map(|name| format!("\"{name}\":0")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    let looks = vec![".a"; 60].join(",");
    assert_eq!(spent(&format!("[{looks}]"), wide.as_bytes()), Spent::Steps);
}

#[test]
fn memory_that_is_not_there_is_not_taken() {
    let query = Query::parse("{a: .}").unwrap();
    let mut may_hold = |bytes| bytes <= 200_000;
    let mut meter = Meter::new(1 << 40, u64::MAX, &mut may_hold);
    let data = format!("[{}1]", "1,".repeat(100_000));
    let found = query.members(data.as_bytes(), (&[], 0), &mut meter);
    assert_eq!(found, Err(Failed::Spent(Spent::NoRoom)));
}

#[test]
fn what_is_no_number_is_sorted_somewhere_and_breaks_nothing() {
    let mut random = Random(3);
    for _ in 0..200 {
        let count = random.below(100);
        let items: Vec<&str> = (0..count)
            .map(|_| random.one_of(&["1", "2", "(1e1000-1e1000)", "\"a\"", "[1e1000-1e1000]"]))
            .collect();
        let query = format!(
            "[[{}] | sort, unique, group_by(.), min, max] | length",
            items.join(",")
        );
        let found = evaluate(&query, "null");
        assert_eq!(found, [Some("5".to_owned())], "{query}");
        // It may end anywhere within a sort, too.
        let Ok(query) = Query::parse(&query) else {
            continue;
        };
        let mut may_hold = |_| true;
        let mut meter = Meter::new(100 + 40 * count as u64, 1 << 26, &mut may_hold);
        let ended = query.members(b"null", (&[], 0), &mut meter);
        assert!(ended.is_err());
    }
}

#[test]
fn garbage_is_no_query_and_no_record_and_harms_nobody() {
    let mut random = Random(7);
    let pieces = [
        ".",
        "a",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "|",
        ",",
        "\"",
        "\\(",
        "\\",
        "$",
        "@",
        "1",
        "if",
        "then",
        "else",
        "end",
        "as",
        "reduce",
        ":",
        ";",
        "//",
        "-",
        "?",
        "é",
        "\u{1f600}",
        " ",
        "try",
        "catch",
        "1e",
        "..",
        "#",
        "and",
        "=",
        "\n",
        "u",
        "\\u12",
    ];
    for _ in 0..20_000 {
        let count = random.below(12);
        let text: String = (0..count).map(|_| random.one_of(&pieces)).collect();
        if let Ok(query) = Query::parse(&text) {
            let mut may_hold = |_| true;
            let mut meter = Meter::new(1_000, 1 << 20, &mut may_hold);
            let _ = query.members(br#"{"a":[1,"b",{"c":null}]}"#, (&["a"], 9), &mut meter);
        }
        let mut may_hold = |_| true;
        let mut meter = Meter::new(10_000, 1 << 20, &mut may_hold);
        let read = read(text.as_bytes(), &mut meter);
        let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        assert!(read.is_ok() || !is_json, "{text}");
    }
}
