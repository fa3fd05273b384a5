//! CreateApplication.

use serde_json::{Value, json};
use types::limits::TAGS_PER_RESOURCE_MAX;

use crate::ground::{
    CODE, Model, NAME, application, function, role, schema, stream, with_application,
    with_bare_application, with_streams,
};

#[tokio::test]
async fn an_application_is_made_as_it_is_asked_for_and_is_ready() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let parts = (
            json!([model.input("ticks")]),
            json!([model.output("prices")]),
            CODE,
        );
        let mut creation = model.creation(NAME, parts);
        creation["ApplicationDescription"] = json!("what it is for");
        let answer = caller.call("CreateApplication", creation).await;
        let told = match model {
            Model::One => &answer["ApplicationSummary"],
            Model::Two => &answer["ApplicationDetail"],
        };
        assert_eq!(told["ApplicationName"], NAME);
        assert_eq!(told["ApplicationARN"], json!(application(NAME)));
        assert_eq!(told["ApplicationStatus"], "READY");
        let detail = caller.detail().await;
        assert_eq!(detail["ApplicationVersionId"], 1);
        assert_eq!(detail["ApplicationDescription"], "what it is for");
        assert_eq!(caller.part("ApplicationCode").await, json!(CODE));
        let input = &caller.part("InputDescriptions").await[0];
        assert_eq!(input["InputId"], "1.1");
        assert_eq!(input["InAppStreamNames"], json!(["SOURCE_SQL_STREAM_001"]));
        assert_eq!(input["InputSchema"], schema());
        let source = &input["KinesisStreamsInputDescription"];
        assert_eq!(*source, model.resource(&stream("ticks")));
        let output = &caller.part("OutputDescriptions").await[0];
        assert_eq!(output["OutputId"], "1.1");
        assert_eq!(
            output["DestinationSchema"],
            json!({"RecordFormatType": "JSON"})
        );
        let target = &output["KinesisStreamsOutputDescription"];
        assert_eq!(*target, model.resource(&stream("prices")));
        service.stop().await;
    }
}

