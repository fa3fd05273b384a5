//! RegisterStreamConsumer.

use millrace_tests::{Client, Service};
use serde_json::json;

async fn advantage(client: &Client) {
    let status = json!({"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}});
    client.call("UpdateAccountSettings", status).await;
}

#[tokio::test]
async fn a_consumer_is_registered_with_its_labels_and_stays_over_a_restart() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({
        "StreamARN": client.arn("orders"), "ConsumerName": "app", "Tags": {"team": "a"},
    });
    let consumer = client.call("RegisterStreamConsumer", input).await["Consumer"].clone();
    let arn = format!("{}/consumer/app:1700000000", client.arn("orders"));
    let expected = json!({
        "ConsumerName": "app",
        "ConsumerARN": arn,
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": 1_700_000_000.0,
    });
    assert_eq!(consumer, expected);

    let service = service.restart().await;
    let client = service.client();
    let described = client.call("DescribeStreamConsumer", json!({"ConsumerARN": arn}));
    let described = described.await["ConsumerDescription"].clone();
    assert_eq!(described["ConsumerARN"], json!(arn));
    assert_eq!(client.summary("orders").await["ConsumerCount"], 1);
    let tags = client.call("ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(tags.await["Tags"], json!([{"Key": "team", "Value": "a"}]));
}

#[tokio::test]
async fn labels_of_a_consumer_are_not_those_of_its_stream() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let arn = client.register("orders", "app").await;
    let tags = json!({"ResourceARN": arn, "Tags": {"a": "1", "b": "2"}});
    client.call("TagResource", tags).await;
    let keys = json!({"ResourceARN": arn, "TagKeys": ["a"]});
    client.call("UntagResource", keys).await;
    let listed = client.call("ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(listed.await["Tags"], json!([{"Key": "b", "Value": "2"}]));
    let stream = json!({"ResourceARN": client.arn("orders")});
    assert_eq!(
        client.call("ListTagsForResource", stream).await["Tags"],
        json!([])
    );
}

#[tokio::test]
async fn a_name_is_registered_once_with_a_stream_and_again_with_another() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create("returns", 1).await;
    client.register("orders", "app").await;
    let again = json!({"StreamARN": client.arn("orders"), "ConsumerName": "app"});
    let refused = client.refusal("RegisterStreamConsumer", again).await;
    assert_eq!(refused.code, "ResourceInUseException");
    assert_eq!(
        refused.message,
        "Consumer app under stream orders already exists for account 000000000000."
    );
    client.register("returns", "app").await;
}

#[tokio::test]
async fn a_stream_has_twenty_consumers_and_fifty_where_its_account_has_committed_itself() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({"StreamName": "clicks", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}});
    client.call("CreateStream", input).await;
    client.until_active("clicks").await;
    advantage(&client).await;
    for (stream, limit) in [("orders", 20), ("clicks", 50)] {
        for number in 0..limit {
            client.register(stream, &format!("app-{number}")).await;
        }
        let more = json!({"StreamARN": client.arn(stream), "ConsumerName": "more"});
        let code = client.code("RegisterStreamConsumer", more).await;
        assert_eq!(code, "LimitExceededException");
    }
}

#[tokio::test]
async fn a_stream_that_is_not_there_has_no_consumers() {
    let service = Service::start().await;
    let client = service.client();
    let input = json!({"StreamARN": client.arn("orders"), "ConsumerName": "app"});
    let code = client.code("RegisterStreamConsumer", input).await;
    assert_eq!(code, "ResourceNotFoundException");
    let code = client.code("RegisterStreamConsumer", json!({})).await;
    assert_eq!(code, "ValidationException");
}
