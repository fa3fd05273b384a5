//! The protocol of the double: how a user is let in, and how answers are written (PostgreSQL,
//! "Message Formats"). Passwords are asked for with MD5, as Redshift does.

use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Given, Refusal};
use crate::postgres::LOADER;

const SALT: [u8; 4] = *b"salt";
/// Version 3.0.
const PROTOCOL: [u8; 4] = [0, 3, 0, 0];

/// A socket with messages.
pub(super) struct Wire {
    socket: TcpStream,
}

impl Wire {
    pub(super) fn of(socket: TcpStream) -> Self {
        Self { socket }
    }

    /// Lets the loader in; the database that it asks for.
    pub(super) async fn let_in(&mut self) -> Option<String> {
        let startup = self.content().await?;
        let parameters = startup.strip_prefix(&PROTOCOL)?;
        let texts: Vec<_> = parameters.split(|byte| *byte == 0).collect();
        let value = |name: &str| {
            let mut pairs = texts.chunks_exact(2);
            let found = pairs.find(|pair| pair[0] == name.as_bytes())?;
            Some(String::from_utf8_lossy(found[1]).into_owned())
        };
        let (user, database) = (value("user")?, value("database")?);
        self.say(b'R', &[&[0, 0, 0, 5], &SALT[..]].concat()).await;
        let (kind, answer) = self.message().await?;
        let inner = hex(&[LOADER.1, LOADER.0].concat().into_bytes());
        let wanted = hex(&[inner.as_bytes(), &SALT].concat());
        let is_right = kind == b'p' && answer == format!("md5{wanted}\0").into_bytes();
        if !is_right || user != LOADER.0 {
            let why = format!("password authentication failed for user \"{user}\"");
            self.refuse(&Refusal::of("28000", why)).await;
            return None;
        }
        Some(database)
    }

    /// The user is in.
    pub(super) async fn ready(&mut self) {
        self.say(b'R', &[0; 4]).await;
        self.say(b'S', b"server_version\08.0.2\0").await;
        self.say(b'S', b"client_encoding\0UTF8\0").await;
        self.say(b'K', &[0; 8]).await;
        self.waits(false).await;
    }

    /// The next statement may come.
    pub(super) async fn waits(&mut self, is_in_transaction: bool) {
        let state = if is_in_transaction { b'T' } else { b'I' };
        self.say(b'Z', &[state]).await;
    }

    pub(super) async fn give(&mut self, given: &Given) {
        if !given.columns.is_empty() {
            let mut names = count(given.columns.len()).to_vec();
            for name in &given.columns {
                names.extend_from_slice(name.as_bytes());
                // No table, and a text of any length.
                names.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0]);
                names.extend_from_slice(&25_u32.to_be_bytes());
                names.extend_from_slice(&[255, 255, 255, 255, 255, 255, 0, 0]);
            }
            self.say(b'T', &names).await;
        }
        for row in &given.rows {
            let mut values = count(row.len()).to_vec();
            for value in row {
                match value {
                    Some(value) => {
                        let bytes = u32::try_from(value.len()).unwrap();
                        values.extend_from_slice(&bytes.to_be_bytes());
                        values.extend_from_slice(value.as_bytes());
                    }
                    None => values.extend_from_slice(&[255; 4]),
                }
            }
            self.say(b'D', &values).await;
        }
        if given.tag == "COPY" {
            let told = "SINFO\0C00000\0MLoad into table completed successfully.\0\0";
            self.say(b'N', told.as_bytes()).await;
        }
        self.say(b'C', format!("{}\0", given.tag).as_bytes()).await;
    }

    pub(super) async fn refuse(&mut self, refusal: &Refusal) {
        let Refusal { code, message } = refusal;
        let told = format!("SERROR\0C{code}\0M{message}\0\0");
        self.say(b'E', told.as_bytes()).await;
    }

    /// The kind and the content of the next message; `None`: the client is gone.
    pub(super) async fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.socket.read_u8().await.ok()?;
        Some((kind, self.content().await?))
    }

    async fn content(&mut self) -> Option<Vec<u8>> {
        let bytes = self.socket.read_u32().await.ok()?.checked_sub(4)?;
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        self.socket.read_exact(&mut content).await.ok()?;
        Some(content)
    }

    /// Whether the client hears it is its own matter.
    async fn say(&mut self, kind: u8, content: &[u8]) {
        let bytes = u32::try_from(content.len() + 4).unwrap();
        let message = [&[kind][..], &bytes.to_be_bytes(), content].concat();
        // A client that is gone is found out by the next read.
        let _ = self.socket.write_all(&message).await;
    }
}

fn count(of: usize) -> [u8; 2] {
    u16::try_from(of).unwrap().to_be_bytes()
}

fn hex(of: &[u8]) -> String {
    let digest = Md5::digest(of);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