#[tokio::test]
async fn an_application_needs_no_more_than_a_name() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let smallest = match model {
            Model::One => json!({"ApplicationName": NAME}),
            Model::Two => json!({
                "ApplicationName": NAME,
                "RuntimeEnvironment": "SQL-1_0",
                "ServiceExecutionRole": role(),
            }),
        };
        caller.call("CreateApplication", smallest).await;
        assert_eq!(caller.part("InputDescriptions").await, json!([]));
        assert_eq!(caller.part("ApplicationCode").await, "");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_name_is_given_once_in_an_account_and_a_region() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let creation = model.creation(NAME, (json!([]), json!([]), ""));
        let code = caller.code("CreateApplication", creation.clone()).await;
        assert_eq!(code, "ResourceInUseException");
        let create = model.operation("CreateApplication");
        let elsewhere = caller.client.in_region("eu-west-1");
        elsewhere.call(&create, creation.clone()).await;
        service.other_client().call(&create, creation).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn code_that_is_no_program_is_refused_with_its_place() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let inputs = json!([model.input("ticks")]);
        for (wrong, place) in [
            ("CREATE OR REPLACE STREAM;", "line 1, column 25"),
            (
                "CREATE OR REPLACE STREAM \"A\" (\"P\" DOUBLE);\n\
                 CREATE OR REPLACE PUMP \"B\" AS INSERT INTO \"A\"\n\
                 SELECT STREAM \"NONE\" FROM \"SOURCE_SQL_STREAM_001\";",
                "line 3, column 15",
            ),
        ] {
            let parts = (inputs.clone(), json!([]), wrong);
            let creation = model.creation(NAME, parts);
            let (code, text) = caller.refusal("CreateApplication", creation).await;
            assert_eq!(code, "CodeValidationException", "{text}");
            assert!(text.contains(place), "{text}");
        }
        let listed = caller.call("ListApplications", json!({})).await;
        assert_eq!(
            listed["ApplicationSummaries"],
            json!([]),
            "nothing was made"
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn what_an_application_names_must_be_there_and_its_own() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let input = |arn: &str| {
            let mut input = model.input("ticks");
            input["KinesisStreamsInput"] = model.resource(arn);
            (json!([input]), json!([]))
        };
        let output = |kind: &str, arn: &str| {
            let mut output = model.output("prices");
            let members = output.as_object_mut().unwrap();
            members.remove("KinesisStreamsOutput");
            members.insert(kind.to_owned(), model.resource(arn));
            (json!([]), json!([output]))
        };
        let firehose = "arn:aws:firehose:eu-central-1:000000000000:deliverystream/none";
        let foreign = stream("ticks").replace("000000000000", "111111111111");
        for (inputs, outputs) in [
            input(&stream("none")),
            input(&foreign),
            input("arn:aws:sns:x"),
            output("KinesisStreamsOutput", &stream("none")),
            output("KinesisFirehoseOutput", firehose),
            output("LambdaOutput", &stream("prices")),
            output(
                "LambdaOutput",
                &function("a").replace("eu-central-1", "eu-west-1"),
            ),
        ] {
            let creation = model.creation(NAME, (inputs, outputs, ""));
            let (code, text) = caller.refusal("CreateApplication", creation.clone()).await;
            assert_eq!(code, "InvalidArgumentException", "{creation}: {text}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn an_application_has_one_input_and_three_outputs_at_most() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let (input, output) = (model.input("ticks"), model.output("prices"));
        for (inputs, outputs) in [
            (vec![input.clone(), input.clone()], vec![]),
            (vec![], vec![output.clone(); 4]),
        ] {
            let creation = model.creation(NAME, (json!(inputs), json!(outputs), ""));
            let code = caller.code("CreateApplication", creation).await;
            assert_eq!(code, "InvalidArgumentException");
        }
        let most = (json!([input]), json!(vec![output; 3]), "");
        caller
            .call("CreateApplication", model.creation(NAME, most))
            .await;
        let ids: Vec<Value> = caller.part("OutputDescriptions").await.as_array().unwrap()[..]
            .iter()
            .map(|output| output["OutputId"].clone())
            .collect();
        assert_eq!(ids, ["1.1", "1.2", "1.3"]);
        service.stop().await;
    }
}

#[tokio::test]
async fn an_output_has_one_destination_and_a_schema_one_format() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let mut both = model.output("prices");
        both["LambdaOutput"] = model.resource(&function("a"));
        let mut none = model.output("prices");
        none.as_object_mut().unwrap().remove("KinesisStreamsOutput");
        let csv = json!({"CSVMappingParameters": {
            "RecordRowDelimiter": "\n", "RecordColumnDelimiter": ",",
        }});
        let mut mixed = model.input("ticks");
        mixed["InputSchema"]["RecordFormat"]["MappingParameters"] = csv;
        let mut twice = model.input("ticks");
        twice["InputSchema"]["RecordColumns"][1]["Name"] = json!("TICKER");
        let mut typeless = model.input("ticks");
        typeless["InputSchema"]["RecordColumns"][1]["SqlType"] = json!("GEOMETRY");
        let mut sourceless = model.input("ticks");
        sourceless
            .as_object_mut()
            .unwrap()
            .remove("KinesisStreamsInput");
        for (inputs, outputs) in [
            (json!([]), json!([both])),
            (json!([]), json!([none])),
            (json!([mixed]), json!([])),
            (json!([twice]), json!([])),
            (json!([typeless]), json!([])),
            (json!([sourceless]), json!([])),
        ] {
            let creation = model.creation(NAME, (inputs, outputs, ""));
            let (code, text) = caller.refusal("CreateApplication", creation.clone()).await;
            assert_eq!(code, "InvalidArgumentException", "{creation}: {text}");
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn parallelism_makes_as_many_streams_for_the_program() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let mut input = model.input("ticks");
        input["InputParallelism"] = json!({"Count": 3});
        let code = CODE.replace("_001", "_003");
        let creation = model.creation(NAME, (json!([input]), json!([]), &code));
        caller.call("CreateApplication", creation).await;
        let input = &caller.part("InputDescriptions").await[0];
        let names = ["_001", "_002", "_003"].map(|end| format!("SOURCE_SQL_STREAM{end}"));
        assert_eq!(input["InAppStreamNames"], json!(names));
        assert_eq!(input["InputParallelism"], json!({"Count": 3}));
        service.stop().await;
    }
}

#[tokio::test]
async fn an_account_has_at_most_50_applications() {
    let (service, caller) = with_bare_application(Model::One).await;
    for number in 1..50 {
        let creation = json!({"ApplicationName": format!("a-{number}")});
        caller.call("CreateApplication", creation).await;
    }
    let creation = json!({"ApplicationName": "one-more"});
    let code = caller.code("CreateApplication", creation).await;
    assert_eq!(code, "LimitExceededException");
    service.stop().await;
}

