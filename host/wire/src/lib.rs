//! AWS's wire in values: bytes of a request become typed inputs, outputs and errors become bytes, a
//! signature is right or wrong, and a request is allowed or not. Nothing here opens a socket,
//! touches a disk or reads a clock: `now` is an argument.

mod access;
mod answer;
mod bounded;
mod call;
pub mod cbor;
mod codec;
mod error;
pub mod event_stream;
pub mod form;
pub mod iam;
mod items;
pub mod json;
pub mod members;
mod mismatch;
pub mod shape;
pub mod sigv4;
mod writer;

pub use access::{Action, Decided, Identity, Origin, Requester, Target};
pub use answer::{Answer, Body, Chunks, EventSource, Room};
pub use bounded::VALUE_CHARS_MAX;
pub use call::Call;
pub use codec::Codec;
pub use error::{ApiError, CLOUDWATCH_ERRORS, DYNAMODB_ERRORS};
pub use writer::Writer;
