//! Labels decide what policies say, so whoever gives them needs the right to; and what has labels
//! is decided by them, wherever it is named.

use http::Method;
use millrace_tests::{ACCOUNT, Client, REGION, Service, Setting, destination, statement, user};
use serde_json::{Value, json};

use crate::naming::arn;

/// A server with two users: `plain` may do what `operation` says, and `tagger` may tag as well.
async fn two_users(operation: &str, tagging: &str) -> Service {
    let any = json!("*");
    let plain = statement("Allow", &json!(operation), &any, None);
    let tagger = statement("Allow", &json!([operation, tagging]), &any, None);
    let credentials = vec![
        user(ACCOUNT, "plain", Some(&plain)),
        user(ACCOUNT, "tagger", Some(&tagger)),
    ];
    let setting = Setting {
        credentials,
        ..Setting::default()
    };
    Service::start_with(setting).await
}

/// Fails unless `plain` may do the operation without labels alone, and is told which right it
/// lacks, and on what.
async fn asks_for(service: &Service, operation: &str, input: Value, lacks: (&str, &str)) {
    let refused = service.user("plain").refusal(operation, input).await;
    assert_eq!(refused.code, "AccessDeniedException", "{}", refused.message);
    let (right, resource) = lacks;
    let text = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/plain is not authorized to perform: {right} on \
         resource: {resource} because no identity-based policy allows the {right} action"
    );
    assert_eq!(refused.message, text);
}

#[tokio::test]
async fn whoever_makes_a_stream_with_labels_needs_the_right_to_label_it() {
    let right = "kinesis:AddTagsToStream";
    let service = two_users("kinesis:CreateStream", right).await;
    let input = |name: &str| json!({"StreamName": name, "ShardCount": 1});
    let labelled = |name: &str| {
        let mut input = input(name);
        input["Tags"] = json!({"team": "blue"});
        input
    };
    let lacks = (right, &*arn(ACCOUNT, "orders"));
    asks_for(&service, "CreateStream", labelled("orders"), lacks).await;
    let names = service.client().call("ListStreams", json!({})).await;
    assert_eq!(names["StreamNames"], json!([]));
    let plain = service.user("plain");
    plain.call("CreateStream", input("orders")).await;
    let tagger = service.user("tagger");
    tagger.call("CreateStream", labelled("clicks")).await;
    service.stop().await;
}

#[tokio::test]
async fn whoever_registers_a_consumer_with_labels_needs_the_right_to_label_it() {
    let right = "kinesis:TagResource";
    let service = two_users("kinesis:RegisterStreamConsumer", right).await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = |name: &str| json!({"StreamARN": arn(ACCOUNT, "orders"), "ConsumerName": name});
    let labelled = |name: &str| {
        let mut input = input(name);
        input["Tags"] = json!({"team": "blue"});
        input
    };
    let consumer = format!(
        "{}/consumer/app:{}",
        arn(ACCOUNT, "orders"),
        service.now().0 / 1_000
    );
    let operation = "RegisterStreamConsumer";
    asks_for(&service, operation, labelled("app"), (right, &consumer)).await;
    let named = json!({"StreamARN": arn(ACCOUNT, "orders")});
    let listed = client.call("ListStreamConsumers", named).await;
    assert_eq!(listed["Consumers"], json!([]));
    service.user("plain").call(operation, input("app")).await;
    let tagger = service.user("tagger");
    tagger.call(operation, labelled("other")).await;
    service.stop().await;
}

#[tokio::test]
async fn whoever_makes_a_delivery_stream_with_labels_needs_the_right_to_label_it() {
    let right = "firehose:TagDeliveryStream";
    let service = two_users("firehose:CreateDeliveryStream", right).await;
    let input = |name: &str| {
        json!({
            "DeliveryStreamName": name,
            "ExtendedS3DestinationConfiguration": destination(json!({})),
        })
    };
    let labelled = |name: &str| {
        let mut input = input(name);
        input["Tags"] = json!([{"Key": "team", "Value": "blue"}]);
        input
    };
    let stream = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/clicks");
    let operation = "Firehose.CreateDeliveryStream";
    asks_for(&service, operation, labelled("clicks"), (right, &stream)).await;
    let client = service.client();
    let listed = client.call("Firehose.ListDeliveryStreams", json!({}));
    assert_eq!(listed.await["DeliveryStreamNames"], json!([]));
    service.user("plain").call(operation, input("clicks")).await;
    let tagger = service.user("tagger");
    tagger.call(operation, labelled("views")).await;
    service.stop().await;
}

