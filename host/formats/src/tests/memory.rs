//! What records that blow up take, and what they are refused for.

use std::fmt::Write as _;

use serde_json::json;

use super::{begin, openx, rows_of, settings, table};
use crate::limits::{GROWTH, LEAVES_MAX, RECORD_BYTES_MAX};
use crate::{Codec, ParquetSettings, Rows, Table, Unconverted, file_bytes_besides};

fn wide() -> Table {
    let names: Vec<String> = (0..LEAVES_MAX).map(|number| format!("c{number}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "bigint")).collect();
    table(&columns)
}

/// Records that become much more in columns than they are.
fn bombs() -> Vec<(Table, Vec<u8>)> {
    let fields = (0..LEAVES_MAX).fold(String::new(), |mut text, number| {
        write!(text, "{}c{number}:int", if number == 0 { "" } else { "," }).unwrap();
        text
    });
    let nested = table(&[("a", &format!("array<struct<{fields}>>"))]);
    let lists = table(&[("a", "array<array<array<tinyint>>>")]);
    vec![
        (wide(), b"{}".repeat(500_000)),
        (
            nested,
            format!("{{\"a\":[{}{{}}]}}", "{},".repeat(300_000)).into_bytes(),
        ),
        (
            lists,
            format!("{{\"a\":[{}[]]}}", "[],".repeat(3_000_000)).into_bytes(),
        ),
    ]
}

#[test]
fn a_record_that_becomes_too_much_is_refused_before_there_is_memory_for_it() {
    for (table, bomb) in bombs() {
        let mut file = begin(&table, &openx(), &settings());
        file.add(&[b"{}"], &mut |_| true).unwrap();
        let mut most = 0;
        let added = file.add(&[&bomb], &mut |bytes| {
            most = most.max(bytes);
            true
        });
        let Err(Unconverted::Refused(refusal)) = added else {
            panic!("{added:?}");
        };
        let told = format!("becomes more than {RECORD_BYTES_MAX} bytes of columns");
        assert!(refusal.message.contains(&told), "{}", refusal.message);
        assert!(most <= GROWTH * (RECORD_BYTES_MAX + 1024 * 1024), "{most}");
        file.add(&[b"{}"], &mut |_| true).unwrap();
        assert_eq!(rows_of(file.finish().unwrap()).0.len(), 2);
    }
}

#[test]
fn nothing_is_added_that_there_is_no_room_for() {
    for (table, bomb) in bombs() {
        let mut file = begin(&table, &openx(), &settings());
        file.add(&[b"{}"], &mut |_| true).unwrap();
        let mut left = 3;
        let added = file.add(&[&bomb], &mut |_| {
            left -= 1;
            left > 0
        });
        assert_eq!(added, Err(Unconverted::NoRoom));
        assert_eq!(rows_of(file.finish().unwrap()).0.len(), 1);
    }
}

#[test]
fn a_record_is_looked_at_without_being_kept() {
    let mut rows = Rows::new(
        &table(&[("a", "int")]),
        crate::Reading::new(&openx(), &crate::Format::Parquet(settings())).unwrap(),
    );
    for _ in 0..3 {
        rows.check(b"{\"a\":1}", &mut |_| true).unwrap();
        assert!(rows.check(b"{\"a\":\"x\"}", &mut |_| true).is_err());
        assert_eq!((rows.count(), rows.bytes()), (0, 0));
    }
}

/// However records are mixed, what is said of a file bounds what it becomes.
#[test]
fn what_a_file_is_said_to_take_is_within_what_is_reckoned_for_any() {
    let columns = [("n", "bigint"), ("x", "string"), ("a", "array<double>")];
    for codec in [Codec::Uncompressed, Codec::Snappy, Codec::Gzip] {
        let settings = ParquetSettings {
            codec,
            ..settings()
        };
        let mut file = begin(&table(&columns), &openx(), &settings);
        let (mut noise, mut most, mut said) = (1_u64, 0, 0);
        for number in 0_u64..3_000 {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let length = if number % 1_000 == 999 {
                5_000_000
            } else {
                noise >> 50
            };
            let text: String = (0..length)
                .map(|at| char::from(b'a' + ((noise >> (at % 50)) % 26) as u8))
                .collect();
            let record = json!({"n": noise, "x": text, "a": [noise as f64, 0.5]});
            let record = record
                .to_string()
                .replace(&noise.to_string(), &(noise >> 1).to_string());
            file.add(&[record.as_bytes()], &mut |_| true).unwrap();
            let memory = file.memory();
            most = most.max(memory.besides as u64);
            said = memory.file;
        }
        assert!(most <= file_bytes_besides(), "{most}");
        let content = file.finish().unwrap();
        assert!(
            content.len() <= said + 1024 * 1024,
            "{} {said}",
            content.len()
        );
        assert_eq!(rows_of(content).0.len(), 3_000);
    }
}
