//! What a server finds again that its predecessor kept.

use serde_json::json;

use crate::ground::{Caller, Model, NAME, OTHER_CODE, application, with_application};

#[tokio::test]
async fn applications_are_what_they_were_and_do_what_they_did() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let tags = json!([{"Key": "a", "Value": "b"}]);
        let input = json!({"ResourceARN": application(NAME), "Tags": tags});
        caller.call("TagResource", input).await;
        caller
            .change(1, "UpdateApplication", model.new_code(OTHER_CODE))
            .await;
        caller.start().await;
        let before = caller.detail().await;
        let service = service.restart().await;
        let caller = Caller {
            client: service.client(),
            model,
        };
        caller.until("RUNNING").await;
        assert_eq!(caller.detail().await, before);
        let asked = json!({"ResourceARN": application(NAME)});
        let kept = caller.call("ListTagsForResource", asked).await;
        assert_eq!(kept["Tags"], tags);
        let stopping = json!({"ApplicationName": NAME});
        caller.call("StopApplication", stopping).await;
        caller.until("READY").await;
        let service = service.restart().await;
        let caller = Caller {
            client: service.client(),
            model,
        };
        assert_eq!(caller.detail().await["ApplicationStatus"], "READY");
        service.stop().await;
    }
}
