//! `state`: what an instance of a consumer hands on.

use wasm::Fault;

use crate::consumer_guest::ConsumerGuest;
use crate::shard::{Shard, process};

/// Keeps how many records there were at 300, as a state of four bytes, and puts it to a table.
fn counting(version: u32) -> ConsumerGuest {
    ConsumerGuest {
        fields: r#"(data (i32.const 256) "seen") (data (i32.const 260) "too old")"#.to_owned(),
        process: "
            (i32.store (i32.const 300)
              (i32.add (i32.load (i32.const 300)) (local.get $count)))
            (call $put (i32.const 256) (i32.const 4) (i32.const 256) (i32.const 4)
              (i32.const 300) (i32.const 4) (i32.const 96))"
            .to_owned(),
        state: Some([
            format!("(i32.const {version})"),
            "(i32.store8 (i32.const 304) (i32.const 0))
            (i32.store (i32.const 308) (i32.const 300))
            (i32.store (i32.const 312) (i32.const 4))
            (i32.const 304)"
                .to_owned(),
            format!(
                "(if (i32.lt_u (local.get $version) (i32.const {version}))
                  (then (return (call $error (i32.const 260) (i32.const 7)))))
                (i32.store (i32.const 300) (i32.load (local.get $at)))"
            ),
        ]),
        ..ConsumerGuest::default()
    }
}

#[test]
fn an_instance_goes_on_with_the_state_of_another() {
    let shard = Shard::of(&counting(1).component());
    assert!(shard.version.has_state());
    let mut first = shard.start().unwrap();
    process(&mut first, &["a", "b"]).unwrap();
    let (version, state) = first.snapshot().unwrap().unwrap();
    assert_eq!((version, &state[..]), (1, &[2, 0, 0, 0][..]));

    let mut second = shard.start().unwrap();
    second.restore(version, &state).unwrap();
    process(&mut second, &["c"]).unwrap();
    let seen = shard.memory.entry("seen", "seen").unwrap();
    assert_eq!(seen.as_bytes(), [3, 0, 0, 0]);
}

#[test]
fn a_version_that_cannot_take_over_a_state_says_so() {
    let shard = Shard::of(&counting(2).component());
    let mut consumer = shard.start().unwrap();
    let why = Fault::NotReady("restore: too old".to_owned());
    assert_eq!(consumer.restore(1, &[2, 0, 0, 0]), Err(why));
}

#[test]
fn a_version_without_a_state_takes_none_over() {
    let shard = Shard::of(&ConsumerGuest::default().component());
    let mut consumer = shard.start().unwrap();
    assert_eq!(consumer.snapshot(), Ok(None));
    let fault = consumer.restore(1, &[]).unwrap_err();
    assert!(matches!(fault, Fault::NotReady(_)), "{fault}");
}

#[test]
fn a_guest_may_say_that_it_cannot_tell_its_state() {
    let mut guest = counting(1);
    if let Some([_, snapshot, _]) = &mut guest.state {
        *snapshot = "(call $error (i32.const 260) (i32.const 7))".to_owned();
    }
    let fault = Shard::of(&guest.component()).start().unwrap().snapshot();
    assert_eq!(fault, Err(Fault::Retryable("snapshot: too old".to_owned())));
}

#[test]
fn a_state_that_is_too_large_is_not_kept() {
    let mut guest = counting(1);
    if let Some([_, snapshot, _]) = &mut guest.state {
        *snapshot = "(drop (memory.grow (i32.const 8)))
            (i32.store8 (i32.const 304) (i32.const 0))
            (i32.store (i32.const 308) (i32.const 0))
            (i32.store (i32.const 312) (i32.const 262145))
            (i32.const 304)"
            .to_owned();
    }
    let fault = Shard::of(&guest.component()).start().unwrap().snapshot();
    let why = "its answer has a snapshot of 262145 bytes, not at most 262144";
    assert_eq!(fault.unwrap_err().to_string(), why);
}
