//! AddApplicationOutput.

use serde_json::json;

use crate::ground::{Model, function, refuses_other_versions_and_names, with_bare_application};

#[tokio::test]
async fn rows_go_to_streams_delivery_streams_and_functions() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        caller.client.create_delivery("kept", json!({})).await;
        let firehose = "arn:aws:firehose:eu-central-1:000000000000:deliverystream/kept";
        let plugin = function("plugin");
        let mut version = 1;
        for (kind, arn) in [
            ("KinesisStreamsOutput", crate::ground::stream("prices")),
            ("KinesisFirehoseOutput", firehose.to_owned()),
            ("LambdaOutput", plugin),
        ] {
            let mut output = model.output("prices");
            let members = output.as_object_mut().unwrap();
            members.remove("KinesisStreamsOutput");
            members.insert(kind.to_owned(), model.resource(&arn));
            members["DestinationSchema"] = json!({"RecordFormatType": "CSV"});
            let members = json!({"Output": output});
            let answer = caller
                .change(version, "AddApplicationOutput", members)
                .await;
            version += 1;
            if model == Model::Two {
                assert_eq!(answer["ApplicationVersionId"], version);
            }
            let outputs = caller.part("OutputDescriptions").await;
            let last = outputs.as_array().unwrap().last().unwrap();
            assert_eq!(last["OutputId"], json!(format!("{version}.1")));
            assert_eq!(last[format!("{kind}Description")], model.resource(&arn));
            assert_eq!(last["DestinationSchema"]["RecordFormatType"], "CSV");
        }
        let one_more = json!({"Output": model.output("prices")});
        let code = caller
            .no_change(version, "AddApplicationOutput", one_more)
            .await;
        assert_eq!(code, "InvalidArgumentException", "three are the most");
        service.stop().await;
    }
}

#[tokio::test]
async fn an_output_is_added_to_the_version_that_is_known_and_must_be_there() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let members = json!({"Output": model.output("prices")});
        refuses_other_versions_and_names(&caller, "AddApplicationOutput", members).await;
        let missing = json!({"Output": model.output("none")});
        let code = caller.no_change(1, "AddApplicationOutput", missing).await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}
