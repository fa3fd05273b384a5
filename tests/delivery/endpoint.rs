//! An HTTP endpoint that answers as a test tells it to, over real sockets.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use millrace_tests::{BUCKET, Client, ROLE, Service, Setting, over};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wasm::HostPattern;

use crate::posted::Posted;

/// The delivery stream.
pub const NAME: &str = "calls";

/// What the endpoint says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    Yes,
    Status(u16),
    /// 200 with the id of another request.
    AnotherId,
    /// 200 that does not say how long it is.
    WithoutLength,
    /// 200 with more than a mebibyte.
    TooMuch,
    /// It takes the request, and the connection ends without an answer.
    Nothing,
    /// 307 to itself.
    Elsewhere,
    /// It takes the request, and answers once it is released.
    Later,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub said: Says,
}

impl Heard {
    pub fn id(&self) -> &str {
        &self.headers["x-amz-firehose-request-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn records(&self) -> Vec<String> {
        let body = self.json();
        let records = body["records"].as_array().unwrap().iter();
        let data = records.map(|record| record["data"].as_str().unwrap().to_owned());
        data.collect()
    }
}

/// An endpoint on loopback that answers by a script, and with yes when that is over.
pub struct Endpoint {
    pub port: u16,
    pub script: Arc<Mutex<VecDeque<Says>>>,
    pub heard: Arc<Mutex<Vec<Heard>>>,
    pub released: Arc<watch::Sender<bool>>,
}

impl Endpoint {
    pub async fn saying(script: &[Says]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script.iter().copied().collect()));
        let (heard, released) = (Arc::default(), Arc::new(watch::channel(false).0));
        let endpoint = Self {
            port,
            script: Arc::clone(&script),
            heard: Arc::clone(&heard),
            released: Arc::clone(&released),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                tokio::spawn(serve(stream, script, heard, released.subscribe()));
            }
        });
        endpoint
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/take?all=yes", self.port)
    }

    /// A server whose delivery streams may call it.
    pub async fn server(&self) -> (Service, Client) {
        let allowed = HostPattern::parse(&format!("127.0.0.1:{}", self.port)).unwrap();
        let service = Service::start_with(Setting {
            egress_allow: vec![allowed],
            ..Setting::default()
        })
        .await;
        let client = service.client();
        (service, client)
    }

    /// A destination here with these members over the usual ones, which waits for a flush.
    pub fn destination(&self, more: Value) -> Value {
        let usual = json!({
            "EndpointConfiguration": {"Url": self.url(), "AccessKey": "open sesame"},
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900},
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}")},
        });
        over(usual, more)
    }

    pub async fn create(&self, client: &Client, more: Value) {
        let input = json!({
            "DeliveryStreamName": NAME,
            "HttpEndpointDestinationConfiguration": self.destination(more),
        });
        client.call("Firehose.CreateDeliveryStream", input).await;
        client.delivery_is_active(NAME).await;
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Says>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    mut released: watch::Receiver<bool>,
) {
    let Some(posted) = Posted::read(&mut stream).await else {
        return;
    };
    let Posted {
        path,
        headers,
        body,
    } = posted;
    let said = script.lock().unwrap().pop_front().unwrap_or(Says::Yes);
    let id = headers["x-amz-firehose-request-id"].clone();
    heard.lock().unwrap().push(Heard {
        path: path.clone(),
        headers,
        body,
        said,
    });
    let (status, id, padding) = match said {
        Says::Yes | Says::WithoutLength => (200, id, 0),
        Says::Status(status) => (status, id, 0),
        Says::AnotherId => (200, "another".to_owned(), 0),
        Says::TooMuch => (200, id, 2 << 20),
        Says::Nothing => return,
        Says::Elsewhere => (307, id, 0),
        Says::Later => {
            let _ = released.wait_for(|released| *released).await;
            (200, id, 0)
        }
    };
    let answer = json!({"requestId": id, "timestamp": 1, "errorMessage": "x".repeat(padding)});
    let answer = answer.to_string();
    let length = match said {
        Says::WithoutLength => "Connection: close\r\n".to_owned(),
        _ => format!("Content-Length: {}\r\n", answer.len()),
    };
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nLocation: {path}\r\n\
         {length}\r\n"
    );
    // Whoever asked may have gone away.
    let _ = stream.write_all((head + &answer).as_bytes()).await;
}
