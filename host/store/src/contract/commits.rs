//! What a transaction is.

use std::collections::BTreeSet;

use super::*;

pub async fn frames_are_read_as_they_were_committed(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut body = BodyBuilder::default();
    body.push("a", b"one").unwrap();
    body.push("ключ", b"").unwrap();
    let (body, count) = body.finish();
    let frame = NewFrame {
        count,
        arrival: Timestamp(1_234),
        body: body.clone(),
        key: None,
    };
    let appends = vec![Append { log: LOG, frame }];
    let committed = engine
        .commit(Transaction {
            appends,
            ..Transaction::default()
        })
        .await
        .unwrap();
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].body, body);
    assert_eq!((frames[0].count, frames[0].arrival), (2, Timestamp(1_234)));
    assert_eq!(committed.positions, [frames[0].position]);
}

pub async fn frames_keep_the_order_of_their_commits(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut positions = Vec::new();
    for number in 0..50 {
        positions.push(commit_text(&engine, LOG, &number.to_string()).await);
    }
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(texts(&engine, LOG).await, expected);
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    let read: Vec<Position> = frames.iter().map(|frame| frame.position).collect();
    assert_eq!(read, positions);
}

pub async fn two_frames_for_one_log_keep_their_order(opener: &dyn Opener) {
    let engine = open(opener).await;
    let appends = ["a", "b", "c"].map(|text| Append {
        log: LOG,
        frame: frame(text, 5),
    });
    let transaction = Transaction {
        appends: appends.into(),
        ..Transaction::default()
    };
    let positions = engine.commit(transaction).await.unwrap().positions;
    assert!(
        positions.is_sorted_by(|a, b| a < b) && positions.len() == 3,
        "{positions:?}"
    );
    assert_eq!(texts(&engine, LOG).await, ["a", "b", "c"]);
}

pub async fn a_transaction_over_logs_and_rows_is_all_there(opener: &dyn Opener) {
    let engine = open(opener).await;
    let logs = [LOG, OTHER, LOG];
    let appends = logs.map(|log| Append {
        log,
        frame: frame("x", 5),
    });
    let writes = vec![
        write("a", Some("1"), Expect::Absent),
        write("b", Some("2"), Expect::Any),
        write("c", None, Expect::Any),
    ];
    let transaction = Transaction {
        appends: appends.into(),
        writes,
        ..Transaction::default()
    };
    let committed = engine.commit(transaction).await.unwrap();
    assert_eq!(committed.positions.len(), 3);
    assert_eq!(texts(&engine, LOG).await.len(), 2);
    assert_eq!(texts(&engine, OTHER).await.len(), 1);
    for key in ["a", "b"] {
        assert_eq!(row(&engine, key).await.unwrap().version, committed.version);
    }
    assert_eq!(row(&engine, "c").await, None);
}

pub async fn a_refused_transaction_leaves_nothing_behind(opener: &dyn Opener) {
    let engine = open(opener).await;
    put(&engine, "a", "old").await;
    let writes = vec![
        write("b", Some("2"), Expect::Any),
        write("a", Some("new"), Expect::Absent),
    ];
    let mut transaction = append(LOG, "x");
    transaction.writes = writes;
    let refused = engine.commit(transaction).await.unwrap_err();
    match refused {
        CommitError::Conflict { table, key } => assert_eq!((table, &key[..]), (TABLE, &b"a"[..])),
        other => panic!("{other:?}"),
    }
    assert_eq!(texts(&engine, LOG).await, [""; 0]);
    assert_eq!(rows(&engine).await, [("a".to_owned(), "old".to_owned())]);
    assert_eq!(
        commit_text(&engine, LOG, "y").await,
        engine.horizon(LOG).unwrap()
    );
}

