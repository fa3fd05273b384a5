//! AddApplicationInputProcessingConfiguration.

use serde_json::{Value, json};

use crate::ground::{Model, function, refuses_other_versions_and_names, stream, with_application};

/// A function for an input.
pub fn processing(model: Model, input: &str, arn: &str) -> Value {
    json!({
        "InputId": input,
        "InputProcessingConfiguration": {"InputLambdaProcessor": model.resource(arn)},
    })
}

#[tokio::test]
async fn an_input_goes_through_one_function_at_most() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let add = "AddApplicationInputProcessingConfiguration";
        let members = processing(model, "1.1", &function("plugin"));
        refuses_other_versions_and_names(&caller, add, members.clone()).await;
        let answer = caller.change(1, add, members.clone()).await;
        if model == Model::Two {
            assert_eq!(answer["InputId"], "1.1");
            assert_eq!(answer["ApplicationVersionId"], 2);
        }
        let input = &caller.part("InputDescriptions").await[0];
        let told = &input["InputProcessingConfigurationDescription"];
        let wanted = model.resource(&function("plugin"));
        assert_eq!(told["InputLambdaProcessorDescription"], wanted);
        let code = caller.no_change(2, add, members).await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}

#[tokio::test]
async fn an_input_that_is_not_there_has_no_function_and_a_stream_is_none() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let add = "AddApplicationInputProcessingConfiguration";
        let elsewhere = processing(model, "7.1", &function("plugin"));
        let code = caller.no_change(1, add, elsewhere).await;
        assert_eq!(code, "ResourceNotFoundException");
        let wrong = processing(model, "1.1", &stream("ticks"));
        let code = caller.no_change(1, add, wrong).await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}
