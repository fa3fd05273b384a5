//! Conditions on rows that a transaction does not write.

use super::*;
use crate::engine::RowCheck;

fn check(key: &'static str, expect: Expect) -> RowCheck {
    RowCheck {
        table: TABLE,
        key: Bytes::from_static(key.as_bytes()),
        expect,
    }
}

fn checking(checks: Vec<RowCheck>) -> Transaction {
    Transaction {
        checks,
        ..append(LOG, "x")
    }
}

fn is_conflict_of(outcome: Result<Committed, CommitError>, row: &str) {
    match outcome {
        Err(CommitError::Conflict { table, key }) => {
            assert_eq!((table, &key[..]), (TABLE, row.as_bytes()));
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_transaction_goes_through_if_what_it_checks_is_so(opener: &dyn Opener) {
    let engine = open(opener).await;
    let version = put(&engine, "a", "1").await.version;
    let checks = vec![
        check("a", Expect::Version(version)),
        check("b", Expect::Absent),
        check("c", Expect::Any),
    ];
    engine.commit(checking(checks)).await.unwrap();
    assert_eq!(texts(&engine, LOG).await.len(), 1);
    assert_eq!(row(&engine, "a").await.unwrap().version, version);
    assert_eq!(rows(&engine).await, [("a".to_owned(), "1".to_owned())]);
}

pub async fn a_transaction_whose_check_fails_leaves_nothing_behind(opener: &dyn Opener) {
    let engine = open(opener).await;
    let old = put(&engine, "a", "1").await.version;
    put(&engine, "a", "1").await;
    for (key, expect) in [
        ("a", Expect::Version(old)),
        ("a", Expect::Absent),
        ("b", Expect::Version(old)),
    ] {
        let mut transaction = checking(vec![check(key, expect)]);
        transaction.writes = vec![write("c", Some("2"), Expect::Any)];
        is_conflict_of(engine.commit(transaction).await, key);
    }
    assert_eq!(texts(&engine, LOG).await, [""; 0]);
    assert_eq!(rows(&engine).await, [("a".to_owned(), "1".to_owned())]);
}

pub async fn a_transaction_of_checks_alone_says_whether_they_hold(opener: &dyn Opener) {
    let engine = open(opener).await;
    let version = put(&engine, "a", "1").await.version;
    let of = |checks| Transaction {
        checks,
        ..Transaction::default()
    };
    let holds = of(vec![check("a", Expect::Version(version))]);
    engine.commit(holds).await.unwrap();
    let fails = of(vec![check("a", Expect::Absent)]);
    is_conflict_of(engine.commit(fails).await, "a");
    let nameless = of(vec![check("", Expect::Any)]);
    let refused = engine.commit(nameless).await.unwrap_err();
    assert!(matches!(refused, CommitError::TooLarge(_)), "{refused:?}");
}

/// Each takes one from the other's row if that is still there. Whichever comes first, not both can
/// have seen the other's: what each read must still be so when it commits.
pub async fn of_two_that_read_what_the_other_writes_one_goes_through(opener: &dyn Opener) {
    let engine = open(opener).await;
    for _ in 0..40 {
        let (a, b) = (
            put(&engine, "a", "1").await.version,
            put(&engine, "b", "1").await.version,
        );
        let taking = |own: &'static str, at: Version, other: &'static str, seen: Version| {
            let engine = engine.clone();
            tokio::spawn(async move {
                engine
                    .commit(Transaction {
                        writes: vec![write(own, None, Expect::Version(at))],
                        checks: vec![check(other, Expect::Version(seen))],
                        ..Transaction::default()
                    })
                    .await
            })
        };
        let (first, second) = (taking("a", a, "b", b), taking("b", b, "a", a));
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        let through = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!((through, rows(&engine).await.len()), (1, 1), "{outcomes:?}");
    }
}
