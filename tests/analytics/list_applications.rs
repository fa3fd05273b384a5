//! ListApplications.

use serde_json::{Value, json};

use crate::ground::{Model, NAME, application, with_application};

fn names(answer: &Value) -> Vec<&str> {
    let summaries = answer["ApplicationSummaries"].as_array().unwrap();
    let names = summaries.iter();
    names
        .map(|it| it["ApplicationName"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn applications_come_in_order_of_their_names_page_by_page() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        for name in ["c", "a", "b"] {
            let creation = model.creation(name, (json!([]), json!([]), ""));
            caller.call("CreateApplication", creation).await;
        }
        let all = caller.call("ListApplications", json!({})).await;
        assert_eq!(names(&all), ["a", "b", "c", NAME]);
        let last = &all["ApplicationSummaries"][3];
        assert_eq!(last["ApplicationARN"], json!(application(NAME)));
        assert_eq!(last["ApplicationStatus"], "READY");
        let (first, after) = match model {
            Model::One => (json!({"Limit": 3}), "ExclusiveStartApplicationName"),
            Model::Two => (json!({"Limit": 3}), "NextToken"),
        };
        let page = caller.call("ListApplications", first).await;
        assert_eq!(names(&page), ["a", "b", "c"]);
        match model {
            Model::One => assert_eq!(page["HasMoreApplications"], true),
            Model::Two => {
                assert_eq!(page["NextToken"], "c");
                assert_eq!(last["ApplicationVersionId"], 1);
                assert_eq!(last["RuntimeEnvironment"], "SQL-1_0");
            }
        }
        let page = caller.call("ListApplications", json!({after: "c"})).await;
        assert_eq!(names(&page), [NAME]);
        match model {
            Model::One => assert_eq!(page["HasMoreApplications"], false),
            Model::Two => assert!(page["NextToken"].is_null()),
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn an_account_and_a_region_see_their_own_alone() {
    let (service, caller) = with_application(Model::One).await;
    for client in [service.other_client(), caller.client.in_region("eu-west-1")] {
        let answer = client.call("Analytics.ListApplications", json!({})).await;
        assert!(names(&answer).is_empty());
    }
    service.stop().await;
}

#[tokio::test]
async fn pages_have_1_to_50_members() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        for limit in [0, 51] {
            let code = caller
                .code("ListApplications", json!({"Limit": limit}))
                .await;
            assert_eq!(code, "ValidationException");
        }
        service.stop().await;
    }
}
