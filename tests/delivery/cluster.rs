//! A double of an OpenSearch or Elasticsearch cluster over real sockets: its `_bulk`, as strict as
//! that of a node, and indexes whose fields are numbers or text as the first document has them. It
//! finds nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use millrace_tests::{BUCKET, Client, ROLE, Service, Setting, over};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use wasm::HostPattern;

use crate::posted::Posted;

/// The delivery stream.
pub const NAME: &str = "documents";

/// What the cluster does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It takes what can be taken.
    Well,
    /// It takes what can be taken, and the connection ends without an answer.
    Nothing,
    /// It takes all but so many of the last documents, for which it has no room now.
    IsBusy(usize),
    /// It answers this status, and takes nothing.
    Status(u16),
    /// It answers this status for each document, and takes none.
    EachStatus(u16),
}

/// What the tests turn and see.
#[derive(Default)]
pub struct State {
    pub script: VecDeque<Does>,
    /// Documents by index and id.
    pub documents: BTreeMap<(String, String), Value>,
    /// Whether a field of an index is a number.
    fields: BTreeMap<(String, String), bool>,
    /// Documents of each request.
    pub sizes: Vec<usize>,
    /// The first line of each document of all requests.
    pub actions: Vec<Value>,
    ids: usize,
}

/// A cluster on loopback.
pub struct Cluster {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Cluster {
    pub async fn doing(script: &[Does]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            script: script.iter().copied().collect(),
            ..State::default()
        }));
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { port, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The documents of all indexes, in order of their text.
    pub fn documents(&self) -> Vec<String> {
        let state = self.state();
        let mut documents: Vec<_> = state.documents.values().map(Value::to_string).collect();
        documents.sort();
        documents
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
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
            "RoleARN": ROLE,
            "ClusterEndpoint": self.url(),
            "IndexName": "logs",
            "BufferingHints": {"SizeInMBs": 100, "IntervalInSeconds": 900},
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}")},
        });
        over(usual, more)
    }

    pub async fn create(&self, client: &Client, more: Value) {
        let input = json!({
            "DeliveryStreamName": NAME,
            "AmazonopensearchserviceDestinationConfiguration": self.destination(more),
        });
        client.call("Firehose.CreateDeliveryStream", input).await;
        client.delivery_is_active(NAME).await;
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(posted) = Posted::read(&mut stream).await else {
        return;
    };
    let Some((status, body)) = state.lock().unwrap().answer(&posted) else {
        return;
    };
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\n\r\n"
    );
    // Whoever asked may have gone away.
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

impl State {
    /// `None`: the connection ends.
    fn answer(&mut self, posted: &Posted) -> Option<(u16, Value)> {
        let path = "/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason";
        assert_eq!(posted.path, path);
        assert_eq!(posted.header("content-type"), Some("application/x-ndjson"));
        let does = self.script.pop_front().unwrap_or(Does::Well);
        if let Does::Status(status) = does {
            return Some((status, json!({"error": {"type": "told"}, "status": status})));
        }
        let body = std::str::from_utf8(&posted.body).unwrap();
        // A node takes nothing of a body without the last line's end.
        assert!(body.ends_with('\n'));
        let lines: Vec<&str> = body.lines().collect();
        assert_eq!(lines.len() % 2, 0);
        let count = lines.len() / 2;
        self.sizes.push(count);
        let mut items = Vec::new();
        for (number, pair) in lines.chunks(2).enumerate() {
            let action: Value = serde_json::from_str(pair[0]).unwrap();
            let document: Value = serde_json::from_str(pair[1]).unwrap();
            self.actions.push(action.clone());
            let (what, place) = action.as_object().unwrap().iter().next().unwrap();
            let result = match does {
                Does::EachStatus(status) => Err((status, "told")),
                Does::IsBusy(left) if number + left >= count => {
                    Err((429, "es_rejected_execution_exception"))
                }
                _ => self.index(what, place, document),
            };
            let item = match result {
                Ok(status) => json!({"status": status}),
                Err((status, kind)) => {
                    json!({"status": status, "error": {"type": kind, "reason": "so it is"}})
                }
            };
            items.push(json!({what: item}));
        }
        (does != Does::Nothing).then(|| (200, json!({"items": items})))
    }

    fn index(
        &mut self,
        what: &str,
        place: &Value,
        document: Value,
    ) -> Result<u16, (u16, &'static str)> {
        let index = place["_index"].as_str().unwrap().to_owned();
        let id = place["_id"].as_str().map(str::to_owned);
        assert_eq!(what == "create", id.is_some());
        let id = id.unwrap_or_else(|| {
            self.ids += 1;
            format!("own {}", self.ids)
        });
        let key = (index.clone(), id);
        if what == "create" && self.documents.contains_key(&key) {
            return Err((409, "version_conflict_engine_exception"));
        }
        for (name, value) in document.as_object().unwrap() {
            let field = (index.clone(), name.clone());
            let is_number = *self.fields.entry(field).or_insert(value.is_number());
            if is_number != value.is_number() {
                return Err((400, "mapper_parsing_exception"));
            }
        }
        self.documents.insert(key, document);
        Ok(201)
    }
}
