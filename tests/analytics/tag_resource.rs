//! TagResource.

use serde_json::{Value, json};
use types::limits::TAGS_PER_RESOURCE_MAX;

use crate::ground::{Caller, Model, NAME, application, with_application};

fn adding(tags: Value) -> Value {
    json!({"ResourceARN": application(NAME), "Tags": tags})
}

async fn tags(caller: &Caller) -> Value {
    let asked = json!({"ResourceARN": application(NAME)});
    caller.call("ListTagsForResource", asked).await["Tags"].clone()
}

#[tokio::test]
async fn tags_are_added_and_replaced_by_key_and_are_no_configuration() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let first = adding(json!([{"Key": "b", "Value": "1"}, {"Key": "a"}]));
        assert_eq!(caller.call("TagResource", first).await, json!({}));
        let second = adding(json!([{"Key": "b", "Value": "2"}]));
        caller.call("TagResource", second).await;
        let wanted = json!([{"Key": "a", "Value": ""}, {"Key": "b", "Value": "2"}]);
        assert_eq!(tags(&caller).await, wanted);
        assert_eq!(caller.version().await, 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn an_application_has_at_most_50_tags() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let numbered = |count: usize| {
            let tags = (0..count).map(|number| json!({"Key": format!("k-{number}")}));
            adding(tags.collect())
        };
        let too_many = numbered(TAGS_PER_RESOURCE_MAX + 1);
        assert_eq!(
            caller.code("TagResource", too_many).await,
            "TooManyTagsException"
        );
        assert_eq!(tags(&caller).await, json!([]));
        caller
            .call("TagResource", numbered(TAGS_PER_RESOURCE_MAX))
            .await;
        let one_more = adding(json!([{"Key": "one-more"}]));
        assert_eq!(
            caller.code("TagResource", one_more).await,
            "TooManyTagsException"
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_tagged() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let mut input = adding(json!([{"Key": "a"}]));
        input["ResourceARN"] = json!(application("none"));
        let code = caller.code("TagResource", input).await;
        assert_eq!(code, "ResourceNotFoundException");
        let tag = model.operation("TagResource");
        let others = service.other_client();
        let code = others.code(&tag, adding(json!([{"Key": "a"}]))).await;
        assert_eq!(code, "AccessDeniedException");
        service.stop().await;
    }
}
