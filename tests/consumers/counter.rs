//! A consumer that counts: table `words` holds how often each record came, `alerts` gets a record
//! whenever that reaches a multiple of ten, and its state is how many records it has seen.

use crate::consumer_guest::ConsumerGuest;

/// Memory: 256 `words`, 264 `alerts`, 320 a count, 328 an end, 336 the state, 344 the answer of
/// `snapshot`, 360 words for faults.
const WORK: &str = r#"
  (data (i32.const 256) "words")
  (data (i32.const 264) "alerts")
  (data (i32.const 360) "not nowneverstate?")

  (func $work (param $bytes i32) (param $ends i32) (param $count i32) (result i32)
    (local $i i32) (local $at i32) (local $length i32) (local $n i64)
    (local.set $at (local.get $bytes))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (local.set $length
          (i32.sub
            (i32.add (local.get $bytes)
              (i32.load (i32.add (local.get $ends) (i32.mul (local.get $i) (i32.const 4)))))
            (local.get $at)))
        (call $record (local.get $i) (local.get $at) (local.get $length))
        (call $get (i32.const 256) (i32.const 5) (local.get $at) (local.get $length)
          (i32.const 96))
        (if (i32.load8_u (i32.const 96)) (then (return (call $told))))
        (local.set $n (i64.const 0))
        (if (i32.load8_u (i32.const 100))
          (then (local.set $n (i64.load (i32.load (i32.const 104))))))
        (local.set $n (i64.add (local.get $n) (i64.const 1)))
        (i64.store (i32.const 320) (local.get $n))
        (call $put (i32.const 256) (i32.const 5) (local.get $at) (local.get $length)
          (i32.const 320) (i32.const 8) (i32.const 96))
        (if (i32.load8_u (i32.const 96)) (then (return (call $told))))
        (if (i64.eqz (i64.rem_u (local.get $n) (i64.const 10)))
          (then
            (i32.store (i32.const 328) (local.get $length))
            (call $emit (i32.const 264) (i32.const 6)
              (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
              (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
              (i32.const 96))
            (if (i32.load8_u (i32.const 96)) (then (return (call $told))))))
        (i64.store (i32.const 336) (i64.add (i64.load (i32.const 336)) (i64.const 1)))
        (local.set $at (i32.add (local.get $at) (local.get $length)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.const 8))

  ;; Whether a record begins with a character.
  (func $begins (param $at i32) (param $length i32) (param $with i32) (result i32)
    (if (i32.eqz (local.get $length)) (then (return (i32.const 0))))
    (i32.eq (i32.load8_u (local.get $at)) (local.get $with)))
"#;

/// A counter with the state that its tests look at; `record` is done for each record before it is
/// counted, with its place `$i` in the batch, `$at` and `$length`.
pub fn counter_that(record: &str) -> ConsumerGuest {
    let fields = format!(
        "{WORK} (func $record (param $i i32) (param $at i32) (param $length i32) {record})"
    );
    let snapshot = "(i32.store8 (i32.const 344) (i32.const 0))
        (i32.store (i32.const 348) (i32.const 336))
        (i32.store (i32.const 352) (i32.const 8))
        (i32.const 344)";
    let restore = "(i64.store (i32.const 336) (i64.load (local.get $at)))";
    ConsumerGuest {
        fields,
        process: "(return (call $work (local.get $bytes) (local.get $ends) (local.get $count)))"
            .to_owned(),
        state: Some([
            "(i32.const 1)".to_owned(),
            snapshot.to_owned(),
            restore.to_owned(),
        ]),
        ..ConsumerGuest::default()
    }
}

/// A counter that does nothing else. Records that begin with `!` make it trap, those with `@` run
/// for ever.
pub fn counter() -> ConsumerGuest {
    counter_that(
        "(if (call $begins (local.get $at) (local.get $length) (i32.const 33))
           (then (unreachable)))
         (if (call $begins (local.get $at) (local.get $length) (i32.const 64))
           (then (loop $for_ever (br $for_ever))))",
    )
}

/// The same counter as another version of it: nothing but its content tells them apart.
pub fn numbered(number: u32, mut guest: ConsumerGuest) -> ConsumerGuest {
    guest
        .fields
        .push_str(&format!(r#"(data (i32.const 440) "version {number}")"#));
    guest
}

/// The same counter, whose instances count the word `ends` when they are told that they end, as if
/// it had come as a record.
pub fn that_says_when_it_ends(mut guest: ConsumerGuest) -> ConsumerGuest {
    guest.fields.push_str(r#"(data (i32.const 384) "ends")"#);
    guest.shutdown_requested = "(i32.store (i32.const 392) (i32.const 4))
        (drop (call $work (i32.const 384) (i32.const 392) (i32.const 1)))"
        .to_owned();
    guest
}
