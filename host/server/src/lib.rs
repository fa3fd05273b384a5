//! The only crate that listens: HTTP/1.1 and cleartext HTTP/2 on one port, both within TLS on
//! another, the way of a request from the socket to its operation and back, and what is told about
//! it.
//!
//! A request goes `listen` -> `connection` -> `route` -> `auth` -> `operations`. What it may cost
//! is in `limits`.

mod activity;
mod answer;
mod auth;
mod body;
mod budget;
mod cloudwatch;
mod config;
mod connection;
mod cors;
mod egress;
mod ending;
mod granting;
mod limits;
mod listen;
mod operations;
mod pace;
mod read_turns;
mod request_id;
mod retained;
mod route;
mod shutdown;
mod start;
mod start_error;
mod sts;
mod telemetry;
mod tls;
mod transport;
mod turns;
mod web_origin;

pub use config::{
    Config, ConfigError, Credential, DeliveryLimits, PORT_DEFAULT, Session, TlsFiles,
};
pub use limits::Limits;
pub use operations::actions;
pub use start::{Running, TlsPort, start};
pub use start_error::StartError;
pub use tls::TlsError;
pub use web_origin::WebOrigin;
