//! Every operation on tables over HTTP, one file each, as in `host/tables/src/ops`.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod list_tables;
