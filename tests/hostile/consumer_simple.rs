//! A plugin of the world `consumer-simple` from text.

use super::guest::{FOUNDATION, wrap};

/// A component that puts each record under its partition key into the table `told`, as the
/// record's data, its sequence number's digits, and this of its other fields: see `$record`, which
/// holds data, partition key and sequence number, then the place in the aggregate at 24 and the
/// arrival at 32.
pub fn component(answer: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
          (import "millrace:plugin/table@0.1.0" "put"
            (func $put (param i32 i32 i32 i32 i32 i32 i32)))
          (memory (export "memory") 1) {FOUNDATION}
          (data (i32.const 256) "toldnumbersnot today")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (call $alloc (local.get 3)))
          (func (export "millrace:plugin/lifecycle@0.1.0#init") (result i32) (i32.const 8))
          (func (export "millrace:plugin/lifecycle@0.1.0#describe") (result i32)
            (i32.const 32))
          (func (export "millrace:plugin/record-processor-simple@0.1.0#initialize")
            (param i32 i32 i32 i32 i32 i32) (result i32)
            (i32.const 8))
          (func (export "millrace:plugin/record-processor-simple@0.1.0#process")
            (param $record i32) (param $count i32) (param $behind i64) (result i32)
            (block $done
              (loop $next
                (br_if $done (i32.eqz (local.get $count)))
                (call $put (i32.const 256) (i32.const 4)
                  (i32.load offset=8 (local.get $record)) (i32.load offset=12 (local.get $record))
                  (i32.load (local.get $record)) (i32.load offset=4 (local.get $record))
                  (i32.const 96))
                (call $put (i32.const 260) (i32.const 7)
                  (i32.load offset=8 (local.get $record)) (i32.load offset=12 (local.get $record))
                  (i32.load offset=16 (local.get $record))
                  (i32.load offset=20 (local.get $record))
                  (i32.const 96))
                {answer}
                (local.set $record (i32.add (local.get $record) (i32.const 40)))
                (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                (br $next)))
            (i32.const 8))
          (func (export "cabi_post_millrace:plugin/record-processor-simple@0.1.0#process")
            (param i32)
            (global.set $free (i32.const 4096)))
          (func (export "millrace:plugin/record-processor-simple@0.1.0#lease-lost"))
          (func (export "millrace:plugin/record-processor-simple@0.1.0#shard-ended")
            (result i32) (i32.const 8))
          (func (export "millrace:plugin/record-processor-simple@0.1.0#shutdown-requested")
            (result i32) (i32.const 8)))"#
    );
    wrap(&module, "consumer-simple")
}
