use serde_json::{Value, json};
use server::Config;
use store::Engine;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options};
use types::{Clock, ManualClock, SystemClock, Timestamp};

use super::*;
use crate::commands::stream::tail::line::Format;
use crate::commands::stream::tail::select::Selection;

const STREAM: &str = "clicks";
const OVER_FIVE_MINUTES: Duration = Duration::from_secs(301);
const TICK: Duration = Duration::from_millis(1);
/// How long may pass until something comes that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a stream, and a clock that goes when it is told to.
struct Ground {
    server: server::Running,
    clock: Arc<ManualClock>,
    target: Arc<Target>,
    client: Client,
}

impl Ground {
    async fn new(shards: u32) -> Self {
        let open = || Embedded::open(Arc::new(SimulatedDisk::new(1)), Options::default());
        let engine: Arc<dyn Engine> = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let mut config = Config::default();
        config.listen.set_port(0);
        config.throttle = false;
        let server = server::start(config, engine, clock.clone()).await.unwrap();
        let target = Arc::new(Target::local(server.address()).unwrap());
        crate::commands::stream::create(&target, STREAM, shards)
            .await
            .unwrap();
        Self {
            client: Client::new(&target),
            server,
            clock,
            target,
        }
    }

    /// A record, later than those before, at a place of the hash keys in 16ths.
    async fn put(&mut self, data: &str, place: u128) {
        self.put_data(data.as_bytes(), place).await;
    }

    async fn put_data(&mut self, data: &[u8], place: u128) {
        self.clock.advance(TICK);
        let record = json!({
            "StreamName": STREAM, "PartitionKey": "k",
            "ExplicitHashKey": (place * (1 << 124)).to_string(),
            "Data": base64_simd::STANDARD.encode_to_string(data),
        });
        let _: Value = self.client.call("PutRecord", &record).await.unwrap();
    }

