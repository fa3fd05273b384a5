//! Plugins from text: a core module that implements the canonical ABI by hand, wrapped into a
//! component of a world. An honest one keeps every record; each test changes the part that harms.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// Where the interfaces lie, seen from whichever crate this is built in.
fn wit() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = above.map(|folder| folder.join("wit/0.1"));
    folders.find(|folder| folder.is_dir()).unwrap()
}

/// What every core module has. Memory: 8 the answer of `init`, 32 that of `describe` with its texts
/// at 128, 256 to 4095 for the tests' data, 4096 and more taken by `$alloc` until a batch is over.
pub const FOUNDATION: &str = r#"
  (global $free (mut i32) (i32.const 4096))
  (data (i32.const 32) "\80\00\00\00\03\00\00\00\84\00\00\00\01\00\00\00")
  (data (i32.const 128) "kit\001")

  (func $alloc (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (loop $more
        (br_if $fits
          (i32.le_u (global.get $free) (i32.shl (memory.size) (i32.const 16))))
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (unreachable))
    (local.get $at))

  ;; Whether a `!` is in a text.
  (func $is_marked (param $at i32) (param $length i32) (result i32)
    (block $no
      (loop $next
        (br_if $no (i32.eqz (local.get $length)))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 33))
          (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))
"#;

/// Answers `ok` for each record, with the bytes that came in.
const KEEP: &str = r#"
  (func $keep (param $bytes i32) (param $length i32) (param $ends i32) (param $count i32)
      (result i32)
    (local $answer i32) (local $outputs i32) (local $i i32)
    (local.set $outputs (call $alloc (i32.mul (local.get $count) (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (call $put_head (local.get $outputs) (local.get $i) (local.get $i) (i32.const 0))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.set $answer (call $alloc (i32.const 44)))
    ;; No partition keys and no targets.
    (memory.fill (local.get $answer) (i32.const 0) (i32.const 44))
    (i32.store offset=4 (local.get $answer) (local.get $outputs))
    (i32.store offset=8 (local.get $answer) (local.get $count))
    (i32.store offset=12 (local.get $answer) (local.get $bytes))
    (i32.store offset=16 (local.get $answer) (local.get $length))
    (i32.store offset=20 (local.get $answer) (local.get $ends))
    (i32.store offset=24 (local.get $answer) (local.get $count))
    (local.get $answer))

  ;; Says of which source the output number `$number` of a list is, and what became of it.
  (func $put_head (param $outputs i32) (param $number i32) (param $source i32)
      (param $status i32)
    (local.set $outputs
      (i32.add (local.get $outputs) (i32.mul (local.get $number) (i32.const 8))))
    (i32.store (local.get $outputs) (local.get $source))
    (i32.store8 offset=4 (local.get $outputs) (local.get $status)))
"#;

const IMPORTS: &str = r#"
  (import "millrace:plugin/context@VERSION" "log" (func $log (param i32 i32 i32)))
  (import "millrace:plugin/context@VERSION" "counter" (func $counter (param i32 i32 i64)))
  (import "millrace:plugin/context@VERSION" "config" (func $config (param i32 i32 i32)))
  (import "millrace:plugin/context@VERSION" "now-ms" (func $now_ms (result i64)))
"#;

/// Interfaces that a guest may want besides those of a plugin, each as far as the tests need it.
/// What a core module does not import its component does not either.
const MORE: &str = r"
package test:more;

world more {
  include millrace:plugin/transformer@0.1.0;
  import wasi:io/streams@0.2.6;
  import wasi:cli/stdout@0.2.6;
  import wasi:cli/stderr@0.2.6;
  import wasi:cli/exit@0.2.6;
  import wasi:clocks/monotonic-clock@0.2.6;
  import wasi:random/random@0.2.6;
  import wasi:filesystem/preopens@0.2.6;
  import wasi:sockets/network@0.2.6;
  import wasi:sockets/instance-network@0.2.6;
  import wasi:sockets/tcp-create-socket@0.2.6;
  import wasi:http/types@0.2.6;
  import wasi:http/outgoing-handler@0.2.6;
  import acme:vault/secrets@1.0.0;
}

world more-consumer {
  include millrace:plugin/consumer@0.1.0;
  import wasi:io/streams@0.2.6;
  import wasi:cli/stdout@0.2.6;
  import wasi:random/random@0.2.6;
}

package wasi:io@0.2.6 {
  interface poll { resource pollable { block: func(); } }
  interface error { resource error; }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream {
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:cli@0.2.6 {
  interface stdout {
    use wasi:io/streams@0.2.6.{output-stream};
    get-stdout: func() -> output-stream;
  }
  interface stderr {
    use wasi:io/streams@0.2.6.{output-stream};
    get-stderr: func() -> output-stream;
  }
  interface exit { exit: func(status: result); }
}
package wasi:clocks@0.2.6 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.6.{pollable};
    now: func() -> u64;
    subscribe-duration: func(when: u64) -> pollable;
  }
}
package wasi:random@0.2.6 {
  interface random {
    get-random-bytes: func(len: u64) -> list<u8>;
    get-random-u64: func() -> u64;
  }
}
package wasi:filesystem@0.2.6 {
  interface types { resource descriptor; }
  interface preopens {
    use types.{descriptor};
    get-directories: func() -> list<tuple<descriptor, string>>;
  }
}
package wasi:sockets@0.2.6 {
  interface network {
    resource network;
    enum error-code { unknown, access-denied, not-supported }
    enum ip-address-family { ipv4, ipv6 }
  }
  interface instance-network {
    use network.{network};
    instance-network: func() -> network;
  }
  interface tcp { resource tcp-socket; }
  interface tcp-create-socket {
    use network.{error-code, ip-address-family};
    use tcp.{tcp-socket};
    create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
  }
}
package wasi:http@0.2.6 {
  interface types {
    use wasi:io/error@0.2.6.{error as io-error};
    resource fields { constructor(); }
    resource outgoing-request { constructor(headers: fields); }
    resource future-incoming-response;
    variant error-code { DNS-timeout, HTTP-request-denied, internal-error(option<string>) }
    http-error-code: func(err: borrow<io-error>) -> option<error-code>;
  }
  interface outgoing-handler {
    use types.{outgoing-request, future-incoming-response, error-code};
    handle: func(request: outgoing-request) -> result<future-incoming-response, error-code>;
  }
}
package acme:vault@1.0.0 {
  interface secrets { open: func() -> u32; }
}
";

/// A plugin of the world `transformer` in parts. The default is honest.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The version of the interfaces that it is made for.
    pub wit_version: &'static str,
    /// Imports of its core module besides those of `context`, all from [`MORE`].
    pub imports: String,
    /// Its memory.
    pub memory: String,
    /// Further fields of the core module.
    pub fields: String,
    /// What `init` does before it answers well. It has the locals `$i` and `$long`.
    pub init: String,
    /// What `describe` does before it answers.
    pub describe: String,
    /// What its allocation does before it gives the `$size` bytes that the host asks for.
    pub realloc: String,
    /// What it does when the host has taken the answer of `transform`.
    pub after: String,
    /// Locals of `transform` besides those of the kit.
    pub locals: String,
    /// What `transform` does with a batch that holds a marked record, after it has kept all in
    /// `$answer`. It has the locals `$i` and `$long`, and its parameters `$bytes`, `$length`,
    /// `$ends` and `$count`.
    pub attack: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            wit_version: "0.1.0",
            imports: String::new(),
            memory: r#"(memory (export "memory") 1)"#.to_owned(),
            fields: String::new(),
            init: String::new(),
            describe: String::new(),
            realloc: String::new(),
            after: String::new(),
            locals: String::new(),
            attack: String::new(),
        }
    }
}

impl Guest {
    /// One that does this to a batch that holds a marked record.
    pub fn attacking(attack: &str) -> Self {
        Self {
            attack: attack.to_owned(),
            ..Self::default()
        }
    }

    /// An honest one with further fields in its core module.
    pub fn with_fields(fields: &str) -> Self {
        Self {
            fields: fields.to_owned(),
            ..Self::default()
        }
    }

    /// An honest one of another content than those with another number.
    pub fn numbered(number: u32) -> Self {
        Self::with_fields(&format!("(data (i32.const 4000) \"{number}\")"))
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = match self.wit_version {
            "0.1.0" => resolve.push_dir(wit()).unwrap().0,
            other => resolve.push_source("wit", &wit_of(other)).unwrap(),
        };
        let world = if self.imports.is_empty() {
            resolve.select_world(&[package], Some("transformer"))
        } else {
            let package = resolve.push_source("more", MORE).unwrap();
            resolve.select_world(&[package], Some("more"))
        };
        encode(&self.text(), &resolve, world.unwrap())
    }

    /// The core module as text.
    fn text(&self) -> String {
        let Self {
            imports,
            memory,
            fields,
            init,
            describe,
            realloc,
            after,
            locals,
            attack,
            ..
        } = self;
        let module = format!(
            r#"(module {IMPORTS} {imports} {memory} {FOUNDATION} {KEEP} {fields}
              (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                {realloc}
                (call $alloc (local.get $size)))
              (func (export "millrace:plugin/lifecycle@VERSION#init") (result i32)
                (local $i i32) (local $long i64)
                {init}
                (i32.const 8))
              (func (export "millrace:plugin/lifecycle@VERSION#describe") (result i32)
                {describe}
                (i32.const 32))
              (func (export "millrace:plugin/transform@VERSION#transform")
                (param $bytes i32) (param $length i32) (param $ends i32) (param $count i32)
                (result i32)
                (local $answer i32) (local $i i32) (local $long i64) {locals}
                (local.set $answer (call $keep
                  (local.get $bytes) (local.get $length) (local.get $ends) (local.get $count)))
                (if (call $is_marked (local.get $bytes) (local.get $length))
                  (then {attack}))
                (local.get $answer))
              (func (export "cabi_post_millrace:plugin/transform@VERSION#transform") (param i32)
                {after}
                (global.set $free (i32.const 4096))))"#
        );
        module.replace("VERSION", self.wit_version)
    }
}

/// A component of a world of this repository.
pub fn wrap(module: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit()).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    encode(module, &resolve, world)
}

/// The same of a world that has interfaces besides.
pub fn wrap_more(module: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit()).unwrap();
    let package = resolve.push_source("more", MORE).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    encode(module, &resolve, world)
}

fn encode(module: &str, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    // Some are meant to be wrong: it is for the host to say so.
    let encoder = ComponentEncoder::default().validate(false);
    encoder.module(&module).unwrap().encode().unwrap()
}

/// The interfaces of this repository under another version.
fn wit_of(version: &str) -> String {
    let mut all = format!("package millrace:plugin@{version};\n");
    for file in std::fs::read_dir(wit()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        all.push_str(text.split_once(';').unwrap().1);
    }
    all
}
