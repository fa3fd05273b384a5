//! What a log is, from its creation to its end.

use super::*;

pub async fn a_new_log_is_empty(opener: &dyn Opener) {
    let engine = open(opener).await;
    let batch = engine.read(LOG, Position::FIRST, 100).await.unwrap();
    assert!(batch.frames.is_empty() && !batch.sealed);
    assert_eq!((batch.next, batch.tip), (Position::FIRST, Position::FIRST));
    assert_eq!(engine.tip(LOG).unwrap(), Position::FIRST);
    assert_eq!(engine.horizon(LOG).unwrap(), Position::FIRST);
    assert_eq!(
        engine.seek_time(LOG, Timestamp(0)).await.unwrap(),
        Position::FIRST
    );
    engine.health().unwrap();
}

pub async fn creating_a_log_again_leaves_it_as_it_is(opener: &dyn Opener) {
    let engine = open(opener).await;
    commit_text(&engine, LOG, "a").await;
    engine
        .create_logs(&[LOG, LogId(9), LogId(9)])
        .await
        .unwrap();
    engine.create_logs(&[]).await.unwrap();
    assert_eq!(texts(&engine, LOG).await, ["a"]);
    assert_eq!(texts(&engine, LogId(9)).await, [""; 0]);
}

pub async fn a_log_that_does_not_exist_is_named_so(opener: &dyn Opener) {
    let engine = open(opener).await;
    let gone = LogId(99);
    assert!(is_no_log(&engine.read(gone, Position::FIRST, 1).await));
    assert!(is_no_log(&engine.horizon(gone)));
    assert!(is_no_log(&engine.tip(gone)));
    assert!(is_no_log(&engine.wait_beyond(gone, Position::FIRST).await));
    assert!(is_no_log(&engine.seek_time(gone, Timestamp(0)).await));
    assert!(is_no_log(&engine.seal(gone).await));
    assert!(is_no_log(&engine.trim(gone, Position::FIRST).await));
    engine.delete_logs(&[gone]).await.unwrap();
}

pub async fn a_read_stops_when_the_bytes_are_reached_but_gives_one_frame(opener: &dyn Opener) {
    let engine = open(opener).await;
    for number in 0..20 {
        commit_text(&engine, LOG, &format!("{number:91}")).await;
    }
    for (bytes_max, most) in [(0, 1), (1, 1), (100, 1), (101, 2), (350, 4), (100_000, 20)] {
        let batch = engine.read(LOG, Position::FIRST, bytes_max).await.unwrap();
        let bytes: Vec<usize> = batch.frames.iter().map(|frame| frame.body.len()).collect();
        assert!(bytes.iter().all(|&bytes| bytes == 100));
        assert!(
            (1..=most).contains(&bytes.len()),
            "{} for {bytes_max}",
            bytes.len()
        );
    }
}

pub async fn positions_count_records(opener: &dyn Opener) {
    let mut engine = open(opener).await;
    let mut taken = 0;
    for count in [1, 3, 2, 1, 500, 1] {
        let committed = engine.commit(append_many(LOG, count)).await.unwrap();
        assert_eq!(committed.positions, [Position(taken)]);
        taken += u64::from(count);
        assert_eq!(engine.tip(LOG).unwrap(), Position(taken));
        commit_text(&engine, OTHER, "not this one").await;
        engine = reopen(opener, engine).await;
    }
    // Two frames of one transaction.
    let mut transaction = append_many(LOG, 4);
    transaction.appends.extend(append_many(LOG, 2).appends);
    let committed = engine.commit(transaction).await.unwrap();
    let places = [taken, taken + 4].map(Position);
    assert_eq!(committed.positions, places);
    assert_eq!(engine.seal(LOG).await.unwrap(), Position(taken + 6));
}

pub async fn a_read_begins_with_the_frame_that_holds_the_position(opener: &dyn Opener) {
    let mut engine = open(opener).await;
    // Each record's place: the frame that holds it.
    let mut holders = Vec::new();
    let mut frames = 0;
    // Rounds leave the oldest frames in segments, some in the write-ahead log, some in memory.
    for round in 0..3 {
        for count in [1, 2, 7, 1, 40, 3] {
            let position = engine
                .commit(append_many(LOG, count))
                .await
                .unwrap()
                .positions[0];
            holders.extend(std::iter::repeat_n(position, usize::from(count)));
            frames += 1;
        }
        let tip = engine.tip(LOG).unwrap();
        assert_eq!(tip.0, holders.len() as u64);
        for (from, &holder) in (0..).zip(&holders) {
            let batch = engine.read(LOG, Position(from), 1).await.unwrap();
            assert_eq!(
                batch.frames[0].position, holder,
                "from {from} in round {round}"
            );
            assert!(Position(from) < batch.next && batch.next <= batch.tip);
            assert_eq!(batch.next, batch.frames.last().unwrap().end());
        }
        assert_eq!(
            frames_from(&engine, LOG, Position::FIRST).await.len(),
            frames
        );
        for from in [tip, Position(tip.0 + 1_000)] {
            let batch = engine.read(LOG, from, 100).await.unwrap();
            assert!(batch.frames.is_empty() && batch.tip == tip);
        }
        if round != 1 {
            engine = reopen(opener, engine).await;
        }
    }
}

