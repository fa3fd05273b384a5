//! Consumers that mean harm: whatever they ask for ends at a limit, nobody is asked for more than a
//! batch may ask for, and an instance that comes after one that was ended works.

use std::time::Duration;

use wasm::{Fault, Limits, Panic};

use crate::consumer_guest::ConsumerGuest;
use crate::shard::{Shard, process};

/// `words` at 256, ends that contradict their bytes at 264 (1,000) and 268 (5, 3), and those of one
/// string of 5 at 280.
const FIELDS: &str = r#"
  (data (i32.const 256) "words\00\00\00\e8\03\00\00\05\00\00\00\03\00\00\00\00\00\00\00\05\00\00\00")
"#;
const WORDS: &str = "(i32.const 256) (i32.const 5)";
const ANSWER: &str = "(i32.const 96)";

fn guest(process: &str) -> ConsumerGuest {
    ConsumerGuest {
        fields: FIELDS.to_owned(),
        ..ConsumerGuest::processing(&format!(
            "(if (call $is_marked (local.get $bytes) (local.get $length)) (then {process}))"
        ))
    }
}

/// What becomes of a marked batch. A batch that is not goes through on another instance.
fn endured(guest: &ConsumerGuest) -> (Shard, Fault) {
    let limits = Limits {
        batch_time_max: Duration::from_millis(200),
        ..Limits::default()
    };
    let shard = Shard::within(&guest.component(), limits).unwrap();
    let fault = shard.process(&["!"]).unwrap_err();
    assert_eq!(shard.process(&["a"]), Ok(()));
    (shard, fault)
}

fn traps(attack: &str, why: &str) -> Shard {
    let (shard, fault) = endured(&guest(attack));
    let Fault::Trap(text) = &fault else {
        panic!("{fault}")
    };
    assert!(text.contains(why), "{text}");
    shard
}

#[test]
fn a_batch_without_an_end_is_stopped() {
    let (_, fault) = endured(&guest("(loop $again (br $again))"));
    assert!(matches!(fault, Fault::Deadline(_)), "{fault}");
}

#[test]
fn a_shard_or_an_instance_that_does_not_end_is_stopped() {
    let endless = "(loop $again (br $again))".to_owned();
    let guest = ConsumerGuest {
        shard_ended: endless.clone(),
        shutdown_requested: endless.clone(),
        lease_lost: endless,
        ..ConsumerGuest::default()
    };
    let limits = Limits {
        batch_time_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let shard = Shard::within(&guest.component(), limits).unwrap();
    let is_late = |became: Result<(), Fault>| matches!(became, Err(Fault::Deadline(_)));
    assert!(is_late(shard.start().unwrap().shard_ended()));
    assert!(is_late(shard.start().unwrap().shutdown_requested()));
    assert!(is_late(shard.start().unwrap().lease_lost()));
}

#[test]
fn an_initialize_without_an_end_is_no_instance() {
    let guest = ConsumerGuest {
        initialize: "(loop $again (br $again))".to_owned(),
        ..ConsumerGuest::default()
    };
    let limits = Limits {
        batch_time_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let shard = Shard::within(&guest.component(), limits).unwrap();
    let fault = shard.start().err().unwrap();
    assert!(matches!(fault, Fault::Deadline(_)), "{fault}");
}

#[test]
fn memory_ends_at_its_limit() {
    let attack = "(loop $again (drop (memory.grow (i32.const 16))) (br $again))";
    traps(attack, "more than 64 MiB of memory (memory_mib = 64)");
}

#[test]
fn a_stack_ends_at_its_limit() {
    let mut guest = guest("(call $deeper (i32.const 0))");
    guest.fields.push_str(
        "(func $deeper (param i32) (call $deeper (i32.add (local.get 0) (i32.const 1))))",
    );
    let (_, fault) = endured(&guest);
    assert!(fault.to_string().contains("KiB of stack"), "{fault}");
}

#[test]
fn calls_of_the_host_end_at_their_limit() {
    let get = format!("(call $get {WORDS} {WORDS} {ANSWER})");
    let shard = traps(
        &format!("(loop $again {get} (br $again))"),
        "more than 10000 calls to the host in one batch (host_calls = 10000)",
    );
    assert_eq!(shard.memory.0.lock().unwrap().calls, 10_000);
    traps(
        "(loop $again (call $partition_keys (i32.const 96)) (br $again))",
        "calls to the host in one batch",
    );
}

#[test]
fn slabs_that_contradict_themselves_are_not_taken() {
    for (attack, why) in [
        (
            format!(
                "(call $get_many {WORDS} (i32.const 256) (i32.const 5)
                  (i32.const 264) (i32.const 1) {ANSWER})"
            ),
            "keys with a last end of 1000 for 5 bytes",
        ),
        (
            format!(
                "(call $get_many {WORDS} (i32.const 256) (i32.const 3)
                  (i32.const 268) (i32.const 2) {ANSWER})"
            ),
            "keys with ends that are not in order",
        ),
        (
            format!(
                "(call $put_many {WORDS} (i32.const 256) (i32.const 5)
                  (i32.const 280) (i32.const 1) (i32.const 256) (i32.const 0)
                  (i32.const 280) (i32.const 0) {ANSWER})"
            ),
            "1 keys for 0 values",
        ),
        (
            format!(
                "(call $emit {WORDS} (i32.const 256) (i32.const 5) (i32.const 280) (i32.const 1)
                  (i32.const 256) (i32.const 5) (i32.const 264) (i32.const 1) {ANSWER})"
            ),
            "records with a last end of 1000 for 5 bytes",
        ),
        (
            format!(
                "(call $get_many {WORDS} (i32.const 256) (i32.const 5)
                  (i32.const 264) (i32.const -1) {ANSWER})"
            ),
            "",
        ),
    ] {
        let shard = traps(&attack, why);
        assert_eq!(shard.memory.0.lock().unwrap().calls, 0, "nobody is asked");
    }
}

