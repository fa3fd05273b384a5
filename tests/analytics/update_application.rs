//! UpdateApplication.

use serde_json::{Value, json};

use crate::ground::{
    CODE, Caller, Model, OTHER_CODE, function, refuses_other_versions_and_names, stream,
    with_application,
};

/// An update of these parts, wherever the model has them.
fn parts(model: Model, members: Value) -> Value {
    match model {
        Model::One => json!({"ApplicationUpdate": members}),
        Model::Two => json!({
            "ApplicationConfigurationUpdate": {"SqlApplicationConfigurationUpdate": members},
        }),
    }
}

fn resource_update(model: Model, arn: &str) -> Value {
    match model {
        Model::One => json!({"ResourceARNUpdate": arn, "RoleARNUpdate": crate::ground::role()}),
        Model::Two => json!({"ResourceARNUpdate": arn}),
    }
}

async fn refuses(caller: &Caller, members: Value, wanted: &str) {
    let version = caller.version().await;
    let code = caller
        .no_change(version, "UpdateApplication", members.clone())
        .await;
    assert_eq!(code, wanted, "{members}");
}

#[tokio::test]
async fn code_is_replaced_by_other_code_in_a_new_version() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let update = model.new_code(OTHER_CODE);
        refuses_other_versions_and_names(&caller, "UpdateApplication", update.clone()).await;
        let answer = caller.change(1, "UpdateApplication", update).await;
        match model {
            Model::One => assert_eq!(answer, json!({})),
            Model::Two => {
                let detail = &answer["ApplicationDetail"];
                assert_eq!(detail["ApplicationVersionId"], 2);
                assert_eq!(detail["ApplicationVersionUpdatedFrom"], 1);
                assert!(answer["OperationId"].is_string());
            }
        }
        assert_eq!(caller.part("ApplicationCode").await, json!(OTHER_CODE));
        service.stop().await;
    }
}

#[tokio::test]
async fn code_that_is_no_program_leaves_the_old_one_in_force() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let wrong = CODE.replace("\"PRICE\" > 0", "\"PRICE\" >");
        refuses(&caller, model.new_code(&wrong), "CodeValidationException").await;
        assert_eq!(caller.part("ApplicationCode").await, json!(CODE));
        service.stop().await;
    }
}

#[tokio::test]
async fn parts_are_changed_in_what_is_said_of_them() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        caller.client.create("others", 1).await;
        let columns = json!([
            {"Name": "TICKER", "Mapping": "$.symbol", "SqlType": "VARCHAR(8)"},
            {"Name": "PRICE", "Mapping": "$.price", "SqlType": "DOUBLE"},
        ]);
        let update = json!({
            "InputUpdates": [{
                "InputId": "1.1",
                "KinesisStreamsInputUpdate": resource_update(model, &stream("others")),
                "InputSchemaUpdate": {"RecordColumnUpdates": columns},
                "InputParallelismUpdate": {"CountUpdate": 2},
            }],
            "OutputUpdates": [{
                "OutputId": "1.1",
                "NameUpdate": "OTHER_STREAM",
                "LambdaOutputUpdate": resource_update(model, &function("plugin")),
                "DestinationSchemaUpdate": {"RecordFormatType": "CSV"},
            }],
        });
        caller
            .change(1, "UpdateApplication", parts(model, update))
            .await;
        let input = &caller.part("InputDescriptions").await[0];
        let source = &input["KinesisStreamsInputDescription"];
        assert_eq!(*source, model.resource(&stream("others")));
        assert_eq!(input["InputSchema"]["RecordColumns"], columns);
        assert_eq!(input["InputSchema"]["RecordEncoding"], "UTF-8");
        assert_eq!(input["NamePrefix"], "SOURCE_SQL_STREAM");
        assert_eq!(input["InputParallelism"]["Count"], 2);
        let output = &caller.part("OutputDescriptions").await[0];
        assert_eq!(output["OutputId"], "1.1", "a part keeps its id");
        assert_eq!(output["Name"], "OTHER_STREAM");
        let target = &output["LambdaOutputDescription"];
        assert_eq!(*target, model.resource(&function("plugin")));
        assert!(output["KinesisStreamsOutputDescription"].is_null());
        assert_eq!(output["DestinationSchema"]["RecordFormatType"], "CSV");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_leaves_everything_as_it_was() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let before = caller.detail().await;
        let wrong = "InvalidArgumentException";
        for members in [
            json!({"InputUpdates": [{"InputId": "9.1"}]}),
            json!({"OutputUpdates": [{"OutputId": "9.1"}]}),
            json!({"ReferenceDataSourceUpdates": [{"ReferenceId": "9.1"}]}),
            json!({"OutputUpdates": [{
                "OutputId": "1.1",
                "KinesisStreamsOutputUpdate": resource_update(model, &stream("none")),
            }]}),
            json!({"InputUpdates": [{
                "InputId": "1.1",
                "InputProcessingConfigurationUpdate": {
                    "InputLambdaProcessorUpdate": resource_update(model, &function("p")),
                },
            }]}),
        ] {
            refuses(&caller, parts(model, members), wrong).await;
        }
        // The code reads a column that would be gone.
        let columns = json!([{"Name": "PRICE", "Mapping": "$.price", "SqlType": "DOUBLE"}]);
        let update = json!({"InputUpdates": [{
            "InputId": "1.1",
            "InputSchemaUpdate": {"RecordColumnUpdates": columns},
        }]});
        refuses(&caller, parts(model, update), "CodeValidationException").await;
        assert_eq!(caller.detail().await, before);
        service.stop().await;
    }
}

#[tokio::test]
async fn an_application_at_work_goes_on_in_its_new_version() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        caller.start().await;
        caller
            .change(1, "UpdateApplication", model.new_code(OTHER_CODE))
            .await;
        caller.until("RUNNING").await;
        assert_eq!(caller.version().await, 2);
        service.stop().await;
    }
}

#[tokio::test]
async fn roles_and_logging_are_changed_and_flink_is_refused_by_name() {
    let (service, caller) = with_application(Model::Two).await;
    let role = json!({"ServiceExecutionRoleUpdate": "arn:aws:iam::000000000000:role/other"});
    caller.change(1, "UpdateApplication", role.clone()).await;
    let told = caller.detail().await["ServiceExecutionRole"].clone();
    assert_eq!(told, role["ServiceExecutionRoleUpdate"]);
    for (members, wanted, name) in [
        (
            json!({"RuntimeEnvironmentUpdate": "FLINK-1_20"}),
            "UnsupportedOperationException",
            "RuntimeEnvironment",
        ),
        (
            json!({"RunConfigurationUpdate": {}}),
            "InvalidArgumentException",
            "RunConfigurationUpdate",
        ),
        (
            json!({"ApplicationConfigurationUpdate": {"FlinkApplicationConfigurationUpdate": {}}}),
            "InvalidArgumentException",
            "FlinkApplicationConfigurationUpdate",
        ),
        (
            json!({"ApplicationConfigurationUpdate": {"ApplicationCodeConfigurationUpdate": {
                "CodeContentTypeUpdate": "ZIPFILE",
            }}}),
            "InvalidArgumentException",
            "PLAINTEXT",
        ),
    ] {
        let input = crate::ground::changing(2, members);
        let (code, text) = caller.refusal("UpdateApplication", input).await;
        assert_eq!(code, wanted);
        assert!(text.contains(name), "{text}");
    }
    service.stop().await;
}
