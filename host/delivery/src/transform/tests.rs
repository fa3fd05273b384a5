use std::time::Duration;

use types::{AccountId, ManualClock, Timestamp};
use wasm::{BatchColumns, Columns, Limits, Options, PluginName, Plugins, WorksFor};

use self::told::Told;
use super::*;
use crate::delivery_stream::Destination;

#[path = "../../../../tests/hostile/guest.rs"]
#[expect(dead_code, reason = "the attacks need more of it")]
mod guest;
mod objects;
mod partitions;
#[path = "../../../../tests/hostile/simple.rs"]
mod simple;
#[path = "../../tests/exactly_once/told.rs"]
#[expect(dead_code, reason = "here all is logged on the thread that asks")]
mod told;

const MOMENT: Moment = Moment {
    now: Timestamp(5),
    seed: 6,
};
const RETRIES: u32 = 3;
const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(60);

/// A version, with what it lies on.
struct Own {
    version: Arc<Version>,
    _plugins: Plugins,
    _directory: tempfile::TempDir,
}

impl Own {
    fn of(component: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("own.wasm"), component).unwrap();
        let options = Options {
            directory: Some(directory.path().to_owned()),
            keep: directory.path().join("keep"),
            limits: Limits::default(),
            rollout: wasm::RolloutRules::default(),
            signatures: wasm::SignatureRules::default(),
            grants: std::sync::Arc::default(),
            cache_key: [7; 32],
            compiler: None,
        };
        let plugins = Plugins::open(options, Arc::new(ManualClock::new(Timestamp(0)))).unwrap();
        let version = plugins.current(&PluginName::parse("own").unwrap()).unwrap();
        Self {
            version,
            _plugins: plugins,
            _directory: directory,
        }
    }

    fn pins(&self, time: Duration) -> Pins {
        let mut pins = Pins::of(&self.version, &Destination::blank());
        pins.limits.batch_time_max = time;
        pins
    }

    /// A try within such limits, after an earlier one that settled something.
    fn transformer(&self, pins: Pins, settled: &Settled) -> Transformer {
        let terms = Terms {
            pins,
            moment: MOMENT,
            retries: RETRIES,
            delivery_stream: 7,
        };
        let workplace = Arc::new(Workplace {
            account: AccountId::parse("000000000000").unwrap(),
            of: WorksFor::DeliveryStream("own".to_owned()),
            shard: None,
        });
        Transformer::new(Arc::clone(&self.version), workplace, terms, settled.clone())
    }

    fn calls(&self) -> u64 {
        self.version.counters().calls.value()
    }
}

/// What became of each record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fates(Vec<String>);

impl Outlet for Fates {
    fn deliver(&mut self, source: usize, data: &[u8]) {
        let data = String::from_utf8_lossy(data);
        self.0.push(format!("{source} {data}"));
    }

    fn drop_record(&mut self, source: usize) {
        self.0.push(format!("{source} dropped"));
    }

    fn fail(&mut self, source: usize, failure: Failure<'_>) {
        let Failure {
            code,
            message,
            attempts,
            ..
        } = failure;
        self.0
            .push(format!("{source} {code}: {message} ({attempts})"));
    }
}

impl Fates {
    fn failed(&self) -> Vec<usize> {
        let failed = self.0.iter().filter(|line| line.contains("Lambda."));
        let places = failed.map(|line| line.split(' ').next().unwrap().parse().unwrap());
        places.collect()
    }
}

fn slab<Text: AsRef<str>>(records: impl IntoIterator<Item = Text>) -> Slab {
    let mut slab = Slab::default();
    for record in records {
        assert!(slab.push(record.as_ref().as_bytes()));
    }
    slab
}

/// Works on all batches, and has an object end after each.
fn work(transformer: &mut Transformer, batches: &[Slab]) -> Result<Fates, Stopped> {
    let mut told = Fates::default();
    for batch in batches {
        let arrivals_ms = vec![5; batch.len()];
        let columns = Columns {
            sub_sequence_numbers: vec![0; batch.len()],
            arrivals_ms,
            ..Columns::default()
        };
        let made = BatchColumns::on_demand(batch.len(), move || Ok(columns.clone()));
        transformer.begin(batch.len(), made)?;
        while transformer.work(batch, &mut told)? < batch.len() {}
        transformer.end()?;
        transformer.mark()?;
    }
    Ok(told)
}

