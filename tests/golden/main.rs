//! Components that released tools made for released versions of `wit/`: this host loads them and
//! they work. They are kept as they were built, and never built again: see the README beside them.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use wasm::{Consumer, Instance, Limits, Moment, Role, Slab, Status};

#[path = "../hostile/shard.rs"]
#[expect(dead_code, reason = "the tests of the interfaces need more of it")]
mod shard;

use crate::shard::{NOW, Shard, process};

/// The component of this name.
fn component(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/0.1");
    let file = File::open(folder.join(format!("{name}.wasm.gz"))).unwrap();
    let mut component = Vec::new();
    GzDecoder::new(file).read_to_end(&mut component).unwrap();
    component
}

/// What a transform makes of these records: `None` where it drops one.
fn transformed(name: &str, world: &str, records: &[&str]) -> Vec<Option<String>> {
    let shard = Shard::within(&component(name), Limits::default()).unwrap();
    let version = &shard.version;
    assert_eq!(
        (version.world_name(), version.role()),
        (world, Role::Transform)
    );
    let moment = Moment { now: NOW, seed: 0 };
    let mut instance = Instance::start(version, moment, version.call_limits()).unwrap();
    let mut batch = Slab::default();
    for record in records {
        assert!(batch.push(record.as_bytes()));
    }
    let time = version.call_limits().batch_time_max;
    let outputs = instance.transform(&batch, None, time).unwrap();
    let outputs = outputs.iter().map(|output| {
        let text = String::from_utf8(output.data.to_vec()).unwrap();
        (output.status == Status::Ok).then_some(text)
    });
    outputs.collect()
}

/// Letters large, and comments dropped.
fn upper(name: &str) {
    let records = ["some words", "# a comment", "more"];
    let large = |text: &str| Some(text.to_owned());
    assert_eq!(
        transformed(name, "transformer-simple", &records),
        [large("SOME WORDS"), None, large("MORE")]
    );
}

#[test]
fn a_transform_of_the_rust_sdk_works() {
    let card = "paid with 4111 1111 1111 1111";
    assert_eq!(
        transformed("rust-transform", "transformer", &[card, "hello"]),
        [
            Some("paid with **** **** **** 1111".to_owned()),
            Some("hello".to_owned())
        ]
    );
}

#[test]
fn a_transform_of_c_works() {
    upper("c-transform");
}

#[test]
fn a_transform_of_javascript_works() {
    upper("javascript-transform");
}

#[test]
fn a_consumer_of_the_rust_sdk_counts_emits_and_hands_on_its_state() {
    let shard = Shard::of(&component("rust-consumer"));
    assert_eq!(shard.version.world_name(), "consumer");
    let mut first = shard.start().unwrap();
    process(&mut first, &["the cat", "the dog"]).unwrap();
    assert_eq!(shard.memory.entry("words", "the").as_deref(), Some("2"));
    let mut second = restored(&shard, &mut first);
    process(&mut second, &[&"the ".repeat(98)]).unwrap();
    assert_eq!(shard.memory.entry("words", "the").as_deref(), Some("100"));
    let alert = ("alerts".to_owned(), "the".to_owned(), b"the 100".to_vec());
    assert_eq!(shard.memory.0.lock().unwrap().emitted, [alert]);
    second.shard_ended().unwrap();
}

#[test]
fn a_consumer_of_javascript_counts_emits_and_hands_on_its_state() {
    let shard = Shard::of(&component("javascript-consumer"));
    assert_eq!(shard.version.world_name(), "consumer-simple");
    assert!(shard.version.has_state());
    let mut first = shard.start().unwrap();
    process(&mut first, &["a", "b"]).unwrap();
    let mut second = restored(&shard, &mut first);
    process(&mut second, &["a"]).unwrap();
    assert_eq!(second.snapshot(), Ok(Some((1, b"3".to_vec()))));
    let id = shard.memory.entry("counts", "shard");
    assert_eq!(id.as_deref(), Some("shardId-000000000000"));
    assert_eq!(shard.memory.entry("counts", "a").as_deref(), Some("2"));
    let asked = shard.memory.0.lock().unwrap();
    let (stream, key, data) = &asked.emitted[1];
    assert_eq!((stream.as_str(), key.as_str()), ("seen", "b"));
    let data = str::from_utf8(data).unwrap();
    let (number, record) = data.split_once(' ').unwrap();
    assert_eq!((number.len(), record), (types::SequenceNumber::DIGITS, "b"));
}

/// An instance that goes on with the state of another.
fn restored(shard: &Shard, before: &mut Consumer) -> Consumer {
    let (version, state) = before.snapshot().unwrap().unwrap();
    let mut next = shard.start().unwrap();
    next.restore(version, &state).unwrap();
    next
}
