//! Tables and records by chance. What is expected of a value is made beside its JSON.

use serde_json::{Map, Value, json};

use super::{openx, rows_of, settings, table};
use crate::{
    Codec, Format, OrcCodec, OrcSettings, OrcVersion, ParquetSettings, RowFile, Unconverted,
    WriterVersion,
};

struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }

    /// One of these.
    fn of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        let count = u64::try_from(N).unwrap();
        all[usize::try_from(self.below(count)).unwrap()]
    }

    fn text(&mut self) -> String {
        let signs = [
            'a',
            '"',
            '\\',
            '\n',
            '\u{e9}',
            '\u{1f600}',
            ' ',
            '\u{7f}',
            '{',
            ',',
        ];
        (0..self.below(12)).map(|_| self.of(signs)).collect()
    }
}

fn kind(random: &mut Random, depth: u64) -> String {
    let simple = [
        "boolean",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "double",
        "string",
        "binary",
        "date",
        "timestamp",
        "decimal(20,3)",
    ];
    match random.below(if depth < 3 { 15 } else { 11 }) {
        11 => format!("array<{}>", kind(random, depth + 1)),
        12 => format!("map<string,{}>", kind(random, depth + 1)),
        13 | 14 => {
            let fields = (0..=random.below(3))
                .map(|number| format!("f{number}:{}", kind(random, depth + 1)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        _ => random.of(simple).to_owned(),
    }
}

/// A value of a type, as JSON and as it is read back.
fn value(random: &mut Random, kind: &str) -> (Value, Value) {
    if random.below(6) == 0 {
        return (Value::Null, Value::Null);
    }
    let same = |value: Value| (value.clone(), value);
    let inner = |prefix: &str| {
        kind.strip_prefix(prefix)
            .and_then(|it| it.strip_suffix('>'))
    };
    if let Some(element) = inner("array<") {
        let items = (0..random.below(4)).map(|_| value(random, element));
        let (given, wanted): (Vec<_>, Vec<_>) = items.collect();
        return (given.into(), wanted.into());
    }
    if let Some(item) = inner("map<string,") {
        let (mut given, mut wanted) = (Map::new(), Map::new());
        for number in 0..random.below(4) {
            let (one, other) = value(random, item);
            given.insert(format!("Key{number}"), one);
            wanted.insert(format!("key{number}"), other);
        }
        return (given.into(), wanted.into());
    }
    if let Some(fields) = inner("struct<") {
        let (mut given, mut wanted) = (Map::new(), Map::new());
        for field in split(fields) {
            let (name, kind) = field.split_once(':').unwrap();
            let (one, other) = value(random, kind);
            if !one.is_null() || random.below(2) == 0 {
                given.insert(name.to_uppercase(), one);
            }
            wanted.insert(name.to_owned(), other);
        }
        return (given.into(), wanted.into());
    }
    let number = i64::try_from(random.below(1 << 31)).unwrap() - (1 << 30);
    match kind {
        "boolean" => same(json!(number % 2 == 0)),
        "tinyint" => same(json!(number % 128)),
        "smallint" => same(json!(number % 32_768)),
        "int" => same(json!(number)),
        "bigint" => same(json!(number * (1 << 32) + number)),
        "double" => same(json!(number as f64 / 7.0)),
        "string" => same(json!(random.text())),
        "binary" => {
            let text = random.text();
            (json!(text), json!(text.as_bytes()))
        }
        "date" => {
            let day = number.rem_euclid(20_000);
            let date = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
            let date = date + chrono::Days::new(u64::try_from(day).unwrap());
            (json!(date.format("%Y-%m-%d").to_string()), json!(day))
        }
        "timestamp" => (json!(number), json!(number * 1_000_000)),
        "decimal(20,3)" => {
            let digits = i128::from(number) * 1_000_000 + i128::from(number % 1_000);
            let (whole, part) = (digits.abs() / 1_000, digits.abs() % 1_000);
            let sign = if digits < 0 { "-" } else { "" };
            (
                json!(format!("{sign}{whole}.{part:03}")),
                json!(digits.to_string()),
            )
        }
        other => panic!("{other}"),
    }
}

/// Fields that are apart by commas outside of brackets.
fn split(fields: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, sign) in fields.char_indices() {
        match sign {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&fields[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&fields[from..]);
    found
}

fn format(random: &mut Random) -> Format {
    if random.below(2) == 0 {
        return Format::Orc(OrcSettings {
            codec: random.of([OrcCodec::Uncompressed, OrcCodec::Zlib, OrcCodec::Snappy]),
            stripe_bytes: 8 << 20,
            version: random.of([OrcVersion::V0_11, OrcVersion::V0_12]),
        });
    }
    Format::Parquet(ParquetSettings {
        codec: random.of([Codec::Uncompressed, Codec::Gzip, Codec::Snappy]),
        has_dictionaries: random.below(2) == 0,
        version: random.of([WriterVersion::V1, WriterVersion::V2]),
        ..settings()
    })
}

#[test]
fn whatever_the_table_and_the_records_are_the_file_holds_those_that_fit() {
    let mut random = Random(7);
    for run in 0..300 {
        let kinds: Vec<String> = (0..=random.below(5))
            .map(|_| kind(&mut random, 0))
            .collect();
        let names: Vec<String> = (0..kinds.len())
            .map(|number| format!("c{number}"))
            .collect();
        let columns = names
            .iter()
            .map(String::as_str)
            .zip(kinds.iter().map(String::as_str));
        let columns: Vec<(&str, &str)> = columns.collect();
        let format = format(&mut random);
        let mut file = RowFile::begin(&table(&columns), &openx(), &format, Vec::new()).unwrap();
        let mut rows = Vec::new();
        for _ in 0..random.below(60) {
            let (mut given, mut wanted) = (Map::new(), Map::new());
            for (name, kind) in &columns {
                let (one, other) = value(&mut random, kind);
                given.insert((*name).to_owned(), one);
                wanted.insert((*name).to_owned(), other);
            }
            let mut record = Value::Object(given).to_string();
            let is_cut = random.below(5) == 0;
            if is_cut {
                record.pop();
            }
            match file.add(&[record.as_bytes()], &mut |_| true) {
                Ok(()) => rows.push(Value::Object(wanted)),
                Err(Unconverted::Refused(_)) if is_cut => {}
                Err(other) => panic!("{run}: {format:?}: {columns:?}: {record}: {other:?}"),
            }
        }
        let (found, _) = rows_of(file.finish().unwrap());
        assert_eq!(found, rows, "{run}: {format:?}: {columns:?}");
    }
}