#[tokio::test]
async fn an_application_is_made_with_50_tags_at_most() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let tagged = |count: usize| {
            let tags = (0..count).map(|number| json!({"Key": format!("k{number}"), "Value": "v"}));
            let mut creation = model.creation(NAME, (json!([]), json!([]), ""));
            creation["Tags"] = tags.collect();
            creation
        };
        let too_many = tagged(TAGS_PER_RESOURCE_MAX + 1);
        let code = caller.code("CreateApplication", too_many).await;
        assert_eq!(code, "TooManyTagsException");
        caller
            .call("CreateApplication", tagged(TAGS_PER_RESOURCE_MAX))
            .await;
        let asked = json!({"ResourceARN": application(NAME)});
        let tags = caller.call("ListTagsForResource", asked).await["Tags"].clone();
        assert_eq!(tags.as_array().unwrap().len(), TAGS_PER_RESOURCE_MAX);
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_of_flink_is_refused_by_name() {
    let model = Model::Two;
    let (service, caller) = with_streams(model).await;
    let bare = || model.creation(NAME, (json!([]), json!([]), ""));
    for environment in ["FLINK-1_20", "ZEPPELIN-FLINK-3_0"] {
        let mut creation = bare();
        creation["RuntimeEnvironment"] = json!(environment);
        let (code, text) = caller.refusal("CreateApplication", creation).await;
        assert_eq!(code, "UnsupportedOperationException");
        assert!(text.contains(environment), "{text}");
    }
    let mut interactive = bare();
    interactive["ApplicationMode"] = json!("INTERACTIVE");
    let code = caller.code("CreateApplication", interactive).await;
    assert_eq!(code, "UnsupportedOperationException");
    for (member, value) in [
        ("FlinkApplicationConfiguration", json!({})),
        ("EnvironmentProperties", json!({"PropertyGroups": []})),
        (
            "ApplicationSnapshotConfiguration",
            json!({"SnapshotsEnabled": true}),
        ),
        ("VpcConfigurations", json!([])),
        ("ZeppelinApplicationConfiguration", json!({})),
    ] {
        let mut creation = bare();
        creation["ApplicationConfiguration"][member] = value;
        let (code, text) = caller.refusal("CreateApplication", creation).await;
        assert_eq!(code, "InvalidArgumentException");
        assert!(text.contains(member), "{text}");
    }
    for code in [
        json!({"CodeContentType": "ZIPFILE"}),
        json!({"CodeContentType": "PLAINTEXT", "CodeContent": {"ZipFileContent": "AAAA"}}),
        json!({"CodeContentType": "PLAINTEXT", "CodeContent": {"S3ContentLocation": {
            "BucketARN": "arn:aws:s3:::code", "FileKey": "a.sql",
        }}}),
    ] {
        let mut creation = bare();
        creation["ApplicationConfiguration"]["ApplicationCodeConfiguration"] = code;
        let code = caller.code("CreateApplication", creation).await;
        assert_eq!(code, "InvalidArgumentException");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_is_no_input() {
    for (model, wanted) in [
        (Model::One, "InvalidArgumentException"),
        (Model::Two, "UnsupportedOperationException"),
    ] {
        let (service, caller) = with_streams(model).await;
        let mut input = model.input("ticks");
        let firehose = "arn:aws:firehose:eu-central-1:000000000000:deliverystream/d";
        input["KinesisFirehoseInput"] = model.resource(firehose);
        let creation = model.creation(NAME, (json!([input]), json!([]), ""));
        let (code, text) = caller.refusal("CreateApplication", creation).await;
        assert_eq!(code, wanted);
        assert!(text.contains("KinesisFirehoseInput"), "{text}");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_breaks_the_model_is_a_validation_error() {
    let (service, caller) = with_application(Model::One).await;
    for (member, value) in [
        ("ApplicationName", json!("a b")),
        ("ApplicationDescription", json!("x".repeat(1025))),
        ("ApplicationCode", json!("x".repeat(102_401))),
        ("Inputs", json!([{}])),
    ] {
        let mut creation = json!({"ApplicationName": "another"});
        creation[member] = value;
        let code = caller.code("CreateApplication", creation).await;
        assert_eq!(code, "ValidationException", "{member}");
    }
    service.stop().await;
}
