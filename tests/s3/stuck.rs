//! A cut that the store never takes, and of which something may have left: it stays with the
//! configuration of its time, and an operator decides what becomes of it.

use http::Method;
use millrace_tests::{BUCKET, Client, Service};
use serde_json::{Value, json};

use crate::endpoint::{Does, Endpoint};

const TOO_LONG: Does = Does::Refuse(400, "KeyTooLongError");

struct Stuck {
    endpoint: Endpoint,
    service: Service,
    client: Client,
}

/// A delivery stream with two records on their way: their object was made though nobody said so,
/// and after that the endpoint refuses everything for good.
async fn stuck() -> Stuck {
    let endpoint = Endpoint::start(&[BUCKET, "other"]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    let more = json!({
        "Prefix": "before/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
    });
    client.create_delivery("logs", more).await;
    endpoint.rule(|number, _| match number {
        1 => Does::BreakOff,
        _ => TOO_LONG,
    });
    client.put_delivery("logs", &["one\n", "two\n"]).await;
    let stuck = Stuck {
        endpoint,
        service,
        client,
    };
    stuck.until_refused().await;
    stuck
}

impl Stuck {
    async fn until_refused(&self) -> Value {
        let is_refused = |page: &Value| {
            let why = page["trouble"].as_str().unwrap_or_default();
            why.contains("refused for good") && why.contains("KeyTooLongError")
        };
        self.client.delivery_until("logs", is_refused).await
    }

    /// The page once the error output has not taken what is skipped: it says what can be said.
    async fn until_skipped_in_vain(&self) -> Value {
        let is_shown = |page: &Value| {
            let why = page["trouble"].as_str().unwrap_or_default();
            why.contains("`millrace delivery skip logs --lane direct`")
                && why.contains("`--leave-out`")
        };
        self.client.delivery_until("logs", is_shown).await
    }

    async fn order(&self, order: &str) -> Value {
        let page = format!("delivery-streams/logs/{order}");
        let answer = self.client.page(Method::POST, &page).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.body());
        serde_json::from_slice(answer.body()).unwrap()
    }

    async fn update(&self, changes: Value) {
        let input = json!({
            "DeliveryStreamName": "logs", "CurrentDeliveryStreamVersionId": "1",
            "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": changes,
        });
        self.client.call("Firehose.UpdateDestination", input).await;
    }

    /// What the objects below a prefix hold.
    fn below(&self, bucket: &str, prefix: &str) -> String {
        let objects = self.endpoint.objects(bucket).into_iter();
        let objects = objects.filter(|object| object.key.starts_with(prefix));
        objects.map(|object| object.text().to_owned()).collect()
    }

    /// The page once nothing waits; everything that came in is somewhere.
    async fn until_done(&self) -> Value {
        let is_done = |page: &Value| page["waitingRecords"] == 0;
        let page = self.client.delivery_until("logs", is_done).await;
        let number = |member: &str| page[member].as_u64().unwrap();
        let ends = ["delivered", "dropped", "failed", "lost"].map(number);
        assert_eq!(number("recordsIn"), ends.iter().sum::<u64>(), "{page}");
        assert_eq!(
            (&page["trouble"], &page["stuck"]),
            (&Value::Null, &json!([]))
        );
        page
    }
}

fn obeyed(records: u64, objects: u64) -> Value {
    json!({"lanes": [{
        "lane": "direct", "outcome": "done", "records": records, "objectsThatMayExist": objects,
    }]})
}

