//! ListApplicationSnapshots.

use serde_json::json;

use crate::ground::{Model, NAME, with_application};

#[tokio::test]
async fn applications_of_sql_have_no_snapshots_to_list() {
    let (service, caller) = with_application(Model::Two).await;
    let asked = json!({"ApplicationName": NAME});
    let answer = caller.call("ListApplicationSnapshots", asked).await;
    assert_eq!(answer, json!({"SnapshotSummaries": []}));
    let asked = json!({"ApplicationName": NAME, "NextToken": "x"});
    let code = caller.code("ListApplicationSnapshots", asked).await;
    assert_eq!(code, "InvalidArgumentException");
    service.stop().await;
}
