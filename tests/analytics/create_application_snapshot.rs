//! CreateApplicationSnapshot.

use serde_json::json;

use crate::ground::{Model, NAME, with_application};

#[tokio::test]
async fn applications_of_sql_have_no_snapshots_to_make() {
    let (service, caller) = with_application(Model::Two).await;
    let of = |name: &str| json!({"ApplicationName": name, "SnapshotName": "s"});
    let code = caller.code("CreateApplicationSnapshot", of(NAME)).await;
    assert_eq!(code, "UnsupportedOperationException");
    let code = caller.code("CreateApplicationSnapshot", of("none")).await;
    assert_eq!(code, "ResourceNotFoundException");
    service.stop().await;
}
