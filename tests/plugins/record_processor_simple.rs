//! `record-processor-simple`: the same meaning as `record-processor`, in lists of records.

use wasm::{Fault, Role};

use crate::consumer_simple;
use crate::shard::{NOW, Shard, process};

#[test]
fn records_come_one_by_one_with_all_that_is_known_of_them() {
    let shard = Shard::of(&consumer_simple::component(""));
    assert_eq!(shard.version.world_name(), "consumer-simple");
    assert_eq!(shard.version.role(), Role::Consumer);
    shard.process(&["a", "bc"]).unwrap();
    for (place, record) in (0..).zip(["a", "bc"]) {
        assert_eq!(shard.memory.entry("told", record).as_deref(), Some(record));
        let number = types::SequenceNumber::of_record(
            types::ShardId(0),
            types::Second::of(NOW),
            place,
            types::Timestamp(NOW.0 + 1_000 * place),
        );
        let digits = shard.memory.entry("numbers", record);
        assert_eq!(digits, Some(number.to_string()));
    }
}

#[test]
fn arrivals_and_places_come_with_each_record() {
    let fields = "
        (call $put (i32.const 256) (i32.const 4)
          (i32.load offset=8 (local.get $record)) (i32.load offset=12 (local.get $record))
          (i32.add (local.get $record) (i32.const 24)) (i32.const 16) (i32.const 96))";
    let shard = Shard::of(&consumer_simple::component(fields));
    shard.process(&["a", "bc"]).unwrap();
    let asked = shard.memory.0.lock().unwrap();
    let told = &asked.tables["told"]["bc".as_bytes()];
    assert_eq!(told[..], [1, NOW.0 + 1_000].map(u64::to_le_bytes).concat());
}

#[test]
fn a_batch_may_fail_for_good_or_for_now() {
    for (kind, fault) in [
        (0, Fault::Retryable("not today".to_owned())),
        (1, Fault::Permanent("not today".to_owned())),
    ] {
        let fail = format!(
            "(i32.store8 (i32.const 80) (i32.const 1))
            (i32.store8 (i32.const 84) (i32.const {kind}))
            (i32.store (i32.const 88) (i32.const 267))
            (i32.store (i32.const 92) (i32.const 9))
            (return (i32.const 80))"
        );
        let shard = Shard::of(&consumer_simple::component(&fail));
        assert_eq!(shard.process(&["a"]), Err(fault));
    }
}

#[test]
fn the_end_of_a_shard_is_told_in_either_shape() {
    let mut consumer = Shard::of(&consumer_simple::component("")).start().unwrap();
    process(&mut consumer, &["a"]).unwrap();
    assert_eq!(consumer.shutdown_requested(), Ok(()));
    assert_eq!(consumer.shard_ended(), Ok(()));
    assert_eq!(consumer.lease_lost(), Ok(()));
}
