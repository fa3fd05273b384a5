//! A database of the shared PostgreSQL with a server that delivers into it, and a relay between the
//! two that breaks off where it is told to.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use millrace_tests::postgres::{Database as Connected, LOADER, Postgres};
use millrace_tests::{BUCKET, Client, ROLE, Service, Setting, over};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use wasm::HostPattern;

/// Deliveries at the same time of which each is broken off once.
const CUTS_AT_ONCE: usize = 30;
/// The delivery stream of most tests.
pub const NAME: &str = "rows";

/// A database, and whom it is reached by.
pub struct Database {
    pub name: String,
    pub connected: Connected,
}

impl Database {
    /// A new one of this name, with the table `events (id int primary key, word text)`.
    pub async fn new(name: &str) -> Self {
        let shared = tokio::task::spawn_blocking(Postgres::shared);
        let connected = shared.await.unwrap().new_database(name).await;
        let database = Self {
            name: name.to_owned(),
            connected,
        };
        database
            .run("CREATE TABLE events (id int PRIMARY KEY, word text)")
            .await;
        database
    }

    pub async fn run(&self, statements: &str) {
        self.connected
            .client
            .batch_execute(statements)
            .await
            .unwrap();
    }

    /// The first column of a query, as text.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let query = format!("SELECT q.c::text FROM ({query}) AS q (c)");
        let rows = self.connected.client.query(&query, &[]).await.unwrap();
        let texts = rows.iter().map(|row| row.get::<_, Option<String>>(0));
        texts
            .map(|text| text.unwrap_or("NULL".to_owned()))
            .collect()
    }

    /// The rows of `events`, in order of their numbers.
    pub async fn events(&self) -> Vec<String> {
        self.texts("SELECT id || ' ' || coalesce(word, 'NULL') FROM events ORDER BY id")
            .await
    }

    pub fn url(&self) -> String {
        self.url_at(Postgres::shared().port)
    }

    /// The same by another way.
    pub fn url_at(&self, port: u16) -> String {
        let name = &self.name;
        format!("jdbc:postgresql://127.0.0.1:{port}/{name}?sslmode=disable")
    }

    /// A destination here with these members over the usual ones, which waits for a flush.
    pub fn destination(&self, more: Value) -> Value {
        let usual = json!({
            "RoleARN": ROLE,
            "ClusterJDBCURL": self.url(),
            "CopyCommand": {"DataTableName": "events", "CopyOptions": "JSON 'auto'"},
            "Username": LOADER.0,
            "Password": LOADER.1,
            "S3Configuration": {
                "RoleARN": ROLE,
                "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
                "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
            },
        });
        over(usual, more)
    }

    /// A server whose delivery streams may call it.
    pub async fn server(&self) -> (Service, Client) {
        self.server_to(&[Postgres::shared().port]).await
    }

    /// The same by these ways.
    pub async fn server_to(&self, ports: &[u16]) -> (Service, Client) {
        let allowed = ports.iter();
        let allowed = allowed.map(|port| HostPattern::parse(&format!("127.0.0.1:{port}")).unwrap());
        let service = Service::start_with(Setting {
            egress_allow: allowed.collect(),
            ..Setting::default()
        })
        .await;
        let client = service.client();
        (service, client)
    }

    pub async fn create(&self, client: &Client, name: &str, more: Value) {
        let input = json!({
            "DeliveryStreamName": name,
            "RedshiftDestinationConfiguration": self.destination(more),
        });
        client.call("Firehose.CreateDeliveryStream", input).await;
        client.delivery_is_active(name).await;
    }
}

/// What a page says of its records: in, delivered, failed, lost and waiting.
pub fn counts(page: &Value) -> [u64; 5] {
    ["recordsIn", "delivered", "failed", "lost", "waitingRecords"]
        .map(|name| page[name].as_u64().unwrap())
}

/// Tells the lane to try again whenever it has failed, until a flush has delivered everything.
pub async fn flush_at_once(client: &Client, name: &str) {
    let retry = format!("delivery-streams/{name}/retry");
    let mut flushing = std::pin::pin!(client.flush(name));
    let mut seen = 0;
    loop {
        let failed = client.delivery_until(name, |page| page["retries"].as_u64() > Some(seen));
        let page = tokio::select! {
            biased;
            () = &mut flushing => return,
            page = failed => page,
        };
        seen = page["retries"].as_u64().unwrap();
        client.page(Method::POST, &retry).await;
    }
}

/// An update of a delivery stream to a database.
pub fn update_of(name: &str, version: &str, changes: Value) -> Value {
    json!({
        "DeliveryStreamName": name, "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
        "RedshiftDestinationUpdate": changes,
    })
}

