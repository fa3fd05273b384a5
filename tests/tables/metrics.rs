//! PutMetricData, and what is shown of it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_tests::Service;
use serde_json::json;

const JSON: &str = "application/x-amz-json-1.0";

#[tokio::test]
async fn values_are_added_up_and_shown_to_their_account() {
    let service = Service::start().await;
    let client = service.client();
    let input = json!({"Namespace": "app", "MetricData": [
        {"MetricName": "Waits", "Dimensions": [{"Name": "b", "Value": "2"},
            {"Name": "a", "Value": "1"}], "Value": 2.5},
        {"MetricName": "Waits", "Dimensions": [{"Name": "a", "Value": "1"},
            {"Name": "b", "Value": "2"}], "Values": [1, 4], "Counts": [3, 1]},
    ]});
    let body = input.to_string();
    let answer = client
        .send_as(JSON, "CloudWatch.PutMetricData", body.into())
        .await;
    assert_eq!(
        (answer.status().as_u16(), &answer.body()[..]),
        (200, &b"{}"[..])
    );
    let labels = "account=\"000000000000\",namespace=\"app\",metric=\"Waits\",\
                  dimensions=\"a=1,b=2\"";
    let shown = client.metrics().await;
    for (name, value) in [("samples_total", "5"), ("sum", "9.5"), ("minimum", "1")] {
        let line = format!("millrace_cloudwatch_{name}{{{labels}}} {value}\n");
        assert!(shown.contains(&line), "{line}{shown}");
    }
    assert!(
        !service
            .other_client()
            .metrics()
            .await
            .contains("cloudwatch")
    );
    assert!(client.metrics_of_all().await.contains(labels));
    service.stop().await;
}

#[tokio::test]
async fn a_body_may_be_compressed_where_clients_do_it_and_nowhere_else() {
    let service = Service::start().await;
    let client = service.client();
    let compressed = |size: usize| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let text = json!({"Namespace": "app", "MetricData": [
            {"MetricName": "Waits", "Value": 1, "Unit": "x".repeat(size)},
        ]});
        encoder.write_all(text.to_string().as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (operation, body, status) in [
        ("CloudWatch.PutMetricData", compressed(10), 200),
        ("CloudWatch.PutMetricData", b"no gzip".to_vec(), 400),
        // What is small when it comes is not when it is read.
        ("CloudWatch.PutMetricData", compressed(2 * 1024 * 1024), 413),
        ("DynamoDb.ListTables", compressed(10), 400),
    ] {
        let answer = client.send_compressed(JSON, operation, body.into()).await;
        assert_eq!(answer.status(), status, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_metric_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    for (input, code) in [
        (json!({}), "MissingParameter"),
        (json!({"Namespace": "a"}), "MissingParameter"),
        (
            json!({"Namespace": "a", "MetricData": [{"MetricName": "b"}]}),
            "MissingParameter",
        ),
        (
            json!({"Namespace": "a", "MetricData": [{"MetricName": "b", "Values": [1],
                "Counts": []}]}),
            "InvalidParameterValue",
        ),
    ] {
        let body = input.to_string();
        let answer = client
            .send_as(JSON, "CloudWatch.PutMetricData", body.into())
            .await;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(answer.status(), 400, "{text}");
        let kind = format!("\"com.amazonaws.cloudwatch.v2010_08_01#{code}\"");
        assert!(
            text.contains(&kind),
            "its code is of no other service: {text}"
        );
    }
    let absent = client.send_as(JSON, "CloudWatch.GetMetricData", "{}".into());
    let text = String::from_utf8_lossy(absent.await.body()).into_owned();
    let kind = "com.amazon.coral.service#UnknownOperationException";
    assert!(text.contains(kind), "{text}");
    service.stop().await;
}
