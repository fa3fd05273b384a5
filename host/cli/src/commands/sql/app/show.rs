//! `millrace sql app describe` and `list`.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::shapes::detail;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct DescribeArgs {
    /// The application's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    application_summaries: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    application_name: String,
    application_status: String,
    application_version_id: u64,
}

/// Prints what an application is, and its code behind it.
pub(crate) async fn describe(args: &DescribeArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let detail = detail(&mut client, &args.name).await?;
    let configuration = detail.application_configuration_description;
    let parts = configuration.sql_application_configuration_description;
    let pair = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        pair("application", detail.application_name),
        pair("arn", detail.arn),
        pair("status", detail.application_status),
        pair("version", detail.application_version_id.to_string()),
    ];
    for input in parts.input_descriptions {
        let streams = input.in_app_stream_names.join(", ");
        let from = input.kinesis_streams_input_description.arn;
        rows.push(pair("reads", format!("{from} as {streams}")));
    }
    for output in &parts.output_descriptions {
        let to = output::or_none(output.arn().map(str::to_owned));
        rows.push(pair("writes", format!("{} to {to}", output.name)));
    }
    for reference in parts.reference_data_source_descriptions {
        let object = reference.object;
        let from = format!("{}/{}", object.bucket_arn, object.key);
        rows.push(pair("joins", format!("{from} as {}", reference.table_name)));
    }
    output::raw(output::table(&rows).as_bytes())?;
    let code = configuration.application_code_configuration_description;
    let text = code.code_content_description.text_content;
    Ok(output::lines(&format!("\n{}", text.trim()))?)
}

/// Prints all applications.
pub(crate) async fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut rows = vec![
        ["application", "status", "version"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut input = json!({});
    loop {
        let listed: Listed = client.call_analytics("ListApplications", &input).await?;
        rows.extend(listed.application_summaries.into_iter().map(|it| {
            let version = it.application_version_id.to_string();
            vec![it.application_name, it.application_status, version]
        }));
        match listed.next_token {
            Some(token) => input = json!({"NextToken": token}),
            None => break,
        }
    }
    if rows.len() == 1 {
        return Ok(output::lines("no applications of SQL")?);
    }
    output::raw(output::table(&rows).as_bytes())?;
    Ok(output::flush()?)
}