pub async fn a_log_trimmed_within_a_frame_keeps_the_whole_frame(opener: &dyn Opener) {
    let engine = open(opener).await;
    for _ in 0..3 {
        engine.commit(append_many(LOG, 5)).await.unwrap();
    }
    engine.trim(LOG, Position(7)).await.unwrap();
    let check = async |engine: &Arc<dyn Engine>| {
        assert_eq!(engine.horizon(LOG).unwrap(), Position(7));
        for from in 0..10 {
            let batch = engine.read(LOG, Position(from), 1).await.unwrap();
            assert_eq!(batch.frames[0].position, Position(5));
            assert_eq!(batch.next, Position(10));
        }
        assert_eq!(frames_from(engine, LOG, Position::FIRST).await.len(), 2);
    };
    check(&engine).await;
    let engine = reopen(opener, engine).await;
    check(&engine).await;
    engine.trim(LOG, Position(10)).await.unwrap();
    let batch = engine.read(LOG, Position(7), 1).await.unwrap();
    assert_eq!(batch.frames[0].position, Position(10));
}

pub async fn a_waiter_wakes_when_something_is_appended(opener: &dyn Opener) {
    let engine = open(opener).await;
    let position = commit_text(&engine, LOG, "a").await;
    // The tip is beyond the last frame already.
    engine.wait_beyond(LOG, position).await.unwrap();
    let tip = engine.tip(LOG).unwrap();
    let mut waiting = std::pin::pin!(engine.wait_beyond(LOG, tip));
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
    });
    assert!(polled.await, "there is nothing beyond the tip yet");
    commit_text(&engine, OTHER, "not this one").await;
    commit_text(&engine, LOG, "b").await;
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap()
        .unwrap();
    assert!(tip < engine.tip(LOG).unwrap());
}

pub async fn a_waiter_wakes_when_its_log_ends(opener: &dyn Opener) {
    let engine = open(opener).await;
    let waiters = [LOG, OTHER].map(|log| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.wait_beyond(log, Position::FIRST).await })
    });
    tokio::task::yield_now().await;
    engine.seal(LOG).await.unwrap();
    engine.delete_logs(&[OTHER]).await.unwrap();
    let [sealed, deleted] = waiters;
    tokio::time::timeout(PATIENCE, sealed)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let deleted = tokio::time::timeout(PATIENCE, deleted)
        .await
        .unwrap()
        .unwrap();
    assert!(deleted.is_ok() || is_no_log(&deleted));
    // A log that is sealed keeps nobody waiting.
    engine.wait_beyond(LOG, Position::FIRST).await.unwrap();
}

pub async fn a_sealed_log_is_read_to_its_end(opener: &dyn Opener) {
    let engine = open(opener).await;
    commit_text(&engine, LOG, "a").await;
    let tip = engine.tip(LOG).unwrap();
    assert_eq!(engine.seal(LOG).await.unwrap(), tip);
    assert_eq!(engine.seal(LOG).await.unwrap(), tip);
    let batch = engine.read(LOG, Position::FIRST, 100).await.unwrap();
    assert!(batch.sealed && batch.frames.len() == 1);
    assert_eq!((batch.next, batch.tip), (tip, tip));
    let end = engine.read(LOG, tip, 100).await.unwrap();
    assert!(end.sealed && end.frames.is_empty());
    assert_eq!((end.next, end.tip), (tip, tip));
    assert!(!engine.read(OTHER, Position::FIRST, 1).await.unwrap().sealed);
}