    async fn scale(&mut self, shards: u32) {
        let scaling = json!({
            "StreamName": STREAM, "TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING",
        });
        let _: Value = self
            .client
            .call("UpdateShardCount", &scaling)
            .await
            .unwrap();
        let name = json!({"StreamName": STREAM});
        loop {
            let summary: Value = self
                .client
                .call("DescribeStreamSummary", &name)
                .await
                .unwrap();
            if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    }

    async fn follow(&self, begin: Begin) -> Following {
        self.follow_with(begin, Selection::new(None, None)).await
    }

    async fn follow_with(&self, begin: Begin, selection: Selection) -> Following {
        let printing = Printing::new(STREAM, selection, Format::Raw);
        let target = Arc::clone(&self.target);
        Following::begin(target, begin, printing).await.unwrap()
    }
}

/// The next lines.
async fn lines(following: &mut Following, count: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut taken = 0;
    while taken < count {
        let next = following.next(&mut out, count - taken);
        let next = tokio::time::timeout(PATIENCE, next).await;
        let next = next.unwrap_or_else(|_| panic!("nothing comes after {taken} lines"));
        let next = next.unwrap();
        taken += next.unwrap_or_else(|| panic!("the tail has ended after {taken} lines"));
    }
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// A tail from LATEST whose iterator expired began at LATEST again, and never printed what had
/// come since it began.
#[tokio::test]
async fn a_tail_that_was_held_up_for_long_goes_on_where_it_stood() {
    let mut ground = Ground::new(1).await;
    let mut client = Client::new(&ground.target);
    let printing = Printing::new(STREAM, Selection::new(None, None), Format::Raw);
    let mut cursor = Cursor::new(0, "shardId-000000000000".to_owned(), Begin::Latest);
    let room = Room {
        lines: 10,
        bytes: 10_000,
    };
    let first = cursor.read(&mut client, &printing, room).await.unwrap();
    assert!(first.unwrap().is_empty);
    // Nothing was read before the first expiry; before the second, a record was.
    for expected in ["one", "two"] {
        ground.clock.advance(Duration::from_secs(1));
        ground.put(expected, 0).await;
        ground.clock.advance(OVER_FIVE_MINUTES);
        let expired = cursor.read(&mut client, &printing, room).await.unwrap();
        assert!(expired.is_none());
        let read = cursor.read(&mut client, &printing, room).await.unwrap();
        let mut read = read.unwrap();
        assert_eq!(
            read.batch.text().as_slice(),
            format!("{expected}\n").as_bytes()
        );
    }
    ground.server.shut_down().await.unwrap();
}

/// A tail of a stream whose only shard is split ended as if all had been said.
#[tokio::test]
async fn a_tail_goes_on_in_the_shards_that_others_were_split_and_merged_into() {
    let mut ground = Ground::new(2).await;
    let mut following = ground.follow(Begin::At(ground.clock.now())).await;
    for (round, shards) in (0..).zip([4, 2, 1, 2]) {
        let expected = numbers(round * 4..round * 4 + 4);
        for (number, place) in expected.iter().zip([1, 6, 9, 14]) {
            ground.put(number, place).await;
        }
        // While it waits there, the shards are closed.
        if round % 2 == 0 {
            ground.scale(shards).await;
        }
        let mut seen = lines(&mut following, 4).await;
        seen.sort_by_key(|line| line.parse::<u32>().unwrap());
        assert_eq!(seen, expected);
        if round % 2 == 1 {
            ground.scale(shards).await;
        }
    }
    // And nothing comes twice.
    ground.put("last", 5).await;
    assert_eq!(lines(&mut following, 1).await, ["last"]);
    ground.server.shut_down().await.unwrap();
}

/// Every shard's records came together, an answer after the other, as they were read.
#[tokio::test]
async fn a_history_is_told_by_arrival_over_all_shards_and_what_they_became() {
    let mut ground = Ground::new(4).await;
    let mut times = Vec::new();
    for number in 0..120_u32 {
        match number {
            40 => ground.scale(8).await,
            80 => ground.scale(4).await,
            100 => ground.scale(3).await,
            _ => {}
        }
        ground
            .put(&number.to_string(), u128::from(number * 7 % 16))
            .await;
        times.push(ground.clock.now());
    }
    let mut all = ground.follow(Begin::TrimHorizon).await;
    assert_eq!(lines(&mut all, 120).await, numbers(0..120));
    for from in [30, 60, 119] {
        let at: Timestamp = times[usize::try_from(from).unwrap()];
        let mut since = ground.follow(Begin::At(at)).await;
        let expected = numbers(from..120);
        assert_eq!(lines(&mut since, expected.len()).await, expected);
    }
    ground.server.shut_down().await.unwrap();
}

#[tokio::test]
async fn only_what_is_wanted_is_told_and_still_by_arrival() {
    let mut ground = Ground::new(4).await;
    for number in 0..60_u32 {
        ground
            .put(&number.to_string(), u128::from(number % 16))
            .await;
    }
    let selection = Selection::new(Some("k"), Some("1"));
    let mut some = ground.follow_with(Begin::TrimHorizon, selection).await;
    let expected: Vec<_> = numbers(0..60)
        .into_iter()
        .filter(|number| number.contains('1'))
        .collect();
    assert_eq!(lines(&mut some, expected.len()).await, expected);
    ground.server.shut_down().await.unwrap();
}

/// Each record holds so many lines that a few answers of them were more than may be held, and then
/// lines were printed though earlier ones of other shards had not been read.
#[tokio::test]
async fn records_that_hold_thousands_are_told_by_arrival_too() {
    const WITHIN: usize = 3_000;
    let mut ground = Ground::new(8).await;
    for number in 0..160_u32 {
        let data = aggregate(&number.to_string(), WITHIN);
        ground.put_data(&data, u128::from(number * 7 % 16)).await;
    }
    let mut all = ground.follow(Begin::TrimHorizon).await;
    let mut told = lines(&mut all, 160 * WITHIN).await;
    told.dedup();
    assert_eq!(told, numbers(0..160));
    ground.server.shut_down().await.unwrap();
}

/// An aggregate of so many user records of the same data.
fn aggregate(data: &str, count: usize) -> Vec<u8> {
    use md5::{Digest, Md5};
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length][..], bytes].concat()
    };
    let user_record = [&[1 << 3, 0][..], &field(3, data.as_bytes())].concat();
    let mut message = field(1, b"k");
    message.extend(field(3, &user_record).repeat(count));
    let digest = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
}
