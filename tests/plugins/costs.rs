//! What plugins cost: counts by version and account, processor time and memory, as `/metrics` and
//! the page of a plugin have them.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::guest::Guest;

/// The account of the tests, as metrics name it.
const ACCOUNT: &str = millrace_tests::ACCOUNT;

/// A guest that drops the records of a batch that holds a marked one, but for the first, which it
/// fails.
const FAILS_ONE_DROPS_THE_REST: &str = "
    (local.set $i (i32.const 0))
    (loop $next
      (call $put_head (i32.load offset=4 (local.get $answer)) (local.get $i) (local.get $i)
        (if (result i32) (i32.eqz (local.get $i)) (then (i32.const 2)) (else (i32.const 1))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $count))))";

/// Counts to a hundred million: more than a tick of any machine.
const BUSY: &str = "
    (local.set $long (i64.const 100000000))
    (loop $again
      (local.set $long (i64.sub (local.get $long) (i64.const 1)))
      (br_if $again (i64.ne (local.get $long) (i64.const 0))))";

async fn ground_with(guest: &Guest) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("own.wasm"), guest.component()).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground
}

/// Puts another version in the place of the one in force.
async fn swap(ground: &Ground, guest: &Guest, swaps: u64) {
    let path = ground.directory.path();
    fs::write(path.join(".next"), guest.component()).unwrap();
    fs::rename(path.join(".next"), path.join("own.wasm")).unwrap();
    ground
        .plugin_when("own", |page| page["swaps"] == swaps)
        .await;
}

/// The values of a metric of the plugin, by its labels but the plugin's.
async fn metric(ground: &Ground, name: &str) -> Vec<(String, f64)> {
    let metrics = ground.client.metrics_of_all().await;
    let begin = format!("millrace_{name}{{plugin=\"own\",");
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(&begin));
    let values = lines.map(|line| {
        let (labels, value) = line.split_once("} ").unwrap();
        (labels.to_owned(), value.parse().unwrap())
    });
    values.collect()
}

/// The one value of a metric of the plugin.
async fn the(ground: &Ground, name: &str) -> f64 {
    let values = metric(ground, name).await;
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].1
}

/// What the page says of the version in force.
async fn costs(ground: &Ground) -> Value {
    ground.plugin("own").await["costs"][0].clone()
}

#[tokio::test]
async fn records_of_a_transform_are_counted_by_what_became_of_them() {
    let ground = ground_with(&Guest::attacking(FAILS_ONE_DROPS_THE_REST)).await;
    ground.deliver("own", &["a", "b", "c", "d"]).await;
    ground.deliver("own", &["!", "x", "y"]).await;
    assert_eq!(ground.delivered("own"), ["a", "b", "c", "d"]);
    let outcomes = metric(&ground, "plugin_outcome_records_total").await;
    let counts: Vec<_> = outcomes
        .iter()
        .map(|(labels, count)| (labels.split_once("outcome=").unwrap().1, *count))
        .collect();
    let expected = [("\"ok\"", 4.0), ("\"dropped\"", 2.0), ("\"failed\"", 1.0)];
    assert_eq!(counts, expected);
    assert_eq!(the(&ground, "plugin_calls_total").await, 2.0);
    assert_eq!(the(&ground, "plugin_records_total").await, 7.0);
    assert_eq!(the(&ground, "plugin_batch_seconds_count").await, 2.0);
    let page = costs(&ground).await;
    let said = ["calls", "records", "ok", "dropped", "failed"].map(|name| &page[name]);
    assert_eq!(said.map(Value::as_u64), [2, 7, 4, 2, 1].map(Some), "{page}");
    assert_eq!(page["faults"], json!({}));
}

#[tokio::test]
async fn calls_that_fail_are_counted_by_why() {
    let all = [
        ("(unreachable)", "trap"),
        ("(loop $for_ever (br $for_ever))", "deadline"),
        (
            "(loop $more (drop (memory.grow (i32.const 16))) (br $more))",
            "memory",
        ),
        (
            "(loop $more (drop (call $now_ms)) (br $more))",
            "host_calls",
        ),
        ("(call $deep)", "stack"),
        // Of a list that the answer does not have.
        (
            "(i32.store offset=8 (local.get $answer) (i32.const 0))",
            "answer",
        ),
    ];
    for (attack, kind) in all {
        let guest = Guest {
            fields: "(func $deep (call $deep))".to_owned(),
            ..Guest::attacking(attack)
        };
        let limits = wasm::Limits {
            batch_time_max: Duration::from_millis(200),
            ..wasm::Limits::default()
        };
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("own.wasm"), guest.component()).unwrap();
        let ground = Ground::start_within(directory, limits).await;
        ground.stream_that_retries("own", 0).await;
        ground.deliver("own", &["!"]).await;
        let page = costs(&ground).await;
        let faults = page["faults"].as_object().unwrap();
        assert_eq!(faults.keys().collect::<Vec<_>>(), [kind], "{page}");
        let metric = metric(&ground, "plugin_faults_total").await;
        let labels = format!("kind=\"{kind}\"");
        assert!(metric[0].0.ends_with(&labels), "{metric:?}");
        assert_eq!(faults[kind].as_f64(), Some(metric[0].1));
        assert_eq!((&page["ok"], &page["failed"]), (&json!(0), &json!(1)));
    }
}