#[tokio::test]
async fn a_lane_that_does_not_get_on_is_shown_with_what_may_have_left() {
    let stuck = stuck().await;
    let page = stuck.client.delivery("logs").await;
    let [lane] = &page["stuck"].as_array().unwrap()[..] else {
        panic!("{page}")
    };
    assert_eq!(
        (&lane["lane"], &lane["why"]),
        (&json!("direct"), &page["trouble"])
    );
    assert_eq!(
        (&lane["records"], &lane["objectsThatMayExist"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&page["recordsIn"], &page["waitingRecords"]),
        (&json!(2), &json!(2))
    );
    stuck.service.stop().await;
}

#[tokio::test]
async fn what_may_have_left_stays_with_its_configuration_until_it_is_moved() {
    let mut stuck = stuck().await;
    stuck
        .update(json!({"Prefix": "after/", "BucketARN": "arn:aws:s3:::other"}))
        .await;
    stuck.service = stuck.service.restart().await;
    stuck.client = stuck.service.client();
    let page = stuck.until_refused().await;
    assert!(
        page["trouble"].as_str().unwrap().contains("before/"),
        "{page}"
    );
    stuck.endpoint.rule(|_, _| Does::Well);
    // Whatever was tried meanwhile found its object there.
    let answer = stuck.order("move").await;
    let page = stuck.until_done().await;
    assert_eq!(page["delivered"], 2);
    assert_eq!(stuck.below(BUCKET, "before/"), "one\ntwo\n");
    let moved = if answer == obeyed(2, 1) {
        "one\ntwo\n"
    } else {
        ""
    };
    assert_eq!(stuck.below("other", "after/"), moved, "{answer}");
    stuck.service.stop().await;
}

#[tokio::test]
async fn a_cut_that_is_moved_goes_by_the_configuration_in_force_and_what_comes_after_too() {
    let stuck = stuck().await;
    stuck.endpoint.rule_by_bucket(|_, bucket| match bucket {
        "other" => Does::Well,
        _ => TOO_LONG,
    });
    stuck
        .update(json!({"Prefix": "after/", "BucketARN": "arn:aws:s3:::other"}))
        .await;
    stuck.client.put_delivery("logs", &["three\n"]).await;
    assert_eq!(stuck.order("move/direct").await, obeyed(2, 1));
    let page = stuck.until_done().await;
    assert_eq!(
        (&page["delivered"], &page["failed"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(stuck.below("other", "after/"), "one\ntwo\nthree\n");
    assert_eq!(
        stuck.below(BUCKET, "before/"),
        "one\ntwo\n",
        "as the answer said"
    );
    assert_eq!(stuck.order("move").await, json!({"lanes": []}));
    stuck.service.stop().await;
}

#[tokio::test]
async fn a_cut_that_is_skipped_lies_below_the_error_prefix_with_the_reason() {
    let stuck = stuck().await;
    stuck.endpoint.rule_by_bucket(|_, bucket| match bucket {
        "other" => Does::Well,
        _ => TOO_LONG,
    });
    let change = json!({"ErrorOutputPrefix": "bad/", "BucketARN": "arn:aws:s3:::other"});
    stuck.update(change).await;
    assert_eq!(stuck.order("skip").await, obeyed(2, 1));
    let page = stuck.until_done().await;
    assert_eq!(
        (&page["delivered"], &page["failed"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(page["failedObjects"], 1);
    let text = stuck.below("other", "bad/processing-failed/");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let raw: Vec<&Value> = lines.iter().map(|line| &line["rawData"]).collect();
    assert_eq!(raw, ["b25lCg==", "dHdvCg=="]);
    for line in &lines {
        assert_eq!(line["errorCode"], "Millrace.Skipped");
        let reason = line["errorMessage"].as_str().unwrap();
        assert!(reason.contains("KeyTooLongError"), "{line}");
    }
    stuck.client.put_delivery("logs", &["three\n"]).await;
    let page = stuck.until_done().await;
    assert_eq!(page["delivered"], 1);
    stuck.service.stop().await;
}

/// A redirect that passes, or a proxy's limit, was taken for a refusal for good, and all records
/// were left out in the operator's name.
#[tokio::test]
async fn what_is_skipped_waits_for_an_error_output_that_does_not_take_it() {
    for does in [
        TOO_LONG,
        Does::Refuse(307, "TemporaryRedirect"),
        Does::Refuse(400, "AuthorizationHeaderMalformed"),
        Does::Answer(413),
    ] {
        let stuck = stuck().await;
        stuck.endpoint.rule(move |_, _| does);
        assert_eq!(stuck.order("skip").await, obeyed(2, 1));
        let page = stuck.until_skipped_in_vain().await;
        let counts = ["recordsIn", "waitingRecords", "failed", "lost"].map(|m| &page[m]);
        assert_eq!(counts, [2, 2, 0, 0], "{does:?}");
        stuck.endpoint.rule(|_, _| Does::Well);
        let page = stuck.until_done().await;
        let counts = ["failed", "failedObjects", "lost", "leftOut"].map(|m| &page[m]);
        assert_eq!(counts, [2, 1, 0, 0], "{does:?}");
        stuck.service.stop().await;
    }
}

#[tokio::test]
async fn what_can_be_put_nowhere_is_left_out_when_an_operator_says_so_and_counted_as_lost() {
    for is_skipped_before in [true, false] {
        let stuck = stuck().await;
        if is_skipped_before {
            assert_eq!(stuck.order("skip").await, obeyed(2, 1));
            stuck.until_skipped_in_vain().await;
        }
        // The one of the delivery: nothing of the skip can be anywhere.
        assert_eq!(stuck.order("leave-out").await, obeyed(2, 1));
        let page = stuck.until_done().await;
        let counts = ["recordsIn", "delivered", "failed", "lost", "leftOut"].map(|m| &page[m]);
        assert_eq!(counts, [2, 0, 0, 2, 2], "{is_skipped_before}");
        stuck.endpoint.rule(|_, _| Does::Well);
        stuck.client.put_delivery("logs", &["three\n"]).await;
        let page = stuck.until_done().await;
        assert_eq!((&page["delivered"], &page["lost"]), (&json!(1), &json!(2)));
        let service = stuck.service.restart().await;
        let again = service.client().delivery("logs").await;
        assert_eq!(
            (&again["recordsIn"], &again["lost"]),
            (&json!(3), &json!(2))
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn a_cut_that_is_tried_again_is_delivered_once_its_store_takes_it() {
    let stuck = stuck().await;
    stuck.endpoint.rule(|_, _| TOO_LONG);
    assert_eq!(stuck.order("retry/direct").await, obeyed(2, 1));
    stuck.endpoint.until_begun(1).await;
    stuck.until_refused().await;
    stuck.endpoint.rule(|_, _| Does::Well);
    stuck.order("retry").await;
    let page = stuck.until_done().await;
    assert_eq!(
        (&page["delivered"], &page["objects"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(stuck.below(BUCKET, "before/"), "one\ntwo\n");
    stuck.service.stop().await;
}

#[tokio::test]
async fn an_order_is_a_post_with_a_signature_to_a_lane_that_is_there() {
    let stuck = stuck().await;
    for order in ["retry", "skip", "leave-out", "move"] {
        let page = format!("delivery-streams/logs/{order}");
        let get = stuck.client.page(Method::GET, &page).await;
        assert_eq!(
            (get.status().as_u16(), &get.headers()["allow"]),
            (405, &"POST".parse().unwrap())
        );
        let unsigned = stuck.client.unsigned_page(Method::POST, &page).await;
        assert_eq!(unsigned.status(), 400, "{page}");
        let other = stuck.service.other_client().page(Method::POST, &page).await;
        assert_eq!(other.status(), 404, "{page}");
        let page = format!("{page}/shardId-000000000000");
        let no_lane = stuck.client.page(Method::POST, &page).await;
        assert_eq!(no_lane.status(), 404, "{page}");
    }
    let page = stuck.client.delivery("logs").await;
    assert_eq!(
        (&page["waitingRecords"], &page["lost"]),
        (&json!(2), &json!(0))
    );
    stuck.service.stop().await;
}

#[tokio::test]
async fn a_lane_that_gets_on_is_left_alone() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    client.create_delivery("logs", json!({})).await;
    client.put_delivery("logs", &["waits"]).await;
    let ask = async |page: &str| {
        let answer = client.page(Method::POST, page).await;
        serde_json::from_slice::<Value>(answer.body()).unwrap()
    };
    assert_eq!(
        ask("delivery-streams/logs/skip").await,
        json!({"lanes": []})
    );
    let nothing = json!({"lanes": [{
        "lane": "direct", "outcome": "nothingStuck", "records": 0, "objectsThatMayExist": 0,
    }]});
    assert_eq!(ask("delivery-streams/logs/skip/direct").await, nothing);
    client.flush("logs").await;
    assert_eq!(endpoint.objects(BUCKET)[0].text(), "waits");
    service.stop().await;
}
