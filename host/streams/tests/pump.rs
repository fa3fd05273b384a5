//! The pump neither loses nor repeats an effect, whatever happens to its step, its task, its
//! process or its disk.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use store::disk::Disk;
use store::disk::simulated::{Call, Failure, Fault, Random, SimulatedDisk, Survival};
use store::{
    Append, BodyBuilder, CommitError, Engine, Expect, LogId, NewFrame, Position, Records,
    StoreError, TableId, TableWrite, Transaction,
};
use streams::pump::Damage;
use streams::pump::{Batch, Ended, Pump, PumpError, Retry, Step, StepError, row};
use support::{NOON, engine};
use tokio::sync::{Notify, watch};

const SOURCE: LogId = LogId(901);
const OUTPUT: LogId = LogId(902);
const COUNTS: TableId = TableId(99);
const NAME: &str = "copy";

/// Appends one frame with a record that holds `number`.
async fn feed(engine: &dyn Engine, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let appends = vec![append(SOURCE, &[number])];
        let transaction = Transaction {
            appends,
            ..Transaction::default()
        };
        engine.commit(transaction).await.unwrap();
    }
}

fn append(log: LogId, numbers: &[u32]) -> Append {
    let mut body = BodyBuilder::default();
    for number in numbers {
        body.push("k", &number.to_be_bytes()).unwrap();
    }
    let (body, count) = body.finish();
    Append {
        log,
        frame: NewFrame {
            count,
            arrival: NOON,
            body,
            key: None,
        },
    }
}

fn numbers(body: &Bytes) -> Vec<u32> {
    Records::new(body)
        .map(|record| u32::from_be_bytes(record.data.try_into().unwrap()))
        .collect()
}

async fn contents(engine: &dyn Engine, log: LogId) -> Vec<u32> {
    let (mut all, mut from) = (Vec::new(), Position::FIRST);
    loop {
        let read = engine.read(log, from, 1 << 20).await.unwrap();
        if read.frames.is_empty() {
            return all;
        }
        from = read.next;
        all.extend(read.frames.iter().flat_map(|frame| numbers(&frame.body)));
    }
}

/// How many numbers the step's table says there were.
async fn counted(engine: &dyn Engine) -> u32 {
    let row = engine.get(COUNTS, b"count").await.unwrap();
    row.map_or(0, |row| {
        u32::from_be_bytes((&row.value[..]).try_into().unwrap())
    })
}

/// Copies each number to [`OUTPUT`] and counts it in [`COUNTS`].
struct Copy {
    engine: Arc<dyn Engine>,
    /// Fails this many times before each success, half of the times with effects begun.
    failures: u32,
    failed: u32,
    retry: Retry,
}

impl Copy {
    fn new(engine: &Arc<dyn Engine>) -> Self {
        Self {
            engine: engine.clone(),
            failures: 0,
            failed: 0,
            retry: Retry::After(Duration::ZERO),
        }
    }
}

#[async_trait]
impl Step for Copy {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        if self.failed < self.failures && self.failed.is_multiple_of(2) {
            self.failed += 1;
            return Err(StepError::Failed("at the start".to_owned()));
        }
        let count = counted(&*self.engine).await;
        let found: Vec<_> = batch.frames.iter().flat_map(|f| numbers(&f.body)).collect();
        effects.appends.push(append(OUTPUT, &found));
        if self.failed < self.failures {
            self.failed += 1;
            return Err(StepError::Failed("in the middle".to_owned()));
        }
        self.failed = 0;
        let count = count + u32::try_from(found.len()).unwrap();
        effects.writes.push(TableWrite {
            table: COUNTS,
            key: Bytes::from_static(b"count"),
            value: Some(Bytes::copy_from_slice(&count.to_be_bytes())),
            expect: Expect::Any,
        });
        Ok(batch.next)
    }

    fn after_failure(&mut self, _error: &StepError, _attempt: u32) -> Retry {
        self.retry
    }
}

async fn fresh(disk: &SimulatedDisk) -> Arc<dyn Engine> {
    let engine = engine(disk);
    engine.create_logs(&[SOURCE, OUTPUT]).await.unwrap();
    engine
}

async fn claim(engine: &Arc<dyn Engine>) -> Pump {
    let pump = Pump::claim(engine.clone(), SOURCE, NAME, Position::FIRST).await;
    let mut pump = pump.unwrap();
    // Two small frames to a batch.
    pump.set_batch_bytes(16);
    pump
}

