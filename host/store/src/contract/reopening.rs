//! What a clean end and a new start leave as it was.

use super::*;

pub async fn logs_are_as_they_were_after_reopening(opener: &dyn Opener) {
    let engine = open(opener).await;
    let (sealed, trimmed, deleted) = (LogId(20), LogId(21), LogId(22));
    engine
        .create_logs(&[sealed, trimmed, deleted])
        .await
        .unwrap();
    for number in 0..30 {
        for log in [LOG, sealed, trimmed, deleted] {
            engine
                .commit(append_at(log, &number.to_string(), number))
                .await
                .unwrap();
        }
    }
    engine.seal(sealed).await.unwrap();
    let horizon = engine.seek_time(trimmed, Timestamp(20)).await.unwrap();
    engine.trim(trimmed, horizon).await.unwrap();
    engine.delete_logs(&[deleted]).await.unwrap();
    let mut before = Vec::new();
    for log in [LOG, OTHER, sealed, trimmed] {
        let frames = frames_from(&engine, log, Position::FIRST).await;
        before.push((
            log,
            frames,
            engine.tip(log).unwrap(),
            engine.horizon(log).unwrap(),
        ));
    }
    // Twice: what the first start made of it must hold too.
    let engine = reopen(opener, engine).await;
    let engine = reopen(opener, engine).await;
    for (log, frames, tip, horizon) in before {
        let read = frames_from(&engine, log, Position::FIRST).await;
        assert_eq!(format!("{read:?}"), format!("{frames:?}"));
        assert_eq!(
            (engine.tip(log).unwrap(), engine.horizon(log).unwrap()),
            (tip, horizon)
        );
        assert_eq!(engine.seek_time(log, Timestamp(31)).await.unwrap(), tip);
        assert_eq!(
            engine.read(log, tip, 1).await.unwrap().sealed,
            log == sealed
        );
    }
    assert!(is_no_log(&engine.tip(deleted)));
    let refused = engine.commit(append(sealed, "x")).await;
    assert!(matches!(refused, Err(CommitError::Sealed(log)) if log == sealed));
    engine.health().unwrap();
}

pub async fn rows_are_as_they_were_after_reopening(opener: &dyn Opener) {
    let engine = open(opener).await;
    let kept = put(&engine, "a", "1").await.version;
    put(&engine, "b", "1").await;
    let last = put(&engine, "b", "2").await.version;
    put(&engine, "c", "1").await;
    engine
        .commit(writing(vec![write("c", None, Expect::Any)]))
        .await
        .unwrap();
    let engine = reopen(opener, engine).await;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(rows(&engine).await, [pair("a", "1"), pair("b", "2")]);
    assert_eq!(row(&engine, "a").await.unwrap().version, kept);
    assert_eq!(row(&engine, "b").await.unwrap().version, last);
    let stale = writing(vec![write("b", Some("3"), Expect::Version(kept))]);
    assert!(matches!(
        engine.commit(stale).await,
        Err(CommitError::Conflict { .. })
    ));
    let fresh = writing(vec![write("b", Some("3"), Expect::Version(last))]);
    assert!(last < engine.commit(fresh).await.unwrap().version);
}

pub async fn positions_versions_and_times_go_on_after_reopening(opener: &dyn Opener) {
    let mut engine = open(opener).await;
    let mut positions = Vec::new();
    let mut versions = Vec::new();
    assert_eq!(engine.newest_arrival(), None);
    for round in 0..4 {
        let transaction = append_at(LOG, &round.to_string(), 1_000 - round);
        let committed = engine.commit(transaction).await.unwrap();
        assert_eq!(committed.arrivals, [Timestamp(1_000)]);
        positions.push(committed.positions[0]);
        versions.push(put(&engine, "a", "x").await.version);
        engine = reopen(opener, engine).await;
        assert_eq!(engine.newest_arrival(), Some(Timestamp(1_000)));
    }
    engine.commit(append_at(OTHER, "x", 2_000)).await.unwrap();
    assert_eq!(engine.newest_arrival(), Some(Timestamp(2_000)));
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    assert!(frames.iter().all(|frame| frame.arrival == Timestamp(1_000)));
    assert_eq!(texts(&engine, LOG).await, ["0", "1", "2", "3"]);
}

pub async fn a_trimmed_or_removed_thing_uses_no_position_or_version_again(opener: &dyn Opener) {
    let engine = open(opener).await;
    let position = commit_text(&engine, LOG, "a").await;
    let version = put(&engine, "a", "1").await.version;
    engine.trim(LOG, engine.tip(LOG).unwrap()).await.unwrap();
    let removal = engine
        .commit(writing(vec![write("a", None, Expect::Any)]))
        .await
        .unwrap();
    let engine = reopen(opener, engine).await;
    assert!(version < removal.version);
    assert!(removal.version < put(&engine, "a", "2").await.version);
    assert!(position < commit_text(&engine, LOG, "b").await);
    assert_eq!(texts(&engine, LOG).await, ["b"]);
}

pub async fn a_second_opener_is_refused_by_name(opener: &dyn Opener) {
    let engine = open(opener).await;
    match opener.open().await {
        Err(StoreError::Locked(what)) => assert!(!what.is_empty()),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("opened twice"),
    }
    // The refused one has done no harm.
    commit_text(&engine, LOG, "a").await;
    let engine = reopen(opener, engine).await;
    assert_eq!(texts(&engine, LOG).await, ["a"]);
}

pub async fn a_closed_engine_takes_nothing_more(opener: &dyn Opener) {
    let engine = open(opener).await;
    commit_text(&engine, LOG, "a").await;
    engine.close().await.unwrap();
    let refused = engine.commit(append(LOG, "b")).await;
    assert!(
        matches!(refused, Err(CommitError::ReadOnly(_))),
        "{refused:?}"
    );
    assert!(engine.create_logs(&[LogId(50)]).await.is_err());
    assert!(engine.seal(LOG).await.is_err());
    assert!(engine.trim(LOG, Position(1)).await.is_err());
    assert!(engine.delete_logs(&[LOG]).await.is_err());
    engine.close().await.unwrap();
    // The disk is free although the closed engine is still held.
    let next = opener.open().await.unwrap();
    assert_eq!(texts(&next, LOG).await, ["a"]);
}

pub async fn what_is_under_way_is_finished_before_the_end(opener: &dyn Opener) {
    let engine = open(opener).await;
    let commits: Vec<_> = (0..100)
        .map(|number| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.commit(append(LOG, &number.to_string())).await })
        })
        .collect();
    tokio::task::yield_now().await;
    engine.close().await.unwrap();
    let mut answered = Vec::new();
    for (number, commit) in commits.into_iter().enumerate() {
        match commit.await.unwrap() {
            Ok(committed) => answered.push((committed.positions[0], number.to_string())),
            Err(CommitError::ReadOnly(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    answered.sort();
    drop(engine);
    let engine = opener.open().await.unwrap();
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    let read: Vec<_> = frames
        .iter()
        .map(|frame| (frame.position, text(&frame.body)))
        .collect();
    assert_eq!(read, answered);
}
