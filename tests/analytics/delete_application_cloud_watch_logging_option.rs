//! DeleteApplicationCloudWatchLoggingOption.

use serde_json::json;

use crate::add_application_cloud_watch_logging_option::option;
use crate::ground::{Model, refuses_other_versions_and_names, with_bare_application};

#[tokio::test]
async fn a_log_stream_is_forgotten_by_its_id() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        caller
            .change(1, "AddApplicationCloudWatchLoggingOption", option(model))
            .await;
        let delete = "DeleteApplicationCloudWatchLoggingOption";
        let of = |id: &str| json!({"CloudWatchLoggingOptionId": id});
        refuses_other_versions_and_names(&caller, delete, of("2.1")).await;
        let code = caller.no_change(2, delete, of("1.1")).await;
        assert_eq!(code, "ResourceNotFoundException");
        caller.change(2, delete, of("2.1")).await;
        let left = caller.part("CloudWatchLoggingOptionDescriptions").await;
        assert_eq!(left, json!([]));
        service.stop().await;
    }
}