#[tokio::test]
async fn processor_time_of_a_busy_plugin_is_no_more_than_the_time_that_passed() {
    let ground = ground_with(&Guest::attacking(BUSY)).await;
    let before = the(&ground, "plugin_processor_seconds_total").await;
    let began = Instant::now();
    ground.deliver("own", &["!"]).await;
    let passed = began.elapsed().as_secs_f64();
    let busy = the(&ground, "plugin_processor_seconds_total").await - before;
    // A hundred million turns take no machine less. One delivery stream has one thread here.
    assert!((0.005..=passed).contains(&busy), "{busy} s in {passed} s");
    let of_account = metric(&ground, "plugin_account_processor_seconds_total").await;
    assert_eq!(of_account[0].0, format!("account=\"{ACCOUNT}\""));
    // The difference of two numbers is off by their rounding, which is below a nanosecond.
    let rounding = 1e-9;
    assert!(
        of_account[0].1 >= busy - rounding,
        "{of_account:?} for {busy} s"
    );
}

#[tokio::test]
async fn processor_time_of_calls_too_short_for_a_tick_is_counted() {
    let ground = ground_with(&Guest::default()).await;
    let before = the(&ground, "plugin_processor_seconds_total").await;
    ground.deliver("own", &["a"]).await;
    assert!(the(&ground, "plugin_processor_seconds_total").await > before);
}

#[tokio::test]
async fn the_memory_peak_is_what_the_largest_instance_had() {
    let grows = "(drop (memory.grow (i32.const 99)))";
    let ground = ground_with(&Guest::attacking(grows)).await;
    ground.deliver("own", &["a"]).await;
    let page = 65_536.0;
    assert_eq!(the(&ground, "plugin_memory_peak_bytes").await, page);
    ground.deliver("own", &["!"]).await;
    assert_eq!(the(&ground, "plugin_memory_peak_bytes").await, 100.0 * page);
    ground.deliver("own", &["a"]).await;
    assert_eq!(the(&ground, "plugin_memory_peak_bytes").await, 100.0 * page);
}

#[tokio::test]
async fn calls_are_counted_for_the_account_that_they_are_made_for() {
    let ground = ground_with(&Guest::default()).await;
    ground.deliver("own", &["a", "b"]).await;
    let account = format!("account=\"{ACCOUNT}\"");
    for (name, value) in [("calls", 1.0), ("records", 2.0)] {
        let values = metric(&ground, &format!("plugin_account_{name}_total")).await;
        assert_eq!(values, [(account.clone(), value)], "{name}");
    }
    let page = ground.plugin("own").await;
    assert_eq!(page["accounts"][0]["account"], ACCOUNT);
    assert_eq!(page["accounts"][0]["records"], 2);
    // Who deploys no plugins does not hear of what went through them for others.
    let other = ground.service.other_client();
    let theirs = other.read_page("plugins/own").await;
    assert_eq!(theirs["state"], "running");
    let told: &[&str] = &["number", "hash", "version", "signed"];
    let versions = theirs["versions"][0].as_object().unwrap();
    assert!(
        versions.keys().all(|it| told.contains(&it.as_str())),
        "{theirs}"
    );
    for hidden in [
        "costs", "accounts", "calls", "records", "counters", "cpuUs", "batchUs",
    ] {
        assert_ne!(
            page[hidden],
            Value::Null,
            "{hidden} is shown to those who deploy"
        );
        assert_eq!(theirs[hidden], Value::Null, "{hidden}");
    }
}

#[tokio::test]
async fn the_version_in_force_and_the_one_before_are_shown_and_older_ones_as_other() {
    let ground = ground_with(&Guest::numbered(1)).await;
    for number in 2..=4_u32 {
        ground.deliver("own", &["a", "b"]).await;
        swap(&ground, &Guest::numbered(number), u64::from(number) - 1).await;
    }
    ground.deliver("own", &["c"]).await;
    let calls = metric(&ground, "plugin_calls_total").await;
    let counts: Vec<_> = calls.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1.0, 1.0], "{calls:?}");
    let numbers = metric(&ground, "plugin_version_number").await;
    let numbers: Vec<_> = numbers.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [4.0, 3.0]);
    // Who goes by the number of an older one makes it work: that is counted with the others.
    ground.client.create_delivery("first", first()).await;
    ground.deliver("first", &["d", "e", "f"]).await;
    assert_eq!(ground.delivered("first"), ["d", "e", "f"]);
    let records = metric(&ground, "plugin_records_total").await;
    let other = records
        .iter()
        .find(|(labels, _)| labels == "version=\"other\"");
    assert_eq!(other.map(|(_, count)| *count), Some(3.0), "{records:?}");
    assert_eq!(records.len(), 3, "{records:?}");
    let page = ground.plugin("own").await;
    assert_eq!(page["costs"][2]["version"], "other");
    assert_eq!(page["costs"][2]["ok"], 3);
}

/// A destination that goes by the first version of the plugin.
fn first() -> Value {
    let region = millrace_tests::REGION;
    let function = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:own:1");
    json!({
        "BucketARN": "arn:aws:s3:::first",
        "Prefix": "delivered/",
        "ErrorOutputPrefix": "failed/",
        "ProcessingConfiguration": {"Enabled": true, "Processors": [
            {"Type": "Lambda", "Parameters": [
                {"ParameterName": "LambdaArn", "ParameterValue": function}]},
            {"Type": "AppendDelimiterToRecord", "Parameters": [
                {"ParameterName": "Delimiter", "ParameterValue": "\\n"}]},
        ]},
    })
}