pub async fn a_trimmed_log_begins_later(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut positions = Vec::new();
    for number in 0..10 {
        positions.push(commit_text(&engine, LOG, &number.to_string()).await);
    }
    engine.trim(LOG, positions[3]).await.unwrap();
    assert_eq!(engine.horizon(LOG).unwrap(), positions[3]);
    let batch = engine.read(LOG, Position::FIRST, 1).await.unwrap();
    assert_eq!(batch.frames[0].position, positions[3]);
    assert_eq!(texts(&engine, LOG).await.len(), 7);
    engine.trim(LOG, positions[1]).await.unwrap();
    assert_eq!(engine.horizon(LOG).unwrap(), positions[3]);
    let tip = engine.tip(LOG).unwrap();
    engine.trim(LOG, Position(tip.0 + 1_000)).await.unwrap();
    assert_eq!(engine.horizon(LOG).unwrap(), tip);
    assert_eq!(engine.tip(LOG).unwrap(), tip);
    let empty = engine.read(LOG, Position::FIRST, 1).await.unwrap();
    assert!(empty.frames.is_empty());
    assert_eq!((empty.next, empty.tip), (tip, tip));
    assert!(positions[9] < commit_text(&engine, LOG, "new").await);
    assert_eq!(texts(&engine, LOG).await, ["new"]);
}

pub async fn a_deleted_log_is_gone_and_its_neighbours_are_not(opener: &dyn Opener) {
    let engine = open(opener).await;
    commit_text(&engine, LOG, "a").await;
    commit_text(&engine, OTHER, "b").await;
    engine.delete_logs(&[LOG, LogId(99)]).await.unwrap();
    assert!(is_no_log(&engine.read(LOG, Position::FIRST, 1).await));
    let refused = engine.commit(append(LOG, "c")).await;
    assert!(
        matches!(refused, Err(CommitError::NoLog(LOG))),
        "{refused:?}"
    );
    assert_eq!(texts(&engine, OTHER).await, ["b"]);
    engine.delete_logs(&[]).await.unwrap();
}

/// What was acknowledged before a log ended is counted in its row, and what comes after is refused.
pub async fn a_log_that_is_ended_leaves_where_it_ended_in_its_row(opener: &dyn Opener) {
    let engine = open(opener).await;
    let end = |log, key: &'static str| LogEnd {
        log,
        table: TABLE,
        key: Bytes::from_static(key.as_bytes()),
    };
    let ends = [end(LOG, "end"), end(LogId(99), "none")];
    let appending = async {
        let mut appended = 0;
        while engine.commit(append_many(LOG, 3)).await.is_ok() {
            appended += 3;
        }
        appended
    };
    let ending = async {
        while engine.tip(LOG).is_ok_and(|tip| tip < Position(30)) {
            tokio::task::yield_now().await;
        }
        engine.end_logs(&ends).await.unwrap();
    };
    let (appended, (), other) = tokio::join!(appending, ending, engine.commit(append(OTHER, "a")));
    assert!(other.is_ok() && is_no_log(&engine.tip(LOG)));
    let refused = engine.commit(append(LOG, "late")).await;
    assert!(matches!(refused, Err(CommitError::NoLog(LOG))));
    // Ending them again leaves what was said.
    engine.end_logs(&ends).await.unwrap();
    let engine = reopen(opener, engine).await;
    let row = engine.get(TABLE, b"end").await.unwrap().unwrap();
    assert_eq!(LogEnd::parse(&row.value), Some(Position(appended)));
    assert_eq!(engine.get(TABLE, b"none").await.unwrap(), None);
    assert_eq!(texts(&engine, OTHER).await, ["a"]);
}

pub async fn a_time_is_found_in_a_log(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut positions = Vec::new();
    for number in 1..=10 {
        let transaction = append_at(LOG, "x", number * 100);
        positions.push(engine.commit(transaction).await.unwrap().positions[0]);
    }
    let tip = engine.tip(LOG).unwrap();
    let seek = |at| engine.seek_time(LOG, Timestamp(at));
    assert_eq!(seek(0).await.unwrap(), positions[0]);
    assert_eq!(seek(100).await.unwrap(), positions[0]);
    assert_eq!(seek(101).await.unwrap(), positions[1]);
    assert_eq!(seek(550).await.unwrap(), positions[5]);
    assert_eq!(seek(1_000).await.unwrap(), positions[9]);
    assert_eq!(seek(1_001).await.unwrap(), tip);
    engine.trim(LOG, positions[4]).await.unwrap();
    assert_eq!(seek(100).await.unwrap(), positions[4]);
    assert_eq!(seek(550).await.unwrap(), positions[5]);
}

pub async fn of_frames_that_arrived_together_the_first_is_found(opener: &dyn Opener) {
    let engine = open(opener).await;
    let first = engine
        .commit(append_at(LOG, "a", 100))
        .await
        .unwrap()
        .positions[0];
    for _ in 0..5 {
        engine.commit(append_at(LOG, "b", 100)).await.unwrap();
    }
    assert_eq!(engine.seek_time(LOG, Timestamp(100)).await.unwrap(), first);
}

