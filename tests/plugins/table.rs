//! `table`: what a consumer reads and writes, and what it is told where it may not.

use wasm::Fault;

use crate::consumer_guest::ConsumerGuest;
use crate::shard::{GONE, SECRET, Shard, process};

/// Names and texts: `words` at 256, `key` at 261, `value` at 264, `secret` at 269, `gone` at 275;
/// a slab's ends 3, 8 at 280 and 5, 10 at 288.
const FIELDS: &str = r#"
  (data (i32.const 256) "wordskeyvaluesecretgone\00\03\00\00\00\08\00\00\00\05\00\00\00\0a\00\00\00")
"#;
const WORDS: &str = "(i32.const 256) (i32.const 5)";
const KEY: &str = "(i32.const 261) (i32.const 3)";
const VALUE: &str = "(i32.const 264) (i32.const 5)";
const ANSWER: &str = "(i32.const 96)";
/// Fails the batch with what the host answered, if it was an error.
const TELL: &str = "(if (i32.load8_u (i32.const 96)) (then (return (call $told))))";

fn shard(process: &str) -> Shard {
    let guest = ConsumerGuest {
        fields: FIELDS.to_owned(),
        ..ConsumerGuest::processing(process)
    };
    Shard::of(&guest.component())
}

/// What a guest that does this is told.
fn told(process: &str) -> String {
    match shard(process).process(&["a"]) {
        Err(Fault::Permanent(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_put_is_there_in_the_same_batch_and_in_the_next() {
    // The value of the key is put under itself, once it is there.
    let process = format!(
        "(call $put {WORDS} {KEY} {VALUE} {ANSWER}) {TELL}
        (call $get {WORDS} {KEY} {ANSWER}) {TELL}
        (if (i32.load8_u offset=100 (i32.const 0)) (then
          (call $put {WORDS} (i32.load (i32.const 104)) (i32.load (i32.const 108)) {VALUE}
            {ANSWER}) {TELL}))"
    );
    let shard = shard(&process);
    let mut consumer = shard.start().unwrap();
    process_twice(&mut consumer);
    assert_eq!(shard.memory.entry("words", "key").as_deref(), Some("value"));
    assert_eq!(
        shard.memory.entry("words", "value").as_deref(),
        Some("value")
    );
}

fn process_twice(consumer: &mut wasm::Consumer) {
    process(consumer, &["a"]).unwrap();
    process(consumer, &["a"]).unwrap();
}

#[test]
fn a_key_that_is_not_there_has_no_value() {
    let process = format!(
        "(call $get {WORDS} {KEY} {ANSWER}) {TELL}
        (if (i32.load8_u (i32.const 100)) (then (unreachable)))"
    );
    assert_eq!(shard(&process).process(&["a"]), Ok(()));
}

#[test]
fn many_are_put_and_found_at_once_and_in_their_order() {
    // Keys `key` and `value`, values `words` and `keyva`; then `value` is deleted, and both asked
    // for: the first is there and the second is not.
    let process = format!(
        "(call $put_many {WORDS} (i32.const 261) (i32.const 8) (i32.const 280) (i32.const 2)
          (i32.const 256) (i32.const 10) (i32.const 288) (i32.const 2) {ANSWER}) {TELL}
        (call $delete {WORDS} {VALUE} {ANSWER}) {TELL}
        (call $get_many {WORDS} (i32.const 261) (i32.const 8) (i32.const 280) (i32.const 2)
          {ANSWER}) {TELL}
        (if (i32.ne (i32.load (i32.const 104)) (i32.const 2)) (then (unreachable)))
        (local.set $i (i32.load (i32.const 100)))
        (if (i32.eqz (i32.load8_u (local.get $i))) (then (unreachable)))
        (call $put {WORDS} (i32.const 269) (i32.const 6)
          (i32.load offset=4 (local.get $i)) (i32.load offset=8 (local.get $i)) {ANSWER}) {TELL}
        (if (i32.load8_u offset=12 (local.get $i)) (then (unreachable)))"
    );
    let shard = shard(&process);
    shard.process(&["a"]).unwrap();
    assert_eq!(
        shard.memory.entry("words", "secret").as_deref(),
        Some("words")
    );
    assert_eq!(shard.memory.entry("words", "value"), None);
}

#[test]
fn a_scan_gives_entries_in_order_from_a_key_on_up_to_a_limit() {
    // Sums the first bytes of the keys of at most 200 entries from `k` on that begin with `k`.
    let process = format!(
        "(call $scan {WORDS} (i32.const 261) (i32.const 1) (i32.const 261) (i32.const 1)
          (i32.const 200) {ANSWER}) {TELL}
        (i32.store (i32.const 300) (i32.load (i32.const 104)))
        (call $put {WORDS} {KEY} (i32.const 300) (i32.const 4) {ANSWER}) {TELL}"
    );
    let shard = shard(&process);
    {
        let mut asked = shard.memory.0.lock().unwrap();
        let table = asked.tables.entry("words".to_owned()).or_default();
        for number in 0..150_u8 {
            table.insert(vec![b'k', number], vec![number]);
        }
        table.insert(b"j".to_vec(), Vec::new());
        table.insert(b"l".to_vec(), Vec::new());
    }
    shard.process(&["a"]).unwrap();
    let count = shard.memory.entry("words", "key").unwrap();
    assert_eq!(count.chars().next(), Some('\u{fffd}'), "150 is no ASCII");
    let asked = shard.memory.0.lock().unwrap();
    assert_eq!(asked.tables["words"]["key".as_bytes()], [150, 0, 0, 0]);
}

#[test]
fn a_guest_is_told_of_a_table_that_it_was_not_granted_and_goes_on() {
    let process = format!(
        "(call $get (i32.const 269) (i32.const 6) {KEY} {ANSWER})
        (if (i32.eqz (i32.load8_u (i32.const 96))) (then (unreachable)))
        (call $put {WORDS} {KEY} (i32.load (i32.const 100)) (i32.load (i32.const 104)) {ANSWER})"
    );
    let shard = shard(&process);
    shard.process(&["a"]).unwrap();
    let told = shard.memory.entry("words", "key").unwrap();
    assert_eq!(told, format!("{SECRET} is not granted"));
}

#[test]
fn a_table_that_cannot_be_read_ends_the_call_and_is_no_fault_of_the_guest() {
    let process = format!("(call $get (i32.const 275) (i32.const 4) {KEY} {ANSWER})");
    let shard = shard(&process);
    assert!(FIELDS.contains(GONE));
    let why = Fault::Unavailable("the store is closed".to_owned());
    assert_eq!(shard.process(&["a"]), Err(why));
    assert_eq!(shard.version.counters().traps.value(), 0);
}

#[test]
fn keys_values_and_names_of_no_right_size_are_told_before_anybody_is_asked() {
    for (attack, why) in [
        (
            format!("(call $get {WORDS} (i32.const 0) (i32.const 0) {ANSWER}) {TELL}"),
            "a key is empty",
        ),
        (
            format!("(call $put {WORDS} (i32.const 0) (i32.const 901) {VALUE} {ANSWER}) {TELL}"),
            "a key has 901 bytes, not at most 900",
        ),
        (
            format!(
                "(drop (memory.grow (i32.const 8)))
                (call $put {WORDS} {KEY} (i32.const 0) (i32.const 399361) {ANSWER}) {TELL}"
            ),
            "a value has 399361 bytes, not at most 399360",
        ),
        (
            format!("(call $get (i32.const 0) (i32.const 0) {KEY} {ANSWER}) {TELL}"),
            "the name of a table has 0 bytes, not 1 to 255",
        ),
        (
            format!(
                "(call $scan {WORDS} (i32.const 0) (i32.const 901) (i32.const 0) (i32.const 0)
                  (i32.const 1) {ANSWER}) {TELL}"
            ),
            "a key has 901 bytes",
        ),
    ] {
        let told = told(&attack);
        assert!(told.contains(why), "{told}");
    }
}
