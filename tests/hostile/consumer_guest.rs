//! Plugins of the world `consumer` from text: a core module that implements the canonical ABI by
//! hand. An honest one works on every batch and asks for nothing; each test changes a part.

use super::guest::{FOUNDATION, wrap, wrap_more};

/// What it imports. Answers of more than one value are written to the address that comes last.
const IMPORTS: &str = r#"
  (import "millrace:plugin/context@0.1.0" "now-ms" (func $now_ms (result i64)))
  (import "millrace:plugin/context@0.1.0" "panicked"
    (func $panicked (param i32 i32 i32 i32 i32 i32)))
  (import "millrace:plugin/records@0.1.0" "source" (func $source (param i32)))
  (import "millrace:plugin/records@0.1.0" "partition-keys" (func $partition_keys (param i32)))
  (import "millrace:plugin/records@0.1.0" "arrivals-ms" (func $arrivals (param i32)))
  (import "millrace:plugin/records@0.1.0" "sequence-numbers" (func $numbers (param i32)))
  (import "millrace:plugin/records@0.1.0" "sub-sequence-numbers" (func $places (param i32)))
  (import "millrace:plugin/checkpoint@0.1.0" "done" (func $done (param i32 i32)))
  (import "millrace:plugin/table@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
  (import "millrace:plugin/table@0.1.0" "get-many"
    (func $get_many (param i32 i32 i32 i32 i32 i32 i32)))
  (import "millrace:plugin/table@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32 i32)))
  (import "millrace:plugin/table@0.1.0" "put-many"
    (func $put_many (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "millrace:plugin/table@0.1.0" "delete" (func $delete (param i32 i32 i32 i32 i32)))
  (import "millrace:plugin/table@0.1.0" "scan"
    (func $scan (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "millrace:plugin/emit@0.1.0" "put-records"
    (func $emit (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
"#;

/// Answers. Memory besides that of the foundation: 64 an error, 80 a fault, 96 to 127 what the host
/// answers.
const ANSWERS: &str = r#"
  (func $error (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 64) (i32.const 1))
    (i32.store (i32.const 68) (local.get $at))
    (i32.store (i32.const 72) (local.get $length))
    (i32.const 64))
  ;; `$kind` is 0 for one that may pass, 1 for one that will not.
  (func $fault (param $kind i32) (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 80) (i32.const 1))
    (i32.store8 (i32.const 84) (local.get $kind))
    (i32.store (i32.const 88) (local.get $at))
    (i32.store (i32.const 92) (local.get $length))
    (i32.const 80))
  ;; Ends the batch for good with the words of an error at 96, if there is one.
  (func $told (result i32)
    (if (result i32) (i32.load8_u (i32.const 96))
      (then (call $fault (i32.const 1) (i32.load (i32.const 100)) (i32.load (i32.const 104))))
      (else (i32.const 8))))
"#;

/// The parts of a consumer. Each is instructions that may leave the answer of their function on the
/// way, by `return`; `8` is an answer without an error.
#[derive(Clone, Debug, Default)]
pub struct ConsumerGuest {
    /// Imports besides those that all have.
    pub imports: String,
    /// Further fields of the core module.
    pub fields: String,
    pub init: String,
    /// With its parameters `$application`, `$stream` and `$shard`, each followed by its length.
    pub initialize: String,
    /// With `$bytes`, `$length`, `$ends`, `$count` and `$behind`, and the locals `$i` and `$long`.
    pub process: String,
    pub lease_lost: String,
    pub shard_ended: String,
    pub shutdown_requested: String,
    /// What it does when the host has taken the answer of `process`.
    pub after: String,
    /// What its allocation does before it gives `$size` bytes.
    pub realloc: String,
    /// The instructions of `state-version`, `snapshot` and `restore`, if it has them. `restore` has
    /// `$version`, `$at` and `$length`.
    pub state: Option<[String; 3]>,
}

impl ConsumerGuest {
    /// One that does this with a batch.
    pub fn processing(process: &str) -> Self {
        Self {
            process: process.to_owned(),
            ..Self::default()
        }
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        match self.state {
            Some(_) => wrap(&self.text(), "stateful-consumer"),
            None if self.imports.contains("\"wasi:") => wrap_more(&self.text(), "more-consumer"),
            None => wrap(&self.text(), "consumer"),
        }
    }

    fn text(&self) -> String {
        let Self {
            imports,
            fields,
            init,
            initialize,
            process,
            lease_lost,
            shard_ended,
            shutdown_requested,
            after,
            realloc,
            state,
        } = self;
        let state = state.as_ref().map(state_text).unwrap_or_default();
        format!(
            r#"(module {IMPORTS} {imports} (memory (export "memory") 1)
              {FOUNDATION} {ANSWERS} {fields}
              (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                {realloc}
                (call $alloc (local.get $size)))
              (func (export "millrace:plugin/lifecycle@0.1.0#init") (result i32)
                {init}
                (i32.const 8))
              (func (export "millrace:plugin/lifecycle@0.1.0#describe") (result i32)
                (i32.const 32))
              (func (export "millrace:plugin/record-processor@0.1.0#initialize")
                (param $application i32) (param $application_length i32)
                (param $stream i32) (param $stream_length i32)
                (param $shard i32) (param $shard_length i32) (result i32)
                {initialize}
                (i32.const 8))
              (func (export "millrace:plugin/record-processor@0.1.0#process")
                (param $bytes i32) (param $length i32) (param $ends i32) (param $count i32)
                (param $behind i64) (result i32)
                (local $i i32) (local $long i64)
                {process}
                (i32.const 8))
              (func (export "cabi_post_millrace:plugin/record-processor@0.1.0#process")
                (param i32)
                {after}
                (global.set $free (i32.const 4096)))
              (func (export "millrace:plugin/record-processor@0.1.0#lease-lost")
                {lease_lost})
              (func (export "millrace:plugin/record-processor@0.1.0#shard-ended") (result i32)
                {shard_ended}
                (i32.const 8))
              (func (export "millrace:plugin/record-processor@0.1.0#shutdown-requested")
                (result i32)
                {shutdown_requested}
                (i32.const 8))
              {state})"#
        )
    }
}

fn state_text([version, snapshot, restore]: &[String; 3]) -> String {
    format!(
        r#"(func (export "millrace:plugin/state@0.1.0#state-version") (result i32) {version})
          (func (export "millrace:plugin/state@0.1.0#snapshot") (result i32) {snapshot})
          (func (export "millrace:plugin/state@0.1.0#restore")
            (param $version i32) (param $at i32) (param $length i32) (result i32)
            {restore}
            (i32.const 8))"#
    )
}
