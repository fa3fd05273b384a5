//! `emit`: records for other streams.

use wasm::Fault;

use crate::consumer_guest::ConsumerGuest;
use crate::shard::Shard;

/// `alerts` at 256, keys `onetwo` at 262, data `1st2nd` at 268; ends 3, 6 at 276.
const FIELDS: &str = r#"(data (i32.const 256) "alertsonetwo1st2nd\00\00\03\00\00\00\06\00\00\00")"#;
const ALERTS: &str = "(i32.const 256) (i32.const 6)";
const DATA: &str = "(i32.const 268) (i32.const 6) (i32.const 276) (i32.const 2)";

/// A batch that emits the data with these partition keys, and what becomes of it.
fn emit(keys: &str) -> (Shard, Result<(), Fault>) {
    let process =
        format!("(call $emit {ALERTS} {keys} {DATA} (i32.const 96)) (return (call $told))");
    let guest = ConsumerGuest {
        fields: FIELDS.to_owned(),
        ..ConsumerGuest::processing(&process)
    };
    let shard = Shard::of(&guest.component());
    let became = shard.process(&["a"]);
    (shard, became)
}

#[test]
fn records_are_put_in_order_with_their_keys() {
    let keys = "(i32.const 262) (i32.const 6) (i32.const 276) (i32.const 2)";
    let (shard, became) = emit(keys);
    assert_eq!(became, Ok(()));
    let asked = shard.memory.0.lock().unwrap();
    let one = ("alerts".to_owned(), "one".to_owned(), b"1st".to_vec());
    let two = ("alerts".to_owned(), "two".to_owned(), b"2nd".to_vec());
    assert_eq!(asked.emitted, [one, two]);
}

#[test]
fn a_key_that_no_record_can_have_is_told() {
    // Two empty ones.
    let keys = "(i32.const 262) (i32.const 0) (i32.const 400) (i32.const 2)";
    let (shard, became) = emit(keys);
    let why = "a partition key has 0 characters, not 1 to 256";
    assert_eq!(became, Err(Fault::Permanent(why.to_owned())));
    assert!(shard.memory.0.lock().unwrap().emitted.is_empty());
}

#[test]
fn as_many_keys_as_records_or_the_call_ends() {
    let (shard, became) = emit("(i32.const 262) (i32.const 3) (i32.const 276) (i32.const 1)");
    let why = "it trapped: 1 partition keys for 2 records";
    assert_eq!(became.unwrap_err().to_string(), why);
    assert_eq!(shard.memory.0.lock().unwrap().calls, 0);
}