/// Puts the number of the record since the instance began in the place of a mark. A batch of
/// several with a record that begins with `?` takes a second.
fn counting() -> Vec<u8> {
    simple::component(
        "(i32.store (i32.const 256) (i32.add (i32.load (i32.const 256)) (i32.const 1)))
        (i32.store8
          (i32.sub (i32.add (local.get $bytes) (local.get $length)) (i32.const 1))
          (i32.add (i32.const 48) (i32.load (i32.const 256))))
        (if (i32.and
              (i32.gt_u (local.get $count) (i32.const 1))
              (i32.eq (i32.load8_u (local.get $bytes)) (i32.const 63)))
          (then
            (i32.store (i32.const 260) (i32.const 2000000000))
            (loop $on
              (i32.store (i32.const 260)
                (i32.sub (i32.load (i32.const 260)) (i32.const 1)))
              (br_if $on (i32.load (i32.const 260))))))",
    )
}

fn counted_batches() -> [Slab; 3] {
    [slab(["a!", "b!"]), slab(["c!", "?!", "d!"]), slab(["e!"])]
}

#[test]
fn a_plugin_that_counts_counts_the_same_though_a_batch_was_late_in_the_first_try_only() {
    let own = Own::of(&counting());
    let batches = counted_batches();
    let mut first = own.transformer(own.pins(SHORT), &Settled::default());
    let told = work(&mut first, &batches).unwrap();
    let wanted = ["0 a1", "1 b2", "0 c1", "1 ?2", "2 d3", "0 e4"];
    assert_eq!(
        told.0, wanted,
        "one by one on a fresh instance, which goes on"
    );
    let mut second = own.transformer(own.pins(LONG), first.settled());
    assert_eq!(work(&mut second, &batches), Ok(told));
    assert_eq!(second.settled(), first.settled());
    let mut other = own.transformer(own.pins(LONG), &Settled::default());
    let other = work(&mut other, &batches).unwrap();
    assert_eq!(other.0, ["0 a1", "1 b2", "0 c3", "1 ?4", "2 d5", "0 e6"]);
}

#[test]
fn what_comes_out_otherwise_than_before_stops_the_delivery_before_anything_is_put() {
    let own = Own::of(&counting());
    let mut first = own.transformer(own.pins(LONG), &Settled::default());
    let batches = [slab(["a!"]), slab(["b!", "c!"])];
    work(&mut first, &batches).unwrap();
    let other = Own::of(&simple::component(""));
    let mut second = other.transformer(other.pins(LONG), first.settled());
    let Err(Stopped::Changed(why)) = work(&mut second, &batches) else {
        panic!("it comes out as before");
    };
    assert!(why.contains("do not come out as they did before"), "{why}");
    assert!(
        why.contains("the first 0 records") || why.contains("the first 1 records"),
        "{why}"
    );
    // Other bounds of batches and objects are found as well.
    let mut third = own.transformer(own.pins(LONG), first.settled());
    let batches = [slab(["a!", "b!", "c!"])];
    assert!(work(&mut third, &batches).is_err());
    let mut fourth = own.transformer(own.pins(LONG), first.settled());
    let batches = [slab(["a!", "b!"]), slab(["c!"])];
    assert!(work(&mut fourth, &batches).is_err());
}

#[test]
fn what_came_out_in_time_before_waits_for_a_machine_that_is_fast_enough() {
    let own = Own::of(&counting());
    let batches = counted_batches();
    let mut first = own.transformer(own.pins(LONG), &Settled::default());
    let told = work(&mut first, &batches).unwrap();
    let mut second = own.transformer(own.pins(SHORT), first.settled());
    let Err(Stopped::ForNow(why)) = work(&mut second, &batches) else {
        panic!("it comes out in time");
    };
    assert!(why.contains("what came out in time before"), "{why}");
    let mut third = own.transformer(own.pins(LONG), first.settled());
    assert_eq!(work(&mut third, &batches), Ok(told));
}

#[test]
fn what_failed_fails_again_in_the_same_words_though_it_would_come_out_now() {
    // A marked record takes 13 MiB.
    let own = Own::of(&simple::component("(drop (memory.grow (i32.const 200)))"));
    let batches = [slab(["a", "b!", "c"]), slab(["d!", "e"]), slab(["f"])];
    let mut pins = own.pins(LONG);
    pins.limits.memory_bytes_max = 2 << 20;
    let mut first = own.transformer(pins, &Settled::default());
    let told = work(&mut first, &batches).unwrap();
    assert_eq!((told.failed(), told.0.len()), (vec![1, 0], 6));
    assert!(told.0[1].contains("it trapped: "), "{told:?}");
    pins.limits.memory_bytes_max = 64 << 20;
    let mut second = own.transformer(pins, first.settled());
    assert_eq!(work(&mut second, &batches), Ok(told));
    let mut other = own.transformer(pins, &Settled::default());
    assert_eq!(work(&mut other, &batches).unwrap().failed(), [0; 0]);
    // And the other way round.
    let mut other = own.transformer(pins, &Settled::default());
    work(&mut other, &batches).unwrap();
    pins.limits.memory_bytes_max = 2 << 20;
    let mut again = own.transformer(pins, other.settled());
    assert!(work(&mut again, &batches).is_err());
}

