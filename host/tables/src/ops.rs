//! The operations: one file each, with its shape, its checks, its work and its answer. What they
//! share: [`address`] and [`conditions`] on the way in, [`describe`] and [`error`] on the way out.

pub mod create_table;
pub mod delete_item;
pub mod delete_table;
pub mod describe_table;
pub mod get_item;
pub mod list_tables;
pub mod put_item;
pub mod query;
pub mod scan;
pub mod update_item;
pub mod update_table;

mod address;
mod conditions;
mod definitions;
mod describe;
pub(crate) mod error;
mod legacy;
mod results;
mod returned;
mod shapes;
