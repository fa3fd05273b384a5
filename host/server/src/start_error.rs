//! Why a server did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use delivery::objects::ObjectError;
use store::StoreError;
use streams::OpenError;
use streams::kms::KmsOpenError;

use crate::tls::TlsError;

/// Why the server did not start.
#[derive(Debug)]
pub enum StartError {
    /// Without credentials anybody may call, so only this machine may reach it.
    Unprotected(SocketAddr),
    /// The address could not be listened on.
    Listen(SocketAddr, io::Error),
    /// The certificate, or its key, is not as it must be.
    Tls(TlsError),
    /// There is a certificate and no address to use it at.
    NoTlsAddress,
    /// The machine gave no random numbers.
    Random(String),
    /// A master key is no secret.
    Kms(KmsOpenError),
    /// The streams could not be opened.
    Streams(OpenError),
    /// The tables could not be opened.
    Tables(StoreError),
    /// The machine gave no threads for deliveries.
    Threads(io::Error),
    /// The certificates that the machine trusts could not be read, to which plugins may call.
    Egress(io::Error),
    /// Plugins, or what they are kept in, could not be opened.
    Plugins(wasm::OpenError),
    /// Where objects go could not be opened.
    Objects(ObjectError),
    /// The delivery streams could not be opened.
    Delivery(delivery::OpenError),
    /// The applications could not be opened.
    Consumers(consumers::OpenError),
    /// The applications of SQL cannot be read.
    Analytics(analytics::OpenError),
    /// A task ended that should not have.
    Task(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected(address) => write!(
                f,
                "listen on {address}: without [[credentials]] in the configuration anybody who \
                 reaches the server may use it, so it listens on loopback addresses only"
            ),
            Self::Listen(address, error) => write!(f, "listen on {address}: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::NoTlsAddress => f.write_str(
                "[tls] in the configuration names a certificate, and neither tls_listen nor \
                 --tls-listen an address to use it at",
            ),
            Self::Threads(error) => write!(f, "start the threads of deliveries: {error}"),
            Self::Egress(error) => write!(f, "read the certificates for calls of plugins: {error}"),
            Self::Random(why) => write!(f, "draw a random number: {why}"),
            Self::Kms(error) => error.fmt(f),
            Self::Streams(error) => error.fmt(f),
            Self::Tables(error) => write!(f, "open the tables: {error}"),
            Self::Plugins(error) => error.fmt(f),
            Self::Objects(error) => error.fmt(f),
            Self::Delivery(error) => error.fmt(f),
            Self::Consumers(error) => error.fmt(f),
            Self::Analytics(error) => error.fmt(f),
            Self::Task(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StartError {}
