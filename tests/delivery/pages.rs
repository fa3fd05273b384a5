//! The pages of the server itself about plugins and delivery streams: what AWS has no operation
//! for.

use http::Method;
use millrace_tests::{ACCOUNT, Client, REGION, Service, over};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

fn body(response: &http::Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Asks for a page that must be refused.
async fn is_refused(client: &Client, method: Method, page: &str, status: u16, code: &str) {
    let answer = client.page(method.clone(), page).await;
    assert_eq!(answer.status(), status, "{method} {page}");
    assert_eq!(body(&answer)["__type"], code, "{method} {page}");
}

#[tokio::test]
async fn plugins_are_listed_by_name_with_the_version_in_force_or_why_there_is_none() {
    let files = PluginFiles::with(&["redact-card-numbers", "drop-bots"]);
    files.write("broken", "plugin.toml", "name = 'broken'\nversion = '1'\n");
    let service = files.start().await;
    let client = service.client();
    let page = client.read_page("plugins").await;
    let plugins = page["plugins"].as_array().unwrap();
    let names: Vec<&Value> = plugins.iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["broken", "drop-bots", "redact-card-numbers"]);
    let broken = json!({
        "name": "broken",
        "state": "refused",
        "refused": "broken.wasm is not there: it is not built yet",
        "refusedAtMs": 1_700_000_000_000_u64,
        "swaps": 0,
        "cpuMsPerSecond": 0,
        "cpuUs": 0,
        "heldBackUs": 0,
        "number": null,
        "before": null,
        "rollbacks": 0,
        "automaticRollbacks": 0,
        "failing": null,
        "pausedAtMs": null,
        "canary": null,
        "aliases": {},
        "setAside": null,
        "recent": [],
        "shadow": null,
        "versions": [],
        "costs": [],
        "accounts": [],
    });
    assert_eq!(plugins[0], broken);
    for plugin in plugins {
        let name = plugin["name"].as_str().unwrap();
        assert_eq!(&client.read_page(&format!("plugins/{name}")).await, plugin);
    }
    service.stop().await;
}

#[tokio::test]
async fn the_page_of_a_plugin_says_what_it_is_and_what_it_did() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    let before = client.read_page("plugins/drop-bots").await;
    for (member, wanted) in [
        ("name", json!("drop-bots")),
        ("state", json!("running")),
        ("version", json!("0.1.0")),
        ("world", json!("transformer")),
        ("loadedAtMs", json!(1_700_000_000_000_u64)),
        ("fromCache", json!(false)),
        ("memoryBytesMax", json!(64 * 1024 * 1024)),
        ("batchMsMax", json!(1_000)),
        ("calls", json!(0)),
        ("records", json!(0)),
        ("traps", json!(0)),
        ("deadlines", json!(0)),
        ("refusedBatches", json!(0)),
        ("logLinesLeftOut", json!(0)),
        ("counters", json!({})),
        ("refused", Value::Null),
        ("refusedAtMs", Value::Null),
        ("swaps", json!(0)),
    ] {
        assert_eq!(before[member], wanted, "{member}");
    }
    assert_eq!(before["hash"].as_str().unwrap().len(), 64);
    assert!(1_000 < before["componentBytes"].as_u64().unwrap());

    let more = json!({"ProcessingConfiguration": through("drop-bots")});
    client.create_delivery("clicks", more).await;
    client.put_delivery("clicks", &["a", "b", "c"]).await;
    client.flush("clicks").await;
    let after = client.read_page("plugins/drop-bots").await;
    assert_eq!((&after["calls"], &after["records"]), (&json!(1), &json!(3)));

    // Compiled code is kept.
    let service = service.restart().await;
    let again = service.client().read_page("plugins/drop-bots").await;
    assert_eq!(again["hash"], before["hash"]);
    assert_eq!(again["fromCache"], true);
    service.stop().await;
}

#[tokio::test]
async fn the_page_of_a_delivery_stream_says_how_it_is() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let nothing_yet = json!({
        "name": "clicks",
        "arn": format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/clicks"),
        "status": "ACTIVE",
        "versionId": 1,
        "source": null,
        "bucket": "logs",
        "recordsIn": 0,
        "replayed": 0,
        "delivered": 0,
        "dropped": 0,
        "failed": 0,
        "lost": 0,
        "leftOut": 0,
        "waitingRecords": 0,
        "waitingBytes": 0,
        "waitingSinceMs": null,
        "objects": 0,
        "failedObjects": 0,
        "bytesDelivered": 0,
        "retries": 0,
        "trouble": null,
        "stuck": [],
        "lastObject": null,
        "versions": [],
    });
    let idle_lane = json!([{
        "lane": "direct", "recordsIn": 0, "delivered": 0, "dropped": 0, "failed": 0, "lost": 0,
        "waitingRecords": 0, "waitingSinceMs": null, "lastObject": null,
    }]);
    let page = over(nothing_yet.clone(), json!({"lanes": idle_lane}));
    assert_eq!(client.delivery("clicks").await, page);

    client.put_delivery("clicks", &["one", "two!"]).await;
    let page = client
        .delivery_until("clicks", |page| page["waitingBytes"] != 0)
        .await;
    assert_eq!(
        (&page["recordsIn"], &page["waitingRecords"]),
        (&json!(2), &json!(2))
    );
    assert!(7 <= page["waitingBytes"].as_u64().unwrap(), "{page}");
    assert_eq!(page["waitingSinceMs"], 1_700_000_000_000_u64);

    client.flush("clicks").await;
    let mut wanted = nothing_yet;
    for (member, value) in [
        ("recordsIn", json!(2)),
        ("delivered", json!(2)),
        ("objects", json!(1)),
        ("bytesDelivered", json!(7)),
        ("lastObject", json!(service.objects("logs")[0].key)),
    ] {
        wanted[member] = value;
    }
    let lane = json!({"lanes": [{
        "lane": "direct", "recordsIn": 2, "delivered": 2, "dropped": 0, "failed": 0, "lost": 0,
        "waitingRecords": 0, "waitingSinceMs": null, "lastObject": wanted["lastObject"],
    }]});
    assert_eq!(client.delivery("clicks").await, over(wanted.clone(), lane));
    let list = client.read_page("delivery-streams").await;
    assert_eq!(list, json!({"deliveryStreams": [wanted]}));
    service.stop().await;
}

