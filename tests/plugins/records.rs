//! `records`: what is known of the records of a batch besides their data.

use std::fs;

use millrace_tests::base64;
use serde_json::json;

use crate::consumer_guest::ConsumerGuest;
use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;
use crate::shard::{NOW, Shard};

/// Puts so many bytes from an address on under the key `seen` of the table `told`.
fn keep(at: &str, length: &str) -> String {
    format!(
        "(call $put (i32.const 256) (i32.const 4) (i32.const 260) (i32.const 4) {at} {length}
          (i32.const 96))"
    )
}

/// What a consumer finds that asks for a column and keeps so many bytes of what is answered.
fn seen(ask: &str, at: &str, length: &str) -> Vec<u8> {
    let guest = ConsumerGuest {
        fields: r#"(data (i32.const 256) "toldseen")"#.to_owned(),
        ..ConsumerGuest::processing(&format!("{ask} {}", keep(at, length)))
    };
    let shard = Shard::of(&guest.component());
    shard.process(&["a", "bcd"]).unwrap();
    let asked = shard.memory.0.lock().unwrap();
    asked.tables["told"]["seen".as_bytes()].clone()
}

const LISTED: &str = "(i32.load (i32.const 64))";

#[test]
fn partition_keys_come_as_a_slab() {
    let ask = "(call $partition_keys (i32.const 64))";
    assert_eq!(seen(ask, LISTED, "(i32.load (i32.const 68))"), b"abcd");
    let ends = seen(ask, "(i32.load (i32.const 72))", "(i32.const 8)");
    assert_eq!(ends, [1, 0, 0, 0, 4, 0, 0, 0]);
}

#[test]
fn arrivals_and_places_come_as_lists() {
    let arrivals = seen("(call $arrivals (i32.const 64))", LISTED, "(i32.const 16)");
    let times = [NOW.0, NOW.0 + 1_000].map(u64::to_le_bytes);
    assert_eq!(arrivals, times.concat());
    let places = seen("(call $places (i32.const 64))", LISTED, "(i32.const 16)");
    assert_eq!(places, [0_u64, 1].map(u64::to_le_bytes).concat());
}

#[test]
fn sequence_numbers_come_as_the_three_words_of_their_digits() {
    let words = seen("(call $numbers (i32.const 64))", LISTED, "(i32.const 48)");
    let words: Vec<u64> = words
        .chunks(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect();
    for (place, words) in (0..).zip(words.chunks(3)) {
        let arrival = types::Timestamp(NOW.0 + 1_000 * place);
        let number = types::SequenceNumber::of_record(
            types::ShardId(0),
            types::Second::of(NOW),
            place,
            arrival,
        );
        assert_eq!(words, words_of(&number.to_string()));
    }
}

#[test]
fn the_source_is_the_stream_and_the_shard() {
    let ask = "(call $source (i32.const 64))";
    let arn = seen(ask, LISTED, "(i32.load (i32.const 68))");
    assert_eq!(arn, b"arn:aws:kinesis:us-east-1:111111111111:stream/words");
    let shard = seen(
        ask,
        "(i32.load (i32.const 76))",
        "(i32.load (i32.const 80))",
    );
    assert_eq!(shard, b"shardId-000000000000");
}

/// A transform that answers a marked record with one of its batch's columns.
fn asking(import: &str, answer: &str) -> Guest {
    Guest {
        imports: format!(
            r#"(import "millrace:plugin/records@VERSION" "{import}" (func $ask (param i32)))"#
        ),
        ..Guest::attacking(&format!(
            "(call $ask (i32.const 256))
            (i32.store offset=12 (local.get $answer) (i32.load (i32.const 256)))
            (i32.store offset=16 (local.get $answer) (i32.load (i32.const 260)))
            {answer}"
        ))
    }
}

#[tokio::test]
async fn a_transform_is_told_which_delivery_stream_its_records_were_put_to() {
    let ends = "(i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 260)))";
    let directory = tempfile::tempdir().unwrap();
    let component = asking("source", ends).component();
    fs::write(directory.path().join("own.wasm"), component).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground.deliver("own", &["!"]).await;
    let arn = &ground.delivered("own")[0];
    assert!(arn.starts_with("arn:aws:firehose:"), "{arn}");
    assert!(arn.ends_with(":deliverystream/own"), "{arn}");
}

#[tokio::test]
async fn records_that_were_put_directly_have_no_partition_keys() {
    // As many bytes as there are: none.
    let ends = "(i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 260)))";
    let directory = tempfile::tempdir().unwrap();
    let component = asking("partition-keys", ends).component();
    fs::write(directory.path().join("own.wasm"), component).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), [""]);
}

#[tokio::test]
async fn records_of_a_stream_have_the_keys_and_numbers_that_clients_see() {
    let ends = "(i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 260)))";
    // The three words of the first record's number.
    let number = "(i32.store offset=16 (local.get $answer) (i32.const 24))
        (i32.store (i32.load offset=20 (local.get $answer)) (i32.const 24))";
    let directory = tempfile::tempdir().unwrap();
    for (name, component) in [
        ("keys", asking("partition-keys", ends).component()),
        ("numbers", asking("sequence-numbers", number).component()),
    ] {
        fs::write(directory.path().join(format!("{name}.wasm")), component).unwrap();
    }
    let ground = Ground::start(directory).await;
    for name in ["keys", "numbers"] {
        ground.stream_of(name).await;
        let put = |key: &'static str| {
            let input = json!({"StreamName": name, "Data": base64("!"), "PartitionKey": key});
            ground.client.call("PutRecord", input)
        };
        let first = put("the key").await;
        ground.client.flush(name).await;
        let number = first["SequenceNumber"].as_str().unwrap();
        if name == "keys" {
            assert_eq!(ground.delivered(name), ["the key"]);
        } else {
            let found = raw(&ground, name);
            let words = found[..24].chunks(8);
            let words = words.map(|word| u64::from_le_bytes(word.try_into().unwrap()));
            assert_eq!(words.collect::<Vec<_>>(), words_of(number));
        }
        accounts_for(&ground.client.delivery(name).await, 1);
    }
}

/// What a delivery stream delivered, as it is.
fn raw(ground: &Ground, name: &str) -> Vec<u8> {
    let bucket = ground.service.buckets().join(name).join("delivered");
    let mut folders = vec![bucket];
    let mut all = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.extend(fs::read(path).unwrap());
            }
        }
    }
    all
}

/// Decimal digits as a number of three words: Horner's rule.
fn words_of(digits: &str) -> [u64; 3] {
    let mut value = [0_u64; 3];
    for digit in digits.bytes() {
        let mut carry = u128::from(digit - b'0');
        for word in value.iter_mut().rev() {
            carry += u128::from(*word) * 10;
            *word = u64::try_from(carry & u128::from(u64::MAX)).unwrap();
            carry >>= 64;
        }
    }
    value
}
