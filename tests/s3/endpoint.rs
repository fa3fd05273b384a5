//! An S3 endpoint on loopback, and what it may do to a request.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use delivery::objects::S3Config;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use millrace_tests::{Object, Setting};
use s3s::auth::{S3Auth, SecretKey, SimpleAuth};
use s3s::service::S3Service;
use s3s::{S3Result, s3_error};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::buckets::service;

/// The key that the endpoint knows.
pub const KEY_ID: &str = "AKIDSTORE";
pub const SECRET: &str = "the store's secret";
const REGION: &str = "eu-central-1";
/// How long a request may be waited for.
const TIME_MAX: Duration = Duration::from_secs(60);

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Error>>;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// What it should.
    Well,
    /// It is not looked at, and answered with this status.
    Answer(u16),
    /// The same with an S3 error of this code.
    Refuse(u16, &'static str),
    /// It is not looked at, and the connection is closed.
    Close,
    /// It is done, and the connection is closed half way through the answer.
    BreakOff,
    /// It is never answered.
    StaySilent,
}

/// Decides by the number of the request, counted from 1, by its method and by its bucket.
type Rule = Arc<dyn Fn(u64, &Method, &str) -> Does + Send + Sync>;

struct Gate {
    rule: Mutex<(Rule, u64)>,
    /// The path and the headers of every PUT that came.
    puts: Mutex<Vec<(String, HeaderMap)>>,
    begun: watch::Sender<u64>,
}

/// The endpoint. It ends with the test's runtime.
pub struct Endpoint {
    address: SocketAddr,
    root: TempDir,
    gate: Arc<Gate>,
    keys: Keys,
}

impl Endpoint {
    /// An endpoint with these empty buckets, that knows [`KEY_ID`] and [`SECRET`].
    pub async fn start(buckets: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let keys = Keys::default();
        keys.know(SECRET);
        let service = service(root.path(), keys.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate {
            rule: Mutex::new((Arc::new(|_, _, _| Does::Well), 0)),
            puts: Mutex::default(),
            begun: watch::channel(0).0,
        });
        tokio::spawn(listen(listener, service, Arc::clone(&gate)));
        let endpoint = Self {
            address,
            root,
            gate,
            keys,
        };
        for bucket in buckets {
            endpoint.make_bucket(bucket);
        }
        endpoint
    }

    pub fn make_bucket(&self, bucket: &str) {
        std::fs::create_dir(self.root.path().join(bucket)).unwrap();
    }

    /// Takes another secret in the place of the one before.
    pub fn know(&self, secret: &str) {
        self.keys.know(secret);
    }

    /// From now on requests end as `rule` says, counted from 1 again.
    pub fn rule(&self, rule: impl Fn(u64, &Method) -> Does + Send + Sync + 'static) {
        self.set_rule(Arc::new(move |number, method, _| rule(number, method)));
    }

    /// The same by bucket.
    pub fn rule_by_bucket(&self, rule: impl Fn(u64, &str) -> Does + Send + Sync + 'static) {
        self.set_rule(Arc::new(move |number, _, bucket| rule(number, bucket)));
    }

    fn set_rule(&self, rule: Rule) {
        let mut gate = self.gate.rule.lock().unwrap();
        *gate = (rule, 0);
        self.gate.begun.send_replace(0);
    }

    /// Requests since the rule was made.
    pub fn requests(&self) -> u64 {
        *self.gate.begun.borrow()
    }

    /// Returns once so many requests came since the rule was made.
    pub async fn until_begun(&self, requests: u64) {
        let mut begun = self.gate.begun.subscribe();
        let wait = begun.wait_for(|begun| requests <= *begun);
        let waited = tokio::time::timeout(TIME_MAX, wait).await;
        waited.expect("requests come").unwrap();
    }

    /// The path and the headers of every PUT that came.
    pub fn puts(&self) -> Vec<(String, HeaderMap)> {
        self.gate.puts.lock().unwrap().clone()
    }