#[tokio::test]
async fn the_page_of_a_delivery_stream_says_where_records_come_from_and_what_each_lane_did() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    service.pass(std::time::Duration::from_millis(10));
    client.create_delivery_of("copy", "orders", json!({})).await;
    client.put("orders", "eA==").await;
    client.flush("copy").await;
    let page = client.delivery("copy").await;
    assert_eq!(page["source"], client.summary("orders").await["StreamARN"]);
    assert_eq!(page["bucket"], "logs");
    let lanes = page["lanes"].as_array().unwrap();
    let names: Vec<&Value> = lanes.iter().map(|lane| &lane["lane"]).collect();
    assert_eq!(names, ["shardId-000000000000", "shardId-000000000001"]);
    let mut delivered: Vec<&Value> = lanes.iter().map(|lane| &lane["delivered"]).collect();
    delivered.sort_by_key(|count| count.as_u64());
    assert_eq!(delivered, [0, 1]);
    service.stop().await;
}

#[tokio::test]
async fn a_flush_answers_once_everything_that_waited_is_delivered() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    client.create_delivery("clicks", json!({})).await;
    service.pass(std::time::Duration::from_millis(10));
    client.create_delivery_of("copy", "orders", json!({})).await;
    // Nothing waits.
    client.flush("clicks").await;
    client.flush("copy").await;
    for round in 0..5 {
        client.put_delivery("clicks", &[round.to_string()]).await;
        client.flush("clicks").await;
        client.put("orders", "eA==").await;
        client.flush("copy").await;
        let delivered = service.delivered();
        assert_eq!(delivered.len(), 2 * (round + 1));
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let service = Service::start().await;
    let client = service.client();
    let (get, post) = (Method::GET, Method::POST);
    let gone = "ResourceNotFoundException";
    for page in [
        "",
        "nothing",
        "plugins/gone",
        "plugins/",
        "plugins/..",
        "delivery-streams/gone",
        "delivery-streams/",
    ] {
        is_refused(&client, get.clone(), page, 404, gone).await;
    }
    is_refused(
        &client,
        post.clone(),
        "delivery-streams/gone/flush",
        404,
        gone,
    )
    .await;
    let answer = client.page(get, "delivery-streams/gone").await;
    let wanted = "There is no such delivery stream gone.";
    assert_eq!(body(&answer)["message"], wanted);
    let none = json!({"plugins": []});
    assert_eq!(client.read_page("plugins").await, none);
    service.stop().await;
}

#[tokio::test]
async fn a_method_that_means_nothing_is_not_allowed() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    for (method, page) in [
        (Method::POST, "plugins"),
        (Method::DELETE, "plugins/drop-bots"),
        (Method::POST, "delivery-streams"),
        (Method::PUT, "delivery-streams/clicks"),
        (Method::GET, "delivery-streams/clicks/flush"),
        (Method::PUT, "delivery-streams/clicks/flush"),
    ] {
        is_refused(
            &client,
            method.clone(),
            page,
            405,
            "MethodNotAllowedException",
        )
        .await;
        let answer = client.page(method, page).await;
        let wanted = match page {
            page if page.ends_with("/flush") => "POST",
            "plugins/drop-bots" => "GET, HEAD, PUT",
            _ => "GET, HEAD",
        };
        assert_eq!(answer.headers()["allow"], wanted, "{page}");
    }
    for page in [
        "delivery-streams/clicks/stop",
        "plugins/drop-bots/flush",
        "nothing",
    ] {
        let code = "ResourceNotFoundException";
        is_refused(&client, Method::POST, page, 404, code).await;
    }
    let head = client.page(Method::HEAD, "delivery-streams/clicks").await;
    assert_eq!(head.status(), 200);
    assert!(head.body().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    client.put_delivery("clicks", &["waits"]).await;
    for (method, page) in [
        (Method::GET, "plugins"),
        (Method::GET, "delivery-streams"),
        (Method::GET, "delivery-streams/clicks"),
        (Method::GET, "delivery-streams/gone"),
        (Method::POST, "delivery-streams/clicks/flush"),
        (Method::GET, "nothing"),
    ] {
        let answer = client.unsigned_page(method, page).await;
        assert_eq!(answer.status(), 400, "{page}");
        let code = "MissingAuthenticationTokenException";
        assert_eq!(body(&answer)["__type"], code, "{page}");
    }
    assert!(service.delivered().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn other_accounts_and_regions_see_no_delivery_stream_of_the_caller() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    client.put_delivery("clicks", &["waits"]).await;
    for other in [service.other_client(), client.in_region("mars-north-1")] {
        let list = other.read_page("delivery-streams").await;
        assert_eq!(list, json!({"deliveryStreams": []}));
        let gone = "ResourceNotFoundException";
        is_refused(&other, Method::GET, "delivery-streams/clicks", 404, gone).await;
        let flush = "delivery-streams/clicks/flush";
        is_refused(&other, Method::POST, flush, 404, gone).await;
    }
    assert!(service.delivered().is_empty());
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["waits"]);
    service.stop().await;
}