pub async fn a_condition_is_checked_against_what_the_row_is(opener: &dyn Opener) {
    let engine = open(opener).await;
    let conflict = |outcome: Result<Committed, CommitError>| {
        assert!(
            matches!(outcome, Err(CommitError::Conflict { .. })),
            "{outcome:?}"
        );
    };
    let commit = |value, expect| engine.commit(writing(vec![write("a", value, expect)]));
    let first = commit(Some("1"), Expect::Absent).await.unwrap().version;
    conflict(commit(Some("2"), Expect::Absent).await);
    let second = commit(Some("2"), Expect::Version(first))
        .await
        .unwrap()
        .version;
    assert!(first < second);
    conflict(commit(Some("3"), Expect::Version(first)).await);
    conflict(commit(None, Expect::Version(first)).await);
    let third = commit(None, Expect::Version(second)).await.unwrap().version;
    assert!(second < third);
    conflict(commit(Some("4"), Expect::Version(second)).await);
    conflict(commit(Some("4"), Expect::Version(third)).await);
    let fourth = commit(Some("4"), Expect::Absent).await.unwrap().version;
    assert!(third < fourth);
    assert_eq!(row(&engine, "a").await.unwrap().version, fourth);
}

pub async fn of_commits_that_expect_the_same_version_one_goes_through(opener: &dyn Opener) {
    let engine = open(opener).await;
    let version = put(&engine, "a", "0").await.version;
    let commits = (0..16).map(|number| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut transaction = append(LOG, &number.to_string());
            transaction.writes = vec![write("a", Some("1"), Expect::Version(version))];
            engine.commit(transaction).await
        })
    });
    let mut through = 0;
    for commit in commits.collect::<Vec<_>>() {
        match commit.await.unwrap() {
            Ok(_) => through += 1,
            Err(CommitError::Conflict { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(through, 1);
    assert_eq!(texts(&engine, LOG).await.len(), 1);
}

pub async fn commits_at_the_same_time_each_get_their_own_place(opener: &dyn Opener) {
    let engine = open(opener).await;
    let tasks = (0..32).map(|task| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut committed = Vec::new();
            for number in 0..10 {
                let text = format!("{task}-{number}");
                let position = commit_text(&engine, LOG, &text).await;
                // What was answered is readable at once.
                let batch = engine.read(LOG, position, 1).await.unwrap();
                assert_eq!(batch.frames[0].position, position);
                committed.push((position, text));
            }
            assert!(committed.is_sorted());
            committed
        })
    });
    let mut committed = BTreeSet::new();
    for task in tasks.collect::<Vec<_>>() {
        committed.extend(task.await.unwrap());
    }
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    let read = frames
        .iter()
        .map(|frame| (frame.position, text(&frame.body)));
    assert_eq!(
        read.collect::<Vec<_>>(),
        committed.into_iter().collect::<Vec<_>>()
    );
    assert_eq!(frames.len(), 320);
}

/// A number that is written to a row and to many logs with each commit: whoever sees it in one
/// place sees it, or a later one, in any other.
pub async fn what_a_transaction_wrote_is_seen_together(opener: &dyn Opener) {
    const LOGS: u64 = 100;
    const COMMITS: u64 = 60;
    let engine = open(opener).await;
    let logs: Vec<LogId> = (100..100 + LOGS).map(LogId).collect();
    engine.create_logs(&logs).await.unwrap();
    let key = Bytes::from_static(b"number");
    let reading = {
        let (engine, logs, key) = (engine.clone(), logs.clone(), key.clone());
        // A thread of its own, so that it reads at the very moment at which a commit is published.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let row = || {
                let row = runtime.block_on(engine.get(TABLE, &key)).unwrap();
                row.map_or(0, |row| {
                    u64::from_be_bytes(row.value[..].try_into().unwrap())
                })
            };
            let tip = |at: usize| engine.tip(logs[at]).unwrap().0;
            let (first, last) = (0, logs.len() - 1);
            loop {
                let in_row = row();
                assert!(tip(last) >= in_row, "a row without its records");
                let in_log = tip(first);
                assert!(row() >= in_log, "records without their row");
                let in_log = tip(first);
                assert!(tip(last) >= in_log, "one log without the other");
                let read = runtime.block_on(engine.read(logs[last], Position(in_log), 1));
                assert!(read.unwrap().tip.0 >= in_log, "one log without the other");
                if in_row == COMMITS {
                    return;
                }
            }
        })
    };
    for number in 1..=COMMITS {
        let appends = logs.iter().map(|&log| Append {
            log,
            frame: frame("x", 5),
        });
        let write = TableWrite {
            table: TABLE,
            key: key.clone(),
            value: Some(Bytes::from(number.to_be_bytes().to_vec())),
            expect: Expect::Any,
        };
        let transaction = Transaction {
            appends: appends.collect(),
            writes: vec![write],
            ..Transaction::default()
        };
        engine.commit(transaction).await.unwrap();
    }
    let joined = tokio::task::spawn_blocking(move || reading.join()).await;
    assert!(joined.unwrap().is_ok(), "the reader saw a part");
}

