//! `GET plugins/NAME/profile`: where a plugin spends its time, in the format of Firefox's profiler.

use std::fs;

use http::Method;
use serde_json::Value;
use tokio::join;

use crate::ground::Ground;
use crate::guest::Guest;

/// What a batch with a marked record does: a function of its own counts to three hundred million.
const BUSY: &str = "(call $count_to_much)";

fn busy() -> Guest {
    let fields = "(func $count_to_much (local $long i64)
        (local.set $long (i64.const 300000000))
        (loop $again
          (local.set $long (i64.sub (local.get $long) (i64.const 1)))
          (br_if $again (i64.ne (local.get $long) (i64.const 0)))))";
    Guest {
        fields: fields.to_owned(),
        ..Guest::attacking(BUSY)
    }
}

async fn ground() -> Ground {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("own.wasm"), busy().component()).unwrap();
    let limits = wasm::Limits {
        // Beside other tests a debug build counts slowly.
        batch_time_max: std::time::Duration::from_secs(60),
        ..wasm::Limits::default()
    };
    let ground = Ground::start_within(directory, limits).await;
    ground.stream("own").await;
    ground
}

async fn profile(ground: &Ground, plugin: &str) -> (u16, Value) {
    let page = format!("plugins/{plugin}/profile?seconds=1");
    let answer = ground.client.page(Method::GET, &page).await;
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(answer.body()).unwrap())
}

fn numbers(column: &Value) -> Vec<usize> {
    let values = column.as_array().unwrap().iter();
    let numbers = values.map(|value| usize::try_from(value.as_u64().unwrap()).unwrap());
    numbers.collect()
}

/// The functions of each sample of a profile, the innermost first, as a reader of the format finds
/// them.
fn stacks(profile: &Value) -> Vec<Vec<String>> {
    let shared = &profile["shared"];
    let strings = shared["stringArray"].as_array().unwrap();
    let names = numbers(&shared["funcTable"]["name"]);
    let functions = numbers(&shared["frameTable"]["func"]);
    let frames = numbers(&shared["stackTable"]["frame"]);
    let prefixes = shared["stackTable"]["prefix"].as_array().unwrap();
    let mut all = Vec::new();
    for thread in profile["threads"].as_array().unwrap() {
        let samples = &thread["samples"];
        let stacks = samples["stack"].as_array().unwrap();
        assert_eq!(samples["length"], stacks.len());
        for column in ["threadCPUDelta", "timeDeltas", "weight"] {
            assert_eq!(samples[column].as_array().unwrap().len(), stacks.len());
        }
        for stack in stacks {
            let mut stack = stack.as_u64();
            let mut functions_of_it = Vec::new();
            while let Some(place) = stack {
                let place = usize::try_from(place).unwrap();
                let name = &strings[names[functions[frames[place]]]];
                functions_of_it.push(name.as_str().unwrap().to_owned());
                stack = prefixes[place].as_u64();
            }
            all.push(functions_of_it);
        }
    }
    all
}

/// Every column of a table is as long as the table says.
fn is_whole(table: &Value) {
    let length = usize::try_from(table["length"].as_u64().unwrap()).unwrap();
    for (name, column) in table.as_object().unwrap() {
        if name != "length" {
            assert_eq!(column.as_array().unwrap().len(), length, "{name}");
        }
    }
}

#[tokio::test]
async fn a_profile_names_the_functions_in_which_a_busy_plugin_is() {
    let ground = ground().await;
    let busy = async {
        for _ in 0..3 {
            ground.deliver("own", &["!"]).await;
        }
    };
    let ((status, profile), ()) = join!(profile(&ground, "own"), busy);
    assert_eq!(status, 200, "{profile}");
    let stacks = stacks(&profile);
    assert!(!stacks.is_empty());
    let counts = |stack: &Vec<String>| stack.first().is_some_and(|it| it.contains("count_to_much"));
    let in_it = stacks.iter().filter(|stack| counts(stack)).count();
    assert!(in_it > 0, "{stacks:?}");
    // Whoever called it is below it: a function that has no name has a number.
    let called = stacks.iter().find(|stack| counts(stack)).unwrap();
    assert!(
        called.len() >= 2 && called[1].starts_with("function "),
        "{called:?}"
    );
    // What a reader of the format looks at first.
    assert_eq!(profile["meta"]["preprocessedProfileVersion"], 62);
    assert_eq!(profile["meta"]["product"], "millrace plugin own");
    assert_eq!(profile["meta"]["samplesLeftOut"], 0);
    for table in [
        "frameTable",
        "funcTable",
        "resourceTable",
        "stackTable",
        "nativeSymbols",
    ] {
        is_whole(&profile["shared"][table]);
    }
    // Nothing of the host, and nothing of records.
    let text = profile.to_string();
    for word in ["wasmtime", "tokio", "/root", "/home"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_profile_of_an_idle_plugin_has_no_samples_and_what_was_before_is_in_none() {
    let ground = ground().await;
    ground.deliver("own", &["!"]).await;
    let (status, profile) = profile(&ground, "own").await;
    assert_eq!(status, 200);
    assert_eq!(stacks(&profile), Vec::<Vec<String>>::new());
    assert_eq!(profile["shared"]["funcTable"]["length"], 0);
}

#[tokio::test]
async fn a_plugin_has_one_profile_at_a_time_and_another_plugin_has_its_own() {
    let ground = ground().await;
    let all = join!(
        profile(&ground, "own"),
        profile(&ground, "own"),
        profile(&ground, "victim"),
    );
    let statuses = [all.0.0, all.1.0, all.2.0];
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!((taken, statuses[2]), (2, 200), "{statuses:?}");
    let refused = if statuses[0] == 200 {
        &all.1.1
    } else {
        &all.0.1
    };
    assert_eq!(refused["__type"], "ResourceInUseException");
    // It is over, and so is what stood in the way.
    assert_eq!(profile(&ground, "own").await.0, 200);
}

#[tokio::test]
async fn only_those_who_deploy_plugins_profile_them_and_only_those_that_are_there() {
    let ground = ground().await;
    let other = ground.service.other_client();
    let answer = other
        .page(Method::GET, "plugins/own/profile?seconds=1")
        .await;
    assert_eq!(answer.status(), 400);
    assert!(String::from_utf8_lossy(answer.body()).contains("AccessDeniedException"));
    assert_eq!(profile(&ground, "none").await.0, 404);
    for bad in ["0", "61", "x"] {
        let page = format!("plugins/own/profile?seconds={bad}");
        let answer = ground.client.page(Method::GET, &page).await;
        assert_eq!(answer.status(), 400, "{bad}");
    }
}
