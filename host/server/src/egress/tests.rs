//! What leaves the machine, and what does not: names that lead elsewhere, servers that answer too
//! much, too late, or with what is no answer.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wasm::{AddressRange, HttpUrl, PluginName};

use super::resolve::Found;
use super::*;

/// How long a call may take that something is to come of.
const PATIENCE: Duration = Duration::from_secs(60);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\n\r\nhello";

/// Answers each question with the next of its answers, and then with the last one again.
struct Told {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Told {
    fn resolve<'a>(&'a self, host: &'a str) -> Found<'a> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

fn resolver(answers: &[&[&str]]) -> Arc<Told> {
    let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(Told {
        answers: Mutex::new(answers.iter().map(addresses).collect()),
        asked: Mutex::default(),
    })
}

fn roots(certificates: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(certificates)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// A call, as it is made.
struct Made {
    url: String,
    ranges: Vec<AddressRange>,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    time_max: Duration,
    answer_bytes_max: usize,
    is_stopped: bool,
}

impl Made {
    fn to(url: &str, ranges: &[&str]) -> Self {
        let ranges = ranges.iter();
        Self {
            url: url.to_owned(),
            ranges: ranges.map(|it| AddressRange::parse(it).unwrap()).collect(),
            headers: Vec::new(),
            body: Bytes::new(),
            time_max: PATIENCE,
            answer_bytes_max: 1024,
            is_stopped: false,
        }
    }

    /// What comes of it, by a thread that may be blocked.
    async fn of(self, egress: &Arc<Egress>) -> Result<Answer, CallError> {
        let egress = Arc::clone(egress);
        let fetched = tokio::task::spawn_blocking(move || {
            let (plugin, url) = (PluginName::parse("own").unwrap(), HttpUrl::parse(&self.url));
            egress.fetch(&Call {
                plugin: &plugin,
                account: None,
                method: "POST",
                url: &url.unwrap(),
                headers: &self.headers,
                body: &self.body,
                time_max: self.time_max,
                answer_bytes_max: self.answer_bytes_max,
                ranges: &self.ranges,
                is_stopped: &|| self.is_stopped,
            })
        });
        fetched.await.unwrap()
    }
}

fn egress(resolver: &Arc<Told>) -> Arc<Egress> {
    let resolver: Arc<dyn Resolve> = Arc::clone(resolver) as _;
    Arc::new(Egress::with(
        Handle::current(),
        resolver,
        roots(RootCertStore::empty()),
    ))
}

/// A server on loopback that answers each connection with this, and its port. What it was sent is
/// in the answer of the second.
async fn server(answer: Vec<u8>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"body") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                request.push(byte);
            }
            hears
                .lock()
                .unwrap()
                .push(String::from_utf8(request).unwrap());
            // The other side may have had enough of it.
            let _ = stream.write_all(&answer).await;
        }
    });
    (port, heard)
}

