//! DescribeStreamConsumer.

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn a_consumer_is_found_by_its_arn_or_by_its_stream_and_name() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let arn = client.register("orders", "app").await;
    let stream = client.arn("orders");
    for input in [
        json!({"ConsumerARN": arn}),
        json!({"StreamARN": stream, "ConsumerName": "app"}),
        json!({"StreamARN": stream, "ConsumerName": "app", "ConsumerARN": arn}),
    ] {
        let described = client.call("DescribeStreamConsumer", input).await;
        let expected = json!({
            "ConsumerName": "app",
            "ConsumerARN": arn,
            "ConsumerStatus": "ACTIVE",
            "ConsumerCreationTimestamp": 1_700_000_000.0,
            "StreamARN": stream,
        });
        assert_eq!(described["ConsumerDescription"], expected);
    }
}

#[tokio::test]
async fn one_that_is_not_there_or_named_in_two_ways_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create("returns", 1).await;
    let arn = client.register("orders", "app").await;
    let stream = client.arn("orders");
    for (input, code) in [
        (json!({}), "InvalidArgumentException"),
        (json!({"StreamARN": stream}), "InvalidArgumentException"),
        (json!({"ConsumerName": "app"}), "InvalidArgumentException"),
        (
            json!({"ConsumerName": "b", "ConsumerARN": arn}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamARN": client.arn("returns"), "ConsumerARN": arn}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamARN": stream, "ConsumerName": "b"}),
            "ResourceNotFoundException",
        ),
        (
            json!({"ConsumerARN": format!("{stream}/consumer/b:1")}),
            "ResourceNotFoundException",
        ),
        (
            json!({"ConsumerARN": format!("{stream}/consumer/app:1")}),
            "ResourceNotFoundException",
        ),
        (
            json!({"ConsumerARN": format!("{stream}/consumer/app")}),
            "ValidationException",
        ),
        (json!({"ConsumerARN": stream}), "ValidationException"),
    ] {
        let got = client.code("DescribeStreamConsumer", input.clone()).await;
        assert_eq!(got, code, "{input}");
    }
    let other = service.other_client();
    let got = other
        .code("DescribeStreamConsumer", json!({"ConsumerARN": arn}))
        .await;
    assert_eq!(got, "AccessDeniedException");
}
