//! DescribeApplication.

use serde_json::json;

use crate::ground::{CODE, Model, NAME, application, role, with_application};

#[tokio::test]
async fn version_1_describes_an_application_in_its_words() {
    let (service, caller) = with_application(Model::One).await;
    let detail = caller.detail().await;
    assert_eq!(detail["ApplicationName"], NAME);
    assert_eq!(detail["ApplicationARN"], json!(application(NAME)));
    assert_eq!(detail["ApplicationStatus"], "READY");
    assert_eq!(detail["ApplicationVersionId"], 1);
    assert_eq!(detail["ApplicationCode"], json!(CODE));
    assert_eq!(detail["CreateTimestamp"], detail["LastUpdateTimestamp"]);
    assert!(detail["CreateTimestamp"].is_f64());
    assert!(detail["ApplicationDescription"].is_null());
    service.stop().await;
}

#[tokio::test]
async fn version_2_describes_an_application_in_its_words() {
    let (service, caller) = with_application(Model::Two).await;
    let detail = caller.detail().await;
    assert_eq!(detail["RuntimeEnvironment"], "SQL-1_0");
    assert_eq!(detail["ApplicationMode"], "STREAMING");
    assert_eq!(detail["ServiceExecutionRole"], json!(role()));
    assert!(detail["ConditionalToken"].is_string());
    let configuration = &detail["ApplicationConfigurationDescription"];
    let code = &configuration["ApplicationCodeConfigurationDescription"];
    assert_eq!(code["CodeContentType"], "PLAINTEXT");
    assert_eq!(code["CodeContentDescription"]["TextContent"], json!(CODE));
    let more = json!({"ApplicationName": NAME, "IncludeAdditionalDetails": true});
    let again = caller.call("DescribeApplication", more).await;
    assert_eq!(again["ApplicationDetail"], detail);
    service.stop().await;
}

#[tokio::test]
async fn version_2_knows_what_version_1_made_and_not_the_other_way_round() {
    let (service, mut caller) = with_application(Model::One).await;
    caller.model = Model::Two;
    let detail = caller.detail().await;
    assert!(detail["ServiceExecutionRole"].is_null());
    let input = &caller.part("InputDescriptions").await[0];
    let source = &input["KinesisStreamsInputDescription"];
    assert_eq!(source["RoleARN"], json!(role()));
    // A change by version 2 makes it one of version 2.
    let members = json!({"OutputId": "1.1"});
    caller.change(1, "DeleteApplicationOutput", members).await;
    caller.model = Model::One;
    let asked = json!({"ApplicationName": NAME});
    let code = caller.code("DescribeApplication", asked).await;
    assert_eq!(code, "UnsupportedOperationException");
    service.stop().await;
}

#[tokio::test]
async fn an_application_that_is_not_there_is_not_found() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let asked = json!({"ApplicationName": "none"});
        let code = caller.code("DescribeApplication", asked).await;
        assert_eq!(code, "ResourceNotFoundException");
        let describe = model.operation("DescribeApplication");
        let others = service.other_client();
        let asked = json!({"ApplicationName": NAME});
        let code = others.code(&describe, asked).await;
        assert_eq!(code, "ResourceNotFoundException");
        service.stop().await;
    }
}
