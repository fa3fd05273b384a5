//! DeleteApplicationReferenceDataSource.

use serde_json::json;

use crate::add_application_reference_data_source::reference;
use crate::ground::{Model, refuses_other_versions_and_names, with_bare_application};

#[tokio::test]
async fn a_table_is_taken_away_by_its_id() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let members = reference(model, "arn:aws:s3:::facts");
        caller
            .change(1, "AddApplicationReferenceDataSource", members)
            .await;
        let delete = "DeleteApplicationReferenceDataSource";
        refuses_other_versions_and_names(&caller, delete, json!({"ReferenceId": "2.1"})).await;
        let code = caller
            .no_change(2, delete, json!({"ReferenceId": "1.1"}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
        caller
            .change(2, delete, json!({"ReferenceId": "2.1"}))
            .await;
        assert_eq!(
            caller.part("ReferenceDataSourceDescriptions").await,
            json!([])
        );
        assert_eq!(caller.version().await, 3);
        service.stop().await;
    }
}
