//! Records are counted once each, in tables and in what is emitted.

use base64_simd::STANDARD;
use millrace_tests::{Client, shard_id};
use serde_json::{Value, json};

use crate::counter::counter;
use crate::ground::{
    APP, Plugins, TEXT, alerts, counted, create_app, describe, put, until, until_done, words,
};

fn texts(from: usize, to: usize) -> Vec<String> {
    (from..to)
        .map(|number| format!("word-{}", number * number % 37))
        .collect()
}

#[tokio::test]
async fn every_record_is_counted_once_in_the_table_and_in_the_alerts() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let all = texts(0, 1_200);
    put(&client, &all[..700]).await;
    create_app(&client).await;
    until_done(&client, 700).await;
    put(&client, &all[700..]).await;
    let app = until_done(&client, 1_200).await;
    let (counts, alerted) = counted(&all);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    assert_eq!(app["emitted"], json!(alerted.values().sum::<u64>()));
    assert_eq!(app["state"], "RUNNING");
    service.stop().await;
}

/// Writes the count of the word `hot` again and again, each time as it is.
async fn write_the_hot_row(client: &Client) {
    let key = json!({"key": {"B": STANDARD.encode_to_string("hot")}});
    let get = json!({"TableName": "words", "Key": key}).to_string();
    loop {
        let answer = client.send("DynamoDb.GetItem", get.clone().into()).await;
        // Before the first count there is no table.
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        let Some(item) = answer.get("Item") else {
            continue;
        };
        let put = json!({
            "TableName": "words", "Item": item, "ConditionExpression": "#v = :v",
            "ExpressionAttributeNames": {"#v": "value"},
            "ExpressionAttributeValues": {":v": item["value"]},
        });
        client
            .send("DynamoDb.PutItem", put.to_string().into())
            .await;
    }
}

/// Without the turns of the row a batch would go through in the end, once it is so small that the
/// client is slower: what shows that it had them is that all records went through in one batch.
#[tokio::test]
async fn a_client_that_never_stops_changing_a_row_does_not_keep_an_application_from_it() {
    // A batch takes a while after it has read, so that the row is always changed meanwhile.
    let mut guest = counter();
    let state = guest.state.as_mut().unwrap();
    state[1] = format!(
        "(local $turns i32)
         (local.set $turns (i32.const 20000000))
         (loop $again
           (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
           (br_if $again (local.get $turns)))
         {}",
        state[1]
    );
    let plugins = Plugins::with(&guest);
    let service = plugins.serve(1).await;
    let client = service.client();
    let all = vec!["hot".to_owned(); 301];
    create_app(&client).await;
    put(&client, &all[..1]).await;
    until_done(&client, 1).await;
    let done = async {
        put(&client, &all[1..]).await;
        until_done(&client, 301).await;
        // Those of a commit are shown once the store has answered, after the records are.
        until(&client, |app| {
            app["shards"][0]["batches"].as_u64() > Some(1)
        })
        .await
    };
    let app = tokio::select! {
        () = write_the_hot_row(&client) => unreachable!("it does not end"),
        app = done => app,
    };
    let shard = &app["shards"][0];
    // The row is kept from the client from the fourth try on.
    let conflicts = shard["conflicts"].as_u64().unwrap();
    assert!((1..=4).contains(&conflicts), "{app}");
    assert_eq!(shard["batches"], 2, "{app}");
    let (counts, alerted) = counted(&all);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    service.stop().await;
}

#[tokio::test]
async fn a_split_in_the_middle_changes_nothing_and_children_come_after_their_parent() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    let all = texts(0, 900);
    create_app(&client).await;
    put(&client, &all[..300]).await;
    let half = (1_u128 << 127).to_string();
    let split = json!({
        "StreamName": TEXT, "ShardToSplit": shard_id(0), "NewStartingHashKey": half,
    });
    client.call("SplitShard", split).await;
    client.until_active(TEXT).await;
    put(&client, &all[300..]).await;
    until_done(&client, 900).await;
    let (counts, alerted) = counted(&all);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    let app = until(&client, |app| app["shards"][0]["state"] == "done").await;
    let states: Vec<_> = app["shards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["state"])
        .collect();
    assert_eq!(states, ["done", "here", "here"]);
    service.stop().await;
}

#[tokio::test]
async fn an_application_goes_on_where_it_was_after_a_restart() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let all = texts(0, 600);
    create_app(&client).await;
    put(&client, &all[..250]).await;
    until_done(&client, 250).await;
    let service = service.restart().await;
    let client = service.client();
    put(&client, &all[250..]).await;
    until_done(&client, 600).await;
    let (counts, alerted) = counted(&all);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    service.stop().await;
}

#[tokio::test]
async fn eight_shards_that_write_the_same_rows_come_to_what_one_would() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(8).await;
    let client = service.client();
    create_app(&client).await;
    // The same few words in all shards: the partition key is another for each.
    let mut all = Vec::new();
    for round in 0..20 {
        let records: Vec<_> = (0..200)
            .map(|number| {
                let text = format!("w{}", number % 3);
                all.push(text.clone());
                let data = base64_simd::STANDARD.encode_to_string(&text);
                json!({"Data": data, "PartitionKey": format!("{round}-{number}")})
            })
            .collect();
        let input = json!({"StreamName": TEXT, "Records": records});
        client.call("PutRecords", input).await;
    }
    let app = until_done(&client, 4_000).await;
    let (counts, alerted) = counted(&all);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    assert_eq!(app["deadLetters"], 0);
    service.stop().await;
}

#[tokio::test]
async fn what_begins_with_the_latest_leaves_what_was_there_before() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let all = texts(0, 200);
    put(&client, &all[..100]).await;
    let body = json!({"stream": TEXT, "plugin": "counter", "start": "LATEST"});
    let (status, _) = client.post_page(&format!("apps/{APP}/create"), &body).await;
    assert_eq!(status, 200);
    put(&client, &all[100..]).await;
    until_done(&client, 100).await;
    assert_eq!(words(&client).await, counted(&all[100..]).0);
    service.stop().await;
}

#[tokio::test]
async fn one_that_is_paused_stands_still_and_one_that_is_deleted_leaves_its_tables() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let all = texts(0, 300);
    create_app(&client).await;
    put(&client, &all[..100]).await;
    until_done(&client, 100).await;
    let order = async |order: &str| {
        let page = format!("apps/{APP}/{order}");
        let (status, answer) = client.post_page(&page, &json!({})).await;
        assert_eq!((status, answer), (200, json!({"done": true})));
    };
    order("pause").await;
    until(&client, |app| {
        let shards = app["shards"].as_array().unwrap();
        shards.iter().all(|shard| shard["state"] != "here")
    })
    .await;
    put(&client, &all[100..]).await;
    assert_eq!(describe(&client).await["processed"], 100);
    order("resume").await;
    until_done(&client, 300).await;
    order("delete").await;
    let list = client
        .page_until("apps", |page| page["apps"] == json!([]))
        .await;
    assert_eq!(list["apps"], json!([]));
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}
