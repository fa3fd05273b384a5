//! A plugin changes, fails to change, goes and comes back while records are on their way.

use std::collections::BTreeMap;

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const PLUGIN: &str = "redact-card-numbers";
const CARD: &str = "4111 1111 1111 1111";

/// A card number as it looks behind this mask.
fn masked(mask: char) -> String {
    CARD.replacen(|c: char| c.is_ascii_digit(), &mask.to_string(), 12)
}

/// A delivery stream that masks card numbers.
async fn with_transform() -> (Service, Client, PluginFiles) {
    let files = PluginFiles::with(&[PLUGIN]);
    let service = files.start().await;
    let client = service.client();
    let more = json!({"ProcessingConfiguration": through(PLUGIN)});
    client.create_delivery("clicks", more).await;
    (service, client, files)
}

/// Puts one record with a card number and waits until it is seen to wait.
async fn put_and_gather(client: &Client, text: &str) {
    client.put_delivery("clicks", &[text]).await;
    client
        .delivery_until("clicks", |page| {
            // It was looked at as well.
            page["waitingRecords"] == 1 && page["waitingBytes"] != 0
        })
        .await;
}

async fn until_delivered(client: &Client, count: u64) -> Value {
    client
        .delivery_until("clicks", |page| page["delivered"] == count)
        .await
}

/// Delivered records of each version, by its hash.
fn versions(page: &Value) -> BTreeMap<String, u64> {
    let versions = page["versions"].as_array().unwrap().iter();
    let count = |version: &Value| {
        let hash = version["hash"].as_str().unwrap().to_owned();
        (hash, version["delivered"].as_u64().unwrap())
    };
    versions.map(count).collect()
}

#[tokio::test]
async fn a_swap_closes_the_cut_and_what_comes_after_goes_through_the_new_version() {
    let (service, client, files) = with_transform().await;
    let page = client.read_page("plugins/redact-card-numbers").await;
    let first = page["hash"].as_str().unwrap().to_owned();
    put_and_gather(&client, CARD).await;
    let second = files.mask_with(&client, '#').await;
    // Nobody flushed: the swap did it.
    until_delivered(&client, 1).await;
    assert_eq!(service.delivered(), [masked('*')]);
    put_and_gather(&client, CARD).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('*'), masked('#')]);
    let page = client.delivery("clicks").await;
    assert_eq!(versions(&page), BTreeMap::from([(first, 1), (second, 1)]));
    let page = client.read_page("plugins/redact-card-numbers").await;
    assert_eq!(page["swaps"], 1);
    service.stop().await;
}

/// The cut that a swap closes is the last that holds the version: its label was gone with it.
#[tokio::test]
async fn a_version_that_was_swapped_out_keeps_its_label() {
    let (service, client, files) = with_transform().await;
    put_and_gather(&client, CARD).await;
    files.mask_with(&client, '#').await;
    let page = until_delivered(&client, 1).await;
    assert_eq!(page["versions"][0]["version"], "0.1.0");
    service.stop().await;
}

#[tokio::test]
async fn no_object_mixes_two_versions_though_records_keep_coming() {
    let (service, client, files) = with_transform().await;
    let page = client.read_page("plugins/redact-card-numbers").await;
    let first = page["hash"].as_str().unwrap().to_owned();
    let mut masks = BTreeMap::from([(first, '*')]);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let putting = tokio::spawn({
        let client = client.clone();
        async move {
            let mut count = 0_u64;
            while !*stopped.borrow_and_update() {
                let records = [0, 1, 2].map(|n| format!("{:06}: {CARD}\n", count + n));
                client.put_delivery("clicks", &records).await;
                count += 3;
            }
            count
        }
    });
    for mask in ['#', '+', '%', '='] {
        masks.insert(files.mask_with(&client, mask).await, mask);
    }
    stop.send_replace(true);
    let count = putting.await.unwrap();
    client.flush("clicks").await;

    let objects = service.delivered();
    let mut numbers = Vec::new();
    for object in &objects {
        let mut of_object: Vec<&str> = Vec::new();
        for line in object.lines() {
            let (number, text) = line.split_once(": ").unwrap();
            numbers.push(number.parse::<u64>().unwrap());
            of_object.push(text);
        }
        of_object.dedup();
        assert_eq!(of_object.len(), 1, "one mask in an object");
        assert!(!of_object[0].contains(CARD));
    }
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    let page = client.delivery("clicks").await;
    assert_eq!(page["recordsIn"], count);
    let by_version = versions(&page);
    assert_eq!(by_version.values().sum::<u64>(), count);
    let text = objects.concat();
    for (hash, delivered) in by_version {
        let masked = masked(masks[&hash]);
        let of_version = text.lines().filter(|line| line.ends_with(&masked));
        assert_eq!(of_version.count() as u64, delivered, "{masked}");
    }
    service.stop().await;
}

