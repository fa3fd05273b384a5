//! `record-processor`: what a consumer is told of its shard, and what comes of its answers.

use wasm::{Fault, Role};

use crate::consumer_guest::ConsumerGuest;
use crate::shard::{Shard, process};

/// Puts what lies at an address under the key `seen` of the table `told`.
fn keep(at: &str, length: &str) -> String {
    format!(
        "(call $put (i32.const 256) (i32.const 4) (i32.const 260) (i32.const 4) {at} {length} \
         (i32.const 96))"
    )
}

/// A guest with the names that [`keep`] needs.
fn keeping() -> ConsumerGuest {
    ConsumerGuest {
        fields: r#"(data (i32.const 256) "toldseennot today")"#.to_owned(),
        ..ConsumerGuest::default()
    }
}

const NOT_TODAY: &str = "(i32.const 264) (i32.const 9)";

#[test]
fn a_consumer_is_of_its_world_and_says_what_it_is_called() {
    let shard = Shard::of(&ConsumerGuest::default().component());
    assert_eq!(shard.version.world_name(), "consumer");
    assert_eq!(shard.version.role(), Role::Consumer);
    assert_eq!(shard.version.label(), "1");
    assert!(!shard.version.has_state());
    assert_eq!(shard.process(&["a"]), Ok(()));
    assert_eq!(shard.version.counters().calls.value(), 1);
}

#[test]
fn an_instance_is_told_once_what_it_is_for() {
    for (part, told) in [
        ("application", "counting"),
        (
            "stream",
            "arn:aws:kinesis:us-east-1:111111111111:stream/words",
        ),
        ("shard", "shardId-000000000000"),
    ] {
        let guest = ConsumerGuest {
            initialize: keep(
                &format!("(local.get ${part})"),
                &format!("(local.get ${part}_length)"),
            ),
            ..keeping()
        };
        let shard = Shard::of(&guest.component());
        shard.start().unwrap();
        assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some(told));
    }
}

#[test]
fn an_instance_that_refuses_its_shard_does_not_begin() {
    let guest = ConsumerGuest {
        initialize: format!("(return (call $error {NOT_TODAY}))"),
        ..keeping()
    };
    let fault = Shard::of(&guest.component()).start().err().unwrap();
    assert_eq!(fault, Fault::NotReady("initialize: not today".to_owned()));
}

#[test]
fn a_batch_comes_as_a_slab_with_how_far_behind_it_is() {
    let all = keep("(local.get $bytes)", "(local.get $length)");
    let shard = Shard::of(
        &ConsumerGuest {
            process: all,
            ..keeping()
        }
        .component(),
    );
    shard.process(&["ab", "", "c"]).unwrap();
    assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some("abc"));

    let numbers = "(i64.store (i32.const 300) (local.get $behind))
        (i32.store (i32.const 308) (local.get $count))";
    let process = format!("{numbers} {}", keep("(i32.const 300)", "(i32.const 12)"));
    let shard = Shard::of(
        &ConsumerGuest {
            process,
            ..keeping()
        }
        .component(),
    );
    shard.process(&["a", "b", "c"]).unwrap();
    let seen = shard.memory.entry("told", "seen").unwrap();
    assert_eq!(seen.as_bytes(), [17, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
}

#[test]
fn a_guest_says_whether_its_batch_may_go_through_later() {
    for (kind, fault) in [
        (0, Fault::Retryable("not today".to_owned())),
        (1, Fault::Permanent("not today".to_owned())),
    ] {
        let guest = ConsumerGuest {
            process: format!("(return (call $fault (i32.const {kind}) {NOT_TODAY}))"),
            ..keeping()
        };
        let shard = Shard::of(&guest.component());
        assert_eq!(shard.process(&["a"]), Err(fault));
        assert_eq!(shard.version.counters().refused.value(), 1);
    }
}

#[test]
fn what_a_guest_keeps_in_its_memory_lasts_from_batch_to_batch() {
    let process = format!(
        "(i32.store8 (i32.const 300) (i32.add (i32.load8_u (i32.const 300)) (local.get $count)))
        {}",
        keep("(i32.const 300)", "(i32.const 1)")
    );
    let guest = ConsumerGuest {
        fields: r#"(data (i32.const 256) "toldseen") (data (i32.const 300) "0")"#.to_owned(),
        process,
        ..ConsumerGuest::default()
    };
    let shard = Shard::of(&guest.component());
    let mut consumer = shard.start().unwrap();
    process_all(&mut consumer, &[&["a", "b"], &["c"], &[]]);
    assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some("3"));
    // Another instance begins with what the component has.
    process_all(&mut shard.start().unwrap(), &[&["a"]]);
    assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some("1"));
}

