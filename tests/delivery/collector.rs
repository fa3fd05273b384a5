//! A double of Splunk's HTTP event collector over real sockets: it takes what its protocol says and
//! nothing else, and answers by its codes. It is no Splunk, and indexes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use millrace_tests::{BUCKET, Client, ROLE, Service, Setting, over};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use wasm::HostPattern;

use crate::posted::Posted;

/// The delivery stream.
pub const NAME: &str = "events";
pub const TOKEN: &str = "11111111-2222-3333-4444-555555555555";

/// What the collector does with one request that brings events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It takes them, and acknowledges them once.
    Index,
    /// It takes them, and never acknowledges them.
    LoseAck,
    /// It takes them, and the connection ends without an answer.
    Nothing,
    /// It takes them and would acknowledge them, and the connection ends without an answer.
    IndexUnheard,
    /// It takes them, says a number, and ends before it has indexed them: the load balancer goes on
    /// with another one.
    Die,
    /// It takes them, and says no number: acknowledgements were turned off.
    NoNumber,
    /// It says this status and code, and takes nothing.
    Refuse(u16, u64),
    /// Something on the way answers a page of HTML with this status.
    Html(u16),
    /// The same, and the page repeats what it was sent.
    Repeat(u16),
}

/// Events that were taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `raw` or `event`.
    pub what: String,
    pub channel: String,
    pub body: String,
    pub headers: BTreeMap<String, String>,
    /// It was asked for its acknowledgement.
    is_asked_for: bool,
}

/// What is known of a channel by a node.
#[derive(Default)]
struct Channel {
    next: u64,
    /// Those that an acknowledgement is given for, once.
    ready: BTreeSet<u64>,
}

/// What the tests turn.
pub struct State {
    pub script: VecDeque<Does>,
    pub token: String,
    pub is_disabled: bool,
    pub acknowledges: bool,
    pub taken: Vec<Taken>,
    /// Codes of all refusals.
    pub codes: Vec<u64>,
    /// By node and channel.
    channels: BTreeMap<(usize, String), Channel>,
    /// Servers behind the one address. Which one a cookie says.
    pub nodes: usize,
    next_node: usize,
    /// Those of the nodes that are gone.
    dead: BTreeSet<usize>,
}

