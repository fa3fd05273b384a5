//! `millrace plugin check`: what is no plugin is refused with a sentence of its own, and what is
//! one is described.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::fixture::{complaint, feed, millrace, printed};

/// A folder of components, and a cache beside it.
struct Shelf {
    dir: TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self {
            dir: tempdir().unwrap(),
        }
    }

    /// Puts a file there.
    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn check(&self, path: &Path) -> std::process::Output {
        let mut command = millrace(&["plugin", "check"]);
        command.env("MILLRACE_CACHE", self.dir.path().join("cache"));
        command.arg(path).output().unwrap()
    }

    /// Why a component is refused.
    fn refusal(&self, name: &str, component: &[u8]) -> String {
        let path = self.put(&format!("{name}.wasm"), component);
        let why = complaint(self.check(&path), 1);
        let why = why.strip_prefix("millrace: refused: ").unwrap();
        why.trim_end().to_owned()
    }
}

/// One of the plugins of this repository.
fn good(name: &str) -> Vec<u8> {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    std::fs::read(format!("{plugins}/{name}/{name}.wasm")).unwrap()
}

/// A component from its text.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

/// A component with a module from its text.
fn with_module(text: &str) -> Vec<u8> {
    component(&format!("(core module {text})"))
}

/// One function that consists of `count` times `open`, and as many ends.
fn nested(open: &str, count: usize) -> Vec<u8> {
    let (opens, ends) = (open.repeat(count), "end ".repeat(count));
    with_module(&format!("(func {opens}{ends})"))
}

/// A component that the compiler has compiled already.
fn compiled(component: &[u8]) -> Vec<u8> {
    feed(millrace(&["compile-worker"]), component).stdout
}

#[test]
fn each_kind_of_broken_component_is_refused_with_a_sentence_of_its_own() {
    let shelf = Shelf::new();
    let good = good("drop-bots");
    let large = vec![0; 32 * 1024 * 1024 + 1];
    let mut cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text", b"not a component".to_vec(), "it is no WebAssembly"),
        (
            "module",
            b"\0asm\x01\0\0\0".to_vec(),
            "it is a core module, not a component: build it for wasm32-wasip2",
        ),
        ("half", good[..good.len() / 2].to_vec(), "unexpected end"),
        ("code", compiled(&good), "it is compiled code"),
        (
            "large",
            large,
            "large.wasm: has 33554433 bytes, more than 33554432 (component_mib = 32)",
        ),
        (
            "vault",
            component("(import \"acme:vault/secrets@1.0.0\" (instance))"),
            "it imports acme:vault/secrets@1.0.0, which no plugin may have",
        ),
        (
            "later",
            component("(import \"wasi:io/poll@0.3.0\" (instance))"),
            "wasi:io/poll@0.3.0 (the host has version 0.2.x)",
        ),
        (
            "newer",
            component("(import \"millrace:plugin/context@0.2.0\" (instance))"),
            "millrace:plugin/context@0.2.0 (the host has version 0.1.x)",
        ),
        (
            "command",
            component("(instance $run) (export \"wasi:cli/run@0.2.6\" (instance $run))"),
            "it is a command, whose main nobody calls",
        ),
        (
            "empty",
            component(""),
            "it is of no world of millrace:plugin@0.1.0",
        ),
        (
            "waits",
            component("(core func (canon waitable-set.new))"),
            "it uses the async functions of the component model",
        ),
    ];
    cases.extend(too_much());
    let mut told = BTreeSet::new();
    for (name, component, words) in &cases {
        let why = shelf.refusal(name, component);
        assert!(why.contains(words), "{name}: {why}");
        told.insert(why);
    }
    assert_eq!(told.len(), cases.len(), "{told:#?}");
}

