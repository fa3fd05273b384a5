//! UntagResource.

use serde_json::json;

use crate::ground::{Model, NAME, application, with_application};

#[tokio::test]
async fn tags_are_taken_off_by_their_keys() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
        let arn = application(NAME);
        let input = json!({"ResourceARN": arn, "Tags": tags});
        caller.call("TagResource", input).await;
        let input = json!({"ResourceARN": arn, "TagKeys": ["a", "never-there"]});
        assert_eq!(caller.call("UntagResource", input).await, json!({}));
        let asked = json!({"ResourceARN": arn});
        let left = caller.call("ListTagsForResource", asked).await;
        assert_eq!(left["Tags"], json!([{"Key": "b", "Value": "2"}]));
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_there_has_no_tags_to_take_off() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let input = json!({"ResourceARN": application("none"), "TagKeys": ["a"]});
        let code = caller.code("UntagResource", input).await;
        assert_eq!(code, "ResourceNotFoundException");
        let input = json!({"ResourceARN": application(NAME), "TagKeys": []});
        let code = caller.code("UntagResource", input).await;
        assert_eq!(code, "ValidationException");
        service.stop().await;
    }
}