/// Panics with the first marked record of a batch, and tells which that is.
fn panicking() -> Vec<u8> {
    let guest = guest::Guest {
        imports: r#"(import "millrace:plugin/context@VERSION" "panicked"
            (func $panicked (param i32 i32 i32 i32 i32 i32)))"#
            .to_owned(),
        fields: r#"(data (i32.const 256) "no good") (data (i32.const 264) "lib.rs:1")"#.to_owned(),
        locals: "(local $start i32) (local $end i32)".to_owned(),
        ..guest::Guest::attacking(
            "(loop $next
              (local.set $end (i32.load
                (i32.add (local.get $ends) (i32.shl (local.get $i) (i32.const 2)))))
              (if (call $is_marked
                    (i32.add (local.get $bytes) (local.get $start))
                    (i32.sub (local.get $end) (local.get $start)))
                (then
                  (call $panicked (i32.const 1) (local.get $i)
                    (i32.const 256) (i32.const 7) (i32.const 264) (i32.const 8))
                  (unreachable)))
              (local.set $start (local.get $end))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $i) (local.get $count))))",
        )
    };
    guest.component()
}

/// A thousand records of which those are marked.
fn thousand(is_marked: impl Fn(usize) -> bool) -> (Slab, Vec<usize>) {
    let text = |place: usize| {
        if is_marked(place) {
            format!("{place}!")
        } else {
            place.to_string()
        }
    };
    let marked = (0..1_000).filter(|place| is_marked(*place)).collect();
    (slab((0..1_000).map(text)), marked)
}

#[test]
fn each_record_that_panics_is_found_by_one_call_and_fails_alone() {
    for is_marked in [
        (|place| place == 0) as fn(usize) -> bool,
        |place| place == 500,
        |place| place == 999,
        |place| place % 20 == 7,
        |place| place % 4 != 1 && place < 997,
        |_| true,
    ] {
        let own = Own::of(&panicking());
        let (batch, marked) = thousand(is_marked);
        let mut first = own.transformer(own.pins(LONG), &Settled::default());
        let told = work(&mut first, std::slice::from_ref(&batch)).unwrap();
        assert_eq!(told.failed(), marked);
        assert_eq!(told.0.len(), 1_000);
        let words = "Lambda.FunctionError: it panicked at lib.rs:1: no good (";
        let failed = told.0.iter().filter(|line| line.contains(words)).count();
        assert_eq!(failed, marked.len());
        let panics = own.version.counters().traps.value();
        let tries = u64::from(RETRIES + 1);
        assert_eq!(panics, tries * u64::try_from(marked.len()).unwrap());
        // Beside them one for what is before each and one for what is after it.
        let others = 2 * panics / tries + 1;
        assert!(own.calls() <= panics + others, "{} calls", own.calls());
        let mut second = own.transformer(own.pins(LONG), first.settled());
        assert_eq!(work(&mut second, &[batch]), Ok(told));
        assert_eq!(own.version.counters().traps.value(), panics, "none again");
    }
}

