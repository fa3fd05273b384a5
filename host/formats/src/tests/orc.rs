//! ORC files.

use serde_json::{Value, json};

use super::orc_reader::{self, OrcFile};
use super::{ALL, openx, table};
use crate::{
    Format, OrcCodec, OrcSettings, OrcVersion, RowFile, Unconverted, digest_of, file_bytes_besides,
};

const PLAIN: OrcSettings = OrcSettings {
    codec: OrcCodec::Snappy,
    stripe_bytes: 64 << 20,
    version: OrcVersion::V0_12,
};

fn begin(columns: &[(&str, &str)], settings: OrcSettings) -> RowFile<Vec<u8>> {
    let format = Format::Orc(settings);
    RowFile::begin(&table(columns), &openx(), &format, Vec::new()).unwrap()
}

/// What records become, all of which fit.
fn file_of(columns: &[(&str, &str)], settings: OrcSettings, records: &[Value]) -> OrcFile {
    let mut file = begin(columns, settings);
    for record in records {
        let record = record.to_string();
        file.add(&[record.as_bytes()], &mut |_| true).unwrap();
    }
    orc_reader::read(&file.finish().unwrap())
}

fn all_settings() -> impl Iterator<Item = OrcSettings> {
    let codecs = [OrcCodec::Uncompressed, OrcCodec::Zlib, OrcCodec::Snappy];
    codecs.into_iter().flat_map(|codec| {
        [OrcVersion::V0_11, OrcVersion::V0_12].map(|version| OrcSettings {
            codec,
            version,
            ..PLAIN
        })
    })
}

#[test]
fn values_at_the_ends_of_every_type_are_read_as_they_were_written() {
    let columns = [
        ("t", "tinyint"),
        ("s", "smallint"),
        ("i", "int"),
        ("l", "bigint"),
        ("f", "float"),
        ("d", "double"),
        ("n", "decimal(38,10)"),
        ("x", "string"),
        ("c", "char(2)"),
        ("day", "date"),
        ("at", "timestamp"),
        ("a", "array<array<int>>"),
        ("m", "map<int,array<string>>"),
    ];
    let digits = "9".repeat(28) + "." + &"9".repeat(10);
    let long = "\u{e9}".repeat(1 << 19);
    let given = [
        json!({"t": -128, "s": -32_768, "i": i32::MIN, "l": i64::MIN, "f": f32::MIN,
            "d": f64::MIN, "n": format!("-{digits}"), "x": "", "c": "abc", "day": "0001-01-01",
            "at": "0001-01-01 00:00:00", "a": [], "m": {}}),
        json!({"t": 127, "s": 32_767, "i": i32::MAX, "l": i64::MAX, "f": f32::MAX, "d": f64::MAX,
            "n": digits, "x": long, "c": "a", "day": "9999-12-31",
            "at": "9999-12-31T23:59:59.999999999Z", "a": [[], null, [1, null]],
            "m": {"7": [], "-8": null, "9": ["x", null]}}),
        json!({"at": "1969-12-31T23:59:58.999999Z", "day": "1899-12-31", "n": "-0.0000000001"}),
    ];
    let raw = format!("{}9", "9".repeat(37));
    let wanted = [
        json!({"t": -128, "s": -32_768, "i": i32::MIN, "l": i64::MIN, "f": f32::MIN,
            "d": f64::MIN, "n": format!("-{raw}"), "x": "", "c": "ab", "day": -719_162,
            "at": -62_135_596_800_000_000_i64, "a": [], "m": {}}),
        json!({"t": 127, "s": 32_767, "i": i32::MAX, "l": i64::MAX, "f": f32::MAX, "d": f64::MAX,
            "n": raw, "x": long, "c": "a", "day": 2_932_896, "at": 253_402_300_799_999_999_i64,
            "a": [[], null, [1, null]], "m": {"7": [], "-8": null, "9": ["x", null]}}),
        json!({"t": null, "s": null, "i": null, "l": null, "f": null, "d": null, "n": "-1",
            "x": null, "c": null, "day": -25_568, "at": -1_000_001, "a": null, "m": null}),
    ];
    for settings in all_settings() {
        let file = file_of(&columns, settings, &given);
        assert_eq!(file.rows, wanted, "{settings:?}");
        let minor = match settings.version {
            OrcVersion::V0_11 => 11,
            OrcVersion::V0_12 => 12,
        };
        assert_eq!(file.version, [0, minor]);
        let has_runs_2 = file.encodings.contains(&2);
        assert_eq!(has_runs_2, settings.version == OrcVersion::V0_12);
        // Of rows, of a tinyint of which there are two, and of items of the lists of both.
        assert_eq!((file.counts[0], file.counts[1]), (3, 2));
        assert_eq!(file.counts[12..15], [2, 2, 1], "{:?}", file.counts);
    }
}