#[tokio::test]
async fn another_component_with_the_same_manifest_is_another_version() {
    let (service, client, files) = with_transform().await;
    let before = client.read_page("plugins/redact-card-numbers").await;
    put_and_gather(&client, CARD).await;
    files.write_variant(PLUGIN, "second");
    let after = client
        .page_until("plugins/redact-card-numbers", |page| {
            page["hash"] != before["hash"]
        })
        .await;
    assert_eq!(after["version"], before["version"]);
    until_delivered(&client, 1).await;
    put_and_gather(&client, CARD).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('*'), masked('*')]);
    let page = client.delivery("clicks").await;
    let hash = |page: &Value| page["hash"].as_str().unwrap().to_owned();
    let wanted = BTreeMap::from([(hash(&before), 1), (hash(&after), 1)]);
    assert_eq!(versions(&page), wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_version_that_is_refused_leaves_the_one_before_in_force() {
    let (service, client, files) = with_transform().await;
    let before = client.read_page("plugins/redact-card-numbers").await;
    let digit = "name = 'redact-card-numbers'\nversion = '2'\n[config]\nmask = '7'\n";
    files.write(PLUGIN, "plugin.toml", digit);
    let page = client
        .page_until("plugins/redact-card-numbers", |page| {
            !page["refused"].is_null()
        })
        .await;
    let why = page["refused"].as_str().unwrap();
    assert!(why.contains("config mask: "), "{why}");
    assert_eq!(page["state"], "running");
    assert_eq!(
        (&page["hash"], &page["swaps"]),
        (&before["hash"], &json!(0))
    );
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('*')]);
    service.stop().await;
}

#[tokio::test]
async fn without_its_plugin_a_delivery_stream_loses_nothing_waits_and_says_so() {
    let (service, client, files) = with_transform().await;
    put_and_gather(&client, &format!("1: {CARD}")).await;
    files.remove(PLUGIN);
    // What was gathered goes through the version that was there.
    until_delivered(&client, 1).await;
    client.put_delivery("clicks", &[format!("2: {CARD}")]).await;
    let page = client
        .delivery_until("clicks", |page| !page["trouble"].is_null())
        .await;
    let wanted = "the plugin redact-card-numbers is not there";
    assert_eq!(page["trouble"], wanted);
    client.put_delivery("clicks", &[format!("3: {CARD}")]).await;
    let both_wait = |page: &Value| page["waitingRecords"] == 2 && page["trouble"].is_string();
    let page = client.delivery_until("clicks", both_wait).await;
    assert_eq!(page["trouble"], wanted);

    let service = service.restart().await;
    let client = service.client();
    let page = client.delivery_until("clicks", both_wait).await;
    assert_eq!(page["trouble"], wanted);
    assert_eq!(page["delivered"], 1);
    files.add(PLUGIN);
    client
        .page_until("plugins", |page| page["plugins"] != json!([]))
        .await;
    client.flush("clicks").await;
    let wanted = [
        format!("1: {}", masked('*')),
        format!("2: {0}3: {0}", masked('*')),
    ];
    assert_eq!(service.delivered(), wanted);
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["trouble"], &page["delivered"]),
        (&Value::Null, &json!(3))
    );
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_that_needs_no_plugin_any_more_does_not_wait_for_it() {
    let (service, client, files) = with_transform().await;
    files.remove(PLUGIN);
    let none = json!({"plugins": []});
    client.page_until("plugins", |page| *page == none).await;
    client.put_delivery("clicks", &[CARD]).await;
    client
        .delivery_until("clicks", |page| !page["trouble"].is_null())
        .await;
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": {"Enabled": false}},
    });
    client.call("Firehose.UpdateDestination", update).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [CARD]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_turns_from_one_plugin_to_another() {
    let (service, client, files) = with_transform().await;
    files.add("drop-bots");
    client
        .page_until("plugins", |page| {
            page["plugins"].as_array().unwrap().len() == 2
        })
        .await;
    put_and_gather(&client, CARD).await;
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": through("drop-bots")},
    });
    client.flush("clicks").await;
    client.call("Firehose.UpdateDestination", update).await;
    put_and_gather(&client, CARD).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('*'), CARD.to_owned()]);
    let page = client.delivery("clicks").await;
    let plugins = page["versions"].as_array().unwrap().iter();
    let plugins: Vec<&Value> = plugins.map(|version| &version["plugin"]).collect();
    assert_eq!(plugins, [PLUGIN, "drop-bots"]);
    service.stop().await;
}

#[tokio::test]
async fn a_swap_touches_no_delivery_stream_of_another_plugin() {
    let files = PluginFiles::with(&[PLUGIN, "drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    for (name, plugin) in [("clicks", PLUGIN), ("other", "drop-bots")] {
        let more = json!({
            "Prefix": format!("{name}/"),
            "ProcessingConfiguration": through(plugin),
        });
        client.create_delivery(name, more).await;
    }
    client.put_delivery("other", &["waits"]).await;
    client
        .delivery_until("other", |page| page["waitingBytes"] != 0)
        .await;
    put_and_gather(&client, CARD).await;
    files.mask_with(&client, '#').await;
    until_delivered(&client, 1).await;
    assert_eq!(service.delivered(), [masked('*')]);
    let page = client.delivery("other").await;
    assert_eq!(
        (&page["delivered"], &page["waitingRecords"]),
        (&json!(0), &json!(1))
    );
    client.flush("other").await;
    assert_eq!(service.delivered(), [masked('*'), "waits".to_owned()]);
    service.stop().await;
}