pub async fn a_clock_that_jumps_back_makes_no_frame_older(opener: &dyn Opener) {
    let engine = open(opener).await;
    for arrival in [100, 50, 300, 200] {
        engine.commit(append_at(LOG, "x", arrival)).await.unwrap();
    }
    engine.commit(append_at(OTHER, "x", 50)).await.unwrap();
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    let arrivals: Vec<u64> = frames.iter().map(|frame| frame.arrival.0).collect();
    assert_eq!(arrivals, [100, 100, 300, 300]);
    assert_eq!(
        frames_from(&engine, OTHER, Position::FIRST).await[0].arrival,
        Timestamp(50)
    );
}

pub async fn a_log_longer_than_memory_is_read_whole(opener: &dyn Opener) {
    let engine = open(opener).await;
    let mut positions = Vec::new();
    for number in 0..400 {
        let transaction = append_at(LOG, &format!("{number:1000}"), 1_000 + number);
        positions.push(engine.commit(transaction).await.unwrap().positions[0]);
        commit_text(&engine, OTHER, &format!("{number:100}")).await;
    }
    let expected: Vec<String> = (0..400).map(|number| format!("{number:1000}")).collect();
    assert!(
        texts(&engine, LOG).await == expected,
        "the log came out otherwise"
    );
    assert_eq!(texts(&engine, OTHER).await.len(), 400);
    for (index, &position) in positions.iter().enumerate().step_by(37) {
        let batch = engine.read(LOG, position, 1).await.unwrap();
        assert_eq!(batch.frames[0].position, position);
        let at = Timestamp(1_000 + index as u64);
        assert_eq!(engine.seek_time(LOG, at).await.unwrap(), position);
    }
    engine.trim(LOG, positions[250]).await.unwrap();
    assert!(
        texts(&engine, LOG).await == expected[250..],
        "the log came out otherwise"
    );
}

pub async fn what_comes_after_a_promised_moment_is_no_older(opener: &dyn Opener) {
    let engine = open(opener).await;
    engine.commit(append_at(LOG, "a", 100)).await.unwrap();
    let coming = engine.arrivals_from(LOG, Timestamp(250)).unwrap();
    let (from, at) = (Position(1), Timestamp(250));
    assert_eq!(
        coming,
        Coming {
            from,
            at,
            sealed: false
        }
    );
    // An earlier one takes nothing back, and the log beside has promised nothing.
    assert_eq!(engine.arrivals_from(LOG, Timestamp(7)).unwrap(), coming);
    for (log, arrival) in [(LOG, 200), (OTHER, 200), (LOG, 300)] {
        engine.commit(append_at(log, "x", arrival)).await.unwrap();
    }
    let arrivals =
        |frames: Vec<Frame>| -> Vec<u64> { frames.iter().map(|frame| frame.arrival.0).collect() };
    let all = frames_from(&engine, LOG, Position::FIRST).await;
    assert_eq!(arrivals(all), [100, 250, 300]);
    let all = frames_from(&engine, OTHER, Position::FIRST).await;
    assert_eq!(arrivals(all), [200]);
    // What has arrived is a promise as well.
    let coming = engine.arrivals_from(LOG, Timestamp(0)).unwrap();
    assert_eq!((coming.from, coming.at), (Position(3), Timestamp(300)));
    engine.seal(LOG).await.unwrap();
    assert!(engine.arrivals_from(LOG, Timestamp(0)).unwrap().sealed);
    assert!(is_no_log(&engine.arrivals_from(LogId(99), Timestamp(0))));
    let engine = reopen(opener, engine).await;
    let coming = engine.arrivals_from(LOG, Timestamp(0)).unwrap();
    assert_eq!((coming.from, coming.at), (Position(3), Timestamp(300)));
}

pub async fn what_waits_to_be_written_lies_before_what_is_promised_or_keeps_it(
    opener: &dyn Opener,
) {
    let engine = open(opener).await;
    let commits = (1..=200).map(|number| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.commit(append_at(LOG, "x", number)).await.unwrap() })
    });
    let commits: Vec<_> = commits.collect();
    let mut promises = Vec::new();
    for number in (1..=200).rev() {
        let at = Timestamp(1_000 - number);
        promises.push(engine.arrivals_from(LOG, at).unwrap());
        tokio::task::yield_now().await;
    }
    for commit in commits {
        commit.await.unwrap();
    }
    let frames = frames_from(&engine, LOG, Position::FIRST).await;
    assert_eq!(frames.len(), 200);
    for promise in promises {
        let later = frames.iter().filter(|it| it.position >= promise.from);
        let earliest = later.map(|frame| frame.arrival).min();
        assert!(earliest.is_none_or(|earliest| earliest >= promise.at));
    }
}