#[test]
fn a_moment_that_readers_would_take_for_another_is_refused() {
    let mut file = begin(&[("at", "timestamp")], PLAIN);
    for (text, fits) in [
        ("1969-12-31T23:59:59.0009Z", true),
        ("1969-12-31T23:59:59.001Z", false),
        ("1969-12-31T23:59:59.999999Z", false),
        ("1970-01-01T00:00:00.000001Z", true),
    ] {
        let record = json!({"at": text}).to_string();
        match file.add(&[record.as_bytes()], &mut |_| true) {
            Ok(()) => assert!(fits, "{text}"),
            Err(Unconverted::Refused(refusal)) => {
                assert!(!fits, "{text}");
                let told = "no moments of the last second before 1970 (column at)";
                assert!(refusal.message.ends_with(told), "{}", refusal.message);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    let file = orc_reader::read(&file.finish().unwrap());
    assert_eq!(file.rows, [json!({"at": -999_100}), json!({"at": 1})]);
}

#[test]
fn integers_of_all_shapes_are_read_back_by_both_versions() {
    let mut noise = 1_u64;
    let mut next = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.cast_signed()
    };
    let mut numbers: Vec<i64> = Vec::new();
    for shape in 0..400 {
        let (start, bits) = (next() >> 20, shape % 63);
        let count = 1 + shape * 7 % 40;
        numbers.extend((0..count).map(|place| match shape % 5 {
            0 => start,
            1 => start.wrapping_add(place * (next() >> 56)),
            2 => next() >> bits,
            3 => start + place * 3,
            _ => [i64::MIN, i64::MAX, 0, -1][usize::try_from(place % 4).unwrap()],
        }));
        // Those that rise by more and more.
        numbers.extend((0..count).map(|place| start + place * place));
    }
    let records: Vec<Value> = numbers.iter().map(|it| json!({"n": it})).collect();
    for settings in all_settings() {
        let file = file_of(&[("n", "bigint")], settings, &records);
        assert!(file.rows == records, "{settings:?}");
    }
}

#[test]
fn a_stripe_ends_when_it_is_large_and_the_rows_are_all_there() {
    let letter = |n: u32| char::from_u32(u32::from('a') + n * 7 % 26).unwrap();
    let text: String = (0..200).map(letter).collect();
    let count = 100_000;
    let mut file = begin(
        &[("n", "int"), ("x", "string"), ("a", "array<int>")],
        OrcSettings {
            codec: OrcCodec::Uncompressed,
            stripe_bytes: 8 << 20,
            ..PLAIN
        },
    );
    let mut most = 0;
    for number in 0..count {
        let list: Vec<u32> = (0..number % 4).collect();
        let record = json!({"n": number, "x": format!("{number}{text}"), "a": list});
        let record = record.to_string();
        file.add(&[record.as_bytes()], &mut |_| true).unwrap();
        most = most.max(file.memory().besides as u64);
    }
    assert!(most <= file_bytes_besides(), "{most}");
    let said = file.memory().file;
    let content = file.finish().unwrap();
    assert!(
        content.len() <= said + 1024 * 1024,
        "{} {said}",
        content.len()
    );
    let read = orc_reader::read(&content);
    assert_eq!((read.rows.len(), read.stripes), (100_000, 3));
    for (number, row) in read.rows.iter().enumerate() {
        assert_eq!(row["n"], json!(number));
        assert_eq!(row["a"].as_array().unwrap().len(), number % 4);
    }
}

#[test]
fn the_same_records_are_the_same_bytes_and_the_end_says_what_they_were() {
    let write = |numbers: std::ops::Range<u32>, settings| {
        let mut file = begin(&ALL, settings);
        for number in numbers {
            let record = json!({"i": number, "x": format!("v{}", number % 77)}).to_string();
            file.add(&[record.as_bytes()], &mut |_| true).unwrap();
        }
        file.finish().unwrap()
    };
    let content = write(0..5_000, PLAIN);
    assert!(content == write(0..5_000, PLAIN));
    let digest = digest_of(&content);
    assert!(digest.is_some());
    for settings in all_settings() {
        assert_eq!(
            digest,
            digest_of(&write(0..5_000, settings)),
            "{settings:?}"
        );
        let fewer = digest_of(&write(1..5_000, settings));
        assert!(fewer.is_some() && fewer != digest);
    }
    assert_eq!(digest, digest_of(&content[content.len() - 200..]));
    let more = [&content[..], b"x"].concat();
    for none in [&content[..content.len() - 1], &more, b"ORC", b"ORCx"] {
        assert_eq!(digest_of(none), None);
    }
}

#[test]
fn a_table_with_many_columns_within_others_takes_what_is_reckoned_for_any() {
    let mut kind = "tinyint".to_owned();
    for _ in 0..32 {
        kind = format!("array<{kind}>");
    }
    let names: Vec<String> = (0..270).map(|number| format!("c{number}")).collect();
    let columns: Vec<(&str, &str)> = names
        .iter()
        .map(|it| (it.as_str(), kind.as_str()))
        .collect();
    let mut file = begin(&columns, PLAIN);
    file.add(&[b"{\"c0\":[[[[]]]]}"], &mut |_| true).unwrap();
    let memory = file.memory();
    assert!(memory.besides as u64 <= file_bytes_besides(), "{memory:?}");
    let read = orc_reader::read(&file.finish().unwrap());
    assert_eq!(read.rows[0]["c0"], json!([[[[]]]]));
    assert_eq!(read.counts.len(), 270 * 33 + 1);
}

#[test]
fn a_file_without_rows_is_a_file() {
    let file = begin(&ALL, PLAIN);
    let read = orc_reader::read(&file.finish().unwrap());
    assert_eq!((read.rows.len(), read.stripes), (0, 0));
}
