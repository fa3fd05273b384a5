//! DeleteApplicationInputProcessingConfiguration.

use serde_json::json;

use crate::add_application_input_processing_configuration::processing;
use crate::ground::{Model, function, refuses_other_versions_and_names, with_application};

#[tokio::test]
async fn records_go_through_no_function_any_more() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let delete = "DeleteApplicationInputProcessingConfiguration";
        let of = |id: &str| json!({"InputId": id});
        let code = caller.no_change(1, delete, of("1.1")).await;
        assert_eq!(code, "ResourceNotFoundException", "there is none yet");
        let members = processing(model, "1.1", &function("plugin"));
        caller
            .change(1, "AddApplicationInputProcessingConfiguration", members)
            .await;
        refuses_other_versions_and_names(&caller, delete, of("1.1")).await;
        assert_eq!(
            caller.no_change(2, delete, of("5.1")).await,
            "ResourceNotFoundException"
        );
        caller.change(2, delete, of("1.1")).await;
        let input = &caller.part("InputDescriptions").await[0];
        assert!(input["InputProcessingConfigurationDescription"].is_null());
        service.stop().await;
    }
}