/// Where a relay breaks off, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before it passes on the message of this number.
    Before(usize),
    /// Once the server has done what the message of this number asks for, and before the answer.
    After(usize),
    /// Before it passes on the first message with this text.
    BeforeText(&'static str),
    /// Once the server has done what that message asks for, and before the answer.
    AfterText(&'static str),
    /// Before it passes on anything more.
    Next,
}

/// What a relay does and has seen.
#[derive(Default)]
struct Seen {
    cut: Option<Cut>,
    /// Where it breaks off after that.
    then: Option<Cut>,
    /// Messages of the client that it has passed on, or broken off at.
    messages: usize,
    /// Of what kind each of them is.
    kinds: Vec<u8>,
}

/// Passes on what a client and a server say to each other, without TLS.
pub struct Relay {
    pub port: u16,
    server: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    /// One before the shared PostgreSQL.
    pub async fn cutting(cut: Option<Cut>) -> Self {
        Self::before(Postgres::shared().port, cut).await
    }

    /// One before the server at a port.
    pub async fn before(server: u16, cut: Option<Cut>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen {
            cut,
            ..Seen::default()
        }));
        let relay = Self {
            port,
            server,
            seen: Arc::clone(&seen),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on((client, server), Arc::clone(&seen)));
            }
        });
        relay
    }

    /// Relays before the same server for some of the cuts, which are taken away: one that does not
    /// break off where `is_first`, to find out what there is to break, and in the end none.
    pub async fn next_round(&self, is_first: bool, cuts: &mut Vec<Cut>) -> Vec<Self> {
        if is_first {
            return vec![Self::before(self.server, None).await];
        }
        let mut relays = Vec::new();
        for cut in cuts.split_off(cuts.len().saturating_sub(CUTS_AT_ONCE)) {
            relays.push(Self::before(self.server, Some(cut)).await);
        }
        relays
    }

    /// Breaks off there, too, once it has broken off.
    pub fn then(self, cut: Cut) -> Self {
        self.seen.lock().unwrap().then = Some(cut);
        self
    }

    /// Whether it has broken off.
    pub fn has_cut(&self) -> bool {
        self.seen.lock().unwrap().cut.is_none()
    }

    /// The places of the messages so far where breaking off makes a difference: before one that is
    /// not sent together with the one before it, and once the server has done what one asks for.
    pub fn cuts(&self) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for (number, kind) in self.seen.lock().unwrap().kinds.iter().enumerate() {
            // A query, what is prepared and what is done with that, what is copied, a password.
            let is_first = matches!(kind, b'Q' | b'P' | b'B' | b'd' | b'c' | b'p');
            cuts.extend(is_first.then_some(Cut::Before(number)));
            // A query, and the end of a statement that was prepared.
            cuts.extend(matches!(kind, b'Q' | b'S').then_some(Cut::After(number)));
        }
        cuts
    }
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passed,
    Lost,
    PassedUnanswered,
}

impl Seen {
    fn fate(&mut self, message: &[u8]) -> Fate {
        let number = self.messages;
        self.messages += 1;
        self.kinds.push(message[0]);
        let has = |text: &str| message.windows(text.len()).any(|it| it == text.as_bytes());
        let fate = match &self.cut {
            Some(Cut::Before(at)) if *at == number => Fate::Lost,
            Some(Cut::After(at)) if *at == number => Fate::PassedUnanswered,
            Some(Cut::BeforeText(text)) if has(text) => Fate::Lost,
            Some(Cut::AfterText(text)) if has(text) => Fate::PassedUnanswered,
            Some(Cut::Next) => Fate::Lost,
            _ => return Fate::Passed,
        };
        self.cut = self.then.take();
        fate
    }
}

/// One connection, until one side or the cut ends it.
async fn pass_on((client, server): (TcpStream, u16), seen: Arc<Mutex<Seen>>) {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
    let (mut from_server, mut to_server) = server.unwrap().into_split();
    let (mut from_client, to_client) = client.into_split();
    let is_muted = Arc::new(AtomicBool::new(false));
    let muted = Arc::clone(&is_muted);
    let answers = tokio::spawn(async move { answer(&mut from_server, to_client, &muted).await });
    let asked = ask(&mut from_client, &mut to_server, &seen, &is_muted).await;
    if asked == Some(Fate::PassedUnanswered) {
        // The server has done it before anything ends.
        answers.await.unwrap();
    } else {
        answers.abort();
    }
}

/// Passes on messages of the server until it has done what nobody is told of.
async fn answer(from: &mut OwnedReadHalf, mut to: OwnedWriteHalf, is_muted: &AtomicBool) {
    while let Some(message) = message(from, 1).await {
        if !is_muted.load(Ordering::SeqCst) {
            if to.write_all(&message).await.is_err() {
                return;
            }
        } else if matches!(message[0], b'Z' | b'G') {
            // It waits for the next statement, or for what is to be copied.
            return;
        }
    }
}

/// Passes on messages of the client until it breaks off; `None`: one side is gone.
async fn ask(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    seen: &Mutex<Seen>,
    is_muted: &AtomicBool,
) -> Option<Fate> {
    let startup = message(from, 0).await?;
    to.write_all(&startup).await.ok()?;
    loop {
        let message = message(from, 1).await?;
        let fate = seen.lock().unwrap().fate(&message);
        is_muted.store(fate == Fate::PassedUnanswered, Ordering::SeqCst);
        if fate != Fate::Lost {
            to.write_all(&message).await.ok()?;
        }
        if fate != Fate::Passed {
            return Some(fate);
        }
    }
}

/// A message whose length comes after so many bytes.
async fn message(from: &mut (impl AsyncRead + Unpin), before: usize) -> Option<Vec<u8>> {
    let mut message = vec![0; before + 4];
    from.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes(message[before..].try_into().unwrap());
    let rest = usize::try_from(length).unwrap() - 4;
    let begin = message.len();
    message.resize(begin + rest, 0);
    from.read_exact(&mut message[begin..]).await.ok()?;
    Some(message)
}