fn why(told: Result<Answer, CallError>) -> String {
    match told {
        Err(CallError::Refused(why)) => format!("refused: {why}"),
        Err(CallError::Failed(why)) => format!("failed: {why}"),
        Err(other) => panic!("{other:?}"),
        Ok(answer) => panic!("{} with {} bytes", answer.status, answer.body.len()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_or_a_private_one_is_not_called() {
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        let resolver = resolver(&[&[address]]);
        let told = why(Made::to("http://public.test/", &[])
            .of(&egress(&resolver))
            .await);
        assert!(
            told.starts_with("refused: it leads to "),
            "{address}: {told}"
        );
        assert!(
            told.contains("[[plugin_grants]] name = \"own\" addresses = "),
            "{told}"
        );
        // The same, said without a name.
        let host = match address.contains(':') {
            true => format!("[{address}]"),
            false => address.to_owned(),
        };
        let url = format!("http://{host}/latest/meta-data");
        let told = why(Made::to(&url, &[]).of(&egress(&resolver)).await);
        assert!(
            told.starts_with("refused: it leads to "),
            "{address}: {told}"
        );
    }
}

/// The name is asked for once: what another answer would lead to is never called.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_the_next_time_is_called_where_it_led_at_first() {
    let (port, heard) = server(OK.into()).await;
    let resolver = resolver(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let egress = egress(&resolver);
    let url = format!("http://rebinds.test:{port}/x?y=1");
    let answer = Made::to(&url, &["127.0.0.1"]).of(&egress).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    assert!(
        answer
            .headers
            .contains(&("x-one".to_owned(), b"1".to_vec()))
    );
    assert_eq!(*resolver.asked.lock().unwrap(), ["rebinds.test"]);
    let request = heard.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("post /x?y=1 http/1.1\r\n"), "{request}");
    assert!(
        request.contains(&format!("\r\nhost: rebinds.test:{port}\r\n")),
        "{request}"
    );
    // And the next call finds out anew.
    let told = why(Made::to(&url, &["127.0.0.1"]).of(&egress).await);
    assert!(told.contains("169.254.169.254"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_addresses_those_are_called_that_may_be() {
    let (port, _) = server(OK.into()).await;
    let resolver = resolver(&[&["10.0.0.1", "127.0.0.1"]]);
    let url = format!("http://both.test:{port}/");
    let answer = Made::to(&url, &["127.0.0.0/8"])
        .of(&egress(&resolver))
        .await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_an_answer_is_taken_than_may_be() {
    let long = |bytes: usize| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", bytes, "x".repeat(bytes));
        format!("{head}{chunk}").into_bytes()
    };
    for (bytes, fits) in [(1024, true), (1025, false)] {
        let (port, _) = server(long(bytes)).await;
        let url = format!("http://127.0.0.1:{port}/");
        let answer = Made::to(&url, &["127.0.0.1"])
            .of(&egress(&resolver(&[])))
            .await;
        match fits {
            true => assert_eq!(answer.unwrap().body.len(), bytes),
            false => assert_eq!(answer.unwrap_err(), CallError::TooLarge),
        }
    }
    let heads = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    for broken in [
        heads.as_str(),
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
        "nonsense\r\n\r\n",
        "",
    ] {
        let (port, _) = server(broken.into()).await;
        let url = format!("http://127.0.0.1:{port}/");
        let told = why(Made::to(&url, &["127.0.0.1"])
            .of(&egress(&resolver(&[])))
            .await);
        assert!(told.starts_with("failed: "), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_waited_for_no_longer_than_may_be_and_not_at_all_for_nobody()
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let egress = egress(&resolver(&[]));
    let quick = Made {
        time_max: Duration::from_millis(100),
        ..Made::to(&url, &["127.0.0.1"])
    };
    let told = why(quick.of(&egress).await);
    assert!(told.contains("no whole answer within 100 ms"), "{told}");
    let stopped = Made {
        is_stopped: true,
        ..Made::to(&url, &["127.0.0.1"])
    };
    let told = stopped.of(&egress).await;
    assert_eq!(told.unwrap_err(), CallError::Stopped);
    // Nobody listens there any more.
    drop(listener);
    let told = why(Made::to(&url, &["127.0.0.1"]).of(&egress).await);
    assert!(told.starts_with("failed: connect: "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_certificate_must_be_of_the_name_that_is_called_and_trusted() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["good.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(OK.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let mut trusted = RootCertStore::empty();
    trusted.add(cert.der().clone()).unwrap();
    let resolver: Arc<dyn Resolve> = resolver(&[&["127.0.0.1"]]);
    let with = |certificates| {
        let resolver = Arc::clone(&resolver);
        Arc::new(Egress::with(
            Handle::current(),
            resolver,
            roots(certificates),
        ))
    };
    let call = |name: &str| Made::to(&format!("https://{name}:{port}/"), &["127.0.0.1"]);
    let answer = call("good.test").of(&with(trusted.clone())).await.unwrap();
    assert_eq!(answer.body, b"hello");
    let told = why(call("other.test").of(&with(trusted)).await);
    assert!(told.starts_with("failed: TLS: "), "{told}");
    let told = why(call("good.test").of(&with(RootCertStore::empty())).await);
    assert!(told.starts_with("failed: TLS: "), "{told}");
}

/// It took a processor for as long as a call may take.
#[tokio::test]
async fn a_server_that_says_for_ever_that_its_answer_follows_is_hung_up_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = 0;
        loop {
            let follows = b"HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000);
            if stream.write_all(&follows).await.is_err() {
                return bytes;
            }
            bytes += follows.len();
        }
    });
    let egress = egress(&resolver(&[&["127.0.0.1"]]));
    let call = Made::to(&format!("http://127.0.0.1:{port}/"), &["127.0.0.1/32"]);
    let CallError::Failed(why) = call.of(&egress).await.unwrap_err() else {
        panic!("it is called and does not answer");
    };
    assert!(!why.contains("no whole answer"), "{why}");
    drop(egress);
    told.await.unwrap();
}
