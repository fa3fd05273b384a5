//! Every operation on tables over HTTP, one file each, as in `host/tables/src/ops`.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod create_table;
mod delete_item;
mod delete_table;
mod describe_table;
mod get_item;
mod list_tables;
mod metrics;
mod pages;
mod permissions;
mod put_item;
mod query;
mod refusals;
mod scan;
mod tables;
mod update_item;
mod update_table;
