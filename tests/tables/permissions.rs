//! Who may do what with tables.

use std::collections::BTreeSet;

use http::Method;
use millrace_tests::{ACCOUNT, REGION, Service, Setting, statement, user};
use serde_json::{Value, json};

use crate::tables::{by_owner, definition, table};

/// Every operation, with an input that changes nothing once it is permitted, and what it is about.
fn operations() -> Vec<(&'static str, Value, String)> {
    let orders = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders");
    let key = json!({"TableName": "orders", "Key": {"pk": {"S": "a"}}});
    let named = json!({"TableName": "orders"});
    let condition = json!({
        "TableName": "orders", "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": {"S": "a"}},
    });
    let mut of_index = named.clone();
    of_index["IndexName"] = json!("by-owner");
    vec![
        ("CreateTable", definition("orders", false), orders.clone()),
        ("DeleteItem", key.clone(), orders.clone()),
        ("DeleteTable", named.clone(), orders.clone()),
        ("DescribeTable", named.clone(), orders.clone()),
        ("GetItem", key.clone(), orders.clone()),
        ("ListTables", json!({}), "*".to_owned()),
        (
            "PutItem",
            json!({"TableName": "orders", "Item": {}}),
            orders.clone(),
        ),
        ("Query", condition, orders.clone()),
        ("Scan", named.clone(), orders.clone()),
        ("Scan", of_index, format!("{orders}/index/by-owner")),
        ("UpdateItem", key, orders.clone()),
        ("UpdateTable", named, orders),
    ]
}

#[tokio::test]
async fn each_operation_is_asked_of_its_own_table_and_index_by_its_own_name() {
    let mut credentials = Vec::new();
    for (number, (operation, _, resource)) in operations().into_iter().enumerate() {
        let action = json!(format!("dynamodb:{operation}"));
        let own = statement("Allow", &action, &json!(resource), None);
        let mut others = statement("Allow", &json!("*"), &json!("*"), None);
        others["Statement"][0]
            .as_object_mut()
            .unwrap()
            .remove("Action");
        others["Statement"][0]["NotAction"] = action.clone();
        let elsewhere = json!("arn:aws:dynamodb:*:*:table/other*");
        let elsewhere = statement("Allow", &action, &elsewhere, None);
        for (name, policy) in [("own", own), ("others", others), ("elsewhere", elsewhere)] {
            credentials.push(user(ACCOUNT, &format!("{name}-{number}"), Some(&policy)));
        }
    }
    let setting = Setting {
        credentials,
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    table(&service.client(), "orders", false).await;
    let client = service.client();
    client
        .call("DynamoDb.UpdateTable", by_owner("orders"))
        .await;
    let protect = json!({"TableName": "orders", "DeletionProtectionEnabled": true});
    client.call("DynamoDb.UpdateTable", protect).await;
    for (number, (operation, input, resource)) in operations().into_iter().enumerate() {
        let ask = async |kind: &str| {
            let user = service.user(&format!("{kind}-{number}"));
            let called = format!("DynamoDb.{operation}");
            let answer = user.send(&called, input.to_string().into()).await;
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            (text.contains("AccessDeniedException"), text)
        };
        let (denied, text) = ask("own").await;
        assert!(!denied, "{operation}: {text}");
        for kind in ["others", "elsewhere"] {
            let (denied, text) = ask(kind).await;
            assert!(denied, "{operation} as {kind}: {text}");
            let about = format!("not authorized to perform: dynamodb:{operation}");
            assert!(text.contains(&about), "{text}");
            assert!(resource == "*" || text.contains(&resource), "{text}");
        }
    }
    service.stop().await;
}

#[test]
fn every_operation_on_tables_is_tried() {
    let tried: BTreeSet<String> = operations()
        .iter()
        .map(|(name, ..)| format!("dynamodb:{name}"))
        .collect();
    let known = server::actions().map(|action| action.to_string());
    let known: BTreeSet<String> = known.filter(|it| it.starts_with("dynamodb:")).collect();
    assert_eq!(tried, known);
}

#[tokio::test]
async fn another_accounts_table_is_nobodys_business() {
    let service = Service::start().await;
    table(&service.client(), "orders", false).await;
    let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders");
    let other = service.other_client();
    let refused = other
        .refusal("DynamoDb.Scan", json!({"TableName": arn}))
        .await;
    assert_eq!(refused.code, "AccessDeniedException");
    let missing = arn.replace("orders", "missing");
    let also = other
        .refusal("DynamoDb.Scan", json!({"TableName": missing}))
        .await;
    // Whether it is there cannot be told.
    assert_eq!(also.message.replace("missing", "orders"), refused.message);
    let refused = other
        .refusal("DynamoDb.Scan", json!({"TableName": "orders"}))
        .await;
    assert_eq!(refused.code, "ResourceNotFoundException");
    service.stop().await;
}

#[tokio::test]
async fn pages_and_metrics_ask_for_rights_of_their_own() {
    let table_arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders");
    let pages = [
        ("tables", "ListTables", "*".to_owned()),
        ("tables/orders", "ScanTable", table_arn.clone()),
        ("tables/orders/items/61", "GetTableItem", table_arn),
    ];
    let mut credentials = vec![user(
        ACCOUNT,
        "none",
        Some(&statement("Allow", &json!("s3:*"), &json!("*"), None)),
    )];
    for (number, (_, action, resource)) in pages.iter().enumerate() {
        let action = json!(format!("millrace:{action}"));
        let own = statement("Allow", &action, &json!(resource), None);
        credentials.push(user(ACCOUNT, &format!("own-{number}"), Some(&own)));
    }
    let metrics = json!("cloudwatch:PutMetricData");
    let metrics = statement("Allow", &metrics, &json!("*"), None);
    credentials.push(user(ACCOUNT, "measures", Some(&metrics)));
    let setting = Setting {
        credentials,
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    table(&service.client(), "orders", false).await;
    for (number, (page, action, _)) in pages.iter().enumerate() {
        let own = service.user(&format!("own-{number}"));
        let answer = own.page(Method::GET, page).await;
        // There is no such item.
        let wanted = if *action == "GetTableItem" { 404 } else { 200 };
        assert_eq!(answer.status(), wanted, "{page}");
        let answer = service.user("none").page(Method::GET, page).await;
        assert!(answer.status() == 400, "{page}");
        assert_eq!(
            service
                .client()
                .unsigned_page(Method::GET, page)
                .await
                .status(),
            400
        );
    }
    let data = json!({"Namespace": "a", "MetricData": [{"MetricName": "b", "Value": 1}]});
    for (name, status) in [("measures", 200), ("none", 400)] {
        let kind = "application/x-amz-json-1.0";
        let called = "CloudWatch.PutMetricData";
        let answer = service
            .user(name)
            .send_as(kind, called, data.to_string().into())
            .await;
        assert_eq!(answer.status(), status, "{name}");
    }
    service.stop().await;
}
