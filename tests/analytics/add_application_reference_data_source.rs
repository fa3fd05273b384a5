//! AddApplicationReferenceDataSource.

use serde_json::{Value, json};

use crate::ground::{Model, refuses_other_versions_and_names, role, schema, with_bare_application};

/// An object of a bucket that is a table.
pub fn reference(model: Model, bucket: &str) -> Value {
    let mut object = json!({"BucketARN": bucket, "FileKey": "companies.json"});
    if model == Model::One {
        object["ReferenceRoleARN"] = json!(role());
    }
    json!({"ReferenceDataSource": {
        "TableName": "COMPANIES",
        "S3ReferenceDataSource": object,
        "ReferenceSchema": schema(),
    }})
}

#[tokio::test]
async fn an_object_becomes_a_table_of_the_program() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let add = "AddApplicationReferenceDataSource";
        let members = reference(model, "arn:aws:s3:::facts");
        refuses_other_versions_and_names(&caller, add, members.clone()).await;
        let answer = caller.change(1, add, members.clone()).await;
        if model == Model::Two {
            let told = &answer["ReferenceDataSourceDescriptions"][0];
            assert_eq!(told["ReferenceId"], "2.1");
        }
        let told = &caller.part("ReferenceDataSourceDescriptions").await[0];
        assert_eq!(told["TableName"], "COMPANIES");
        assert_eq!(told["ReferenceSchema"], schema());
        let object = &told["S3ReferenceDataSourceDescription"];
        assert_eq!(
            *object,
            members["ReferenceDataSource"]["S3ReferenceDataSource"]
        );
        let code = caller.no_change(2, add, members).await;
        assert_eq!(code, "InvalidArgumentException", "one is the most");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_bucket_is_refused() {
    for model in Model::BOTH {
        let (service, caller) = with_bare_application(model).await;
        let wrong = reference(model, "arn:aws:s3:::Not_A_Bucket");
        let code = caller
            .no_change(1, "AddApplicationReferenceDataSource", wrong)
            .await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}
