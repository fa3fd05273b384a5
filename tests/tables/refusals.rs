//! What is asked of DynamoDB and is not here, or is no request.

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn an_operation_that_is_not_here_is_refused_by_its_name() {
    let service = Service::start().await;
    let client = service.client();
    for operation in ["BatchGetItem", "TransactWriteItems", "UpdateTimeToLive"] {
        let refused = client
            .refusal(&format!("DynamoDb.{operation}"), json!({}))
            .await;
        assert_eq!(
            (refused.status, &*refused.code),
            (400, "UnknownOperationException")
        );
        let text = format!("The operation {operation} is not supported by this server.");
        assert_eq!(refused.message, text);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_body_that_is_no_input_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    for body in [
        "{",
        "[]",
        r#"{"TableName": 1}"#,
        r#"{"Key": {"a": {"S": 1}}}"#,
    ] {
        let answer = client.send("DynamoDb.GetItem", body.into()).await;
        assert_eq!(answer.status(), 400, "{body}");
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(
            text.contains("com.amazon.coral.service#SerializationException"),
            "{text}"
        );
    }
    // Deep within, a parser must not run out of its stack.
    let deep = format!("{{\"Item\": {}", "{\"a\": {\"M\": ".repeat(10_000));
    let answer = client.send("DynamoDb.PutItem", deep.into()).await;
    assert_eq!(answer.status(), 400);
    let condition = "(".repeat(4_000);
    let input = json!({
        "TableName": "orders", "Key": {"pk": {"S": "a"}},
        "ConditionExpression": condition,
    });
    assert_eq!(
        client.code("DynamoDb.DeleteItem", input).await,
        "ValidationException"
    );
    service.stop().await;
}

#[tokio::test]
async fn dynamodb_speaks_json_1_0_alone() {
    let service = Service::start().await;
    let client = service.client();
    let kind = "application/x-amz-json-1.1";
    let answer = client
        .send_as(kind, "DynamoDb.ListTables", "{}".into())
        .await;
    assert_eq!(answer.status(), 404);
    service.stop().await;
}