pub async fn an_append_to_a_log_that_does_not_exist_is_refused(opener: &dyn Opener) {
    let engine = open(opener).await;
    let gone = LogId(99);
    let appends = [LOG, gone].map(|log| Append {
        log,
        frame: frame("x", 5),
    });
    let writes = vec![write("a", Some("1"), Expect::Any)];
    let refused = engine
        .commit(Transaction {
            appends: appends.into(),
            writes,
            ..Transaction::default()
        })
        .await;
    assert!(
        matches!(refused, Err(CommitError::NoLog(log)) if log == gone),
        "{refused:?}"
    );
    assert_eq!(texts(&engine, LOG).await, [""; 0]);
    assert_eq!(rows(&engine).await, []);
}

pub async fn an_append_to_a_sealed_log_is_refused(opener: &dyn Opener) {
    let engine = open(opener).await;
    commit_text(&engine, LOG, "a").await;
    engine.seal(LOG).await.unwrap();
    let appends = [OTHER, LOG].map(|log| Append {
        log,
        frame: frame("x", 5),
    });
    let refused = engine
        .commit(Transaction {
            appends: appends.into(),
            ..Transaction::default()
        })
        .await;
    assert!(
        matches!(refused, Err(CommitError::Sealed(LOG))),
        "{refused:?}"
    );
    assert_eq!(texts(&engine, LOG).await, ["a"]);
    assert_eq!(texts(&engine, OTHER).await, [""; 0]);
}

fn sized_write(key: usize, value: usize) -> TableWrite {
    let (key, value) = (
        Bytes::from(vec![b'k'; key]),
        Some(Bytes::from(vec![b'v'; value])),
    );
    TableWrite {
        table: TABLE,
        key,
        value,
        expect: Expect::Any,
    }
}

fn sized_append(bytes: usize) -> Append {
    let mut body = BodyBuilder::default();
    body.push("key", &vec![b'd'; bytes - 9]).unwrap();
    let (body, count) = body.finish();
    assert_eq!(body.len(), bytes);
    Append {
        log: LOG,
        frame: NewFrame {
            count,
            arrival: Timestamp(5),
            body,
            key: None,
        },
    }
}

pub async fn what_is_as_large_as_the_limits_goes_through(opener: &dyn Opener) {
    let engine = open(opener).await;
    engine
        .commit(writing(vec![sized_write(1, 0)]))
        .await
        .unwrap();
    engine
        .commit(writing(vec![sized_write(1_024, 1 << 20)]))
        .await
        .unwrap();
    let largest = row(&engine, &"k".repeat(1_024)).await.unwrap();
    assert_eq!(largest.value.len(), 1 << 20);
    let append = sized_append(engine.capabilities().frame_bytes_max);
    let body = append.frame.body.clone();
    let transaction = Transaction {
        appends: vec![append],
        ..Transaction::default()
    };
    engine.commit(transaction).await.unwrap();
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    assert!(
        frames.len() == 1 && frames[0].body == body,
        "the largest frame came out otherwise"
    );
}