/// A collector on loopback.
pub struct Collector {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Collector {
    pub async fn doing(script: &[Does]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            script: script.iter().copied().collect(),
            token: TOKEN.to_owned(),
            is_disabled: false,
            acknowledges: true,
            taken: Vec::new(),
            codes: Vec::new(),
            channels: BTreeMap::new(),
            nodes: 1,
            next_node: 0,
            dead: BTreeSet::new(),
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

    pub fn taken(&self) -> Vec<Taken> {
        self.state().taken.clone()
    }

    /// What was taken, body by body.
    pub fn bodies(&self) -> Vec<String> {
        self.taken().into_iter().map(|taken| taken.body).collect()
    }

    /// Its process ends and another one begins, which knows no numbers of before.
    pub fn restarts(&self) {
        self.state().channels.clear();
    }

    /// Waits until so many requests with events were taken.
    pub async fn until_taken(&self, client: &Client, count: usize) {
        while self.taken().len() < count {
            client.delivery(NAME).await;
        }
    }

    /// The same, and the last of them was asked about: what is waited for from then on is its
    /// acknowledgement.
    pub async fn until_asked_about(&self, client: &Client, count: usize) {
        while !self
            .taken()
            .get(count - 1)
            .is_some_and(|it| it.is_asked_for)
        {
            client.delivery(NAME).await;
        }
    }

    /// A server whose delivery streams may call it.
    pub async fn server(&self, setting: Setting) -> (Service, Client) {
        let allowed = HostPattern::parse(&format!("127.0.0.1:{}", self.port)).unwrap();
        let service = Service::start_with(Setting {
            egress_allow: vec![allowed],
            ..setting
        })
        .await;
        let client = service.client();
        (service, client)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A destination here with these members over the usual ones, which waits for a flush.
    pub fn destination(&self, more: Value) -> Value {
        let usual = json!({
            "HECEndpoint": self.url(),
            "HECEndpointType": "Raw",
            "HECToken": TOKEN,
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}")},
        });
        over(usual, more)
    }

    pub async fn create(&self, client: &Client, more: Value) {
        let input = json!({
            "DeliveryStreamName": NAME,
            "SplunkDestinationConfiguration": self.destination(more),
        });
        client.call("Firehose.CreateDeliveryStream", input).await;
        client.delivery_is_active(NAME).await;
    }

    /// Changes the destination.
    pub async fn update(&self, client: &Client, version: &str, changes: Value) {
        let input = update(version, changes);
        client.call("Firehose.UpdateDestination", input).await;
    }
}

/// The input of UpdateDestination.
pub fn update(version: &str, changes: Value) -> Value {
    json!({
        "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
        "SplunkDestinationUpdate": changes,
    })
}

/// An answer: a status and a body, and the cookie of a node.
struct Answer {
    status: u16,
    body: String,
    cookie: Option<String>,
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(posted) = Posted::read(&mut stream).await else {
        return;
    };
    let Some(answer) = state.lock().unwrap().answer(&posted) else {
        return;
    };
    let Answer {
        status,
        body,
        cookie,
    } = answer;
    let cookie = cookie.map_or(String::new(), |it| format!("Set-Cookie: {it}; PATH=/\r\n"));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{cookie}Content-Length: \
         {length}\r\n\r\n"
    );
    // Whoever asked may have gone away.
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

impl State {
    /// `None`: the connection ends.
    fn answer(&mut self, posted: &Posted) -> Option<Answer> {
        let known = posted.header("cookie");
        let known = known.map(|it| it.strip_prefix("node=").unwrap().parse().unwrap());
        let mut node = known.unwrap_or_else(|| {
            self.next_node = (self.next_node + 1) % self.nodes;
            self.next_node
        });
        while self.dead.contains(&node) {
            node = (node + 1) % self.nodes;
        }
        let answered = match self.checked(posted) {
            Ok((what, channel)) if what == "ack" => self.acks(&posted.body, (node, channel)),
            Ok((what, channel)) => self.takes(&what, posted, (node, channel))?,
            Err(refused) => Err(refused),
        };
        let cookie = (self.nodes > 1).then(|| format!("node={node}"));
        Some(match answered {
            Ok(body) => Answer {
                status: 200,
                body: body.to_string(),
                cookie,
            },
            Err((status, told)) => {
                self.codes.extend(told["code"].as_u64());
                Answer {
                    status,
                    body: told.to_string(),
                    cookie,
                }
            }
        })
    }

    /// What is asked for on which channel, by whoever may.
    fn checked(&self, posted: &Posted) -> Result<(String, String), (u16, Value)> {
        let (path, query) = posted.path.split_once('?').unwrap_or((&posted.path, ""));
        let what = path.strip_prefix("/services/collector/");
        let what = what.filter(|what| ["raw", "event", "ack"].contains(what));
        let what = what.ok_or_else(|| refusal(404, 404))?;
        let given = posted
            .header("authorization")
            .ok_or_else(|| refusal(401, 2))?;
        let given = given
            .strip_prefix("Splunk ")
            .ok_or_else(|| refusal(401, 3))?;
        if given != self.token {
            return Err(refusal(403, 4));
        }
        if self.is_disabled {
            return Err(refusal(403, 1));
        }
        let channel = query
            .strip_prefix("channel=")
            .ok_or_else(|| refusal(400, 10))?;
        let groups: Vec<usize> = channel.split('-').map(str::len).collect();
        let is_guid = groups == [8, 4, 4, 4, 12]
            && channel
                .bytes()
                .all(|it| it == b'-' || it.is_ascii_hexdigit());
        let is_same = posted.header("x-splunk-request-channel") == Some(channel);
        if !is_guid || !is_same {
            return Err(refusal(400, 11));
        }
        if what == "ack" && !self.acknowledges {
            return Err(refusal(400, 14));
        }
        Ok((what.to_owned(), channel.to_owned()))
    }

