//! Applications of continuous SQL (Kinesis Data Analytics): records of a stream become rows of a
//! program, and rows of its in-application streams become records elsewhere.
//!
//! `application` is what an application is, `catalog` the one owner of its changes, `rows` how they
//! are kept. `running` is applications at work. `ops` are AWS's operations, in both versions of the
//! service's model. Nothing here knows HTTP; nothing keeps records anywhere but in logs.

mod analytics;
pub mod application;
pub mod arn;
mod catalog;
mod directory;
mod limits;
pub mod ops;
pub mod program;
mod rows;
mod running;
mod tables;

pub use analytics::{Analytics, Foundations, OpenError};
pub use running::{Applications, AtWork, Counts, Status, WorkLimits};