pub async fn what_is_larger_than_the_limits_is_refused(opener: &dyn Opener) {
    let engine = open(opener).await;
    let limits = engine.capabilities();
    let appending = |appends| Transaction {
        appends,
        ..Transaction::default()
    };
    let mut empty = sized_append(9);
    empty.frame = NewFrame {
        count: 0,
        arrival: Timestamp(5),
        body: Bytes::new(),
        key: None,
    };
    let half = limits
        .frame_bytes_max
        .min(limits.transaction_bytes_max / 2 + 1);
    let halves = limits.transaction_bytes_max / half + 1;
    let transactions = [
        ("a key of no bytes", writing(vec![sized_write(0, 1)])),
        ("a key of 1,025 bytes", writing(vec![sized_write(1_025, 1)])),
        (
            "a value of more than 1 MiB",
            writing(vec![sized_write(1, (1 << 20) + 1)]),
        ),
        ("a frame without records", appending(vec![empty])),
        (
            "a frame",
            appending(vec![sized_append(limits.frame_bytes_max + 1)]),
        ),
        (
            "a transaction",
            appending((0..halves).map(|_| sized_append(half)).collect()),
        ),
    ];
    for (what, transaction) in transactions {
        let refused = engine.commit(transaction).await;
        assert!(
            matches!(refused, Err(CommitError::TooLarge(_))),
            "{what}: {refused:?}"
        );
    }
    assert_eq!(texts(&engine, LOG).await, [""; 0]);
    assert_eq!(rows(&engine).await, []);
    engine.health().unwrap();
}

/// The rows and the logs of a change that must not be seen in part.
fn closing(log: LogId, opened: LogId, row: TableWrite) -> Transaction {
    Transaction {
        writes: vec![row],
        changes: vec![LogChange::Create(opened), LogChange::Seal(log)],
        ..Transaction::default()
    }
}

pub async fn steps_in_the_lives_of_logs_go_through_with_their_rows_or_not_at_all(
    opener: &dyn Opener,
) {
    let engine = open(opener).await;
    let (opened, gone) = (LogId(50), LogId(99));
    commit_text(&engine, LOG, "a").await;
    let row = |expect| write("a", Some("1"), expect);
    let refused = engine.commit(closing(LOG, opened, row(Expect::Version(Version(1)))));
    assert!(matches!(refused.await, Err(CommitError::Conflict { .. })));
    let refused = engine.commit(closing(gone, opened, row(Expect::Absent)));
    assert!(matches!(refused.await, Err(CommitError::NoLog(log)) if log == gone));
    assert!(engine.tip(opened).is_err());
    assert_eq!(rows(&engine).await, []);
    commit_text(&engine, LOG, "b").await;

    let closed = engine
        .commit(closing(LOG, opened, row(Expect::Absent)))
        .await;
    closed.unwrap();
    let refused = engine.commit(append(LOG, "c")).await;
    assert!(matches!(refused, Err(CommitError::Sealed(LOG))));
    commit_text(&engine, opened, "d").await;
    assert_eq!(texts(&engine, LOG).await, ["a", "b"]);
    assert_eq!(texts(&engine, opened).await, ["d"]);
    assert_eq!(rows(&engine).await.len(), 1);
}

pub async fn a_log_is_trimmed_and_another_ended_in_one_transaction(opener: &dyn Opener) {
    let engine = open(opener).await;
    for text in ["a", "b", "c"] {
        commit_text(&engine, LOG, text).await;
        commit_text(&engine, OTHER, text).await;
    }
    let end = LogEnd {
        log: OTHER,
        table: TABLE,
        key: Bytes::from_static(b"end"),
    };
    let transaction = Transaction {
        // What lies past the tip means the tip.
        changes: vec![
            LogChange::Trim(LOG, Position(1)),
            LogChange::Trim(LOG, Position(1_000)),
        ],
        ends: vec![end.clone()],
        ..Transaction::default()
    };
    engine.commit(transaction).await.unwrap();
    assert_eq!(engine.horizon(LOG).unwrap(), Position(3));
    assert!(engine.tip(OTHER).is_err());
    let row = engine.get(TABLE, &end.key).await.unwrap().unwrap();
    assert_eq!(LogEnd::parse(&row.value), Some(Position(3)));
    commit_text(&engine, LOG, "d").await;
    assert_eq!(texts(&engine, LOG).await, ["d"]);
}