/// Seals the source and pumps to its end.
async fn finish(engine: &Arc<dyn Engine>) {
    engine.seal(SOURCE).await.unwrap();
    let (_running, mut stop) = watch::channel(false);
    let mut step = Copy::new(engine);
    let ended = claim(engine).await.run(&mut step, &mut stop).await;
    assert_eq!(ended.unwrap(), Ended::LogEnd);
}

/// Everything was copied and counted exactly once, in order.
async fn assert_exactly_once(engine: &dyn Engine, count: u32) {
    let copied = contents(engine, OUTPUT).await;
    assert_eq!(copied, (0..count).collect::<Vec<_>>());
    assert_eq!(counted(engine).await, count);
}

/// Polls `future` at most `polls` times and drops it, as an aborted task is dropped.
async fn aborted_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_sealed_log_is_pumped_to_its_end_exactly_once() {
    let engine = fresh(&SimulatedDisk::new(1)).await;
    feed(&*engine, 0..50).await;
    finish(&engine).await;
    assert_exactly_once(&*engine, 50).await;
    // A pump that comes later finds nothing left to do.
    finish(&engine).await;
    assert_exactly_once(&*engine, 50).await;
}

#[tokio::test]
async fn a_step_that_fails_again_and_again_neither_loses_nor_repeats_an_effect() {
    let engine = fresh(&SimulatedDisk::new(2)).await;
    feed(&*engine, 0..20).await;
    engine.seal(SOURCE).await.unwrap();
    let (_running, mut stop) = watch::channel(false);
    let mut step = Copy {
        failures: 5,
        ..Copy::new(&engine)
    };
    let ended = claim(&engine).await.run(&mut step, &mut stop).await;
    assert_eq!(ended.unwrap(), Ended::LogEnd);
    assert_exactly_once(&*engine, 20).await;
}

#[tokio::test]
async fn a_step_that_gives_up_ends_the_pump_at_its_position_from_where_it_can_go_on() {
    let engine = fresh(&SimulatedDisk::new(3)).await;
    feed(&*engine, 0..4).await;
    let (_running, mut stop) = watch::channel(false);
    let mut pump = claim(&engine).await;
    let before = pump.position();
    let mut step = Copy {
        failures: u32::MAX,
        retry: Retry::GiveUp,
        ..Copy::new(&engine)
    };
    let error = pump.run(&mut step, &mut stop).await.unwrap_err();
    assert!(
        matches!(error, PumpError::Step { attempts: 1, .. }),
        "{error}"
    );
    assert_eq!(pump.position(), before);
    assert_exactly_once(&*engine, 0).await;
    finish(&engine).await;
    assert_exactly_once(&*engine, 4).await;
}

#[tokio::test]
async fn effects_that_the_store_refuses_are_the_steps_to_decide_on() {
    let engine = fresh(&SimulatedDisk::new(4)).await;
    feed(&*engine, 0..2).await;
    engine.seal(OUTPUT).await.unwrap();
    let (_running, mut stop) = watch::channel(false);
    let mut step = Copy {
        retry: Retry::GiveUp,
        ..Copy::new(&engine)
    };
    let mut pump = claim(&engine).await;
    let error = pump.run(&mut step, &mut stop).await.unwrap_err();
    let PumpError::Step { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(
        error,
        StepError::Refused(CommitError::Sealed(OUTPUT))
    ));
    assert_eq!(counted(&*engine).await, 0);
    assert_eq!(pump.position(), Position::FIRST);
}

#[tokio::test]
async fn a_pump_whose_place_was_taken_has_no_effect() {
    let engine = fresh(&SimulatedDisk::new(5)).await;
    feed(&*engine, 0..6).await;
    let (_running, mut stop) = watch::channel(false);
    let mut zombie = claim(&engine).await;
    finish(&engine).await;
    let mut step = Copy::new(&engine);
    // The zombie still stands at the start and does the work again, in vain.
    let fenced = zombie.run(&mut step, &mut stop).await;
    assert!(matches!(fenced, Err(PumpError::Fenced)));
    assert_exactly_once(&*engine, 6).await;
}

