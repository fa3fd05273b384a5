//! The life of a plugin over its versions, over HTTP: rollback, pause, qualifiers and canaries
//! while records are on their way.

use std::fs;

use http::Method;
use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const PLUGIN: &str = "redact-card-numbers";
const PAGE: &str = "plugins/redact-card-numbers";
const CARD: &str = "4111 1111 1111 1111";

/// A card number as it looks behind this mask.
fn masked(mask: char) -> String {
    CARD.replacen(|c: char| c.is_ascii_digit(), &mask.to_string(), 12)
}

/// A server with the plugin, and nothing that goes through it.
async fn with_plugin() -> (Service, Client, PluginFiles) {
    let files = PluginFiles::with(&[PLUGIN]);
    let service = files.start().await;
    let client = service.client();
    (service, client, files)
}

/// The same with a delivery stream that goes by this qualifier, and versions 1 and 2, of which the
/// second masks with `#`.
async fn with_two_versions(qualifier: &str) -> (Service, Client, PluginFiles) {
    let (service, client, files) = with_plugin().await;
    files.mask_with(&client, '#').await;
    let more = json!({"ProcessingConfiguration": through(&format!("{PLUGIN}{qualifier}"))});
    client.create_delivery("clicks", more).await;
    (service, client, files)
}

/// Gives an order that must be carried out; its answer.
async fn order(client: &Client, order: &str) -> Value {
    let answer = client.page(Method::POST, &format!("{PAGE}/{order}")).await;
    let body = String::from_utf8_lossy(answer.body());
    assert_eq!(answer.status(), 200, "{order}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Gives an order that must be refused; its status and its text.
async fn refusal(client: &Client, order: &str) -> (u16, String) {
    let answer = client.page(Method::POST, &format!("{PAGE}/{order}")).await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let message = body["message"].as_str().unwrap_or_default().to_owned();
    (answer.status().as_u16(), message)
}

/// Delivers one record, and says how it was masked.
async fn mask_of_next(service: &Service, client: &Client) -> char {
    let before = service.delivered().len();
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    let delivered = service.delivered();
    assert_eq!(delivered.len(), before + 1, "{delivered:?}");
    delivered[before].chars().next().unwrap()
}

/// Puts one record and waits until it is seen to wait.
async fn put_and_gather(client: &Client) {
    client.put_delivery("clicks", &[CARD]).await;
    client
        .delivery_until("clicks", |page| {
            page["waitingRecords"] == 1 && page["waitingBytes"] != 0
        })
        .await;
}

/// The numbers of all versions that came into force, and how.
async fn history(client: &Client) -> Vec<(u64, String)> {
    let history = client.read_page(&format!("{PAGE}/history")).await;
    let events = history["events"].as_array().unwrap().iter();
    let event = |event: &Value| {
        let how = event["how"].as_str().unwrap().to_owned();
        (event["number"].as_u64().unwrap(), how)
    };
    events.map(event).collect()
}

fn events(wanted: &[(u64, &str)]) -> Vec<(u64, String)> {
    let own = |(number, how): &(u64, &str)| (*number, (*how).to_owned());
    wanted.iter().map(own).collect()
}

#[tokio::test]
async fn each_version_has_a_number_and_the_history_says_when_which_was_in_force() {
    let (service, client, files) = with_plugin().await;
    let second = files.mask_with(&client, '#').await;
    files.mask_with(&client, '+').await;
    // The second one again, as a file.
    let again = files.mask_with(&client, '#').await;
    assert_eq!(again, second);
    let wanted = events(&[(1, "file"), (2, "file"), (3, "file"), (2, "file")]);
    assert_eq!(history(&client).await, wanted);
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(history(&client).await, wanted);
    let page = client.read_page(&format!("{PAGE}/history")).await;
    assert_eq!(page["inForce"], 2);
    let version = &page["versions"][1];
    assert_eq!(
        (&version["number"], &version["hash"]),
        (&json!(2), &json!(second))
    );
    assert_eq!(version["version"], "#");
    assert_eq!(version["atMs"], 1_700_000_000_000_u64);
    // It was taken away and came back: its numbers are not given again.
    files.remove(PLUGIN);
    client
        .page_until("plugins", |page| page["plugins"] == json!([]))
        .await;
    files.add(PLUGIN);
    client
        .page_until("plugins", |page| page["plugins"][0]["number"] == 1)
        .await;
    files.mask_with(&client, '%').await;
    let page = client.read_page(PAGE).await;
    assert_eq!(page["number"], 4);
    let recent = page["recent"].as_array().unwrap().iter();
    let recent: Vec<&Value> = recent.map(|event| &event["number"]).collect();
    assert_eq!(recent, [2, 3, 2, 1, 4], "the last five");
    service.stop().await;
}

#[tokio::test]
async fn a_rollback_closes_the_cut_and_what_comes_after_goes_through_the_version_before() {
    let (service, client, _files) = with_two_versions("").await;
    put_and_gather(&client).await;
    let answer = order(&client, "rollback").await;
    assert_eq!(answer["version"]["number"], 1);
    client
        .delivery_until("clicks", |page| page["delivered"] == 1)
        .await;
    assert_eq!(service.delivered(), [masked('#')]);
    assert_eq!(mask_of_next(&service, &client).await, '*');
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["number"], &page["rollbacks"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(page["setAside"]["number"], 2);
    assert_eq!(page["setAside"]["why"], "rolled-back");
    let (status, why) = refusal(&client, "rollback").await;
    assert_eq!((status, &*why), (409, "There is no version before 1."));
    service.stop().await;
}

#[tokio::test]
async fn what_was_rolled_back_is_not_taken_again_until_its_files_change() {
    let (service, client, files) = with_two_versions("").await;
    order(&client, "rollback").await;
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(mask_of_next(&service, &client).await, '*');
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["state"], &page["refused"]),
        (&json!("running"), &Value::Null)
    );
    assert_eq!(page["setAside"]["why"], "rolled-back");
    files.mask_with(&client, '+').await;
    assert_eq!(mask_of_next(&service, &client).await, '+');
    assert_eq!(client.read_page(PAGE).await["setAside"], Value::Null);
    // Those files made an end of it: the ones before are taken like any others.
    files.mask_with(&client, '#').await;
    let wanted = [
        (1, "file"),
        (2, "file"),
        (1, "rollback"),
        (3, "file"),
        (2, "file"),
    ];
    assert_eq!(history(&client).await, events(&wanted));
    service.stop().await;
}

#[tokio::test]
async fn files_that_change_while_there_is_no_server_are_taken_though_others_were_set_aside() {
    let (service, client, files) = with_two_versions("").await;
    order(&client, "rollback").await;
    let other = "name = 'redact-card-numbers'\nversion = '%'\n[config]\nmask = '%'\n";
    let change = || files.write(PLUGIN, "plugin.toml", other);
    let service = service.restart_after(change).await;
    let client = service.client();
    assert_eq!(client.read_page(PAGE).await["number"], 3);
    assert_eq!(mask_of_next(&service, &client).await, '%');
    service.stop().await;
}

/// A crash before a rollback is noted, with half of the note there, and one after that, before
/// anybody is told.
#[tokio::test]
async fn a_server_that_crashed_in_a_rollback_has_the_version_of_before_it_or_of_after_it() {
    let (service, client, _files) = with_two_versions("").await;
    let file = service.kept_plugins().join("lives").join(PLUGIN);
    let before = fs::read(&file).unwrap();
    order(&client, "rollback").await;
    let after = fs::read(&file).unwrap();
    let crash = || {
        fs::write(&file, before).unwrap();
        fs::write(file.with_extension("tmp"), &after[..after.len() / 2]).unwrap();
    };
    let service = service.restart_after(crash).await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["number"], &page["setAside"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(mask_of_next(&service, &client).await, '#');
    let service = service
        .restart_after(|| fs::write(&file, &after).unwrap())
        .await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["number"], &page["setAside"]["number"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(mask_of_next(&service, &client).await, '*');
    service.stop().await;
}

/// Numbers would be given twice.
#[tokio::test]
async fn a_plugin_whose_history_is_damaged_waits_for_an_operator() {
    let (service, client, _files) = with_two_versions("").await;
    client.put_delivery("clicks", &[CARD]).await;
    let file = service.kept_plugins().join("lives").join(PLUGIN);
    let whole = fs::read(&file).unwrap();
    let damage = || fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    let service = service.restart_after(damage).await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    let why = page["refused"].as_str().unwrap();
    assert!(
        why.contains("its history cannot be read (it is cut off)"),
        "{why}"
    );
    assert_eq!(service.delivered(), [""; 0]);
    let service = service
        .restart_after(|| fs::write(&file, &whole).unwrap())
        .await;
    let client = service.client();
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('#')]);
    service.stop().await;
}

#[tokio::test]
async fn what_was_set_aside_is_in_force_again_once_an_operator_says_so() {
    let (service, client, _files) = with_two_versions("").await;
    order(&client, "rollback").await;
    let answer = order(&client, "resume").await;
    assert_eq!(answer["version"]["number"], 2);
    assert_eq!(mask_of_next(&service, &client).await, '#');
    order(&client, "rollback").await;
    let hash = client.read_page(PAGE).await["setAside"]["hash"].clone();
    let hash = hash.as_str().unwrap()[..12].to_owned();
    order(&client, &format!("rollback/{hash}")).await;
    assert_eq!(mask_of_next(&service, &client).await, '#');
    assert_eq!(client.read_page(PAGE).await["setAside"], Value::Null);
    let wanted = [
        (1, "file"),
        (2, "file"),
        (1, "rollback"),
        (2, "resume"),
        (1, "rollback"),
        (2, "rollback"),
    ];
    assert_eq!(history(&client).await, events(&wanted));
    let (status, why) = refusal(&client, "resume").await;
    let told = "The plugin is not paused, and nothing of it was set aside.";
    assert_eq!((status, &*why), (409, told));
    service.stop().await;
}

#[tokio::test]
async fn an_order_that_names_nothing_changes_nothing() {
    let (service, client, _files) = with_two_versions("").await;
    let before = client.read_page(PAGE).await;
    let named = "A version is named by its number, or by at least 12 digits of its hash.";
    let alias = "an alias is 1 to 128 letters, digits, '-' and '_', begins with no '-' and is not \
                 a number.";
    for (order, status, told) in [
        ("rollback/7", 400, "The plugin has no version 7."),
        ("rollback/2", 409, "Version 2 is in force already."),
        ("rollback/abc", 400, named),
        (
            "rollback/0123456789ab",
            400,
            "The plugin has no version 0123456789ab.",
        ),
        ("aliases/live/7", 400, "The plugin has no version 7."),
        ("aliases/7/1", 400, alias),
        ("aliases/live/delete", 400, "The plugin has no alias live."),
        ("canary/1/0", 400, "A canary's share is 1 to 99 percent."),
        ("canary/1/100", 400, "A canary's share is 1 to 99 percent."),
        (
            "canary/1/many",
            400,
            "A canary's share is a number of percent.",
        ),
        ("canary/2/10", 409, "Version 2 is in force."),
        ("canary/promote", 409, "The plugin has no canary."),
        ("canary/end", 409, "The plugin has no canary."),
        ("no-order", 404, "There is no such page."),
    ] {
        assert_eq!(
            refusal(&client, order).await,
            (status, told.to_owned()),
            "{order}"
        );
    }
    let none = client.page(Method::POST, "plugins/none/pause").await;
    assert_eq!(none.status(), 404);
    let read = client.page(Method::GET, &format!("{PAGE}/pause")).await;
    assert_eq!(read.status(), 405);
    assert_eq!(read.headers()["allow"], "POST");
    assert_eq!(client.read_page(PAGE).await, before);
    service.stop().await;
}

/// Plugins are of all accounts: one that nobody trusts would stop the deliveries of others.
#[tokio::test]
async fn an_account_that_does_not_deploy_plugins_gives_no_order() {
    let (service, client, _files) = with_two_versions("").await;
    let other = service.other_client();
    let before = client.read_page(PAGE).await;
    for order in [
        "rollback",
        "pause",
        "resume",
        "aliases/live/1",
        "canary/1/10",
    ] {
        let (status, told) = refusal(&other, order).await;
        assert_eq!(status, 400, "{order}");
        let why = "Account 111111111111 does not deploy plugins: they are of all accounts, and";
        assert!(told.starts_with(why), "{told}");
    }
    assert_eq!(client.read_page(PAGE).await, before);
    assert_eq!(other.read_page(PAGE).await["number"], 2, "it may look");
    service.stop().await;
}

#[tokio::test]
async fn records_wait_while_a_plugin_is_paused_also_over_a_restart() {
    let (service, client, _files) = with_two_versions("").await;
    order(&client, "pause").await;
    client.put_delivery("clicks", &[CARD]).await;
    let waits = |page: &Value| page["trouble"] == "the plugin redact-card-numbers is paused";
    client.delivery_until("clicks", waits).await;
    let (_, health) = client.health().await;
    assert_eq!(health, "ok\n", "an operator wants it so");
    let service = service.restart().await;
    let client = service.client();
    client.delivery_until("clicks", waits).await;
    let page = client.read_page(PAGE).await;
    assert_eq!(page["state"], "paused");
    assert_eq!(page["pausedAtMs"], 1_700_000_000_000_u64);
    assert_eq!(service.delivered(), [""; 0]);
    order(&client, "resume").await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('#')]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_goes_by_the_version_that_its_function_names() {
    let (service, client, files) = with_two_versions(":1").await;
    assert_eq!(mask_of_next(&service, &client).await, '*');
    put_and_gather(&client).await;
    files.mask_with(&client, '+').await;
    let page = client.delivery("clicks").await;
    assert_eq!(page["waitingRecords"], 1, "no swap closes the cut: {page}");
    let service = service.restart().await;
    let client = service.client();
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [masked('*'), masked('*')]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_hears_of_an_alias_that_moved_or_is_gone() {
    let (service, client, _files) = with_plugin_and_alias().await;
    assert_eq!(mask_of_next(&service, &client).await, '*');
    put_and_gather(&client).await;
    order(&client, "aliases/live/2").await;
    client
        .delivery_until("clicks", |page| page["delivered"] == 2)
        .await;
    assert_eq!(mask_of_next(&service, &client).await, '#');
    order(&client, "aliases/live/delete").await;
    client.put_delivery("clicks", &[CARD]).await;
    let told = "the plugin redact-card-numbers has no alias live";
    let waits = |page: &Value| page["trouble"] == told;
    client.delivery_until("clicks", waits).await;
    let (_, health) = client.health().await;
    assert_eq!(health, "degraded: 1 delivery streams have no plugin\n");
    let service = service.restart().await;
    let client = service.client();
    client.delivery_until("clicks", waits).await;
    order(&client, "aliases/live/1").await;
    client.flush("clicks").await;
    let wanted = ['*', '*', '#', '*'].map(masked);
    assert_eq!(service.delivered(), wanted);
    service.stop().await;
}

/// A delivery stream that goes by the alias `live`, which stands for version 1 of two.
async fn with_plugin_and_alias() -> (Service, Client, PluginFiles) {
    let (service, client, files) = with_plugin().await;
    files.mask_with(&client, '#').await;
    order(&client, "aliases/live/1").await;
    let more = json!({"ProcessingConfiguration": through(&format!("{PLUGIN}:live"))});
    client.create_delivery("clicks", more).await;
    (service, client, files)
}

/// Puts records to each of many delivery streams and delivers them; how many went through the
/// version that masks with `*`.
async fn through_the_first(service: &Service, client: &Client, names: &[String]) -> usize {
    for name in names {
        client.put_delivery(name, &[CARD]).await;
        client.flush(name).await;
    }
    let delivered = service.delivered();
    assert_eq!(delivered.len() % names.len(), 0);
    let first = delivered.iter().filter(|text| text.starts_with('*'));
    first.count()
}

/// Delivery streams enough that a share of half of them is neither none nor all: one in a
/// thousand runs of drawn lots would fail with ten, and these lots are always the same.
const LANES: usize = 12;

#[tokio::test]
async fn a_canary_has_a_share_of_the_lanes_and_each_keeps_its_version() {
    let (service, client, files) = with_plugin().await;
    files.mask_with(&client, '#').await;
    let names: Vec<String> = (0..LANES).map(|number| format!("lane-{number}")).collect();
    for name in &names {
        let more = json!({"ProcessingConfiguration": through(PLUGIN)});
        client.create_delivery(name, more).await;
    }
    assert_eq!(through_the_first(&service, &client, &names).await, 0);
    order(&client, "canary/1/50").await;
    let share = through_the_first(&service, &client, &names).await;
    assert!((1..LANES).contains(&share), "{share}");
    let again = through_the_first(&service, &client, &names).await;
    assert_eq!(again, 2 * share);
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(
        through_the_first(&service, &client, &names).await,
        3 * share
    );
    let page = client.read_page(PAGE).await;
    let canary = json!({"number": 1, "percent": 50, "sinceMs": 1_700_000_000_000_u64});
    assert_eq!((&page["number"], &page["canary"]), (&json!(2), &canary));
    let versions = page["versions"].as_array().unwrap();
    let ended = |number: u64| {
        let version = versions.iter().find(|it| it["number"] == number).unwrap();
        version["ended"].as_u64().unwrap()
    };
    let wanted = (share as u64, (LANES - share) as u64);
    assert_eq!((ended(1), ended(2)), wanted, "{page}");
    order(&client, "canary/end").await;
    assert_eq!(
        through_the_first(&service, &client, &names).await,
        3 * share
    );
    order(&client, "canary/1/50").await;
    order(&client, "canary/promote").await;
    let all = through_the_first(&service, &client, &names).await;
    assert_eq!(all, 3 * share + LANES);
    let wanted = [(1, "file"), (2, "file"), (1, "canary-promoted")];
    assert_eq!(history(&client).await, events(&wanted));
    assert_eq!(client.read_page(PAGE).await["setAside"]["number"], 2);
    service.stop().await;
}

#[tokio::test]
async fn a_manifest_makes_a_new_version_a_canary_also_over_a_restart() {
    let (service, client, files) = with_plugin().await;
    let manifest = "name = 'redact-card-numbers'\nversion = '2'\n[config]\nmask = '#'\n\
                    [rollout]\ncanary_percent = 50\n";
    files.write(PLUGIN, "plugin.toml", manifest);
    client
        .page_until(PAGE, |page| page["canary"]["number"] == 2)
        .await;
    let service = service.restart().await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["number"], &page["canary"]["number"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(page["refused"], Value::Null);
    order(&client, "canary/end").await;
    let service = service.restart().await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["number"], &page["canary"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(page["setAside"]["why"], "canary-ended");
    // An operator may want it for all, though its manifest asks for less.
    order(&client, "resume").await;
    assert_eq!(client.read_page(PAGE).await["number"], 2);
    service.stop().await;
}

/// What each order does while records keep coming.
#[tokio::test]
async fn no_order_loses_or_repeats_a_record_though_they_keep_coming() {
    let (service, client, files) = with_plugin_and_alias().await;
    let more = json!({"ProcessingConfiguration": through(PLUGIN), "Prefix": "other/"});
    client.create_delivery("others", more).await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let putting = tokio::spawn({
        let client = client.clone();
        async move {
            let mut count = 0_u64;
            while !*stopped.borrow_and_update() {
                let records = [0, 1, 2].map(|n| format!("{:06}: {CARD}\n", count + n));
                client.put_delivery("clicks", &records).await;
                client.put_delivery("others", &records).await;
                count += 3;
            }
            count
        }
    });
    for next in [
        "aliases/live/2",
        "rollback",
        "aliases/live/1",
        "pause",
        "resume",
        "canary/2/50",
        "canary/end",
        "canary/2/99",
        "canary/promote",
        "rollback/1",
        "resume",
    ] {
        order(&client, next).await;
        let waiting = client.delivery("others").await["recordsIn"]
            .as_u64()
            .unwrap();
        let comes = |page: &Value| page["recordsIn"].as_u64().unwrap() > waiting;
        client.delivery_until("others", comes).await;
    }
    files.mask_with(&client, '%').await;
    stop.send_replace(true);
    let count = putting.await.unwrap();
    client.flush("clicks").await;
    client.flush("others").await;
    let objects = service.objects("logs");
    for is_other in [false, true] {
        let of = objects
            .iter()
            .filter(|it| it.key.starts_with("other/") == is_other);
        let mut numbers = Vec::new();
        for object in of {
            let mut texts = Vec::new();
            for line in object.text().lines() {
                let (number, text) = line.split_once(": ").unwrap();
                numbers.push(number.parse::<u64>().unwrap());
                texts.push(text);
            }
            texts.dedup();
            assert_eq!(texts.len(), 1, "one version in an object");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    }
    service.stop().await;
}
