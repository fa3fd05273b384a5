//! What policies say of applications, and of what these do for those who make them.

use millrace_tests::{ACCOUNT, Service, Setting, statement, user};
use serde_json::{Value, json};

use crate::ground::{Caller, Model, NAME, application, role, stream};

/// A server with the streams `ticks` and `prices`, and a user who may do what each pair of actions
/// and resources says.
async fn with_user(model: Model, may: &[(Value, Value)]) -> (Service, Caller) {
    let statements: Vec<Value> = may
        .iter()
        .map(|(actions, resources)| statement("Allow", actions, resources, None))
        .flat_map(|policy| policy["Statement"].as_array().unwrap().clone())
        .collect();
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let setting = Setting {
        credentials: vec![user(ACCOUNT, "maker", Some(&policy))],
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    service.client().create("ticks", 1).await;
    service.client().create("prices", 1).await;
    let client = service.user("maker");
    (service, Caller { client, model })
}

#[tokio::test]
async fn an_application_does_no_more_than_whoever_makes_it_may() {
    let all = json!("kinesisanalytics:*");
    let any = json!("*");
    for model in Model::BOTH {
        for (may, is_made) in [
            (vec![(all.clone(), any.clone())], false),
            (
                vec![
                    (all.clone(), any.clone()),
                    (json!("kinesis:GetRecords"), json!(stream("ticks"))),
                ],
                false,
            ),
            (
                vec![
                    (all.clone(), any.clone()),
                    (json!("kinesis:GetRecords"), json!(stream("ticks"))),
                    (json!("kinesis:PutRecords"), json!(stream("prices"))),
                ],
                true,
            ),
        ] {
            let (service, caller) = with_user(model, &may).await;
            let parts = (
                json!([model.input("ticks")]),
                json!([model.output("prices")]),
                "",
            );
            let creation = model.creation(NAME, parts);
            if is_made {
                caller.call("CreateApplication", creation).await;
            } else {
                let code = caller.code("CreateApplication", creation).await;
                assert_eq!(code, "AccessDeniedException");
            }
            service.stop().await;
        }
    }
}

#[tokio::test]
async fn each_operation_asks_for_its_own_right_on_the_application() {
    let reading = json!("kinesisanalytics:DescribeApplication");
    for model in Model::BOTH {
        let may = [(reading.clone(), json!(application(NAME)))];
        let (service, caller) = with_user(model, &may).await;
        let creation = model.creation(NAME, (json!([]), json!([]), ""));
        let create = model.operation("CreateApplication");
        service.client().call(&create, creation).await;
        caller.detail().await;
        let other = json!({"ApplicationName": "other"});
        for (operation, input) in [
            ("DescribeApplication", other),
            ("StopApplication", json!({"ApplicationName": NAME})),
            ("ListApplications", json!({})),
            (
                "TagResource",
                json!({"ResourceARN": application(NAME), "Tags": [{"Key": "a"}]}),
            ),
            (
                "DiscoverInputSchema",
                json!({"ResourceARN": stream("ticks"), "ServiceExecutionRole": role()}),
            ),
        ] {
            let code = caller.code(operation, input).await;
            assert_eq!(code, "AccessDeniedException", "{operation}");
        }
        service.stop().await;
    }
}
