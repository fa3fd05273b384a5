//! DeleteApplicationSnapshot.

use serde_json::json;

use crate::ground::{Model, NAME, with_application};

#[tokio::test]
async fn applications_of_sql_have_no_snapshots_to_delete() {
    let (service, caller) = with_application(Model::Two).await;
    let of = |name: &str| {
        let created_at = 1.5;
        json!({
            "ApplicationName": name,
            "SnapshotName": "s",
            "SnapshotCreationTimestamp": created_at,
        })
    };
    let code = caller.code("DeleteApplicationSnapshot", of(NAME)).await;
    assert_eq!(code, "ResourceNotFoundException");
    let code = caller.code("DeleteApplicationSnapshot", of("none")).await;
    assert_eq!(code, "ResourceNotFoundException");
    service.stop().await;
}
