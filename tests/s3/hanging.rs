//! A store that takes connections and never answers: what hangs there takes no more than its share,
//! however many lanes it is, and other delivery streams get on.

use delivery::WorkLimits;
use millrace_tests::{BUCKET, Client, Object, Service, Setting, base64};
use serde_json::{Value, json};
use server::DeliveryLimits;

use crate::endpoint::{Does, Endpoint};

/// Lanes that hang: more than may be worked on at once, of a delivery stream and in all.
const LANES: u32 = 80;
/// Deliveries of the other delivery stream.
const ROUNDS: usize = 5;
/// Questions until the metrics say what is waited for, at most.
const QUESTIONS_MAX: usize = 100_000;
const KIB: usize = 1024;
const MIB: u64 = 1024 * 1024;

struct Hanging {
    endpoint: Endpoint,
    service: Service,
    client: Client,
}

/// A delivery stream of whose lanes each has a record of so many bytes for a store that hangs.
async fn hanging(work: WorkLimits, record_bytes: usize) -> Hanging {
    let endpoint = Endpoint::start(&[BUCKET, "silent"]).await;
    endpoint.rule_by_bucket(|_, bucket| match bucket {
        "silent" => Does::StaySilent,
        _ => Does::Well,
    });
    let setting = Setting {
        delivery_limits: DeliveryLimits {
            work,
            ..DeliveryLimits::default()
        },
        ..endpoint.setting()
    };
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create("orders", LANES).await;
    service.pass(std::time::Duration::from_millis(10));
    let mut silent = at_once();
    silent["BucketARN"] = json!("arn:aws:s3:::silent");
    client.create_delivery_of("hangs", "orders", silent).await;
    let data = base64(vec![b'x'; record_bytes]);
    for lane in 0..LANES {
        let hash_key = (u128::MAX / u128::from(LANES)) * u128::from(lane) + (1 << 100);
        let input = json!({
            "StreamName": "orders", "Data": data, "PartitionKey": "a",
            "ExplicitHashKey": hash_key.to_string(),
        });
        client.call("PutRecord", input).await;
    }
    client.create_delivery("logs", at_once()).await;
    Hanging {
        endpoint,
        service,
        client,
    }
}

/// Does not wait for a flush.
fn at_once() -> Value {
    json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})
}

impl Hanging {
    /// The other delivery stream delivers what is put to it, while nothing comes of what hangs.
    async fn others_get_on(&self) {
        let mut wanted = String::new();
        for round in 0..ROUNDS {
            let line = format!("{round}\n");
            self.client.put_delivery("logs", &[&line]).await;
            self.client.flush("logs").await;
            wanted.push_str(&line);
            let objects = self.endpoint.objects(BUCKET);
            let text: String = objects.iter().map(Object::text).collect();
            assert_eq!(text, wanted);
        }
        let page = self.client.delivery("hangs").await;
        let counts = ["waitingRecords", "delivered"].map(|member| &page[member]);
        assert_eq!(counts, [&json!(LANES), &json!(0)], "{page}");
    }

    /// The value of the metric whose line begins so.
    async fn metric(&self, name: &str) -> u64 {
        let metrics = self.client.metrics_of_all().await;
        let mut lines = metrics.lines();
        let line = lines.find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    async fn work_bytes_of_what_hangs(&self) -> u64 {
        let metrics = self.client.metrics_of_all().await;
        let mut lines = metrics.lines();
        let is_theirs = |line: &&str| {
            line.starts_with("millrace_delivery_stream_work_bytes{") && line.contains("hangs")
        };
        let line = lines.find(is_theirs).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn more_lanes_than_may_work_at_once_may_hang_and_others_are_delivered() {
    let hanging = hanging(WorkLimits::default(), 10).await;
    // All of them wait for an answer at the same time.
    hanging.endpoint.until_begun(u64::from(LANES)).await;
    hanging.others_get_on().await;
    hanging.service.stop().await;
}

#[tokio::test]
async fn what_hangs_holds_the_share_of_its_delivery_stream_and_no_more() {
    let share = 4 * MIB;
    let work = WorkLimits::new(2 * share, share).unwrap();
    let hanging = hanging(work, 200 * KIB).await;
    // As many hang as fit, and the others wait for them.
    let mut waiting = 0;
    for _ in 0..QUESTIONS_MAX {
        waiting = hanging.metric("millrace_delivery_cuts_waiting ").await;
        if waiting > 0 && hanging.endpoint.requests() > 1 {
            break;
        }
    }
    assert!(waiting > 0);
    let before = hanging.work_bytes_of_what_hangs().await;
    hanging.others_get_on().await;
    let after = hanging.work_bytes_of_what_hangs().await;
    for held in [before, after] {
        assert!(200 * KIB as u64 <= held && held <= share, "{held} bytes");
    }
    let peak = hanging.metric("millrace_delivery_work_bytes_peak ").await;
    assert!(peak <= 2 * share, "{peak}");
    hanging.service.stop().await;
}
