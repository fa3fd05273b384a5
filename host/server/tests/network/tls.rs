//! The port that speaks TLS, as a client of rustls sees it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_server::{Config, Credential, Running, StartError, TlsFiles};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use types::AccountId;
use types::ManualClock;
use wire::iam::{IdentityPolicy, UserName};
use wire::sigv4::SecretKey;

use crate::answers::{ANSWER_BYTES, fill, until};
use crate::fixture::{
    LIST_STREAMS, NOW, PATIENCE, RIGHT, ask_with_body, config, head, try_start, try_start_by,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SOON: Duration = Duration::from_millis(100);
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

const H1: &[&[u8]] = &[b"http/1.1"];
const H2: &[&[u8]] = &[b"h2"];
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

/// A server with a data directory of its own.
struct Server {
    running: Running,
    data: TempDir,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let running = try_start(tls_config(data.path(), change)).await.unwrap();
        Self { running, data }
    }

    fn address(&self) -> SocketAddr {
        self.running.tls().unwrap().address
    }

    /// What it says that clients must trust.
    fn authority(&self) -> PathBuf {
        self.running.tls().unwrap().authority.clone().unwrap()
    }

    async fn client(&self) -> TlsStream<TcpStream> {
        connect(self.address(), &self.authority(), Client::default())
            .await
            .unwrap()
    }
}

fn tls_config(data: &Path, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    config.data = data.to_owned();
    config.tls_listen = Some(ANY_PORT);
    change(&mut config);
    config
}

/// What a client offers.
struct Client {
    name: &'static str,
    version: &'static SupportedProtocolVersion,
    alpn: &'static [&'static [u8]],
    /// Its buffer is so small that a large answer does not fit in.
    has_little_room: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            name: "localhost",
            version: &TLS13,
            alpn: &[],
            has_little_room: false,
        }
    }
}

/// Connects as a client that trusts the certificates in `trusted` and no others.
async fn connect(
    address: SocketAddr,
    trusted: &Path,
    client: Client,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[client.version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = client.alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(client.name).unwrap();
    let socket = TcpSocket::new_v4()?;
    if client.has_little_room {
        socket.set_recv_buffer_size(4096)?;
    }
    let stream = socket.connect(address).await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, handshake).await.unwrap()
}

/// Sends a request of HTTP/1.1 and reads its answer, which has a Content-Length.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    timeout(PATIENCE, stream.read_exact(&mut body))
        .await
        .unwrap()
        .unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Waits until the other side has ended. Returns what it still said.
async fn closed(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is as closed as an end.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .unwrap();
    rest
}