fn process_all(consumer: &mut wasm::Consumer, batches: &[&[&str]]) {
    for batch in batches {
        process(consumer, batch).unwrap();
    }
}

#[test]
fn the_end_of_a_shard_and_of_an_instance_are_told_and_have_effects() {
    let told = |text: &str| {
        let at = 264 + "not today".find(text).unwrap();
        keep(
            &format!("(i32.const {at})"),
            &format!("(i32.const {})", text.len()),
        )
    };
    let guest = ConsumerGuest {
        shard_ended: told("not"),
        shutdown_requested: told("today"),
        ..keeping()
    };
    let shard = Shard::of(&guest.component());
    let mut consumer = shard.start().unwrap();
    consumer.shutdown_requested().unwrap();
    assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some("today"));
    consumer.shard_ended().unwrap();
    assert_eq!(shard.memory.entry("told", "seen").as_deref(), Some("not"));
}

#[test]
fn a_guest_may_say_that_it_is_not_done_at_the_end() {
    let refuses = format!("(return (call $error {NOT_TODAY}))");
    let guest = ConsumerGuest {
        shard_ended: refuses.clone(),
        shutdown_requested: refuses,
        ..keeping()
    };
    let mut consumer = Shard::of(&guest.component()).start().unwrap();
    let why = consumer.shard_ended().unwrap_err();
    assert_eq!(why, Fault::Retryable("shard-ended: not today".to_owned()));
    let why = consumer.shutdown_requested().unwrap_err();
    assert_eq!(
        why,
        Fault::Retryable("shutdown-requested: not today".to_owned())
    );
}

#[test]
fn who_lost_its_shard_has_no_effects() {
    let guest = ConsumerGuest {
        lease_lost: keep("(i32.const 264)", "(i32.const 3)"),
        process: format!(
            "{} (return (call $told))",
            keep("(i32.const 264)", "(i32.const 3)")
        ),
        ..keeping()
    };
    let shard = Shard::of(&guest.component());
    let mut consumer = shard.start().unwrap();
    consumer.lease_lost().unwrap();
    assert_eq!(shard.memory.entry("told", "seen"), None);
    let why = process(&mut consumer, &["a"]).unwrap_err();
    assert!(why.to_string().contains("no tables"), "{why}");
    assert_eq!(shard.memory.entry("told", "seen"), None);
}

#[test]
fn the_clock_shows_the_moment_of_each_batch() {
    let process = format!(
        "(i64.store (i32.const 300) (call $now_ms)) {}",
        keep("(i32.const 300)", "(i32.const 8)")
    );
    let shard = Shard::of(
        &ConsumerGuest {
            process,
            ..keeping()
        }
        .component(),
    );
    let mut consumer = shard.start().unwrap();
    for ms in [8_u8, 9] {
        let now = types::Timestamp(u64::from(ms));
        consumer.begin(wasm::Moment { now, seed: 3 });
        process_all(&mut consumer, &[&["a"]]);
        let seen = shard.memory.entry("told", "seen").unwrap();
        assert_eq!(seen.as_bytes(), [ms, 0, 0, 0, 0, 0, 0, 0]);
    }
}
