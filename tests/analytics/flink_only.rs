//! What version 2 has for applications of Flink alone.

use serde_json::json;

use crate::ground::{Model, with_application};

#[tokio::test]
async fn operations_of_flink_are_refused_by_name() {
    let (service, caller) = with_application(Model::Two).await;
    for operation in [
        "AddApplicationVpcConfiguration",
        "CreateApplicationPresignedUrl",
        "CreateSnapshot",
        "DeleteApplicationVpcConfiguration",
        "DeleteSnapshot",
        "DescribeSnapshot",
        "DescribeSnapshotOperation",
        "ExportSnapshot",
        "ImportSnapshot",
        "ListSnapshotOperations",
        "ListSnapshots",
        "UpdateApplicationMaintenanceConfiguration",
    ] {
        let (code, text) = caller.refusal(operation, json!({})).await;
        assert_eq!(code, "UnsupportedOperationException", "{operation}");
        assert!(text.contains(operation), "{text}");
        let unknown = Model::One.operation(operation);
        let refusal = caller.client.refusal(&unknown, json!({})).await;
        assert_eq!(refusal.code, "UnknownOperationException");
    }
    service.stop().await;
}
