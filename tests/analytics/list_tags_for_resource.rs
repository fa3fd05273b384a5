//! ListTagsForResource.

use serde_json::json;

use crate::ground::{Model, NAME, application, stream, with_application};

#[tokio::test]
async fn an_application_without_tags_has_none() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let asked = json!({"ResourceARN": application(NAME)});
        let answer = caller.call("ListTagsForResource", asked).await;
        assert_eq!(answer, json!({"Tags": []}));
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_application_of_the_account_has_no_tags() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let code = |arn: String| caller.code("ListTagsForResource", json!({"ResourceARN": arn}));
        assert_eq!(code(application("none")).await, "ResourceNotFoundException");
        let of_a_stream = match model {
            Model::One => "ValidationException",
            Model::Two => "InvalidArgumentException",
        };
        assert_eq!(code(stream("ticks")).await, of_a_stream);
        service.stop().await;
    }
}
