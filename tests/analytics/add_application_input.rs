//! AddApplicationInput.

use serde_json::json;

use crate::ground::{
    CODE, Model, refuses_other_versions_and_names, with_application, with_bare_application,
};

#[tokio::test]
async fn an_input_that_is_added_makes_a_new_version() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let members = json!({"Input": model.input("ticks")});
        let answer = caller.change(1, "AddApplicationInput", members).await;
        match model {
            Model::One => assert_eq!(answer, json!({})),
            Model::Two => {
                assert_eq!(answer["ApplicationVersionId"], 2);
                assert_eq!(answer["InputDescriptions"][0]["InputId"], "2.1");
            }
        }
        assert_eq!(caller.version().await, 2);
        assert_eq!(caller.part("InputDescriptions").await[0]["InputId"], "2.1");
        service.stop().await;
    }
}

#[tokio::test]
async fn there_is_one_input_and_its_stream_must_be_there() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let add = "AddApplicationInput";
        let missing = json!({"Input": model.input("none")});
        let code = caller.no_change(1, add, missing).await;
        assert_eq!(code, "InvalidArgumentException");
        let members = json!({"Input": model.input("ticks")});
        refuses_other_versions_and_names(&caller, add, members.clone()).await;
        caller.change(1, add, members.clone()).await;
        let code = caller.no_change(2, add, members).await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}

#[tokio::test]
async fn an_input_must_fit_the_code_that_is_there() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        // Nothing can be said of code before there is an input.
        caller
            .change(1, "UpdateApplication", model.new_code(CODE))
            .await;
        let mut other = model.input("ticks");
        other["NamePrefix"] = json!("OTHER");
        let code = caller
            .no_change(2, "AddApplicationInput", json!({"Input": other}))
            .await;
        assert_eq!(code, "CodeValidationException");
        let fitting = json!({"Input": model.input("ticks")});
        caller.change(2, "AddApplicationInput", fitting).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn version_1_leaves_alone_what_version_2_made() {
    let (service, mut caller) = with_application(Model::Two).await;
    caller.model = Model::One;
    let members = json!({"Input": Model::One.input("ticks")});
    let input = crate::ground::changing(1, members);
    let (code, text) = caller.refusal("AddApplicationInput", input).await;
    assert_eq!(code, "UnsupportedOperationException");
    assert!(text.contains("kinesisanalyticsv2 SDK"), "{text}");
    service.stop().await;
}
