//! AWS's wire in values: bytes of a request become typed inputs, outputs and errors become bytes,
//! and a signature is right or wrong. Nothing here opens a socket, touches a disk or reads a
//! clock: `now` is an argument.

mod answer;
mod bounded;
mod error;
pub mod json;
pub mod shape;
pub mod sigv4;

pub use answer::{Answer, Call, Chunks};
pub use bounded::VALUE_CHARS_MAX;
pub use error::ApiError;
