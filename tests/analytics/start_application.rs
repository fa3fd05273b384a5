//! StartApplication.

use serde_json::json;

use crate::ground::{CODE, Model, NAME, with_application, with_bare_application};

#[tokio::test]
async fn an_application_that_is_ready_is_started() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let input = caller.starting("1.1", "TRIM_HORIZON");
        let answer = caller.call("StartApplication", input.clone()).await;
        match model {
            Model::One => assert_eq!(answer, json!({})),
            Model::Two => assert!(answer["OperationId"].is_string()),
        }
        caller.until("RUNNING").await;
        let told = &caller.part("InputDescriptions").await[0];
        let position = &told["InputStartingPositionConfiguration"];
        assert_eq!(*position, json!({"InputStartingPosition": "TRIM_HORIZON"}));
        let code = caller.code("StartApplication", input).await;
        assert_eq!(code, "ResourceInUseException");
        assert_eq!(caller.version().await, 1, "a start is no configuration");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_work_is_not_started() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let nothing = match model {
            Model::One => json!({"ApplicationName": NAME, "InputConfigurations": []}),
            Model::Two => json!({"ApplicationName": NAME}),
        };
        let wrong = "InvalidApplicationConfigurationException";
        let code = caller.code("StartApplication", nothing.clone()).await;
        assert_eq!(code, wrong, "it has no input");
        let members = json!({"Input": model.input("ticks")});
        caller.change(1, "AddApplicationInput", members).await;
        let code = caller.code("StartApplication", nothing.clone()).await;
        assert_eq!(code, wrong, "it has no code");
        caller
            .change(2, "UpdateApplication", model.new_code(CODE))
            .await;
        caller.client.delete("ticks").await;
        let code = caller.code("StartApplication", nothing.clone()).await;
        assert_eq!(code, wrong, "its stream was deleted");
        caller.client.create("ticks", 1).await;
        caller.call("StartApplication", nothing).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn positions_are_of_inputs_that_are_there_and_of_a_stop_that_was() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        for (input, position) in [("9.1", "NOW"), ("1.1", "LAST_STOPPED_POINT")] {
            let starting = caller.starting(input, position);
            let code = caller.code("StartApplication", starting).await;
            assert_eq!(code, "InvalidArgumentException", "{input} {position}");
        }
        let starting = caller.starting("1.1", "YESTERDAY");
        let code = caller.code("StartApplication", starting).await;
        assert_eq!(code, "ValidationException");
        let mut elsewhere = caller.starting("1.1", "NOW");
        elsewhere["ApplicationName"] = json!("none");
        let code = caller.code("StartApplication", elsewhere).await;
        assert_eq!(code, "ResourceNotFoundException");
        service.stop().await;
    }
}

#[tokio::test]
async fn run_configurations_of_flink_are_refused_by_name() {
    let (service, caller) = with_application(Model::Two).await;
    for (member, value) in [
        (
            "FlinkRunConfiguration",
            json!({"AllowNonRestoredState": true}),
        ),
        (
            "ApplicationRestoreConfiguration",
            json!({"ApplicationRestoreType": "SKIP_RESTORE_FROM_SNAPSHOT"}),
        ),
    ] {
        let input = json!({"ApplicationName": NAME, "RunConfiguration": {member: value}});
        let (code, text) = caller.refusal("StartApplication", input).await;
        assert_eq!(code, "InvalidArgumentException");
        assert!(text.contains(member), "{text}");
    }
    service.stop().await;
}
