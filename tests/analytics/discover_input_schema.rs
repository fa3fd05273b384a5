//! DiscoverInputSchema.

use serde_json::{Value, json};

use crate::ground::{Model, role, stream, with_streams};

/// A request for the schema of a stream or an object.
fn asking(model: Model, members: Value) -> Value {
    let mut input = members;
    match model {
        Model::One => input["RoleARN"] = json!(role()),
        Model::Two => input["ServiceExecutionRole"] = json!(role()),
    }
    input
}

fn object(model: Model, key: &str) -> Value {
    let mut s3 = json!({"BucketARN": "arn:aws:s3:::facts", "FileKey": key});
    if model == Model::One {
        s3["RoleARN"] = json!(role());
    }
    asking(model, json!({"S3Configuration": s3}))
}

#[tokio::test]
async fn the_schema_of_a_stream_is_that_of_its_last_records() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        // {"ticker": "A", "price": 1.5}
        let record = "eyJ0aWNrZXIiOiAiQSIsICJwcmljZSI6IDEuNX0=";
        caller.client.put("ticks", record).await;
        let input = asking(model, json!({"ResourceARN": stream("ticks")}));
        let answer = caller.call("DiscoverInputSchema", input).await;
        let schema = &answer["InputSchema"];
        assert_eq!(schema["RecordFormat"]["RecordFormatType"], "JSON");
        let columns = schema["RecordColumns"].as_array().unwrap();
        let mappings: Vec<_> = columns.iter().map(|it| it["Mapping"].clone()).collect();
        assert_eq!(mappings, ["$.ticker", "$.price"]);
        let raw = json!([r#"{"ticker": "A", "price": 1.5}"#]);
        assert_eq!(answer["RawInputRecords"], raw);
        assert_eq!(answer["ParsedInputRecords"], json!([["A", "1.5"]]));
        // What was found is what an input takes.
        let mut found = model.input("ticks");
        found["InputSchema"] = schema.clone();
        let creation = model.creation("found", (json!([found]), json!([]), ""));
        caller.call("CreateApplication", creation).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn the_schema_of_an_object_is_that_of_its_lines() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let bucket = service.buckets().join("facts");
        std::fs::create_dir_all(&bucket).unwrap();
        std::fs::write(bucket.join("a.csv"), "AMZN,1.5\nKDA,20\n").unwrap();
        let answer = caller
            .call("DiscoverInputSchema", object(model, "a.csv"))
            .await;
        let format = &answer["InputSchema"]["RecordFormat"];
        assert_eq!(format["RecordFormatType"], "CSV");
        let wanted = json!([["AMZN", "1.5"], ["KDA", "20"]]);
        assert_eq!(answer["ParsedInputRecords"], wanted);
        let code = caller
            .code("DiscoverInputSchema", object(model, "none.csv"))
            .await;
        assert_eq!(code, "InvalidArgumentException");
        service.stop().await;
    }
}

#[tokio::test]
async fn what_has_no_schema_is_told_with_what_was_found() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let input = asking(model, json!({"ResourceARN": stream("ticks")}));
        let code = caller.code("DiscoverInputSchema", input.clone()).await;
        assert_eq!(code, "UnableToDetectSchemaException", "it is empty");
        // A byte that no text has.
        caller.client.put("ticks", "/w==").await;
        let code = caller.code("DiscoverInputSchema", input).await;
        assert_eq!(code, "UnableToDetectSchemaException");
        service.stop().await;
    }
}

#[tokio::test]
async fn exactly_one_place_is_looked_at_and_it_must_be_there() {
    for model in Model::BOTH {
        let (service, caller) = with_streams(model).await;
        let mut both = object(model, "a.csv");
        both["ResourceARN"] = json!(stream("ticks"));
        let none = asking(model, json!({}));
        let missing = asking(model, json!({"ResourceARN": stream("none")}));
        for input in [both, none, missing] {
            let code = caller.code("DiscoverInputSchema", input).await;
            assert_eq!(code, "InvalidArgumentException");
        }
        service.stop().await;
    }
}
