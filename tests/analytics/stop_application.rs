//! StopApplication.

use serde_json::json;

use crate::ground::{Model, NAME, with_application};

#[tokio::test]
async fn an_application_that_runs_is_stopped_and_started_from_there() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        caller.start().await;
        let input = json!({"ApplicationName": NAME});
        let answer = caller.call("StopApplication", input.clone()).await;
        match model {
            Model::One => assert_eq!(answer, json!({})),
            Model::Two => assert!(answer["OperationId"].is_string()),
        }
        caller.until("READY").await;
        let code = caller.code("StopApplication", input).await;
        assert_eq!(code, "ResourceInUseException", "it is stopped");
        let again = caller.starting("1.1", "LAST_STOPPED_POINT");
        caller.call("StartApplication", again).await;
        caller.until("RUNNING").await;
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_stopped() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let code = caller
            .code("StopApplication", json!({"ApplicationName": "none"}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
        service.stop().await;
    }
}

#[tokio::test]
async fn force_is_for_flink_alone() {
    let (service, caller) = with_application(Model::Two).await;
    caller.start().await;
    let input = json!({"ApplicationName": NAME, "Force": true});
    let code = caller.code("StopApplication", input).await;
    assert_eq!(code, "InvalidArgumentException");
    let input = json!({"ApplicationName": NAME, "Force": false});
    caller.call("StopApplication", input).await;
    service.stop().await;
}
