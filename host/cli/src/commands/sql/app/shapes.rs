//! Answers of Kinesis Data Analytics as far as they are shown here.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::Failure;

/// The answer of DescribeApplication, and of what makes or changes an application.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) application_detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Detail {
    pub(super) application_name: String,
    #[serde(rename = "ApplicationARN")]
    pub(super) arn: String,
    pub(super) application_status: String,
    pub(super) application_version_id: u64,
    /// In seconds, as it is given back when the application is deleted.
    pub(super) create_timestamp: Value,
    pub(super) application_configuration_description: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Configuration {
    pub(super) sql_application_configuration_description: Parts,
    pub(super) application_code_configuration_description: Code,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parts {
    pub(super) input_descriptions: Vec<Input>,
    pub(super) output_descriptions: Vec<Output>,
    pub(super) reference_data_source_descriptions: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    pub(super) input_id: String,
    pub(super) in_app_stream_names: Vec<String>,
    pub(super) kinesis_streams_input_description: Resource,
}

#[derive(Deserialize)]
pub(super) struct Resource {
    #[serde(rename = "ResourceARN")]
    pub(super) arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    pub(super) name: String,
    kinesis_streams_output_description: Option<Resource>,
    kinesis_firehose_output_description: Option<Resource>,
    lambda_output_description: Option<Resource>,
}

impl Output {
    /// Where its rows go; nothing, if the server has a kind that is not known here.
    pub(super) fn arn(&self) -> Option<&str> {
        let all = [
            &self.kinesis_streams_output_description,
            &self.kinesis_firehose_output_description,
            &self.lambda_output_description,
        ];
        let named = all.into_iter().flatten().next();
        named.map(|resource| resource.arn.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Reference {
    pub(super) table_name: String,
    #[serde(rename = "S3ReferenceDataSourceDescription")]
    pub(super) object: Object,
}

#[derive(Deserialize)]
pub(super) struct Object {
    #[serde(rename = "BucketARN")]
    pub(super) bucket_arn: String,
    #[serde(rename = "FileKey")]
    pub(super) key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Code {
    pub(super) code_content_description: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Text {
    pub(super) text_content: String,
}

/// All that the server says of an application.
pub(super) async fn detail(client: &mut Client, name: &str) -> Result<Detail, Failure> {
    let input = json!({"ApplicationName": name});
    let described: Described = client.call_analytics("DescribeApplication", &input).await?;
    Ok(described.application_detail)
}