fn list_streams() -> String {
    format!("{LIST_STREAMS}Content-Length: 2\r\n\r\n{{}}")
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_answered_by_every_local_name() {
    let server = Server::start(|_| {}).await;
    for version in [&TLS12, &TLS13] {
        for name in ["localhost", "127.0.0.1", "::1"] {
            let client = Client {
                name,
                version,
                ..Client::default()
            };
            let stream = connect(server.address(), &server.authority(), client).await;
            let (head, body) = ask(&mut stream.unwrap(), &list_streams()).await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert!(body.contains("StreamNames"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_policy_can_ask_for_tls() {
    let policy = r#"{"Statement": {"Effect": "Allow", "Action": "kinesis:ListStreams",
        "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}}"#;
    let server = Server::start(|config| {
        let secret = SecretKey::new(RIGHT.secret);
        let mut credential = Credential::of_account(RIGHT.key_id, secret, AccountId::DEFAULT);
        credential.identity.principal.user = Some(UserName::parse("ann").unwrap());
        credential.identity.policy = Some(IdentityPolicy::parse(policy).unwrap());
        config.credentials.push(credential);
    })
    .await;
    let signed = RIGHT.operation(&server.running, "ListStreams", b"{}");
    let plain = ask_with_body(&server.running, &signed, "{}").await;
    assert_eq!(plain.code(), "AccessDeniedException");
    let request = format!("{}Content-Length: 2\r\n\r\n{{}}", head(&signed));
    let (answer, body) = ask(&mut server.client().await, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{body}");
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_authority_is_let_go() {
    let (server, other) = (Server::start(|_| {}).await, Server::start(|_| {}).await);
    let stranger = connect(server.address(), &other.authority(), Client::default()).await;
    assert!(stranger.unwrap_err().to_string().contains("UnknownIssuer"));
    assert!(
        ask(&mut server.client().await, HEALTH)
            .await
            .0
            .contains(" 200 ")
    );
}

#[tokio::test]
async fn client_and_server_agree_on_the_protocol_in_the_handshake() {
    let server = Server::start(|_| {}).await;
    for (alpn, agreed) in [(BOTH, &b"h2"[..]), (H1, b"http/1.1")] {
        let client = Client {
            alpn,
            ..Client::default()
        };
        let stream = connect(server.address(), &server.authority(), client)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed));
    }
    let client = Client {
        alpn: &[b"spdy/1"],
        ..Client::default()
    };
    assert!(
        connect(server.address(), &server.authority(), client)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn http_2_is_spoken_where_it_was_agreed_on_and_where_the_client_begins_with_it() {
    let server = Server::start(|_| {}).await;
    for alpn in [H2, &[]] {
        let client = Client {
            alpn,
            ..Client::default()
        };
        let stream = connect(server.address(), &server.authority(), client)
            .await
            .unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let request = hyper::Request::get("https://localhost/healthz");
        let request = request
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let answer = timeout(PATIENCE, sender.send_request(request))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.status(), 200);
        connection.abort();
    }
}

/// A connection that has nothing to do gives its buffers back, and then only its socket is waited
/// on, which knows nothing of TLS.
#[tokio::test]
async fn a_connection_goes_on_after_a_rest_and_a_large_answer() {
    let server = Server::start(|config| config.limits.head = Duration::from_millis(400)).await;
    let mut stream = server.client().await;
    for _ in 0..3 {
        let body = "{}".to_owned() + &" ".repeat(600_000 - 2);
        let request = format!("{LIST_STREAMS}Content-Length: 600000\r\n\r\n{body}");
        assert!(
            ask(&mut stream, &request)
                .await
                .0
                .starts_with("HTTP/1.1 200 ")
        );
        let rests = async {
            while !metrics(&server)
                .await
                .contains("\nmillrace_connections_at_rest 1\n")
            {}
        };
        timeout(PATIENCE, rests).await.unwrap();
    }
}

#[tokio::test]
async fn a_large_answer_is_given_whole_and_given_up_where_nobody_takes_it() {
    let clock = Arc::new(ManualClock::new(NOW));
    let data = tempfile::tempdir().unwrap();
    let config = tls_config(data.path(), |_| {});
    let grace = config.limits.answer_grace;
    let running = try_start_by(&clock, config).await.unwrap();
    let server = Server { running, data };
    let body = fill(&server.running).await.to_string();
    let head = LIST_STREAMS.replace("ListStreams", "GetRecords");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let (_, answer) = ask(&mut server.client().await, &request).await;
    assert!(answer.len() > ANSWER_BYTES);
    let deaf = Client {
        has_little_room: true,
        ..Client::default()
    };
    let mut deaf = connect(server.address(), &server.authority(), deaf)
        .await
        .unwrap();
    deaf.write_all(request.as_bytes()).await.unwrap();
    deaf.flush().await.unwrap();
    until(|| server.running.in_flight_bytes() > ANSWER_BYTES / 2).await;
    let given_up = until(|| {
        clock.advance(grace);
        server.running.connections() == 0
    });
    given_up.await;
    assert_eq!(server.running.in_flight_bytes(), 0);
}

async fn metrics(server: &Server) -> String {
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    crate::fixture::ask(&server.running, request).await.body
}

#[tokio::test]
async fn an_idle_connection_is_told_that_it_ends() {
    let server = Server::start(|config| config.limits.idle = SOON).await;
    let mut stream = server.client().await;
    ask(&mut stream, HEALTH).await;
    let mut rest = Vec::new();
    // Without a close_notify, reading would fail with UnexpectedEof.
    let end = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .unwrap();
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn a_client_without_tls_is_told_what_the_port_speaks() {
    let server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(HEALTH.as_bytes()).await.unwrap();
    let said = String::from_utf8(closed(stream).await).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(said.contains("speaks TLS"), "{said}");
    let told = metrics(&server).await;
    assert!(
        told.contains("\nmillrace_tls_handshakes_failed_total 1\n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_client_with_tls_at_the_plain_port_fails_at_once() {
    let server = Server::start(|_| {}).await;
    let plain = server.running.address();
    assert!(
        connect(plain, &server.authority(), Client::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_client_that_says_nothing_or_stops_in_its_handshake_is_not_waited_for() {
    let server = Server::start(|config| {
        config.limits.first_byte = SOON;
        config.limits.handshake = SOON;
    })
    .await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(closed(&mut stream).await, b"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // The beginning of a record of 512 bytes, and no more.
    stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    closed(stream).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_after_its_handshake_is_not_waited_for() {
    let server = Server::start(|config| config.limits.first_byte = SOON).await;
    assert_eq!(closed(server.client().await).await, b"");
    let server = Server::start(|config| config.limits.head = SOON).await;
    let mut stream = server.client().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: local")
        .await
        .unwrap();
    stream.flush().await.unwrap();
    assert_eq!(closed(stream).await, b"");
}

#[tokio::test]
async fn both_ports_share_the_places_for_connections() {
    let server = Server::start(|config| config.limits.connections_max = 1).await;
    let mut stream = server.client().await;
    ask(&mut stream, HEALTH).await;
    let plain = TcpStream::connect(server.running.address()).await.unwrap();
    assert_eq!(closed(plain).await, b"");
    assert!(
        connect(server.address(), &server.authority(), Client::default())
            .await
            .is_err()
    );
    assert!(
        ask(&mut stream, HEALTH)
            .await
            .0
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn other_names_and_pages_are_refused_as_at_the_plain_port() {
    let server = Server::start(|_| {}).await;
    let mut stream = server.client().await;
    for header in [
        "Host: evil.example",
        "Host: localhost\r\nOrigin: https://evil.example",
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\n{header}\r\n\r\n");
        let (head, body) = ask(&mut stream, &request).await;
        assert!(!head.contains(" 200 "), "{head}");
        assert!(body.contains("AccessDeniedException"), "{body}");
    }
}

#[tokio::test]
async fn a_request_under_way_is_answered_though_the_server_stops() {
    let Server { running, data } = Server::start(|_| {}).await;
    let tls = running.tls().unwrap().clone();
    let trusted = tls.authority.unwrap();
    let mut stream = connect(tls.address, &trusted, Client::default())
        .await
        .unwrap();
    let mut idle = connect(tls.address, &trusted, Client::default())
        .await
        .unwrap();
    ask(&mut idle, HEALTH).await;
    let request = format!("{LIST_STREAMS}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut continues = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut continues))
        .await
        .unwrap()
        .unwrap();
    let down = tokio::spawn(running.shut_down());
    assert_eq!(closed(idle).await, b"");
    let (head, _) = ask(&mut stream, "{}").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(closed(stream).await, b"");
    down.await.unwrap().unwrap();
    drop(data);
}

#[tokio::test]
async fn a_restart_keeps_the_authority() {
    let data = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let running = try_start(tls_config(data.path(), |_| {})).await.unwrap();
        let tls = running.tls().unwrap().clone();
        seen.push(fs::read(tls.authority.unwrap()).unwrap());
        running.shut_down().await.unwrap();
    }
    assert_eq!(seen[0], seen[1]);
}

/// An operator's certificate, which vouches for itself.
struct Own {
    directory: TempDir,
}

impl Own {
    fn new() -> Self {
        let own = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        own.renew();
        own
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.directory.path().join("own.pem"),
            key: self.directory.path().join("own.key"),
        }
    }

    fn renew(&self) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        fs::write(self.files().key, pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        fs::set_permissions(self.files().key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(
            self.files().certificate,
            pem("CERTIFICATE", certificate.der()),
        )
        .unwrap();
    }

    /// Why a server does not start with these files.
    async fn refusal(&self) -> String {
        let data = tempfile::tempdir().unwrap();
        let files = self.files();
        let config = tls_config(data.path(), |config| config.tls = Some(files));
        let error = try_start(config).await.err().unwrap();
        assert!(matches!(error, StartError::Tls(_)), "{error}");
        error.to_string()
    }
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[tokio::test]
async fn an_operators_certificate_is_used_and_read_again_when_it_was_renewed() {
    let own = Own::new();
    let server = Server::start(|config| {
        config.tls = Some(own.files());
        config.limits.certificate_period = Duration::from_millis(10);
    })
    .await;
    assert!(server.running.tls().unwrap().authority.is_none());
    let trusted = own.files().certificate;
    let connects = || connect(server.address(), &trusted, Client::default());
    let mut before = connects().await.unwrap();
    own.renew();
    let renewed = async { while connects().await.is_err() {} };
    timeout(PATIENCE, renewed).await.unwrap();
    // Connections from before go on, and a file that is no good changes nothing.
    let good = fs::read(&trusted).unwrap();
    let kept = server.data.path().join("good.pem");
    fs::write(&kept, good).unwrap();
    fs::write(&trusted, "no certificate").unwrap();
    assert!(
        ask(&mut before, HEALTH)
            .await
            .0
            .starts_with("HTTP/1.1 200 ")
    );
    for _ in 0..20 {
        connect(server.address(), &kept, Client::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_bad_certificate_or_key_is_refused_at_the_start_by_its_name() {
    let own = Own::new();
    let (certificate, key) = (own.files().certificate, own.files().key);
    let good = fs::read(&certificate).unwrap();
    for (text, why) in [
        ("", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
            "",
        ),
        (&pem("CERTIFICATE", b"x"), ""),
    ] {
        fs::write(&certificate, text).unwrap();
        let said = own.refusal().await;
        assert!(said.contains("own.pem: "), "{said}");
        assert!(said.contains(why), "{said}");
    }
    fs::write(&certificate, &good).unwrap();
    let other = KeyPair::generate().unwrap();
    for (text, why) in [
        ("hush-hush".to_owned(), "holds no private key"),
        (pem("PRIVATE KEY", b"hush-hush"), ""),
        (
            pem("PRIVATE KEY", &other.serialize_der()),
            "is not the key of ",
        ),
    ] {
        fs::write(&key, text).unwrap();
        let said = own.refusal().await;
        assert!(said.contains("own.key: ") && said.contains(why), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = own.refusal().await;
    assert!(said.contains("own.key: others can read this key"), "{said}");
    fs::remove_file(&key).unwrap();
    assert!(own.refusal().await.contains("own.key: No such file"));
}

#[tokio::test]
async fn a_certificate_without_an_address_to_use_it_at_is_refused() {
    let own = Own::new();
    let data = tempfile::tempdir().unwrap();
    let config = tls_config(data.path(), |config| {
        config.tls = Some(own.files());
        config.tls_listen = None;
    });
    let error = try_start(config).await.err().unwrap();
    assert!(error.to_string().contains("--tls-listen"), "{error}");
}

#[tokio::test]
async fn without_credentials_tls_is_for_loopback_only_too() {
    let data = tempfile::tempdir().unwrap();
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let config = tls_config(data.path(), |config| config.tls_listen = Some(anywhere));
    let error = try_start(config).await.err().unwrap();
    assert!(matches!(error, StartError::Unprotected(_)), "{error}");
}
