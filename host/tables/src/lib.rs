//! Tables: DynamoDB's items, conditions and indexes on the rows of `store`, behind AWS's
//! operations, and byte keys with byte values for applications that run in this server.
//!
//! An operation is one file of [`ops`]. What they share: the catalog of tables, items and their
//! order, expressions, and the one way in which an item is read, decided about and written. Nothing
//! here knows HTTP.

pub mod application;
mod attribute;
pub mod browse;
pub mod catalog;
mod change;
mod directory;
mod expression;
mod fault;
mod gate;
mod key_order;
mod number;
pub mod ops;
mod pages;
mod row_turns;
mod rows;
pub mod schema;
pub mod table;
mod table_ids;
mod tables;
mod upkeep;
pub mod value;

pub use number::Number;
pub use tables::Tables;
