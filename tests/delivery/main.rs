//! Every operation of Data Firehose over HTTP, one file each, as in `host/delivery/src/ops`, and
//! what becomes of the records: `deliver` and `deliver_stream` without a transform, `transform`,
//! `swap`, `life` and `restart` with one, `processors` what they become before it, `prefixes` where
//! they lie, `partitioning` by keys of their own, `conversion` as rows, `http_endpoint` at an
//! endpoint, `splunk` at a double of an event collector, `search` at one of a cluster, `redshift`
//! in a real PostgreSQL, and `warehouse` in a double of Redshift that has its rows kept by one;
//! `secrets` what these know the server by.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod cluster;
mod collector;
mod conversion;
mod conversion_orc;
mod counted;
mod create_delivery_stream;
mod database;
mod dead_letters;
mod delete_delivery_stream;
mod deliver;
mod deliver_stream;
mod deliveries;
mod describe_delivery_stream;
mod endpoint;
mod glue;
mod health;
mod http_endpoint;
mod life;
mod lineage;
mod list_delivery_streams;
mod list_tags_for_delivery_stream;
mod logs;
mod naming;
mod object_names;
mod pages;
mod partitioning;
mod plugin_files;
mod posted;
mod prefixes;
mod processors;
mod put_record;
mod put_record_batch;
mod redeliver;
mod redshift;
mod redshift_refusals;
mod refused_settings;
mod restart;
mod search;
mod secrets;
mod source_backup;
mod splunk;
mod start_delivery_stream_encryption;
mod stop_delivery_stream_encryption;
mod swap;
mod tag_delivery_stream;
mod transform;
mod untag_delivery_stream;
mod update_destination;
mod warehouse;

use millrace_tests::{ACCOUNT, REGION};
use serde_json::{Value, json};

/// The ARN of a function: the plugin of that name.
fn function(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// A `ProcessingConfiguration` that is in force, of processors of a type with their parameters.
fn processing(processors: &[(&str, &[(&str, &str)])]) -> Value {
    let processors = processors.iter().map(|(kind, parameters)| {
        let parameters = parameters
            .iter()
            .map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value}));
        json!({"Type": kind, "Parameters": parameters.collect::<Vec<_>>()})
    });
    json!({"Enabled": true, "Processors": processors.collect::<Vec<_>>()})
}

/// The `ProcessingConfiguration` that hands records to this plugin and does nothing else.
fn through(plugin: &str) -> Value {
    processing(&[("Lambda", &[("LambdaArn", &function(plugin))])])
}