    /// The objects of a bucket in order of their names.
    pub fn objects(&self, bucket: &str) -> Vec<Object> {
        let root = self.root.path().join(bucket);
        let (mut folders, mut objects) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
                objects.push(Object {
                    key: key.to_owned(),
                    content: std::fs::read(&path).unwrap(),
                });
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects
    }

    /// The folder whose folders are the buckets.
    pub fn folder(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    /// How the endpoint is reached.
    pub fn config(&self, secret: &str) -> S3Config {
        S3Config {
            endpoint: Some(format!("http://{}", self.address)),
            region: REGION.to_owned(),
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: secret.to_owned(),
            path_style: true,
        }
    }

    /// A server that delivers here.
    pub fn setting(&self) -> Setting {
        Setting {
            s3: Some(self.config(SECRET)),
            ..Setting::default()
        }
    }
}

/// The one key, whose secret may change.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<SimpleAuth>>);

impl Keys {
    fn know(&self, secret: &str) {
        *self.0.lock().unwrap() = SimpleAuth::from_single(KEY_ID, secret);
    }
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let known = self.0.lock().unwrap().lookup(access_key).cloned();
        known.ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

async fn listen(listener: TcpListener, service: S3Service, gate: Arc<Gate>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(serve(socket, service.clone(), Arc::clone(&gate)));
    }
}

async fn serve(socket: TcpStream, service: S3Service, gate: Arc<Gate>) {
    let answer = service_fn(|request| answer(&service, &gate, request));
    let connection = hyper::server::conn::http1::Builder::new();
    // A connection that breaks is what the test may be about.
    let _ = connection
        .serve_connection(TokioIo::new(socket), answer)
        .await;
}

async fn answer(
    service: &S3Service,
    gate: &Gate,
    request: http::Request<Incoming>,
) -> Result<Answer, Error> {
    if request.method() == Method::PUT {
        let path = request.uri().path().to_owned();
        let mut puts = gate.puts.lock().unwrap();
        puts.push((path, request.headers().clone()));
    }
    let bucket = request.uri().path().split('/').nth(1).unwrap_or_default();
    match gate.pass(request.method(), bucket) {
        Does::Well => through(service, request).await,
        Does::Answer(status) => {
            let empty = http_body_util::Empty::new().map_err(|never| match never {});
            let answer = Response::builder().status(status);
            Ok(answer.body(empty.boxed_unsync())?)
        }
        Does::Refuse(status, code) => {
            let error = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
            let full = http_body_util::Full::from(error).map_err(|never| match never {});
            Ok(Response::builder()
                .status(status)
                .body(full.boxed_unsync())?)
        }
        Does::Close => Err("the connection is closed".into()),
        Does::BreakOff => {
            let (mut parts, _) = through(service, request).await?.into_parts();
            parts.headers.insert("content-length", "100".parse()?);
            Ok(Response::from_parts(parts, Broken(false).boxed_unsync()))
        }
        Does::StaySilent => std::future::pending().await,
    }
}

async fn through(service: &S3Service, request: http::Request<Incoming>) -> Result<Answer, Error> {
    let answered = hyper::service::Service::call(service, request).await;
    let answer = answered.map_err(Error::from)?;
    Ok(answer.map(BodyExt::boxed_unsync))
}

impl Gate {
    fn pass(&self, method: &Method, bucket: &str) -> Does {
        let mut gate = self.rule.lock().unwrap();
        gate.1 += 1;
        let does = gate.0(gate.1, method, bucket);
        self.begun.send_replace(gate.1);
        does
    }
}

/// A body that ends before its length.
struct Broken(bool);

impl Body for Broken {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let was_begun = std::mem::replace(&mut self.0, true);
        Poll::Ready(Some(if was_begun {
            Err(io::Error::other("broken off").into())
        } else {
            Ok(Frame::data(Bytes::from_static(b"<half")))
        }))
    }
}