#[tokio::test]
async fn a_run_that_is_dropped_at_any_point_and_run_again_is_exactly_once() {
    for polls in 1..40 {
        let engine = fresh(&SimulatedDisk::new(6)).await;
        feed(&*engine, 0..12).await;
        engine.seal(SOURCE).await.unwrap();
        let (_running, mut stop) = watch::channel(false);
        let mut pump = claim(&engine).await;
        // The same pump goes on, not knowing what became of what was under way.
        for extra in 0.. {
            let mut step = Copy::new(&engine);
            let run = pump.run(&mut step, &mut stop);
            if let Some(ended) = aborted_after(polls + extra, run).await {
                assert_eq!(ended.unwrap(), Ended::LogEnd);
                break;
            }
        }
        assert_exactly_once(&*engine, 12).await;
    }
}

#[tokio::test]
async fn a_task_that_is_aborted_at_any_point_and_replaced_is_exactly_once() {
    for polls in 1..40 {
        let engine = fresh(&SimulatedDisk::new(7)).await;
        feed(&*engine, 0..12).await;
        engine.seal(SOURCE).await.unwrap();
        for extra in 0.. {
            let (_running, mut stop) = watch::channel(false);
            let mut step = Copy::new(&engine);
            let life = async {
                let mut pump = claim(&engine).await;
                pump.run(&mut step, &mut stop).await
            };
            if let Some(ended) = aborted_after(polls + extra, life).await {
                match ended {
                    Ok(ended) => assert_eq!(ended, Ended::LogEnd),
                    // The claim of a life that was cut short can come in after ours.
                    Err(PumpError::Fenced) => continue,
                    Err(error) => panic!("{error}"),
                }
                break;
            }
        }
        assert_exactly_once(&*engine, 12).await;
    }
}

#[tokio::test]
async fn a_power_cut_at_any_moment_leaves_effects_and_position_together() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new(seed);
        let before = fresh(&disk).await;
        feed(&*before, 0..30).await;
        before.seal(SOURCE).await.unwrap();
        let (_running, mut stop) = watch::channel(false);
        let mut pump = claim(&before).await;
        let mut step = Copy::new(&before);
        let polls = u32::try_from(random.number() % 60).unwrap();
        let _ = aborted_after(polls, pump.run(&mut step, &mut stop)).await;

        let image = disk.after_power_cut(&mut random, Survival::Random);
        let after = engine(&image);
        let copied = contents(&*after, OUTPUT).await;
        assert_eq!(counted(&*after).await as usize, copied.len(), "seed {seed}");
        finish(&after).await;
        assert_exactly_once(&*after, 30).await;
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_is_looked_up_and_not_repeated() {
    let mut faults_hit = 0;
    for nth in 1..20 {
        let disk = SimulatedDisk::new(8);
        let before = fresh(&disk).await;
        feed(&*before, 0..12).await;
        before.seal(SOURCE).await.unwrap();
        let (_running, mut stop) = watch::channel(false);
        let mut pump = claim(&before).await;
        let mut step = Copy::new(&before);
        disk.plan(Fault {
            call: Some(Call::Sync),
            ..Fault::at(nth, Failure::Io)
        });
        let ended = pump.run(&mut step, &mut stop).await;
        faults_hit += disk.faults_hit();
        disk.forget_faults();
        // A store that takes no writes any more ends the pump; the next process goes on.
        assert!(
            matches!(ended, Ok(Ended::LogEnd) | Err(PumpError::Commit(_))),
            "{ended:?}"
        );
        let _ = before.close().await;
        let after = engine(&disk.after_power_cut(&mut Random::new(nth), Survival::Random));
        finish(&after).await;
        assert_exactly_once(&*after, 12).await;
    }
    assert!(faults_hit > 5, "{faults_hit} syncs failed");
}

#[tokio::test]
async fn a_pump_that_waits_for_records_stops_when_it_is_told_to() {
    let engine = fresh(&SimulatedDisk::new(9)).await;
    let (tell, mut stop) = watch::channel(false);
    let mut pump = claim(&engine).await;
    let mut step = Copy::new(&engine);
    let waiting = engine.clone();
    let run = pump.run(&mut step, &mut stop);
    let others = async {
        feed(&*waiting, 0..5).await;
        while counted(&*waiting).await < 5 {
            tokio::task::yield_now().await;
        }
        tell.send_replace(true);
    };
    let (ended, ()) = tokio::join!(run, others);
    assert_eq!(ended.unwrap(), Ended::Stopped);
    assert_exactly_once(&*engine, 5).await;
}

