//! Applications that consume streams inside the server: records go through a plugin, shard by
//! shard, and what it writes to tables, puts to streams and keeps of its state becomes durable
//! together with how far it came.
//!
//! `supervisor` says who works on what (`leases`) and keeps a lane at work for each shard of its
//! worker; `lane` is the step that `streams::pump` takes; `work` calls the plugin, whose wishes are
//! gathered in `effects`. Records that always fail are in `dead_letters`. Nothing here knows HTTP.

pub mod application;
mod batch;
mod budget;
mod catalog;
mod consumers;
mod contention;
mod counts;
mod dead_letters;
mod desk;
mod directory;
mod effects;
mod granted;
mod ground;
mod instances;
mod lane;
mod leases;
mod limits;
mod manifests;
mod memory;
mod place;
mod plan;
mod replay;
mod rows;
mod running;
pub mod status;
mod supervisor;
mod table_ids;
mod work;

pub use application::{ApplicationName, Start, Versions};
pub use catalog::{ChangeError, NewApplication};
pub use consumers::{Consumers, Foundations, LetterError, OpenError, Options, Owner};
pub use counts::Counts;
pub use dead_letters::Content;
pub use directory::NotMade;
pub use effects::Grants;
pub use limits::{APPLICATIONS_PER_ACCOUNT_MAX, WORK_BYTES};
pub use rows::pinned;
