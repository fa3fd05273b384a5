//! Tables of applications: made once, written in one transaction with whatever else, read in order.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::Bytes;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options};
use store::{Engine, Expect, Transaction};
use tables::Tables;
use tables::application::{ApplicationError, KEY_BYTES_MAX, VALUE_BYTES_MAX, stored_bytes};
use types::{AccountId, Caller, ManualClock, Region, Timestamp};

fn engine(disk: &SimulatedDisk) -> Arc<dyn Engine> {
    let options = Options {
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        ..Options::default()
    };
    Embedded::open(Arc::new(disk.clone()), options).unwrap()
}

fn owner() -> Caller {
    Caller {
        account: AccountId::parse("000000000000").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
    }
}

async fn open(engine: &Arc<dyn Engine>) -> Arc<Tables> {
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
    Tables::open(Arc::clone(engine), clock).await.unwrap()
}

#[tokio::test]
async fn rows_are_written_together_and_outlive_the_server() {
    let disk = SimulatedDisk::new(1);
    let store = engine(&disk);
    let tables = open(&store).await;
    let table = tables
        .ensure_application_table(&owner(), "counts")
        .await
        .unwrap();
    let again = tables
        .ensure_application_table(&owner(), "counts")
        .await
        .unwrap();
    assert_eq!(again.definition(), table.definition());
    let writes = [(b"a\0", "1"), (b"ab", "2"), (b"b\xff", "3")].map(|(key, value)| {
        tables
            .write(&table, key, Some(value.as_bytes()), Expect::Absent)
            .unwrap()
    });
    let transaction = Transaction {
        writes: writes.to_vec(),
        ..Transaction::default()
    };
    let committed = store.commit(transaction.clone()).await.unwrap();
    // What was expected to be absent is there now.
    assert!(store.commit(transaction).await.is_err());
    tables.close().await;
    store.close().await.unwrap();

    let store = engine(&disk.after_kill());
    let tables = open(&store).await;
    let table = tables
        .ensure_application_table(&owner(), "counts")
        .await
        .unwrap();
    let keys = [Bytes::from_static(b"ab"), Bytes::from_static(b"none")];
    let found = tables.get(&table, &keys).await.unwrap();
    assert_eq!(
        found,
        [Some((Bytes::from_static(b"2"), committed.version)), None]
    );
    let all = tables.scan(&table, b"", None, 10).await.unwrap();
    let of = |rows: &tables::application::Rows| {
        let keys = rows.rows.iter().map(|row| row.key.clone());
        (keys.collect::<Vec<_>>(), rows.is_at_end)
    };
    assert_eq!(
        of(&all),
        (
            vec!["a\0".into(), "ab".into(), Bytes::from_static(b"b\xff")],
            true
        )
    );
    let some = tables.scan(&table, b"a", Some(b"a\0\0"), 10).await.unwrap();
    assert_eq!(of(&some), (vec!["ab".into()], true));
    let first = tables.scan(&table, b"a", None, 1).await.unwrap();
    assert_eq!(of(&first), (vec!["a\0".into()], false));
    tables.close().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let store = engine(&SimulatedDisk::new(1));
    let tables = open(&store).await;
    let table = tables
        .ensure_application_table(&owner(), "counts")
        .await
        .unwrap();
    let longest = vec![0; KEY_BYTES_MAX];
    let largest = vec![0; VALUE_BYTES_MAX];
    let write = tables
        .write(&table, &longest, Some(&largest), Expect::Any)
        .unwrap();
    let writes = vec![write];
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    store.commit(transaction).await.unwrap();
    let longer = [&longest[..], b"x"].concat();
    for key in [&b""[..], &longer] {
        let refused = tables.write(&table, key, None, Expect::Any);
        assert!(matches!(refused, Err(ApplicationError::Key(bytes)) if bytes == key.len()));
    }
    let larger = [&largest[..], b"x"].concat();
    let refused = tables.write(&table, b"k", Some(&larger), Expect::Any);
    assert!(matches!(refused, Err(ApplicationError::Value(_))));
    let refused = tables.ensure_application_table(&owner(), "no/name").await;
    assert!(matches!(refused, Err(ApplicationError::Name(_))));
    tables.close().await;
}

#[tokio::test]
async fn what_a_write_takes_of_a_commit_is_known_before_it_is_made() {
    let store = engine(&SimulatedDisk::new(1));
    let tables = open(&store).await;
    let table = tables.ensure_application_table(&owner(), "sizes").await;
    let table = table.unwrap();
    for key in [1, 127, 128, 250, 251, KEY_BYTES_MAX] {
        for value in [0, 1, 250, 251, 65_535, 65_536, VALUE_BYTES_MAX] {
            let (key, value) = (vec![b'k'; key], vec![b'v'; value]);
            for value in [Some(&value[..]), None] {
                let write = tables.write(&table, &key, value, Expect::Any).unwrap();
                let taken = write.key.len() + write.value.map_or(0, |value| value.len());
                let told = stored_bytes(key.len(), value.map(<[u8]>::len));
                // Beside the two, the store keeps a header of less than half of the rest.
                assert!(
                    (taken + 32..taken + 128).contains(&told),
                    "{taken}, not {told}"
                );
            }
        }
    }
}