/// Waits in the middle of each batch until it is let on.
struct Slow {
    inner: Copy,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[async_trait]
impl Step for Slow {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.begun.notify_one();
        self.go_on.notified().await;
        self.inner.step(batch, effects).await
    }
}

#[tokio::test]
async fn a_slow_step_that_is_under_way_when_the_stop_comes_is_finished_and_committed() {
    let engine = fresh(&SimulatedDisk::new(10)).await;
    feed(&*engine, 0..2).await;
    let (tell, mut stop) = watch::channel(false);
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut step = Slow {
        inner: Copy::new(&engine),
        begun: begun.clone(),
        go_on: go_on.clone(),
    };
    let mut pump = Pump::claim(engine.clone(), SOURCE, NAME, Position::FIRST)
        .await
        .unwrap();
    let others = async {
        begun.notified().await;
        tell.send_replace(true);
        go_on.notify_one();
    };
    let (ended, ()) = tokio::join!(pump.run(&mut step, &mut stop), others);
    assert_eq!(ended.unwrap(), Ended::Stopped);
    assert_exactly_once(&*engine, 2).await;
}

#[tokio::test]
async fn what_retention_has_taken_is_passed_over() {
    let engine = fresh(&SimulatedDisk::new(11)).await;
    feed(&*engine, 0..6).await;
    let tip = engine.tip(SOURCE).unwrap();
    engine.trim(SOURCE, tip).await.unwrap();
    engine.seal(SOURCE).await.unwrap();
    let (_running, mut stop) = watch::channel(false);
    let mut pump = claim(&engine).await;
    let ended = pump.run(&mut Copy::new(&engine), &mut stop).await;
    assert_eq!(ended.unwrap(), Ended::LogEnd);
    assert_eq!(pump.position(), tip);
}

/// Works on the rest of the log, whatever batch it is shown, unless it is to hold back.
struct Onward {
    inner: Copy,
    holds_back: bool,
    tell: watch::Sender<bool>,
}

#[async_trait]
impl Step for Onward {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        if self.holds_back {
            self.tell.send_replace(true);
            return Ok(batch.frames[0].position);
        }
        let from = batch.frames[0].position;
        let all = self.inner.engine.read(SOURCE, from, usize::MAX).await;
        let all = all.unwrap();
        let whole = Batch {
            bytes: all.frames.iter().map(|frame| frame.body.len()).sum(),
            frames: all.frames,
            next: all.next,
            tip: all.tip,
        };
        self.inner.step(&whole, effects).await
    }
}

#[tokio::test]
async fn a_step_may_read_on_or_hold_back_and_the_pump_stands_where_it_says() {
    let engine = fresh(&SimulatedDisk::new(11)).await;
    feed(&*engine, 0..6).await;
    let (tell, mut stop) = watch::channel(false);
    let mut step = Onward {
        inner: Copy::new(&engine),
        holds_back: true,
        tell: tell.clone(),
    };
    let mut pump = Pump::claim(engine.clone(), SOURCE, NAME, Position::FIRST)
        .await
        .unwrap();
    pump.set_batch_bytes(1);
    assert_eq!(
        pump.run(&mut step, &mut stop).await.unwrap(),
        Ended::Stopped
    );
    assert_eq!(pump.position(), Position::FIRST);
    assert_eq!(counted(&*engine).await, 0);

    tell.send_replace(false);
    step.holds_back = false;
    engine.seal(SOURCE).await.unwrap();
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
    assert_eq!(pump.position(), engine.tip(SOURCE).unwrap());
    assert_eq!(counted(&*engine).await, 6);
}

/// Notes in its table which records were passed over.
struct Noting(Copy);

const PASSED: &[u8] = b"passed over";

#[async_trait]
impl Step for Noting {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.0.step(batch, effects).await
    }

    async fn passed_over(
        &mut self,
        from: Position,
        to: Position,
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        let before = self.0.engine.get(COUNTS, PASSED).await.unwrap();
        let before = before.map_or_else(String::new, |row| {
            String::from_utf8(row.value.to_vec()).unwrap()
        });
        effects.writes.push(TableWrite {
            table: COUNTS,
            key: Bytes::from_static(PASSED),
            value: Some(Bytes::from(format!("{before}{from}..{to} "))),
            expect: Expect::Any,
        });
        Ok(())
    }
}

