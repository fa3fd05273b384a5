//! What `/healthz` says of delivery streams.

use millrace_tests::Client;
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const PLUGIN: &str = "redact-card-numbers";
const CARD: &str = "4111 1111 1111 1111";

async fn assert_health(client: &Client, wanted: &str) {
    // No balancer should turn away from the server for a plugin's sake.
    assert_eq!(client.health().await, (200, wanted.to_owned()));
}

#[tokio::test]
async fn health_is_degraded_for_as_long_as_delivery_streams_have_no_plugin() {
    let files = PluginFiles::with(&[PLUGIN]);
    let service = files.start().await;
    let client = service.client();
    client.create_delivery("plain", json!({})).await;
    let more = json!({"ProcessingConfiguration": through(PLUGIN)});
    for name in ["clicks", "orders"] {
        client.create_delivery(name, more.clone()).await;
    }
    assert_health(&client, "ok\n").await;

    files.remove(PLUGIN);
    client
        .page_until("plugins", |page| *page == json!({"plugins": []}))
        .await;
    assert_health(&client, "degraded: 2 delivery streams have no plugin\n").await;
    client.delete_delivery("orders").await;
    assert_health(&client, "degraded: 1 delivery streams have no plugin\n").await;

    // What lies there then is no component.
    files.write(PLUGIN, &format!("{PLUGIN}.wasm"), "nothing");
    let is_refused = |page: &Value| page["plugins"][0]["state"] == "refused";
    client.page_until("plugins", is_refused).await;
    assert_health(&client, "degraded: 1 delivery streams have no plugin\n").await;
    let service = service.restart().await;
    let client = service.client();
    assert_health(&client, "degraded: 1 delivery streams have no plugin\n").await;

    files.remove(PLUGIN);
    files.add(PLUGIN);
    client
        .page_until(&format!("plugins/{PLUGIN}"), |page| {
            page["state"] == "running"
        })
        .await;
    assert_health(&client, "ok\n").await;
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    service.stop().await;
}
