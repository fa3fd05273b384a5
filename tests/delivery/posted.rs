//! A request that was posted to one of the endpoints of these tests, read from its socket.

use std::collections::BTreeMap;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A request, whole.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Path and query.
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Posted {
    /// Reads the one request of a connection; `None`: it ended before that was whole.
    pub async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            let mut piece = [0; 65_536];
            let read = stream.read(&mut piece).await.unwrap_or(0);
            if read == 0 {
                return None;
            }
            bytes.extend_from_slice(&piece[..read]);
            if let Some(posted) = Self::parse(&bytes) {
                return Some(posted);
            }
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        assert_eq!(first.next(), Some("POST"));
        let path = first.next().unwrap().to_owned();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        });
        let headers: BTreeMap<String, String> = headers.collect();
        let length: usize = headers["content-length"].parse().unwrap();
        let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
        Some(Self {
            path,
            headers,
            body,
        })
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}