    fn acks(&mut self, body: &[u8], of: (usize, String)) -> Result<Value, (u16, Value)> {
        let asked: Value = serde_json::from_slice(body).map_err(|_| refusal(400, 6))?;
        let numbers = asked["acks"].as_array().ok_or_else(|| refusal(400, 6))?;
        for taken in self.taken.iter_mut().filter(|it| it.channel == of.1) {
            taken.is_asked_for = true;
        }
        let channel = self.channels.entry(of).or_default();
        let mut acks = serde_json::Map::new();
        for number in numbers {
            let number = number.as_u64().ok_or_else(|| refusal(400, 6))?;
            acks.insert(number.to_string(), json!(channel.ready.remove(&number)));
        }
        Ok(json!({"acks": acks}))
    }

    fn takes(
        &mut self,
        what: &str,
        posted: &Posted,
        of: (usize, String),
    ) -> Option<Result<Value, (u16, Value)>> {
        if posted.body.is_empty() {
            return Some(Err(refusal(400, 5)));
        }
        if what == "event"
            && let Some(refused) = no_events(&posted.body)
        {
            return Some(Err(refused));
        }
        let does = self.script.pop_front().unwrap_or(Does::Index);
        match does {
            Does::Refuse(status, code) => return Some(Err(refusal(status, code))),
            Does::Html(status) => return Some(Err((status, json!("<html>")))),
            Does::Repeat(status) => {
                let authorization = posted.header("authorization").unwrap_or_default();
                let page = json!(format!("you said {authorization}"));
                return Some(Err((status, page)));
            }
            Does::Die => {
                self.dead.insert(of.0);
            }
            Does::Index | Does::IndexUnheard | Does::LoseAck | Does::Nothing | Does::NoNumber => {}
        }
        self.taken.push(Taken {
            what: what.to_owned(),
            channel: of.1.clone(),
            body: String::from_utf8(posted.body.clone()).unwrap(),
            headers: posted.headers.clone(),
            is_asked_for: false,
        });
        let channel = self.channels.entry(of).or_default();
        let number = channel.next;
        channel.next += 1;
        match does {
            Does::Nothing => return None,
            Does::IndexUnheard => {
                channel.ready.insert(number);
                return None;
            }
            Does::NoNumber => return Some(Ok(json!({"text": "Success", "code": 0}))),
            Does::Index => {
                channel.ready.insert(number);
            }
            _ => {}
        }
        Some(Ok(json!({"text": "Success", "code": 0, "ackId": number})))
    }
}

fn refusal(status: u16, code: u64) -> (u16, Value) {
    let text = match code {
        1 => "Token disabled",
        2 => "Token is required",
        3 => "Invalid authorization",
        4 => "Invalid token",
        5 => "No data",
        6 => "Invalid data format",
        7 => "Incorrect index",
        8 => "Internal server error",
        9 => "Server is busy",
        10 => "Data channel is missing",
        11 => "Invalid data channel",
        12 => "Event field is required",
        13 => "Event field cannot be blank",
        14 => "ACK is disabled",
        _ => "The requested URL was not found on this server.",
    };
    (status, json!({"text": text, "code": code}))
}

/// Why a body is not one event after the other.
fn no_events(body: &[u8]) -> Option<(u16, Value)> {
    let events = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    for (number, event) in events.enumerate() {
        let code = match event {
            Err(_) => 6,
            Ok(event) if !event.is_object() => 6,
            Ok(event) if event.get("event").is_none() => 12,
            Ok(event) if event["event"] == "" || event["event"].is_null() => 13,
            Ok(_) => continue,
        };
        let (status, mut told) = refusal(400, code);
        told["invalid-event-number"] = json!(number);
        return Some((status, told));
    }
    None
}
