//! ListApplicationOperations.

use serde_json::{Value, json};

use crate::ground::{Model, NAME, OTHER_CODE, with_application};

fn operations(answer: &Value) -> Vec<&str> {
    let infos = answer["ApplicationOperationInfoList"].as_array().unwrap();
    let operations = infos.iter();
    operations
        .map(|it| it["Operation"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_was_done_comes_newest_first_and_can_be_chosen_from() {
    let (service, caller) = with_application(Model::Two).await;
    let list = "ListApplicationOperations";
    let none = caller.call(list, json!({"ApplicationName": NAME})).await;
    assert!(operations(&none).is_empty());
    let update = Model::Two.new_code(OTHER_CODE);
    caller.change(1, "UpdateApplication", update).await;
    caller.start().await;
    let stopping = json!({"ApplicationName": NAME});
    caller.call("StopApplication", stopping).await;
    let asked = |members: Value| {
        let mut input = json!({"ApplicationName": NAME});
        let members = members.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(members);
        input
    };
    let all = caller.call(list, asked(json!({}))).await;
    let wanted = ["StopApplication", "StartApplication", "UpdateApplication"];
    assert_eq!(operations(&all), wanted);
    let newest = &all["ApplicationOperationInfoList"][0];
    assert_eq!(newest["OperationStatus"], "SUCCESSFUL");
    let page = caller.call(list, asked(json!({"Limit": 2}))).await;
    assert_eq!(operations(&page), wanted[..2]);
    let rest = json!({"NextToken": page["NextToken"]});
    let rest = caller.call(list, asked(rest)).await;
    assert_eq!(operations(&rest), wanted[2..]);
    let starts = asked(json!({"Operation": "StartApplication"}));
    let starts = caller.call(list, starts).await;
    assert_eq!(operations(&starts), ["StartApplication"]);
    let failed = asked(json!({"OperationStatus": "FAILED"}));
    assert!(operations(&caller.call(list, failed).await).is_empty());
    service.stop().await;
}
