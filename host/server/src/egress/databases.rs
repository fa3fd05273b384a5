//! The connections of deliveries to databases. Whom they may go to is what holds for requests over
//! HTTP: what can be read or changed on its way goes only where the operator names host and port.
//! What is spoken is nobody's business here, but for the question whether the server speaks TLS,
//! which comes before everything (PostgreSQL, "SSL Session Encryption").

use std::io;
use std::sync::Arc;
use std::time::Duration;

use delivery::endpoints::{DatabaseServer, NoReply, Security, Socket};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasm::HttpUrl;

use super::endpoints::{EndpointCalls, not_sent};
use super::{client_config, secure};

/// How long a connection may take to be made, TLS and the look at the name counted.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// The question, in PostgreSQL's form: its length, and a number that is no version.
const SPEAKS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The answers to it.
const YES: u8 = b'S';
const NO: u8 = b'N';

impl EndpointCalls {
    /// Whether a server may be connected to, as far as its name tells.
    pub(super) fn permits_server(&self, server: &DatabaseServer) -> Result<(), String> {
        self.permits_url(&url_of(server)?)
    }

    /// A connection to a server, with what is to protect it.
    pub(super) async fn open_database(
        &self,
        server: &DatabaseServer,
    ) -> Result<Box<dyn Socket>, NoReply> {
        let opened = timeout(CONNECTION_TIME_MAX, self.open_server(server)).await;
        opened.unwrap_or(Err(NoReply::Late))
    }

    async fn open_server(&self, server: &DatabaseServer) -> Result<Box<dyn Socket>, NoReply> {
        let url = url_of(server).map_err(NoReply::Forbidden)?;
        let mut stream = self.connect_to(&url, None).await?;
        if server.security == Security::Plain {
            return Ok(Box::new(stream));
        }
        ask_for_tls(&mut stream).await?;
        Ok(Box::new(if server.security == Security::Verified {
            self.secured(&url, stream).await?
        } else {
            let tls = unverified().map_err(|error| NoReply::Forbidden(error.to_string()))?;
            secure(&tls, &url, stream).await.map_err(not_sent)?
        }))
    }
}

/// The same place as a URL, by which it is known who may be called: over TLS where whoever answers
/// is known.
fn url_of(server: &DatabaseServer) -> Result<HttpUrl, String> {
    let DatabaseServer {
        host,
        port,
        security,
    } = server;
    let scheme = match security {
        Security::Verified => "https",
        Security::Plain | Security::Encrypted => "http",
    };
    HttpUrl::parse(&format!("{scheme}://{host}:{port}/"))
}

/// Agrees on TLS. One byte is read and no more: whatever comes with it is not from the server.
async fn ask_for_tls(stream: &mut TcpStream) -> Result<(), NoReply> {
    let broken = |error: io::Error| NoReply::Broken(error.to_string());
    stream.write_all(&SPEAKS_TLS).await.map_err(broken)?;
    match stream.read_u8().await.map_err(broken)? {
        YES => Ok(()),
        NO => Err(NoReply::Forbidden(
            "the server speaks no TLS, which sslmode asks for".to_owned(),
        )),
        _ => Err(NoReply::Broken(
            "the server does not answer as a database does".to_owned(),
        )),
    }
}

/// TLS with whoever answers.
fn unverified() -> io::Result<TlsConnector> {
    let whoever = Arc::new(Whoever(Arc::new(ring::default_provider())));
    let config = client_config()?.dangerous();
    let config = config.with_custom_certificate_verifier(whoever);
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

/// Takes any certificate, and has its owner prove that it is.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use wasm::HostPattern;

    use super::*;

    fn server(host: &str, security: Security) -> DatabaseServer {
        DatabaseServer {
            host: host.to_owned(),
            port: 5432,
            security,
        }
    }

    #[test]
    fn only_what_is_named_may_be_spoken_to_without_knowing_who_it_is() {
        let named = HostPattern::parse("db.internal:5432").unwrap();
        let calls = EndpointCalls::new(vec![named]);
        let ways = [Security::Plain, Security::Encrypted, Security::Verified];
        for security in ways {
            assert_eq!(
                calls.permits_server(&server("db.internal", security)),
                Ok(())
            );
            let other = calls.permits_server(&server("db.example", security));
            assert_eq!(other.is_ok(), security == Security::Verified);
            let address = calls.permits_server(&server("10.0.0.1", security));
            let why = address.unwrap_err();
            assert!(
                why.contains("[egress] allow = [\"10.0.0.1:5432\"]"),
                "{why}"
            );
        }
    }
}
