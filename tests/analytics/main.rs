//! Every operation of Kinesis Data Analytics over HTTP, one file each, as in
//! `host/analytics/src/ops`, in both versions of its model; `flink_only` what is refused by name,
//! `restart` what a server finds again, `permissions` what policies say.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod add_application_cloud_watch_logging_option;
mod add_application_input;
mod add_application_input_processing_configuration;
mod add_application_output;
mod add_application_reference_data_source;
mod create_application;
mod create_application_snapshot;
mod delete_application;
mod delete_application_cloud_watch_logging_option;
mod delete_application_input_processing_configuration;
mod delete_application_output;
mod delete_application_reference_data_source;
mod delete_application_snapshot;
mod describe_application;
mod describe_application_operation;
mod describe_application_snapshot;
mod describe_application_version;
mod discover_input_schema;
mod flink_only;
mod ground;
mod list_application_operations;
mod list_application_snapshots;
mod list_application_versions;
mod list_applications;
mod list_tags_for_resource;
mod permissions;
mod restart;
mod rollback_application;
mod start_application;
mod stop_application;
mod tag_resource;
mod untag_resource;
mod update_application;
mod working;
