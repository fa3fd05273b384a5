//! A double of Amazon Redshift on loopback. It speaks PostgreSQL's protocol with simple queries, as
//! Redshift does, takes those statements that Amazon's pages describe and no others, and fetches
//! manifests and objects from a directory of buckets. A real PostgreSQL keeps the rows and the
//! transactions. What it cannot say is what Redshift itself would: it was made from the pages.

mod copy;
mod statement;
mod wire;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::SimpleQueryMessage;

use crate::postgres::{Database, Postgres};
use statement::Statement;
use wire::Wire;

/// Whoever has this in the name of a role may not read objects by it.
pub const DENIED_ROLE: &str = "denied";

/// A cluster with one database, which is one of the shared PostgreSQL.
pub struct Redshift {
    /// Its port.
    pub port: u16,
    known: Arc<Known>,
}

/// What all connections know.
struct Known {
    database: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    buckets: PathBuf,
    /// Statements so far, over all connections.
    statements: Vec<String>,
    /// COPY commands at work, and the most there were at a time.
    copies: usize,
    copies_most: usize,
    /// What the next COPY commands are refused with.
    refusal: Option<Refusal>,
}

/// Why a statement is not done.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// As PostgreSQL has codes.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// A refusal of this code, in these words.
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self::of(said.code().code(), said.message()),
            None => Self::of("XX000", error.to_string()),
        }
    }
}

/// What a statement gives: the names of columns, rows, and what was done.
#[derive(Default)]
struct Given {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    tag: String,
}

impl Redshift {
    /// A cluster whose rows are in a database of the shared PostgreSQL.
    pub async fn start(database: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = Arc::new(Known {
            database: database.to_owned(),
            seen: Mutex::default(),
        });
        let redshift = Self {
            port,
            known: Arc::clone(&known),
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&known)));
            }
        });
        redshift
    }

    /// Has it fetch objects from buckets that are folders of this one.
    pub fn fetches_from(&self, buckets: PathBuf) {
        self.known.seen(|seen| seen.buckets = buckets);
    }

    /// Has it refuse COPY commands so from now on, or take them again.
    pub fn refuses_copies(&self, refusal: Option<Refusal>) {
        self.known.seen(|seen| seen.refusal = refusal);
    }

    /// Statements so far that begin with this.
    pub fn statements(&self, begin: &str) -> Vec<String> {
        self.known.seen(|seen| {
            let statements = seen.statements.iter();
            let those = statements.filter(|statement| statement.starts_with(begin));
            those.cloned().collect()
        })
    }

    /// The most COPY commands that were at work at a time.
    pub fn copies_at_once(&self) -> usize {
        self.known.seen(|seen| seen.copies_most)
    }
}

impl Known {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection whose user is in.
struct Session {
    known: Arc<Known>,
    rows: Database,
    is_in_transaction: bool,
    /// Something failed in the transaction, which can only be ended.
    has_failed: bool,
    /// What `stl_load_errors` holds of it: line, column, reason.
    load_error: Option<[String; 3]>,
}

/// Serves a connection until its client ends it: then the transaction ends, too.
async fn serve(socket: TcpStream, known: Arc<Known>) {
    let mut wire = Wire::of(socket);
    let Some(database) = wire.let_in().await else {
        return;
    };
    if database != known.database {
        let why = format!("database \"{database}\" does not exist");
        wire.refuse(&Refusal::of("3D000", why)).await;
        return;
    }
    wire.ready().await;
    let mut session = Session {
        rows: Postgres::shared().database(&known.database).await,
        known,
        is_in_transaction: false,
        has_failed: false,
        load_error: None,
    };
    while let Some((kind, content)) = wire.message().await {
        let done = match kind {
            b'Q' => session.asked(&content).await,
            b'X' => return,
            _ => Err(Refusal::of("0A000", "only simple queries are taken here")),
        };
        match done {
            Ok(given) => wire.give(&given).await,
            Err(refusal) => wire.refuse(&refusal).await,
        }
        wire.waits(session.is_in_transaction).await;
    }
}

impl Session {
    async fn asked(&mut self, content: &[u8]) -> Result<Given, Refusal> {
        let text = content.strip_suffix(b"\0").unwrap_or(content);
        let text = String::from_utf8_lossy(text).into_owned();
        self.known.seen(|seen| seen.statements.push(text.clone()));
        let done = match Statement::parse(&text) {
            Ok(statement) => self.does(statement, &text).await,
            Err(refusal) => Err(refusal),
        };
        self.has_failed |= done.is_err() && self.is_in_transaction;
        done
    }

    async fn does(&mut self, statement: Statement, text: &str) -> Result<Given, Refusal> {
        let is_end = matches!(statement, Statement::Commit | Statement::Rollback);
        if self.has_failed && !is_end {
            return Err(Refusal::of("25P02", "current transaction is aborted"));
        }
        match statement {
            Statement::Begin => {
                self.is_in_transaction = true;
                // Redshift's level, by which what is read is as of a snapshot.
                self.passes("BEGIN ISOLATION LEVEL SERIALIZABLE").await
            }
            Statement::Commit | Statement::Rollback => {
                let is_kept = matches!(statement, Statement::Commit) && !self.has_failed;
                (self.is_in_transaction, self.has_failed) = (false, false);
                self.passes(if is_kept { "COMMIT" } else { "ROLLBACK" })
                    .await
            }
            Statement::Other => self.passes(text).await,
            Statement::Reason => Ok(Given {
                columns: ["line_number", "btrim", "btrim"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: self
                    .load_error
                    .iter()
                    .map(|told| told.clone().map(Some).to_vec())
                    .collect(),
                tag: "SELECT".to_owned(),
            }),
            Statement::Copy(copy) => {
                let known = Arc::clone(&self.known);
                let refusal = known.seen(|seen| {
                    seen.copies += 1;
                    seen.copies_most = seen.copies_most.max(seen.copies);
                    seen.refusal.clone()
                });
                let copied = match refusal {
                    Some(refusal) => Err(refusal),
                    None => self.copies(&copy).await,
                };
                known.seen(|seen| seen.copies -= 1);
                copied
            }
        }
    }

    /// Has the database that keeps the rows do a statement.
    async fn passes(&mut self, text: &str) -> Result<Given, Refusal> {
        let mut given = Given::default();
        for message in self.rows.client.simple_query(text).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    let names = columns.iter().map(|column| column.name().to_owned());
                    given.columns = names.collect();
                }
                SimpleQueryMessage::Row(row) => {
                    let values = (0..row.len()).map(|column| row.get(column).map(str::to_owned));
                    given.rows.push(values.collect());
                }
                _ => {}
            }
        }
        let word = text.split(' ').next().unwrap_or_default();
        given.tag = word.to_owned();
        Ok(given)
    }
}
