//! DescribeApplicationVersion.

use serde_json::json;

use crate::ground::{CODE, Model, NAME, OTHER_CODE, with_application};

#[tokio::test]
async fn a_version_is_told_as_it_was() {
    let (service, caller) = with_application(Model::Two).await;
    let update = Model::Two.new_code(OTHER_CODE);
    caller.change(1, "UpdateApplication", update).await;
    for (version, code) in [(1, CODE), (2, OTHER_CODE)] {
        let asked = json!({"ApplicationName": NAME, "ApplicationVersionId": version});
        let answer = caller.call("DescribeApplicationVersion", asked).await;
        let detail = &answer["ApplicationVersionDetail"];
        assert_eq!(detail["ApplicationVersionId"], version);
        let text = &detail["ApplicationConfigurationDescription"]["ApplicationCodeConfigurationDescription"]
            ["CodeContentDescription"]["TextContent"];
        assert_eq!(*text, json!(code));
    }
    service.stop().await;
}

#[tokio::test]
async fn a_version_that_never_was_is_not_found() {
    let (service, caller) = with_application(Model::Two).await;
    for (name, version) in [(NAME, 2), ("none", 1)] {
        let asked = json!({"ApplicationName": name, "ApplicationVersionId": version});
        let code = caller.code("DescribeApplicationVersion", asked).await;
        assert_eq!(code, "ResourceNotFoundException");
    }
    service.stop().await;
}