#[test]
fn what_a_record_panicked_with_is_logged_once_however_often_it_is_tried() {
    let log = Told::listen();
    let own = Own::of(&panicking());
    let mut transformer = own.transformer(own.pins(LONG), &Settled::default());
    let batches = [slab(["a", "b!", "c", "d!"])];
    let told = work(&mut transformer, &batches).unwrap();
    assert_eq!(told.failed(), [1, 3]);
    let lines = log.lines("panicked at lib.rs:1: no good");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn records_that_trap_without_a_word_are_found_one_by_one() {
    for is_marked in [
        (|place| place == 0) as fn(usize) -> bool,
        |place| place % 20 == 7,
        |place| place % 4 != 1 && place < 997,
        |_| true,
    ] {
        let own = Own::of(&guest::Guest::attacking("(unreachable)").component());
        let (batch, marked) = thousand(is_marked);
        let mut first = own.transformer(own.pins(LONG), &Settled::default());
        let told = work(&mut first, std::slice::from_ref(&batch)).unwrap();
        assert_eq!(told.failed(), marked);
        let calls = 1 + (1_000 - marked.len()) + marked.len() * RETRIES as usize;
        assert_eq!(own.calls(), calls as u64);
        let mut second = own.transformer(own.pins(LONG), first.settled());
        assert_eq!(work(&mut second, &[batch]), Ok(told));
    }
}

/// More failed records than are noted: what is not noted is found again, and the same.
#[test]
fn a_delivery_with_more_failed_records_than_are_noted_comes_out_the_same_again() {
    let own = Own::of(&panicking());
    let (batch, marked) = thousand(|place| place % 2 == 1);
    let batches = vec![batch; 12];
    let mut first = own.transformer(own.pins(LONG), &Settled::default());
    let told = work(&mut first, &batches).unwrap();
    assert_eq!(told.failed(), marked.repeat(12));
    assert!(!first.settled().has_room(1_000));
    let mut second = own.transformer(own.pins(LONG), first.settled());
    assert_eq!(work(&mut second, &batches), Ok(told));
}

/// A guest that says that it panicked with a record that is none of the batch.
#[test]
fn a_panic_with_a_record_that_there_is_not_is_found_like_a_trap() {
    let guest = guest::Guest {
        imports: r#"(import "millrace:plugin/context@VERSION" "panicked"
            (func $panicked (param i32 i32 i32 i32 i32 i32)))"#
            .to_owned(),
        ..guest::Guest::attacking(
            "(call $panicked (i32.const 1) (i32.const 77) (i32.const 256) (i32.const 0)
              (i32.const 256) (i32.const 0))
            (unreachable)",
        )
    };
    let own = Own::of(&guest.component());
    let mut transformer = own.transformer(own.pins(LONG), &Settled::default());
    let told = work(&mut transformer, &[slab(["a", "b!", "c"])]).unwrap();
    assert_eq!(told.failed(), [1]);
    assert_eq!(told.0.len(), 3);
}

#[test]
fn what_one_delivery_stream_hands_to_a_plugin_takes_no_time_from_anothers_records() {
    let own = Own::of(&guest::Guest::attacking("(loop $on (br $on))").component());
    let patience = own.version.patience_with(7);
    let mut transformer =
        own.transformer(own.pins(Duration::from_millis(200)), &Settled::default());
    let told = work(&mut transformer, &[slab(["!"]), slab(["!"])]).unwrap();
    assert_eq!(told.failed(), [0, 0]);
    assert!(patience.time(1, LONG) < LONG);
    assert_eq!(own.version.patience_with(8).time(1, LONG), LONG);
}

/// A guest that answers with a random number for each record of eight bytes, and traps on those
/// that ask for it.
fn drawing() -> Vec<u8> {
    let guest = guest::Guest {
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-u64"
            (func $random (result i64)))"#
            .to_owned(),
        ..guest::Guest::attacking(
            "(local.set $i (i32.const 0))
            (loop $look
              (if (i32.eq
                    (i32.load8_u (i32.add (local.get $bytes) (local.get $i)))
                    (i32.const 63))
                (then (unreachable)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $look (i32.lt_u (local.get $i) (local.get $length))))
            (local.set $i (i32.const 0))
            (loop $draw
              (i64.store (i32.add (local.get $bytes) (local.get $i)) (call $random))
              (local.set $i (i32.add (local.get $i) (i32.const 8)))
              (br_if $draw (i32.lt_u (local.get $i) (local.get $length))))",
        )
    };
    guest.component()
}

/// Each fresh instance drew what the first one had drawn.
#[test]
fn random_numbers_of_one_delivery_are_different_however_it_is_divided_and_the_same_again() {
    let own = Own::of(&drawing());
    let batch = slab((0..11).map(|place| if place == 5 { "_trap_!?" } else { "number_!" }));
    let mut first = own.transformer(own.pins(LONG), &Settled::default());
    let told = work(&mut first, std::slice::from_ref(&batch)).unwrap();
    assert_eq!(told.failed(), [5]);
    let drawn = told.0.iter().map(|line| line.split_once(' ').unwrap().1);
    let different: std::collections::HashSet<&str> = drawn.collect();
    assert_eq!(different.len(), 11, "{told:?}");
    let mut second = own.transformer(own.pins(LONG), first.settled());
    assert_eq!(work(&mut second, &[batch]), Ok(told));
}
