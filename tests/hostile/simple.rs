//! A plugin of the world `transformer-simple` from text.

use super::guest::{FOUNDATION, wrap};

/// Writes the output number `$number` of a list.
const PUT_OUTPUT: &str = r#"
  (func $put_output (param $outputs i32) (param $number i32) (param $source i32)
      (param $status i32) (param $bytes i32) (param $length i32)
    (local.set $outputs
      (i32.add (local.get $outputs) (i32.mul (local.get $number) (i32.const 36))))
    ;; No partition keys and no target.
    (memory.fill (local.get $outputs) (i32.const 0) (i32.const 36))
    (i32.store (local.get $outputs) (local.get $source))
    (i32.store8 offset=4 (local.get $outputs) (local.get $status))
    (i32.store offset=8 (local.get $outputs) (local.get $bytes))
    (i32.store offset=12 (local.get $outputs) (local.get $length)))
"#;

/// A component that keeps every record, and does this besides to one that is marked, whose place
/// is `$i`, of `$length` bytes at `$bytes`. The instructions may change `$status`, `$bytes`,
/// `$length`, and `$outputs` and `$count`, which are what is answered in the end.
pub fn component(to_marked: &str) -> Vec<u8> {
    component_that(to_marked, "")
}

/// The same, which does this with `$answer` in the end.
pub fn component_that(to_marked: &str, after_all: &str) -> Vec<u8> {
    let module = format!(
        r#"(module (memory (export "memory") 1) {FOUNDATION} {PUT_OUTPUT}
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (call $alloc (local.get 3)))
          (func (export "millrace:plugin/transform-simple@0.1.0#transform")
            (param $records i32) (param $count i32) (result i32)
            (local $outputs i32) (local $i i32) (local $record i32) (local $answer i32)
            (local $status i32) (local $bytes i32) (local $length i32)
            (local.set $outputs (call $alloc (i32.mul (local.get $count) (i32.const 36))))
            (block $done
              (loop $next
                (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
                (local.set $record
                  (i32.add (local.get $records) (i32.mul (local.get $i) (i32.const 12))))
                (local.set $status (i32.const 0))
                (local.set $bytes (i32.load offset=4 (local.get $record)))
                (local.set $length (i32.load offset=8 (local.get $record)))
                (if (call $is_marked (local.get $bytes) (local.get $length))
                  (then {to_marked}))
                (call $put_output (local.get $outputs) (local.get $i)
                  (i32.load (local.get $record)) (local.get $status) (local.get $bytes)
                  (local.get $length))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))
            (local.set $answer (call $alloc (i32.const 16)))
            (memory.fill (local.get $answer) (i32.const 0) (i32.const 16))
            (i32.store offset=4 (local.get $answer) (local.get $outputs))
            (i32.store offset=8 (local.get $answer) (local.get $count))
            {after_all}
            (local.get $answer))
          (func (export "millrace:plugin/lifecycle@0.1.0#init") (result i32) (i32.const 8))
          (func (export "millrace:plugin/lifecycle@0.1.0#describe") (result i32)
            (i32.const 32))
          (func (export "cabi_post_millrace:plugin/transform-simple@0.1.0#transform")
            (param i32)
            (global.set $free (i32.const 4096))))"#
    );
    wrap(&module, "transformer-simple")
}
