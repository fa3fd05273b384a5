//! DescribeApplicationOperation.

use serde_json::json;

use crate::ground::{Model, NAME, OTHER_CODE, with_application};

#[tokio::test]
async fn an_operation_is_told_by_the_id_that_it_answered() {
    let (service, caller) = with_application(Model::Two).await;
    let update = Model::Two.new_code(OTHER_CODE);
    let answer = caller.change(1, "UpdateApplication", update).await;
    let asked = json!({"ApplicationName": NAME, "OperationId": answer["OperationId"]});
    let answer = caller.call("DescribeApplicationOperation", asked).await;
    let details = &answer["ApplicationOperationInfoDetails"];
    assert_eq!(details["Operation"], "UpdateApplication");
    assert_eq!(details["OperationStatus"], "SUCCESSFUL");
    let wanted = json!({"ApplicationVersionUpdatedFrom": 1, "ApplicationVersionUpdatedTo": 2});
    assert_eq!(details["ApplicationVersionChangeDetails"], wanted);
    service.stop().await;
}

#[tokio::test]
async fn an_operation_that_never_was_is_not_found() {
    let (service, caller) = with_application(Model::Two).await;
    for id in ["operation-000000000000", "x", "operation-1"] {
        let asked = json!({"ApplicationName": NAME, "OperationId": id});
        let code = caller.code("DescribeApplicationOperation", asked).await;
        assert_eq!(code, "ResourceNotFoundException");
    }
    service.stop().await;
}
