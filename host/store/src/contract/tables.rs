//! What a table is.

use super::*;

pub async fn an_absent_table_is_an_empty_one(opener: &dyn Opener) {
    let engine = open(opener).await;
    assert_eq!(row(&engine, "a").await, None);
    assert_eq!(rows(&engine).await, []);
    let removed = engine
        .commit(writing(vec![write("a", None, Expect::Absent)]))
        .await;
    removed.unwrap();
    assert_eq!(rows(&engine).await, []);
}

pub async fn a_row_is_what_was_written_last(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut last = put(&engine, "a", "0").await.version;
    for value in ["1", "", "2"] {
        let version = put(&engine, "a", value).await.version;
        assert!(last < version);
        last = version;
        let row = row(&engine, "a").await.unwrap();
        assert_eq!((&row.value[..], row.version), (value.as_bytes(), version));
    }
    engine
        .commit(writing(vec![write("a", None, Expect::Any)]))
        .await
        .unwrap();
    assert_eq!(row(&engine, "a").await, None);
    assert!(last < put(&engine, "a", "3").await.version);
}

pub async fn a_scan_gives_a_range_in_order(opener: &dyn Opener) {
    let engine = open(opener).await;
    for key in ["b", "ba", "d", "a", "c", "e"] {
        put(&engine, key, key).await;
    }
    engine
        .commit(writing(vec![write("c", None, Expect::Any)]))
        .await
        .unwrap();
    let scan = async |from: &'static str, to: Option<&'static str>, limit| {
        let (from, to) = (Bytes::from(from), to.map(Bytes::from));
        let rows = engine.scan(TABLE, from, to, limit).await.unwrap();
        let keys = rows.iter().map(|(key, row)| {
            assert_eq!(*key, row.value);
            String::from_utf8(key.to_vec()).unwrap()
        });
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(scan("", None, 100).await, "a b ba d e");
    assert_eq!(scan("b", None, 100).await, "b ba d e");
    assert_eq!(scan("b", Some("d"), 100).await, "b ba");
    assert_eq!(scan("bb", Some("dd"), 100).await, "d");
    assert_eq!(scan("", None, 2).await, "a b");
    assert_eq!(scan("b", Some("e"), 2).await, "b ba");
    assert_eq!(scan("", None, 0).await, "");
    assert_eq!(scan("d", Some("d"), 100).await, "");
    assert_eq!(scan("e", Some("a"), 100).await, "");
    let back = async |from: &'static str, to: Option<&'static str>, limit| {
        let (from, to) = (Bytes::from(from), to.map(Bytes::from));
        let rows = engine.scan_back(TABLE, from, to, limit).await.unwrap();
        let keys = rows
            .iter()
            .map(|(key, _)| String::from_utf8(key.to_vec()).unwrap());
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(back("", None, 100).await, "e d ba b a");
    assert_eq!(back("b", Some("e"), 2).await, "d ba");
    assert_eq!(back("bb", Some("d"), 100).await, "");
    assert_eq!(back("", Some("c"), 1).await, "ba");
    assert_eq!(scan("f", None, 100).await, "");
}

pub async fn tables_are_apart(opener: &dyn Opener) {
    let engine = open(opener).await;
    let tables = [TableId(0), TableId(1), TableId(2), TableId(u64::MAX)];
    for table in tables {
        let key = Bytes::from_static(b"key");
        let value = Some(Bytes::from(table.0.to_string()));
        let write = TableWrite {
            table,
            key,
            value,
            expect: Expect::Absent,
        };
        engine.commit(writing(vec![write])).await.unwrap();
    }
    for table in tables {
        let rows = engine.scan(table, Bytes::new(), None, 100).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].1.value, table.0.to_string());
        let row = engine.get(table, b"key").await.unwrap();
        assert_eq!(row.as_ref(), Some(&rows[0].1));
    }
}

pub async fn many_rows_are_scanned_in_steps(opener: &dyn Opener) {
    let engine = open(opener).await;
    let key = |number: u64| Bytes::from(number.to_be_bytes().to_vec());
    for start in (0..1_000).step_by(100) {
        let writes = (start..start + 100).map(|number| {
            let value = Some(Bytes::from(vec![7; 50]));
            TableWrite {
                table: TABLE,
                key: key(number),
                value,
                expect: Expect::Absent,
            }
        });
        engine.commit(writing(writes.collect())).await.unwrap();
    }
    let (mut from, mut seen) = (Bytes::new(), 0);
    loop {
        let rows = engine.scan(TABLE, from.clone(), None, 77).await.unwrap();
        for (found, _) in &rows {
            assert_eq!(*found, key(seen));
            seen += 1;
        }
        match rows.last() {
            Some((last, _)) => from = Bytes::from([&last[..], &[0]].concat()),
            None => break,
        }
    }
    assert_eq!(seen, 1_000);
}
