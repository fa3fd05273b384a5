use super::*;

fn discovered(records: &[&str]) -> Discovered {
    let records: Vec<_> = records
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    discover(&records).unwrap()
}

/// Names, types and mappings of the columns.
fn columns(discovered: &Discovered) -> Vec<String> {
    let columns = discovered.schema.record_columns.iter();
    let text = |column: &RecordColumn| {
        let mapping = column.mapping.as_deref().unwrap_or_default();
        format!("{} {} {mapping}", column.name, column.sql_type)
            .trim_end()
            .to_owned()
    };
    columns.map(text).collect()
}

fn row(values: &[Option<&str>]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

#[test]
fn the_example_of_the_guide_is_inferred_as_there() {
    let file = "year,month,state,producer_type,energy_source,units,consumption\r\n\
        2001,1,AK,TotalElectricPowerIndustry,Coal,ShortTons,47615\r\n\
        2001,1,AK,ElectricGeneratorsElectricUtilities,Coal,ShortTons,16535\r\n\
        2001,1,AK,CombinedHeatandPowerElectricPower,Coal,ShortTons,22890\r\n\
        2001,1,AL,TotalElectricPowerIndustry,Coal,ShortTons,3020601\r\n\
        2001,1,AL,ElectricGeneratorsElectricUtilities,Coal,ShortTons,2987681";
    let found = discovered(&[file]);
    let expected = [
        "COL_year INTEGER",
        "COL_month INTEGER",
        "state VARCHAR(4)",
        "producer_type VARCHAR(64)",
        "energy_source VARCHAR(4)",
        "units VARCHAR(16)",
        "consumption INTEGER",
    ];
    assert_eq!(columns(&found), expected);
    let format = serde_json::to_value(&found.schema.record_format).unwrap();
    let expected = serde_json::json!({
        "RecordFormatType": "CSV",
        "MappingParameters": {
            "CSVMappingParameters": {
                "RecordRowDelimiter": "\r\n",
                "RecordColumnDelimiter": ","
            }
        }
    });
    assert_eq!(format, expected);
    let heading = [
        None,
        None,
        Some("state"),
        Some("producer_type"),
        Some("energy_source"),
        Some("units"),
        None,
    ];
    let last = [
        "2001",
        "1",
        "AL",
        "ElectricGeneratorsElectricUtilities",
        "Coal",
        "ShortTons",
        "2987681",
    ];
    assert_eq!(found.rows[0], row(&heading));
    assert_eq!(found.rows[5], row(&last.map(Some)));
    assert_eq!(found.rows.len(), 6);
}

#[test]
fn members_of_documents_are_columns_in_their_order() {
    let found = discovered(&[
        r#"{"TICKER_SYMBOL": "AMZN", "SECTOR": "TECHNOLOGY", "CHANGE": -2.5, "PRICE": 84}"#,
        r#"{"TICKER_SYMBOL": "QXZ", "PRICE": 8400000000, "user": {"ok": true, "at": null}}"#,
        r#"{"EVENT_TIME": "2018-03-09T17:05:00.123456", "DAY": "2018-03-09", "x": 0.123456789}"#,
        r#"{"mixed": 1, "tags": ["a", "b"]} {"mixed": "one", "tags": []}"#,
    ]);
    let expected = [
        "TICKER_SYMBOL VARCHAR(4) $.TICKER_SYMBOL",
        "SECTOR VARCHAR(16) $.SECTOR",
        "CHANGE REAL $.CHANGE",
        "PRICE BIGINT $.PRICE",
        "ok BOOLEAN $.user.ok",
        "COL_at VARCHAR(4) $.user.at",
        "EVENT_TIME TIMESTAMP $.EVENT_TIME",
        "COL_DAY DATE $.DAY",
        "x DOUBLE $.x",
        "mixed VARCHAR(4) $.mixed",
        "tags VARCHAR(16) $.tags[0:]",
    ];
    assert_eq!(columns(&found), expected);
    assert_eq!(found.rows.len(), 5);
    assert_eq!(found.rows[3][10].as_deref(), Some(r#"["a", "b"]"#));
}

#[test]
fn the_objects_of_one_array_are_rows() {
    let found = discovered(&[r#"{"id": 7, "orders": [
            {"orderId": "23284", "n": 1}, {"orderId": "63122", "more": {"n": 2}}
        ]}"#]);
    let expected = [
        "id INTEGER $.id",
        "orderId VARCHAR(8) $.orders[0:].orderId",
        "n INTEGER $.orders[0:].n",
        "more_n INTEGER $.orders[0:].more.n",
    ];
    assert_eq!(columns(&found), expected);
    let first = row(&[Some("7"), Some("23284"), Some("1"), None]);
    assert_eq!(
        found.rows,
        [first, row(&[Some("7"), Some("63122"), None, Some("2")])]
    );
}

#[test]
fn an_array_that_is_all_there_is_becomes_the_row_path() {
    for (text, path) in [
        (r#"{"orders": [{"a": 1}, {"a": 2}]}"#, "$.orders[0:]"),
        (r#"[{"a": 1}, {"a": 2}]"#, "$[0:]"),
    ] {
        let found = discovered(&[text]);
        assert_eq!(columns(&found), ["a INTEGER $.a"]);
        let format = serde_json::to_value(&found.schema.record_format).unwrap();
        let json = &format["MappingParameters"]["JSONMappingParameters"];
        assert_eq!(json["RecordRowPath"], path);
        assert_eq!(found.rows, [row(&[Some("1")]), row(&[Some("2")])]);
    }
}

#[test]
fn delimiters_are_those_that_all_lines_agree_on() {
    let delimiter = |records: &[&str]| {
        let found = discovered(records);
        let parameters = found.schema.record_format.mapping_parameters.unwrap();
        (
            parameters.csv.unwrap().record_column_delimiter,
            found.schema.record_columns.len(),
        )
    };
    assert_eq!(
        delimiter(&["a,1|x\nb,2|y\n", "c,3|z\n"]),
        (",".to_owned(), 2)
    );
    assert_eq!(delimiter(&["a|1,0|2\nb|2|3\n"]), ("|".to_owned(), 3));
    assert_eq!(delimiter(&["a\t1\n", "b\t2"]), ("\t".to_owned(), 2));
    let log = "GET /a, b HTTP/1.1\nGET /c HTTP/1.1\n";
    assert_eq!(delimiter(&[log]).1, 1);
}

#[test]
fn lines_without_a_heading_have_numbered_columns() {
    let found = discovered(&["AMZN,1.5,true\nQXZ,2.5,false\n"]);
    assert_eq!(
        columns(&found),
        ["COL_0 VARCHAR(4)", "COL_1 REAL", "COL_2 BOOLEAN"]
    );
}

#[test]
fn records_without_a_pattern_have_no_schema() {
    let failed = |records: &[&[u8]]| {
        let records: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
        discover(&records).unwrap_err()
    };
    assert_eq!(failed(&[]), Undetected::NoRecords);
    assert_eq!(failed(&[b"", b" \n"]), Undetected::NoRecords);
    assert_eq!(failed(&[b"\xff\xfe"]), Undetected::NotText);
    assert_eq!(failed(&[b"{\"a\": 1}", b"{\"a\": "]), Undetected::NoPattern);
    assert_eq!(failed(&[b"{}"]), Undetected::NoPattern);
    assert_eq!(failed(&[b"a,b|c;\td\nx"]), Undetected::NoPattern);
}

#[test]
fn whatever_is_inferred_reads_its_own_samples() {
    use crate::input::random::Random;
    let mut random = Random::new(6);
    for _ in 0..300 {
        let mut records = Vec::new();
        for _ in 0..=random.below(4) {
            let document = random.object(4);
            let mut text = String::new();
            random.write(&document, &mut text);
            records.push(text.into_bytes());
        }
        match discover(&records) {
            Ok(found) => assert!(found.rows.len() >= records.len()),
            Err(undetected) => assert_eq!(undetected, Undetected::NoPattern),
        }
    }
}
