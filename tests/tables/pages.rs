//! The server's own pages about tables.

use http::Method;
use millrace_tests::Service;
use serde_json::{Value, json};

use crate::tables::{put, table};

#[tokio::test]
async fn tables_are_listed_with_their_keys() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", true).await;
    let wanted = json!({"tables": [{
        "name": "orders", "status": "ACTIVE", "key": ["pk", "sk"], "indexes": [],
        "createdAtMs": 1_700_000_000_000_u64,
    }]});
    assert_eq!(client.read_page("tables").await, wanted);
    assert_eq!(
        service.other_client().read_page("tables").await,
        json!({"tables": []})
    );
    service.stop().await;
}

#[tokio::test]
async fn items_come_by_prefix_in_pages_with_versions_that_rise() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    for key in ["a", "ab", "abc", "b"] {
        put(&client, "orders", &[json!({"pk": {"S": key}})]).await;
    }
    let keys = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        let keys = items.map(|it| it["item"]["pk"]["S"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    let first = client.read_page("tables/orders?limit=2&prefix=6162").await;
    assert_eq!(keys(&first), ["ab", "abc"]);
    let first = client.read_page("tables/orders?limit=2").await;
    assert_eq!(keys(&first), ["a", "ab"]);
    let after = first["next"].as_str().unwrap();
    let second = client
        .read_page(&format!("tables/orders?after={after}"))
        .await;
    assert_eq!(keys(&second), ["abc", "b"]);
    assert!(second.get("next").is_none());
    let one = client.read_page("tables/orders/items/6162").await;
    let version = one["items"][0]["version"].as_u64().unwrap();
    assert_eq!(first["items"][1]["version"], version);
    put(&client, "orders", &[json!({"pk": {"S": "ab"}})]).await;
    let one = client.read_page("tables/orders/items/6162").await;
    assert!(version < one["items"][0]["version"].as_u64().unwrap());
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_no_key_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", true).await;
    for (page, status) in [
        ("tables/none", 404),
        ("tables/orders/items/61/31", 404),
        ("tables/orders/items/61", 400),
        ("tables/orders/items/6/31", 400),
        ("tables/orders/items/61/61", 400),
        ("tables/orders?limit=0", 400),
        ("tables/orders?prefix=x1", 400),
        ("tables/orders/items", 404),
    ] {
        let answer = client.page(Method::GET, page).await;
        assert_eq!(answer.status(), status, "{page}");
    }
    assert_eq!(client.page(Method::POST, "tables").await.status(), 405);
    service.stop().await;
}
