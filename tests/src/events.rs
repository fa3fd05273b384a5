//! A reader of event streams, written from the format alone.

use bytes::{Buf, Bytes, BytesMut};
use flate2::Crc;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::client::refusal_of;
use crate::{Client, Refusal};

/// An open answer. Its connection is closed when it is dropped.
pub struct Events {
    body: Incoming,
    came: BytesMut,
    connection: tokio::task::JoinHandle<()>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `event` or `exception`.
    pub kind: String,
    /// Which of them.
    pub name: String,
    /// The type of its payload.
    pub content_type: String,
    /// Its bytes.
    pub payload: Bytes,
}

impl Event {
    /// The payload of a message in JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).expect("the payload is JSON")
    }
}

impl Client {
    /// Subscribes to a shard, over this version of HTTP.
    ///
    /// # Errors
    /// What the server says if it refuses.
    pub async fn subscribe(&self, version: Version, input: Value) -> Result<Events, Refusal> {
        self.subscribe_as(
            version,
            "application/x-amz-json-1.1",
            input.to_string().into(),
        )
        .await
    }

    /// The same with a body of another type.
    ///
    /// # Errors
    /// What the server says if it refuses.
    pub async fn subscribe_as(
        &self,
        version: Version,
        kind: &str,
        body: Bytes,
    ) -> Result<Events, Refusal> {
        let request = self.signed(kind, "SubscribeToShard", body);
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (response, connection) = open(version, socket, request).await;
        let (parts, body) = response.into_parts();
        if parts.status != 200 {
            let body = body.collect().await.unwrap().to_bytes();
            return Err(refusal_of(Response::from_parts(parts, body)));
        }
        assert_eq!(
            parts.headers["content-type"],
            "application/vnd.amazon.eventstream"
        );
        Ok(Events {
            body,
            came: BytesMut::new(),
            connection,
        })
    }
}

async fn open(
    version: Version,
    socket: TcpStream,
    mut request: Request<Full<Bytes>>,
) -> (Response<Incoming>, tokio::task::JoinHandle<()>) {
    let io = TokioIo::new(socket);
    if version == Version::HTTP_2 {
        let host = request.headers_mut().remove("host").unwrap();
        let uri = format!("http://{}/", host.to_str().unwrap());
        *request.uri_mut() = uri.parse().unwrap();
        let executor = TokioExecutor::new();
        let (mut sender, connection) = http2::handshake(executor, io).await.unwrap();
        let connection = tokio::spawn(async move {
            // How it ended is seen by who reads the answer.
            let _ = connection.await;
        });
        (sender.send_request(request).await.unwrap(), connection)
    } else {
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        (sender.send_request(request).await.unwrap(), connection)
    }
}

impl Events {
    /// The next message; `None` when the stream has ended well.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.take() {
                return Some(event);
            }
            match self.body.frame().await {
                Some(frame) => {
                    let data = frame.expect("the answer goes on").into_data().unwrap();
                    self.came.extend_from_slice(&data);
                }
                None => {
                    assert!(self.came.is_empty(), "the stream ends within a message");
                    return None;
                }
            }
        }
    }

    /// The next message, which is an event with records or without. It is in JSON.
    pub async fn pushed(&mut self) -> Value {
        let event = self.next().await.expect("there is another event");
        assert_eq!(
            (event.kind.as_str(), event.name.as_str()),
            ("event", "SubscribeToShardEvent"),
            "{event:?}"
        );
        assert_eq!(event.content_type, "application/json");
        event.json()
    }

    /// The next message, which comes first.
    pub async fn begins(&mut self) {
        let event = self.next().await.expect("there is a first message");
        assert_eq!(
            (event.kind.as_str(), event.name.as_str(), &event.payload[..]),
            ("event", "initial-response", &b"{}"[..])
        );
    }

    /// The code and the text of the exception that comes next; nothing comes after it.
    pub async fn fails(&mut self) -> (String, String) {
        let event = self.next().await.expect("there is an exception");
        assert_eq!(event.kind, "exception", "{event:?}");
        assert_eq!(self.next().await, None);
        let text = event.json()["message"].as_str().unwrap().to_owned();
        (event.name, text)
    }

    /// The data of so many records that come next, as text.
    pub async fn data(&mut self, count: usize) -> Vec<String> {
        let mut data = Vec::new();
        while data.len() < count {
            let pushed = self.pushed().await;
            for record in pushed["Records"].as_array().unwrap() {
                data.push(record["Data"].as_str().unwrap().to_owned());
            }
        }
        data
    }

    fn take(&mut self) -> Option<Event> {
        let total = u32::from_be_bytes(*self.came.first_chunk()?) as usize;
        if self.came.len() < total {
            return None;
        }
        let mut message = self.came.split_to(total).freeze();
        let sum = message.split_off(total - 4);
        assert_eq!(sum[..], checksum(&message));
        assert_eq!(message[8..12], checksum(&message[..8]));
        message.advance(4);
        let headers = message.get_u32() as usize;
        message.advance(4);
        let payload = message.split_off(headers);
        let mut event = Event {
            kind: String::new(),
            name: String::new(),
            content_type: String::new(),
            payload,
        };
        while message.has_remaining() {
            let length = usize::from(message.get_u8());
            let name = message.split_to(length);
            assert_eq!(message.get_u8(), 7, "the value is text");
            let length = usize::from(message.get_u16());
            let value = String::from_utf8(message.split_to(length).to_vec()).unwrap();
            match &name[..] {
                b":message-type" => event.kind = value,
                b":event-type" | b":exception-type" => event.name = value,
                b":content-type" => event.content_type = value,
                name => panic!("header {}", String::from_utf8_lossy(name)),
            }
        }
        Some(event)
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum().to_be_bytes()
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
