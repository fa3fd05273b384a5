//! ListApplicationVersions.

use serde_json::{Value, json};

use crate::ground::{CODE, Model, NAME, OTHER_CODE, with_application};

fn ids(answer: &Value) -> Vec<u64> {
    let summaries = answer["ApplicationVersionSummaries"].as_array().unwrap();
    let ids = summaries.iter();
    ids.map(|it| it["ApplicationVersionId"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn versions_come_newest_first_page_by_page() {
    let (service, caller) = with_application(Model::Two).await;
    for version in 1..=4 {
        let code = if version % 2 == 1 { OTHER_CODE } else { CODE };
        let update = Model::Two.new_code(code);
        caller.change(version, "UpdateApplication", update).await;
    }
    let list = "ListApplicationVersions";
    let all = caller.call(list, json!({"ApplicationName": NAME})).await;
    assert_eq!(ids(&all), [5, 4, 3, 2, 1]);
    let newest = &all["ApplicationVersionSummaries"][0];
    assert_eq!(newest["ApplicationStatus"], "READY");
    let (mut seen, mut next) = (Vec::new(), None::<Value>);
    loop {
        let mut asked = json!({"ApplicationName": NAME, "Limit": 2});
        if let Some(token) = next {
            asked["NextToken"] = token;
        }
        let page = caller.call(list, asked).await;
        seen.extend(ids(&page));
        match page.get("NextToken") {
            Some(token) => next = Some(token.clone()),
            None => break,
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    service.stop().await;
}

#[tokio::test]
async fn the_hundred_newest_versions_are_kept() {
    let (service, caller) = with_application(Model::Two).await;
    for version in 1..=100 {
        let code = if version % 2 == 1 { OTHER_CODE } else { CODE };
        let update = Model::Two.new_code(code);
        caller.change(version, "UpdateApplication", update).await;
    }
    let asked = |version: u64| json!({"ApplicationName": NAME, "ApplicationVersionId": version});
    let describe = "DescribeApplicationVersion";
    assert_eq!(
        caller.code(describe, asked(1)).await,
        "ResourceNotFoundException"
    );
    caller.call(describe, asked(2)).await;
    let from = json!({"ApplicationName": NAME, "NextToken": "3"});
    let last = caller.call("ListApplicationVersions", from).await;
    assert_eq!(ids(&last), [3, 2]);
    service.stop().await;
}