#[tokio::test]
async fn a_step_is_told_once_what_retention_took_and_keeps_it_together_with_the_position() {
    let engine = fresh(&SimulatedDisk::new(11)).await;
    let (_running, mut stop) = watch::channel(false);
    let mut step = Noting(Copy::new(&engine));
    feed(&*engine, 0..6).await;
    engine.trim(SOURCE, Position(4)).await.unwrap();
    for _ in 0..2 {
        // Another pump of the same name goes on where this one stood.
        let mut pump = claim(&engine).await;
        let tip = engine.tip(SOURCE).unwrap();
        let running = pump.run(&mut step, &mut stop);
        let worked = async {
            while counted(&*engine).await < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = running => panic!("{ended:?}"),
            () = worked => {}
        }
        let told = engine.get(COUNTS, PASSED).await.unwrap().unwrap().value;
        assert_eq!(told, "0..4 ");
        assert_eq!(contents(&*engine, OUTPUT).await, [4, 5]);
        assert_eq!(tip, Position(6));
    }
    feed(&*engine, 6..9).await;
    engine.trim(SOURCE, Position(9)).await.unwrap();
    engine.seal(SOURCE).await.unwrap();
    let mut pump = claim(&engine).await;
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
    let told = engine.get(COUNTS, PASSED).await.unwrap().unwrap().value;
    assert_eq!(told, "0..4 6..9 ");
    let rows = row::positions_of(&*engine, NAME).await.unwrap();
    let positions: Vec<Position> = rows.into_iter().map(|(_, at, _)| at).collect();
    assert_eq!(positions, [Position(9)]);
}

#[tokio::test]
async fn a_pump_that_nothing_comes_to_rests_and_goes_on_from_there() {
    let engine = fresh(&SimulatedDisk::new(1)).await;
    feed(&*engine, 0..6).await;
    let (_tell, mut stop) = watch::channel(false);
    let mut step = Copy::new(&engine);
    let mut pump = claim(&engine).await;
    pump.set_rest_after(Duration::ZERO);
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::Idle);
    assert_eq!(pump.position(), engine.tip(SOURCE).unwrap());
    feed(&*engine, 6..9).await;
    let mut pump = claim(&engine).await;
    pump.set_rest_after(Duration::ZERO);
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::Idle);
    assert_eq!(counted(&*engine).await, 9);
}

/// Passes over what cannot be read once it was told twice, and counts these records.
struct Passing {
    copy: Copy,
    told: Vec<u64>,
}

#[async_trait]
impl Step for Passing {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.copy.step(batch, effects).await
    }

    async fn damaged(
        &mut self,
        damage: &Damage,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.told.push(damage.records());
        if self.told.len() < 2 {
            return Err(StepError::Failed(damage.to_string()));
        }
        effects.writes.push(TableWrite {
            table: COUNTS,
            key: Bytes::from_static(PASSED),
            value: Some(Bytes::from(format!("{}..{}", damage.from, damage.to))),
            expect: Expect::Any,
        });
        Ok(damage.to)
    }

    fn after_failure(&mut self, _error: &StepError, _attempt: u32) -> Retry {
        Retry::After(Duration::ZERO)
    }
}

/// The one segment of a log of six frames, and where each of them begins.
fn segment(disk: &SimulatedDisk) -> (PathBuf, Vec<u64>) {
    let log = format!("{:016x}", SOURCE.0);
    let mut files = disk.files().into_iter();
    let (path, bytes) = files
        .find(|(path, _)| path.to_string_lossy().contains(&log))
        .unwrap();
    let mut content = vec![0; usize::try_from(bytes).unwrap()];
    let read = disk.open(&path).unwrap().read_at(&mut content, 0).unwrap();
    let starts = content[..read].windows(4).enumerate();
    let starts = starts.filter(|(_, at)| *at == b"MRFR");
    let starts = starts.map(|(at, _)| u64::try_from(at).unwrap());
    (path, starts.collect())
}

/// A log of six frames that was closed, in a segment.
async fn in_a_segment() -> SimulatedDisk {
    let disk = SimulatedDisk::new(13);
    let before = fresh(&disk).await;
    feed(&*before, 0..6).await;
    before.seal(SOURCE).await.unwrap();
    before.close().await.unwrap();
    disk.after_kill()
}

/// The same, of which the disk changed a byte of the third frame.
async fn with_a_damaged_frame() -> Arc<dyn Engine> {
    let disk = in_a_segment().await;
    let (path, frames) = segment(&disk);
    let header = u64::try_from(store::embedded::format::FRAME_HEADER_BYTES).unwrap();
    assert!(disk.flip(&path, frames[2] + header, 1));
    engine(&disk)
}