#[test]
fn a_name_that_is_no_text_traps() {
    let mut guest = guest(&format!(
        "(call $get (i32.const 400) (i32.const 2) {WORDS} {ANSWER})"
    ));
    guest.fields.push_str(r#"(data (i32.const 400) "\ff\fe")"#);
    let (_, fault) = endured(&guest);
    assert!(fault.to_string().contains("utf-8"), "{fault}");
}

#[test]
fn more_keys_in_one_call_than_a_clock_may_wait_for_are_not_taken() {
    // Empty ones, whose ends are zeros.
    let attack = format!(
        "(drop (memory.grow (i32.const 1)))
        (call $get_many {WORDS} (i32.const 0) (i32.const 0)
          (i32.const 8192) (i32.const 10001) {ANSWER})"
    );
    let shard = traps(&attack, "more than 10000 keys or records at once");
    assert_eq!(shard.memory.0.lock().unwrap().calls, 0);
}

#[test]
fn what_a_batch_writes_and_emits_has_a_limit_however_small_its_pieces_are() {
    // 300 KiB each time: 54 times.
    let put = format!(
        "(drop (memory.grow (i32.const 8)))
        (loop $again
          (call $put {WORDS} {WORDS} (i32.const 0) (i32.const 307200) {ANSWER})
          (br $again))"
    );
    let why = "more than 16 MiB of keys, values and records in one batch (output_mib = 16)";
    // None of these runs into its time on a busy machine.
    let limits = Limits {
        host_calls_max: u32::MAX,
        batch_time_max: Duration::from_secs(60),
        ..Limits::default()
    };
    let shard = Shard::within(&guest(&put).component(), limits).unwrap();
    let fault = shard.process(&["!"]).unwrap_err();
    assert!(fault.to_string().contains(why), "{fault}");
    assert_eq!(shard.memory.0.lock().unwrap().calls, 54);
    // Deletes of one byte, each of which the host remembers.
    let delete = format!(
        "(loop $again
          (call $delete {WORDS} (i32.const 256) (i32.const 1) {ANSWER})
          (br $again))"
    );
    let shard = Shard::within(&guest(&delete).component(), limits).unwrap();
    let fault = shard.process(&["!"]).unwrap_err();
    assert!(fault.to_string().contains(why), "{fault}");
    // 16 MiB of a key of one byte and what it counts for besides.
    assert_eq!(shard.memory.0.lock().unwrap().calls, 16 * 1024 * 1024 / 65);
}

#[test]
fn what_a_table_answers_has_a_limit_and_is_not_all_fetched_before_it_is_counted() {
    let attack = format!(
        "(drop (memory.grow (i32.const 1)))
        (call $scan {WORDS} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 1000) {ANSWER})"
    );
    let shard = Shard::of(&guest(&attack).component());
    {
        let mut asked = shard.memory.0.lock().unwrap();
        let table = asked.tables.entry("words".to_owned()).or_default();
        for number in 0..1_000_u16 {
            table.insert(number.to_be_bytes().to_vec(), vec![0; 100 * 1024]);
        }
    }
    let fault = shard.process(&["!"]).unwrap_err();
    let why = "more than 16 MiB taken from the host at once (output_mib = 16)";
    assert!(fault.to_string().contains(why), "{fault}");
    // 64 entries of 100 KiB are 6.25 MiB.
    assert_eq!(shard.memory.0.lock().unwrap().calls, 3);
}

#[test]
fn a_guest_that_calls_the_host_from_within_a_call_of_the_host_traps() {
    let mut guest = guest(&format!("(call $get {WORDS} {WORDS} {ANSWER})"));
    guest.realloc = "(if (i32.eq (local.get $size) (i32.const 777))
        (then (drop (call $now_ms))))"
        .to_owned();
    let shard = Shard::of(&guest.component());
    {
        let mut asked = shard.memory.0.lock().unwrap();
        let table = asked.tables.entry("words".to_owned()).or_default();
        table.insert(b"words".to_vec(), vec![0; 777]);
    }
    let fault = shard.process(&["!"]).unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("cannot leave component instance"),
        "{fault}"
    );
}

#[test]
fn a_panic_names_its_record() {
    let attack = "(call $panicked (i32.const 1) (i32.const 2) (i32.const 256) (i32.const 5)
          (i32.const 256) (i32.const 5))
        (unreachable)";
    let (_, fault) = endured(&guest(attack));
    let panic = Panic {
        record: Some(2),
        text: "at words: words".to_owned(),
    };
    assert_eq!(fault, Fault::Panicked(panic));
}

#[test]
fn tables_that_are_asked_for_before_there_is_a_shard_are_none() {
    let guest = ConsumerGuest {
        fields: FIELDS.to_owned(),
        init: format!(
            "(call $put {WORDS} {WORDS} {WORDS} {ANSWER})
            (if (i32.eqz (i32.load8_u (i32.const 96))) (then (unreachable)))"
        ),
        ..ConsumerGuest::default()
    };
    let shard = Shard::of(&guest.component());
    assert!(shard.start().is_ok());
    assert_eq!(shard.memory.0.lock().unwrap().calls, 0);
}

#[test]
fn a_limit_of_calls_is_that_of_each_batch() {
    let get = format!("(call $get {WORDS} {WORDS} {ANSWER})");
    let limits = Limits {
        host_calls_max: 1,
        ..Limits::default()
    };
    let shard = Shard::within(&guest(&get).component(), limits).unwrap();
    let mut consumer = shard.start().unwrap();
    for _ in 0..3 {
        process(&mut consumer, &["!"]).unwrap();
    }
}
