//! Delivery streams (Data Firehose): records go from a stream, or from direct puts, through a
//! component into objects of S3, each exactly once.
//!
//! A delivery stream has a lane for each shard that it reads. A lane gathers records into cuts
//! (`cut`), keeps each decision, and delivers it: `worker` makes objects of records, `transform`
//! hands them to a plugin, `objects` puts them. `ops` are AWS's operations. Nothing here knows
//! HTTP but the client in `objects`; nothing keeps records anywhere but in logs.

mod answers;
pub mod arn;
mod catalog;
pub mod compression;
mod content;
pub mod conversion;
mod converted;
mod counts;
mod cut;
mod deaggregation;
mod decompression;
mod delivered_log;
mod delivery;
mod delivery_stream;
mod directory;
pub mod emit;
mod encoder;
pub mod endpoints;
mod error_log;
mod failed_record;
mod fallback;
pub mod glue;
mod glue_files;
pub mod glue_service;
mod gone;
mod http_endpoint;
mod kind;
mod lane;
mod lane_quota;
mod lane_state;
mod ledger;
mod let_go;
mod letters;
mod lineage;
mod log_messages;
mod metadata;
mod need;
mod object_name;
pub mod objects;
mod open_cut;
pub mod ops;
mod orders;
mod output;
mod packed;
mod packing;
mod partitioning;
mod partitions;
mod piece;
mod pins;
mod prefix;
mod pruning;
mod put;
mod put_rates;
mod query;
mod redeliveries;
mod redshift;
mod replayed;
mod retained;
mod rows;
mod running;
mod search;
mod secret;
mod secret_arn;
mod secrets;
pub mod serializer;
mod settled;
mod shares;
mod sink;
mod splunk;
mod status;
mod sums;
mod supervisor;
mod tables;
mod transform;
mod user_records;
mod worker;
mod zone;

pub use delivered_log::Delivered;
pub use delivery::{
    Delivery, FLUSH_TIME_MAX, Foundations, Metrics, ORDER_TIME_MAX, OpenError, WorkStatus,
};
pub use error_log::DeliveryError;
pub use ledger::{Holding, WorkLimits};
pub use letters::{
    LetterError, LetterObject, LetterPage, LetterRecord, LetterText, Replayed, Wanted, Way,
};
pub use lineage::Lineage;
pub use need::stream_bytes_min;
pub use orders::{LaneAnswer, Order, Outcome};
pub use redeliveries::{RedeliveredShard, RedeliveryOrder, RedeliveryStatus};
pub use running::Flushed;
pub use secret_arn::ManagedSecretName;
pub use secrets::{SecretSetting, Secrets};
pub use status::{DeliveryDescription, DeliveryStatus, LaneDescription, StuckLane, VersionStatus};
