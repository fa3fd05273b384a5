//! AddApplicationCloudWatchLoggingOption.

use serde_json::{Value, json};

use crate::ground::{Model, NAME, refuses_other_versions_and_names, role, with_bare_application};

/// A log stream for errors.
pub fn option(model: Model) -> Value {
    let mut option = json!({
        "LogStreamARN": "arn:aws:logs:eu-central-1:000000000000:log-group:g:log-stream:s",
    });
    if model == Model::One {
        option["RoleARN"] = json!(role());
    }
    json!({"CloudWatchLoggingOption": option})
}

#[tokio::test]
async fn one_log_stream_is_kept_and_told() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let add = "AddApplicationCloudWatchLoggingOption";
        refuses_other_versions_and_names(&caller, add, option(model)).await;
        let answer = caller.change(1, add, option(model)).await;
        if model == Model::Two {
            assert_eq!(answer["ApplicationVersionId"], 2);
            assert!(answer["OperationId"].is_string());
            let told = &answer["CloudWatchLoggingOptionDescriptions"][0];
            assert_eq!(told["CloudWatchLoggingOptionId"], "2.1");
        }
        let told = &caller.part("CloudWatchLoggingOptionDescriptions").await[0];
        assert_eq!(told["CloudWatchLoggingOptionId"], "2.1");
        let code = caller.no_change(2, add, option(model)).await;
        assert_eq!(code, "InvalidArgumentException", "one is the most");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_token_says_as_much_as_a_version() {
    let (service, caller) = with_bare_application(Model::Two).await;
    let add = "AddApplicationCloudWatchLoggingOption";
    let with_token = |token: &Value| {
        let mut input = option(Model::Two);
        input["ApplicationName"] = json!(NAME);
        input["ConditionalToken"] = token.clone();
        input
    };
    let code = caller.code(add, with_token(&json!("another"))).await;
    assert_eq!(code, "ConcurrentModificationException");
    let mut neither = option(Model::Two);
    neither["ApplicationName"] = json!(NAME);
    assert_eq!(caller.code(add, neither).await, "InvalidArgumentException");
    let token = caller.detail().await["ConditionalToken"].clone();
    caller.call(add, with_token(&token)).await;
    let now = caller.detail().await["ConditionalToken"].clone();
    assert_ne!(now, token);
    service.stop().await;
}