async fn labelled_delivery(client: &Client, name: &str, team: &str) {
    client.create_delivery(name, json!({})).await;
    let tags = json!([{"Key": "team", "Value": team}]);
    let input = json!({"DeliveryStreamName": name, "Tags": tags});
    client.call("Firehose.TagDeliveryStream", input).await;
}

#[tokio::test]
async fn pages_of_a_delivery_stream_are_for_those_whom_its_labels_let() {
    let of_blue = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": "millrace:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
        }],
    });
    let service = Service::start_with(Setting {
        credentials: vec![user(ACCOUNT, "ann", Some(&of_blue))],
        ..Setting::default()
    })
    .await;
    let client = service.client();
    labelled_delivery(&client, "clicks", "blue").await;
    labelled_delivery(&client, "views", "red").await;
    let ann = service.user("ann");
    for (stream, status) in [("clicks", 200), ("views", 400), ("gone", 400)] {
        let page = format!("delivery-streams/{stream}");
        for (method, page) in [
            (Method::GET, page.clone()),
            (Method::POST, format!("{page}/flush")),
            (Method::POST, format!("{page}/retry")),
        ] {
            let answer = ann.page(method, &page).await;
            assert_eq!(answer.status(), status, "{page}: {answer:?}");
            if status == 400 {
                let refusal: Value = serde_json::from_slice(answer.body()).unwrap();
                assert_eq!(refusal["__type"], "AccessDeniedException", "{page}");
            }
        }
    }
    service.stop().await;
}

/// A user that is bound to streams by their label `team` could do with a second one in other
/// capitals what the first one keeps it from.
#[tokio::test]
async fn a_second_label_in_other_capitals_opens_no_stream_and_passes_no_condition() {
    let on = |effect: &str, actions: Value, condition: Value| {
        let mut on = json!({"Effect": effect, "Action": actions, "Resource": "*"});
        on["Condition"] = condition;
        on
    };
    let policy = json!({"Version": "2012-10-17", "Statement": [
        on(
            "Allow",
            json!(["kinesis:DescribeStream", "kinesis:DeleteStream"]),
            json!({"StringEquals": {"aws:ResourceTag/team": "eve"}}),
        ),
        on(
            "Deny",
            json!("kinesis:DeleteStream"),
            json!({"StringNotEquals": {"aws:ResourceTag/team": "eve"}}),
        ),
        on(
            "Allow",
            json!(["kinesis:CreateStream", "kinesis:AddTagsToStream", "kinesis:TagResource"]),
            json!({"StringEquals": {"aws:RequestTag/team": "eve"}}),
        ),
        on(
            "Deny",
            json!(["kinesis:AddTagsToStream", "kinesis:TagResource"]),
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}),
        ),
    ]});
    let service = Service::start_with(Setting {
        credentials: vec![user(ACCOUNT, "eve", Some(&policy))],
        ..Setting::default()
    })
    .await;
    let (client, eve) = (service.client(), service.user("eve"));
    client.create("orders", 1).await;
    let tags = |tags: Value| json!({"ResourceARN": arn(ACCOUNT, "orders"), "Tags": tags});
    let by_name = json!({"StreamName": "orders"});
    let denied = async |operation: &str, input: Value| {
        let code = eve.code(operation, input).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
    };
    let of_ann = json!({"team": "ann"});
    client.call("TagResource", tags(of_ann)).await;
    denied("DescribeStream", by_name.clone()).await;
    // The second label is there, and neither of them is the team.
    eve.call("TagResource", tags(json!({"Team": "eve"}))).await;
    denied("DescribeStream", by_name.clone()).await;
    denied("DeleteStream", by_name).await;
    // Nor is the one that a request gives beside another.
    denied("TagResource", tags(json!({"tEam": "red", "Team": "eve"}))).await;
    let made = json!({
        "StreamName": "clicks", "ShardCount": 1, "Tags": {"TEAM": "red", "Team": "eve"},
    });
    denied("CreateStream", made).await;
    let names = client.call("ListStreams", json!({})).await;
    assert_eq!(names["StreamNames"], json!(["orders"]));
    service.stop().await;
}
