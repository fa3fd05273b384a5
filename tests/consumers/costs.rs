//! What the plugin of an application costs, and how far behind its shards are.

use std::time::Instant;

use serde_json::json;

use crate::counter::counter;
use crate::ground::{PLUGIN, Plugins, create_app, put, until, until_done};

/// The values of a metric of the plugin, by its labels but the plugin's.
fn values(metrics: &str, name: &str) -> Vec<(String, f64)> {
    let begin = format!("millrace_{name}{{plugin=\"{PLUGIN}\",");
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(&begin));
    let values = lines.map(|line| {
        let (labels, value) = line.split_once("} ").unwrap();
        (labels.to_owned(), value.parse().unwrap())
    });
    values.collect()
}

#[tokio::test]
async fn records_of_a_consumer_are_counted_by_what_became_of_them() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let began = Instant::now();
    let texts: Vec<_> = (0..300).map(|number| format!("word-{number}")).collect();
    put(&client, &texts).await;
    put(&client, &["!".to_owned()]).await;
    create_app(&client).await;
    until(&client, |app| app["deadLetters"] == json!(1)).await;
    until_done(&client, 300).await;
    let metrics = client.metrics_of_all().await;
    let outcomes = values(&metrics, "plugin_outcome_records_total");
    let counts: Vec<_> = outcomes
        .iter()
        .map(|(labels, count)| (labels.split_once("outcome=").unwrap().1, *count))
        .collect();
    let expected = [("\"ok\"", 300.0), ("\"dropped\"", 0.0), ("\"failed\"", 1.0)];
    assert_eq!(counts, expected);
    let faults = values(&metrics, "plugin_faults_total");
    assert!(faults[0].0.ends_with("kind=\"trap\""), "{faults:?}");
    let account = format!("account=\"{}\"", millrace_tests::ACCOUNT);
    let calls = values(&metrics, "plugin_account_calls_total");
    let all_calls = values(&metrics, "plugin_calls_total");
    assert_eq!(calls, [(account, all_calls[0].1)]);
    let processor = values(&metrics, "plugin_processor_seconds_total");
    // Two shards, each with a thread at most.
    let passed = 2.0 * began.elapsed().as_secs_f64();
    assert!(
        processor[0].1 > 0.0 && processor[0].1 < passed,
        "{processor:?}"
    );
    service.stop().await;
}
