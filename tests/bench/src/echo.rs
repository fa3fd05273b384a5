//! A component that does next to nothing: it answers every batch with the records that it was
//! given. What a call of it costs is what the boundary costs.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::Failure;

/// The interfaces that it is made by.
const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/0.1");
const WORLD: &str = "transformer";

/// ```text
/// at 0     the answer of `init`: ok, and below it two empty strings for `describe`
/// at 64    the answer of `transform`: ok, then where its three lists are and how long
/// at 1,024 and on: what is allotted for one call, given back after it
/// ```
const MODULE: &str = r#"(module
  (memory (export "memory") 32)
  (global $free (mut i32) (i32.const 1024))
  (func $allot (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $allot (local.get 3)))
  (func (export "millrace:plugin/lifecycle@0.1.0#init") (result i32) (i32.const 0))
  (func (export "millrace:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 16))
  (func (export "millrace:plugin/transform@0.1.0#transform")
    (param $bytes i32) (param $length i32) (param $ends i32) (param $count i32) (result i32)
    (local $outputs i32) (local $source i32)
    (local.set $outputs (call $allot (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $source) (local.get $count)))
        ;; Its number, and above it the status: ok.
        (i64.store
          (i32.add (local.get $outputs) (i32.shl (local.get $source) (i32.const 3)))
          (i64.extend_i32_u (local.get $source)))
        (local.set $source (i32.add (local.get $source) (i32.const 1)))
        (br $next)))
    (i32.store offset=68 (i32.const 0) (local.get $outputs))
    (i32.store offset=72 (i32.const 0) (local.get $count))
    (i32.store offset=76 (i32.const 0) (local.get $bytes))
    (i32.store offset=80 (i32.const 0) (local.get $length))
    (i32.store offset=84 (i32.const 0) (local.get $ends))
    (i32.store offset=88 (i32.const 0) (local.get $count))
    (i32.const 64))
  (func (export "cabi_post_millrace:plugin/transform@0.1.0#transform") (param i32)
    (global.set $free (i32.const 1024))))"#;

/// The end of `transform` in the module.
const END: &str = "    (i32.const 64))\n  (func (export \"cabi_post";

/// Asks for the partition keys of a batch, which go where the answer of a call at work does not.
const ASK: &str = "    (call $partition_keys (i32.const 128))";
const IMPORT: &str = r#"(module
  (import "millrace:plugin/records@0.1.0" "partition-keys" (func $partition_keys (param i32)))"#;

/// The component's bytes.
pub fn component() -> Result<Vec<u8>, Failure> {
    component_with("")
}

/// One that does this besides, before it answers.
pub fn component_with(besides: &str) -> Result<Vec<u8>, Failure> {
    encode(&MODULE.replacen(END, &format!("{besides}\n{END}"), 1))
}

/// One that asks for the partition keys of its records besides.
pub fn asking() -> Result<Vec<u8>, Failure> {
    let module = MODULE.replacen(END, &format!("{ASK}\n{END}"), 1);
    encode(&module.replacen("(module", IMPORT, 1))
}

fn encode(module: &str) -> Result<Vec<u8>, Failure> {
    let mut module = wat::parse_str(module)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(Path::new(WIT))?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    Ok(encoder.encode()?)
}
