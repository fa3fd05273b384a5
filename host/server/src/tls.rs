//! The port that speaks TLS: the handshake, the certificate in force, and its renewal.
//!
//! The certificate and its key are the operator's, or made here and kept below the data directory.
//! Their files are looked at again every so often, so a renewed certificate needs no restart. One
//! that is not good yet, or no longer, takes nobody's place.

mod files;
mod generated;
mod validity;

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
use types::{Clock, Timestamp};

use validity::{Reminder, Validity};

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
    pub(crate) async fn renew(self: Arc<Self>, period: Duration, clock: Arc<dyn Clock>) {
        // An interval of zero panics.
        let mut looks = interval(period.max(Duration::from_millis(1)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::default();
        loop {
            looks.tick().await;
            let (tls, now) = (Arc::clone(&self), clock.now());
            let look = spawn_blocking(move || {
                tls.look(now, &mut told);
                told
            });
            told = look.await.unwrap_or_else(|error| {
                tracing::error!(%error, "look at the certificate");
                Told::default()
            });
        }
    }

    /// Looks at the files once. Blocks.
    fn look(&self, now: Timestamp, told: &mut Told) {
        let certificate = self.files.certificate.display();
        let in_force = self.in_force.get();
        match files::load(&self.files) {
            Ok(key) if key.cert == in_force.cert => told.refused = None,
            Ok(key) => match self.validity(&key).and_then(|validity| {
                let is_good = validity.check(now);
                is_good.map_err(|why| TlsError::new(&self.files.certificate, why))
            }) {
                Ok(()) => {
                    self.in_force.set(key);
                    tracing::info!(%certificate, "a renewed certificate is in force");
                    *told = Told::default();
                }
                Err(error) => self.stays(&error, told),
            },
            Err(error) => self.stays(&error, told),
        }
        self.remind(now, &mut told.reminder);
    }

    /// Tells once that the certificate in force stays, however often the files are looked at.
    fn stays(&self, error: &TlsError, told: &mut Told) {
        let error = error.to_string();
        if told.refused.as_ref() != Some(&error) {
            let in_force = self.validity(&self.in_force.get());
            let in_force = in_force.map_or_else(|error| error.to_string(), Validity::in_words);
            tracing::warn!(%error, in_force, "the certificate in force stays");
        }
        told.refused = Some(error);
    }

    /// Tells that the certificate in force is not good, or will end soon.
    fn remind(&self, now: Timestamp, reminder: &mut Reminder) {
        let certificate = self.files.certificate.display();
        match self.validity(&self.in_force.get()) {
            Ok(validity) => {
                if let Some(why) = reminder.due(validity, now) {
                    tracing::warn!(%certificate, why, "the certificate needs to be renewed");
                }
            }
            // Whatever it is that its reader does not like, clients say what they think of it.
            Err(error) => tracing::debug!(%error, "no dates in the certificate in force"),
        }
    }

    fn validity(&self, key: &CertifiedKey) -> Result<Validity, TlsError> {
        let file = &self.files.certificate;
        let certificate = key.end_entity_cert();
        let certificate = certificate.map_err(|error| TlsError::new(file, error.to_string()))?;
        Validity::of(certificate).map_err(|why| TlsError::new(file, why))
    }
}

/// What an operator was told, of what is said once.
#[derive(Default)]
struct Told {
    /// What is wrong with the files.
    refused: Option<String>,
    reminder: Reminder,
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use validity::DAY;
    use validity::tests::{NOW, certificate};

    /// An operator's files, in a directory of their own.
    struct Operator {
        _directory: tempfile::TempDir,
        files: TlsFiles,
    }

    impl Operator {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let files = TlsFiles {
                certificate: directory.path().join("own.pem"),
                key: directory.path().join("own.key"),
            };
            Self {
                _directory: directory,
                files,
            }
        }

        /// Brings a certificate that is good from the one moment to the other, and returns it.
        fn brings(&self, from: Timestamp, until: Timestamp) -> Vec<u8> {
            let (certificate, key) = certificate(from, until);
            let pem = |label: &str, bytes: &[u8]| {
                let text = base64_simd::STANDARD.encode_to_string(bytes);
                format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
            };
            let text = pem("CERTIFICATE", &certificate);
            fs::write(&self.files.certificate, text).unwrap();
            fs::write(&self.files.key, pem("PRIVATE KEY", &key)).unwrap();
            fs::set_permissions(&self.files.key, fs::Permissions::from_mode(0o600)).unwrap();
            certificate
        }

        fn open(&self) -> Tls {
            let files = Some(self.files.clone());
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            Tls::open(files, Path::new(""), address, NOW).unwrap()
        }
    }

    fn in_force(tls: &Tls) -> Vec<u8> {
        tls.in_force.get().cert[0].to_vec()
    }

    /// A good certificate was replaced by one that had expired the day before.
    #[test]
    fn a_certificate_takes_the_place_of_another_only_while_it_is_good() {
        let operator = Operator::new();
        let first = operator.brings(NOW.before(DAY), NOW.after(99 * DAY));
        let tls = operator.open();
        let mut told = Told::default();
        operator.brings(NOW.before(99 * DAY), NOW.before(DAY));
        tls.look(NOW, &mut told);
        assert_eq!(in_force(&tls), first);
        let why = told.refused.clone().unwrap();
        assert!(
            why.ends_with("own.pem: has expired: Mon Nov 13 22:13:20 UTC 2023"),
            "{why}"
        );
        let early = operator.brings(NOW.after(DAY), NOW.after(99 * DAY));
        tls.look(NOW, &mut told);
        assert_eq!(in_force(&tls), first);
        let why = told.refused.clone().unwrap();
        assert!(why.contains("is not good before Wed Nov 15"), "{why}");
        tls.look(NOW.after(DAY), &mut told);
        assert_eq!(in_force(&tls), early);
        assert_eq!(told.refused, None);
    }

    #[test]
    fn a_server_starts_with_a_certificate_that_has_expired_and_says_so() {
        let operator = Operator::new();
        let expired = operator.brings(NOW.before(99 * DAY), NOW.before(DAY));
        let tls = operator.open();
        assert_eq!(in_force(&tls), expired);
        let mut reminder = Reminder::default();
        let validity = tls.validity(&tls.in_force.get()).unwrap();
        assert!(
            reminder
                .due(validity, NOW)
                .unwrap()
                .starts_with("has expired")
        );
        let renewed = operator.brings(NOW.before(DAY), NOW.after(DAY));
        tls.look(NOW, &mut Told::default());
        assert_eq!(in_force(&tls), renewed);
    }

    #[test]
    fn what_a_client_without_tls_is_told_has_the_length_that_it_says() {
        let (head, body) = SPEAK_TLS.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