/// Components with more of something than a server takes.
fn too_much() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let shared = "(import \"env\" \"memory\" (memory 1 1 shared))";
    let functions = "(func) ".repeat(20_001);
    let locals = format!("(func (local {}))", "i32 ".repeat(10_001));
    vec![
        (
            "shared",
            with_module(shared),
            "it shares its memory between threads",
        ),
        (
            "many",
            with_module(&functions),
            "it has more than 20000 functions",
        ),
        (
            "loops",
            nested("loop ", 33),
            "it has more than 32 loops in each other",
        ),
        (
            "blocks",
            nested("block ", 1_025),
            "it has more than 1024 blocks in each other",
        ),
        (
            "locals",
            with_module(&locals),
            "it has more than 10000 locals in one function",
        ),
    ]
}

#[test]
fn a_manifest_that_its_component_or_the_operator_does_not_take_is_refused_with_the_key() {
    let shelf = Shelf::new();
    let redact = good("redact-card-numbers");
    let head = "name = \"redact\"\nversion = \"1\"\n";
    for (manifest, words) in [
        (
            format!("{head}[config]\nmask = \"**\"\n"),
            "init: config mask: not one printable ASCII character that is no digit",
        ),
        (
            format!("{head}\n[limit]\nmemory_mib = 1\n"),
            "plugin.toml line 4: unknown field `limit`",
        ),
        (
            format!("{head}[limits]\nmemory_mib = 65\n"),
            "plugin.toml: limits.memory_mib is 65, not 1 to 64",
        ),
        (
            format!("{head}[limits]\nbatch_ms = 0\n"),
            "plugin.toml: limits.batch_ms is 0, not 1 to 1000",
        ),
        ("version = 1\n".to_owned(), "plugin.toml line 1: "),
    ] {
        shelf.put("redact/redact.wasm", &redact);
        let path = shelf.put("redact/plugin.toml", manifest.as_bytes());
        let why = complaint(shelf.check(path.parent().unwrap()), 1);
        assert!(why.contains(words), "{manifest}: {why}");
    }
}

#[test]
fn a_plugin_is_described_with_its_imports_its_sizes_and_its_world() {
    let shelf = Shelf::new();
    let path = shelf.put("mine.wasm", &good("drop-bots"));
    let text = printed(shelf.check(&path));
    for words in [
        "imports millrace:plugin/context@0.1.0   granted\n",
        "  bytes ",
        " at most ",
        "  world    transformer\n",
        "64 MiB of memory, 1000 ms for a batch",
        "a server would put it in force\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains("compiled in"), "{text}");
    let again = printed(shelf.check(&path));
    assert!(again.contains("its code was there"), "{again}");
}

#[test]
fn components_that_released_tools_made_are_checked_without_a_manifest() {
    let shelf = Shelf::new();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/0.1");
    for (name, world) in [
        ("c-transform", "transformer-simple"),
        ("rust-transform", "transformer"),
        ("rust-consumer", "consumer"),
    ] {
        let packed = std::fs::File::open(format!("{golden}/{name}.wasm.gz")).unwrap();
        let mut component = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(packed);
        unpacked.read_to_end(&mut component).unwrap();
        let path = shelf.put(&format!("{name}.wasm"), &component);
        let text = printed(shelf.check(&path));
        assert!(text.contains(&format!("  world    {world}\n")), "{text}");
        let asks = text.contains("no table and no stream ([grants])");
        assert_eq!(asks, world == "consumer", "{text}");
    }
}

#[test]
fn what_is_not_there_is_no_refusal() {
    let shelf = Shelf::new();
    let empty = shelf.put("empty/note", b"");
    for (path, words) in [
        (
            shelf.dir.path().join("none.wasm"),
            "is neither a component nor a folder",
        ),
        (empty.parent().unwrap().to_owned(), "holds no plugin.toml"),
    ] {
        let why = complaint(shelf.check(&path), 2);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let shelf = Shelf::new();
    let path = shelf.put("mine.wasm", &good("drop-bots"));
    let cache = shelf.dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
    let why = complaint(shelf.check(&path), 2);
    assert!(why.contains("others may write to it"), "{why}");
}
