//! RollbackApplication.

use serde_json::json;

use crate::ground::{CODE, Model, NAME, OTHER_CODE, with_application};

#[tokio::test]
async fn a_change_of_an_application_at_work_is_undone() {
    let (service, caller) = with_application(Model::Two).await;
    caller.start().await;
    let rollback = "RollbackApplication";
    let code = caller.no_change(1, rollback, json!({})).await;
    assert_eq!(code, "InvalidArgumentException", "there was no change");
    let update = Model::Two.new_code(OTHER_CODE);
    caller.change(1, "UpdateApplication", update).await;
    caller.until("RUNNING").await;
    let code = caller.no_change(1, rollback, json!({})).await;
    assert_eq!(code, "ConcurrentModificationException");
    let answer = caller.change(2, rollback, json!({})).await;
    let detail = &answer["ApplicationDetail"];
    assert_eq!(detail["ApplicationVersionId"], 3);
    assert_eq!(detail["ApplicationVersionRolledBackFrom"], 2);
    assert_eq!(detail["ApplicationVersionRolledBackTo"], 1);
    assert_eq!(caller.part("ApplicationCode").await, json!(CODE));
    caller.until("RUNNING").await;
    let code = caller.no_change(3, rollback, json!({})).await;
    assert_eq!(code, "InvalidArgumentException", "nothing is left to undo");
    service.stop().await;
}

#[tokio::test]
async fn only_what_works_is_rolled_back() {
    let (service, caller) = with_application(Model::Two).await;
    let update = Model::Two.new_code(OTHER_CODE);
    caller.change(1, "UpdateApplication", update).await;
    let code = caller.no_change(2, "RollbackApplication", json!({})).await;
    assert_eq!(code, "ResourceInUseException");
    let input = json!({"ApplicationName": "none", "CurrentApplicationVersionId": 1});
    let code = caller.code("RollbackApplication", input).await;
    assert_eq!(code, "ResourceNotFoundException");
    let asked = json!({"ApplicationName": NAME});
    caller.call("DescribeApplication", asked).await;
    service.stop().await;
}