#[tokio::test]
async fn a_pump_works_up_to_what_cannot_be_read_and_stays_there_unless_its_step_passes_it_over() {
    let engine = with_a_damaged_frame().await;
    let (_running, mut stop) = watch::channel(false);
    let mut pump = claim(&engine).await;
    let mut step = Copy::new(&engine);
    step.retry = Retry::GiveUp;
    let ended = pump.run(&mut step, &mut stop).await;
    let Err(PumpError::Step { error, .. }) = ended else {
        panic!("{ended:?}")
    };
    let why = error.to_string();
    assert!(
        why.contains("1 records of log 901 from position 2 on"),
        "{why}"
    );
    assert_eq!(pump.position(), Position(2));
    assert_eq!(contents(&*engine, OUTPUT).await, [0, 1]);

    let mut step = Passing {
        copy: Copy::new(&engine),
        told: Vec::new(),
    };
    let mut pump = claim(&engine).await;
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
    assert_eq!(step.told, [1, 1]);
    let passed = engine.get(COUNTS, PASSED).await.unwrap().unwrap().value;
    assert_eq!(passed, "2..3");
    assert_eq!(contents(&*engine, OUTPUT).await, [0, 1, 3, 4, 5]);
}

/// The pump ended with an error, whatever its step would have done.
#[tokio::test]
async fn what_the_disk_does_not_give_back_is_passed_over_like_a_damaged_frame() {
    for is_gone in [false, true] {
        let disk = in_a_segment().await;
        let (path, _) = segment(&disk);
        if is_gone {
            disk.remove(&path).unwrap();
        } else {
            disk.spoil(&path, 0..u64::MAX);
        }
        let engine = engine(&disk);
        let (_running, mut stop) = watch::channel(false);
        let mut step = Passing {
            copy: Copy::new(&engine),
            told: Vec::new(),
        };
        let mut pump = claim(&engine).await;
        assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
        assert_eq!(step.told, [6, 6]);
        let passed = engine.get(COUNTS, PASSED).await.unwrap().unwrap().value;
        assert_eq!(passed, "0..6");
        assert_eq!(contents(&*engine, OUTPUT).await, Vec::<u32>::new());
    }
}

/// The disk is put right between two looks.
#[tokio::test]
async fn a_pump_goes_on_by_itself_once_the_disk_gives_back_what_it_did_not() {
    let disk = in_a_segment().await;
    disk.spoil(&segment(&disk).0, 0..u64::MAX);
    let engine = engine(&disk);
    let (_running, mut stop) = watch::channel(false);
    let mut step = PutRight {
        copy: Copy::new(&engine),
        disk,
    };
    let mut pump = claim(&engine).await;
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
    assert_eq!(contents(&*engine, OUTPUT).await, [0, 1, 2, 3, 4, 5]);
}

/// Puts the disk right when it is told of damage, and waits for that.
struct PutRight {
    copy: Copy,
    disk: SimulatedDisk,
}

#[async_trait]
impl Step for PutRight {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.copy.step(batch, effects).await
    }

    async fn damaged(
        &mut self,
        damage: &Damage,
        _effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.disk.forget_faults();
        Err(StepError::Failed(damage.to_string()))
    }

    fn after_failure(&mut self, _error: &StepError, _attempt: u32) -> Retry {
        Retry::After(Duration::ZERO)
    }
}

#[tokio::test]
async fn a_pump_that_may_open_no_more_files_ends_with_that_and_calls_it_no_damage() {
    let disk = in_a_segment().await;
    let engine = engine(&disk);
    let (_running, mut stop) = watch::channel(false);
    let mut step = Passing {
        copy: Copy::new(&engine),
        told: Vec::new(),
    };
    let mut pump = claim(&engine).await;
    disk.set_open_files_max(0);
    let ended = pump.run(&mut step, &mut stop).await;
    assert!(
        matches!(ended, Err(PumpError::Store(StoreError::Io { .. }))),
        "{ended:?}"
    );
    disk.set_open_files_max(u64::MAX);
    assert_eq!(pump.run(&mut step, &mut stop).await.unwrap(), Ended::LogEnd);
    assert_eq!(step.told, Vec::<u64>::new());
    assert_eq!(contents(&*engine, OUTPUT).await, [0, 1, 2, 3, 4, 5]);
}
