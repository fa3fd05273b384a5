//! The port that speaks TLS: the handshake, the certificate in force, and its renewal.
//!
//! The certificate and its key are the operator's, or made here and kept below the data directory.
//! Their files are looked at again every so often, so a renewed certificate needs no restart.

mod files;
mod generated;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use types::Timestamp;

use crate::config::TlsFiles;
use crate::limits::Limits;
use crate::transport::{Transport, linger};

/// What HTTP/2 and HTTP/1.1 are called when client and server agree on one (RFC 7301).
const ALPN_H2: &[u8] = b"h2";
const ALPN_H1: &[u8] = b"http/1.1";
/// The first byte of a connection that speaks TLS: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 22;
/// What a client hears that speaks HTTP without TLS. One of HTTP/2 takes it for an error.
const SPEAK_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 40\r\nConnection: close\r\n\r\nThis port speaks TLS: call it by https.\n";

/// Why there is no TLS.
#[derive(Debug)]
pub struct TlsError {
    /// The file that it is about.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl TlsError {
    fn new(file: &Path, why: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            why: why.into(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

/// Which protocol client and server agreed on in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    H1,
    H2,
    /// The client did not ask.
    Nothing,
}

/// Everything that the port needs.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    in_force: Arc<InForce>,
    files: TlsFiles,
    /// What clients must trust; `None` with an operator's certificate, which is their business.
    authority: Option<PathBuf>,
}

/// The certificate that handshakes use.
#[derive(Debug)]
struct InForce(RwLock<Arc<CertifiedKey>>);

impl InForce {
    fn get(&self) -> Arc<CertifiedKey> {
        // The value is whole after each statement, so a panic elsewhere does not spoil it.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Tls {
    /// Reads the certificate and its key, or makes them below `data` for a server that listens at
    /// `address`. Blocks.
    pub(crate) fn open(
        files: Option<TlsFiles>,
        data: &Path,
        address: SocketAddr,
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        let (files, authority, key) = match files {
            Some(files) => {
                let key = files::load(&files)?;
                (files, None, key)
            }
            None => {
                let made = generated::open(data, address.ip(), now)?;
                (made.files, Some(made.authority), made.key)
            }
        };
        let in_force = Arc::new(InForce(RwLock::new(Arc::new(key))));
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::new(&files.certificate, error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&in_force) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_H1.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            in_force,
            files,
            authority,
        })
    }

    /// The file that clients must trust, if it was made here.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Takes a connection through its handshake. What it still has to write then holds at most
    /// about `unsent_bytes_max`.
    ///
    /// # Errors
    /// Why the connection is over: it does not speak TLS, the two do not agree, or it takes too
    /// long.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        limits: &Limits,
        unsent_bytes_max: usize,
    ) -> Result<(Transport, Agreed), String> {
        let first = timeout(limits.first_byte, first_byte(&stream)).await;
        let first = first.map_err(|_| "it sent nothing in time")?;
        if first.map_err(|error| error.to_string())? != HANDSHAKE_RECORD {
            refuse_plain(stream).await;
            return Err("it does not speak TLS".to_owned());
        }
        let handshake = self.acceptor.accept_with(stream, |connection| {
            connection.set_buffer_limit(Some(unsent_bytes_max));
        });
        let stream = timeout(limits.handshake, handshake).await;
        let stream = stream
            .map_err(|_| "the handshake took too long")?
            .map_err(|error| format!("handshake: {error}"))?;
        let agreed = match stream.get_ref().1.alpn_protocol() {
            Some(protocol) if protocol == ALPN_H2 => Agreed::H2,
            Some(_) => Agreed::H1,
            None => Agreed::Nothing,
        };
        Ok((Transport::Tls(Box::new(stream)), agreed))
    }

    /// Looks at the files again and again, for ever.
    pub(crate) async fn renew(self: Arc<Self>, period: Duration) {
        // An interval of zero panics.
        let mut looks = interval(period.max(Duration::from_millis(1)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What is wrong with the files is told once, however often they are looked at.
        let mut told = None;
        loop {
            looks.tick().await;
            let tls = Arc::clone(&self);
            let Ok(loaded) = spawn_blocking(move || files::load(&tls.files)).await else {
                continue; // The runtime is shut down.
            };
            let certificate = self.files.certificate.display();
            match loaded {
                Ok(key) if key.cert == self.in_force.get().cert => told = None,
                Ok(key) => {
                    self.in_force.set(key);
                    tracing::info!(%certificate, "a renewed certificate is in force");
                    told = None;
                }
                Err(error) => {
                    let error = error.to_string();
                    if told.as_ref() != Some(&error) {
                        tracing::warn!(%error, "the certificate in force stays");
                    }
                    told = Some(error);
                }
            }
        }
    }
}

/// Looks at the first byte without taking it.
async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0]),
    }
}

/// Tells a client without TLS what this port speaks.
async fn refuse_plain(mut stream: TcpStream) {
    // It is short, so a client that takes it at all takes it at once.
    let said = stream.try_write(SPEAK_TLS.as_bytes());
    if said.is_ok() && stream.shutdown().await.is_ok() {
        linger(stream).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_without_tls_is_told_has_the_length_that_it_says() {
        let (head, body) = SPEAK_TLS.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
