//! DeleteApplicationOutput.

use serde_json::json;

use crate::ground::{Model, refuses_other_versions_and_names, with_application};

#[tokio::test]
async fn an_output_is_taken_away_by_its_id() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let delete = "DeleteApplicationOutput";
        refuses_other_versions_and_names(&caller, delete, json!({"OutputId": "1.1"})).await;
        let code = caller
            .no_change(1, delete, json!({"OutputId": "9.1"}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
        let answer = caller.change(1, delete, json!({"OutputId": "1.1"})).await;
        if model == Model::Two {
            assert_eq!(answer["ApplicationVersionId"], 2);
        }
        assert_eq!(caller.part("OutputDescriptions").await, json!([]));
        service.stop().await;
    }
}
