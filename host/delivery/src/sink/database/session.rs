//! A connection to a database, or to Redshift, for one request. It ends when this is dropped,
//! wherever that is: what the database was doing then comes to nothing, or is found in the ledger.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    Client, Config, NoTls, Row, SimpleQueryMessage, SimpleQueryRow, Statement, ToStatement,
};

use super::login::Login;
use super::trouble::Trouble;
use crate::endpoints::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, Endpoints, NoReply, Socket};
use crate::redshift::jdbc_url::JdbcUrl;
use crate::secret::Secret;

/// How long a database may take to let a user in. Then the connection is given up.
const LOGIN_TIME_MAX: Duration = Duration::from_secs(30);
/// A server that knows the setting looks now and then whether somebody is still there, so that what
/// waits for a lock for nobody ends (PostgreSQL, "Connections and Authentication").
const LOOK_FOR_CLIENT: &str = "\
    SELECT pg_catalog.set_config(name, '1000', false) FROM pg_catalog.pg_settings \
    WHERE name = 'client_connection_check_interval'";
/// What is left where an answer had more than is read of one.
const MORE_THAN_IS_READ: usize = usize::MAX;
/// What is committed lasts: a database that answers earlier than that would lose what is known to
/// be there (PostgreSQL, "Write Ahead Log").
const COMMITS_LAST: &str = "\
    SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings \
    WHERE name = 'synchronous_commit' AND setting = 'off'";
/// A second try must see what the first one has committed while it waited for it; and what is
/// checked at the end is checked with each statement, so that it is known which records it is of.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET CONSTRAINTS ALL IMMEDIATE";

/// What a trigger tells for people is for nobody here, and more of it than is read of an answer
/// would end the connection.
const TELLS_NOTHING: &str = "\
    SELECT pg_catalog.set_config('client_min_messages', 'error', false)";

/// When a database answered last.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Option<Instant>>>);

impl Heard {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long ago that is; `None`: it has not answered yet.
    pub fn since(&self) -> Option<Duration> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }
}

/// A connection.
pub struct Session {
    client: Client,
    heard: Heard,
    /// What no error repeats.
    password: Secret,
    /// Bytes that may still be read of the answer to a statement.
    left: Arc<AtomicUsize>,
    /// Ends with it.
    _connection: JoinSet<()>,
}

/// A socket of which no more is read than may be.
struct Bounded {
    socket: Box<dyn Socket>,
    left: Arc<AtomicUsize>,
    login: Login,
}

impl Session {
    /// Connects as the user, to the database, and sees to it that what is committed lasts.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or does not let the user in.
    pub async fn open(
        endpoints: &Arc<dyn Endpoints>,
        url: &JdbcUrl,
        login: (&(String, Secret), &Heard),
    ) -> Result<Self, Trouble> {
        let session = Self::connect(endpoints, url, login).await?;
        match session.batch(LOOK_FOR_CLIENT).await {
            // Some machines cannot look.
            Ok(()) | Err(Trouble::Refused { .. }) => {}
            Err(trouble) => return Err(trouble),
        }
        session.batch(COMMITS_LAST).await?;
        session.batch(TELLS_NOTHING).await?;
        Ok(session)
    }

    /// Connects as the user, to the database, and says nothing else.
    ///
    /// # Errors
    /// When the server cannot be reached in time, or does not let the user in.
    pub async fn connect(
        endpoints: &Arc<dyn Endpoints>,
        url: &JdbcUrl,
        ((user, password), heard): (&(String, Secret), &Heard),
    ) -> Result<Self, Trouble> {
        let socket = endpoints.connect(&url.server).await;
        let socket = socket.map_err(Trouble::NotConnected)?;
        let left = Arc::new(AtomicUsize::new(ANSWER_BYTES_MAX));
        let bounded = Bounded {
            socket,
            left: Arc::clone(&left),
            login: Login::default(),
        };
        let mut config = Config::new();
        config
            .user(user)
            .password(&password.0)
            .dbname(&url.database)
            .application_name("millrace")
            // TLS is agreed on by whoever made the connection.
            .ssl_mode(SslMode::Disable);
        let login = timeout(LOGIN_TIME_MAX, config.connect_raw(bounded, NoTls)).await;
        let login = login.map_err(|_| Trouble::NotConnected(NoReply::Late))?;
        let login = login.map_err(|error| Trouble::told(&error, Some(password)));
        let (client, connection) = login?;
        heard.now();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                // Whoever waits for an answer gets none, and says so.
                tracing::debug!(%error, "a connection to a database ended");
            }
        });
        Ok(Self {
            client,
            heard: heard.clone(),
            password: password.clone(),
            left,
            _connection: tasks,
        })
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<(), Trouble> {
        self.batch(BEGIN).await
    }

    /// Does statements of which nothing is to be known.
    pub async fn batch(&self, statements: &str) -> Result<(), Trouble> {
        self.within(self.client.batch_execute(statements)).await
    }

    /// Does one statement by the simple protocol, within this time; its rows, as text.
    pub async fn ask(
        &self,
        statement: &str,
        time_max: Duration,
    ) -> Result<Vec<SimpleQueryRow>, Trouble> {
        let asked = self.client.simple_query(statement);
        let answer = self.within_time(asked, time_max).await?;
        let rows = answer.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            // How many there are, and what they are called.
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Has a statement ready that is done more than once.
    pub async fn prepare(&self, statement: &str) -> Result<Statement, Trouble> {
        self.within(self.client.prepare(statement)).await
    }

    /// Does a statement; how many rows it was about.
    pub async fn execute<S: ?Sized + ToStatement + Sync>(
        &self,
        statement: &S,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Trouble> {
        self.within(self.client.execute(statement, values)).await
    }

    /// The rows of a statement.
    pub async fn query(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        self.within(self.client.query(statement, values)).await
    }

    /// Copies lines in the text format.
    pub async fn copy(&self, statement: &Statement, lines: Vec<u8>) -> Result<(), Trouble> {
        let sink = self.within(self.client.copy_in(statement)).await?;
        let mut sink = std::pin::pin!(sink);
        self.within(sink.send(Bytes::from(lines))).await?;
        self.within(sink.finish()).await?;
        Ok(())
    }

    /// What comes of something that the database is asked for, if that comes in time.
    async fn within<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        self.within_time(asked, ANSWER_TIME_MAX).await
    }

    async fn within_time<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
        time_max: Duration,
    ) -> Result<T, Trouble> {
        self.left.store(ANSWER_BYTES_MAX, Ordering::Relaxed);
        let Ok(answered) = timeout(time_max, asked).await else {
            return Err(Trouble::Late(time_max));
        };
        self.heard.now();
        answered.map_err(|error| match self.left.load(Ordering::Relaxed) {
            MORE_THAN_IS_READ => Trouble::TooMuch,
            _ => Trouble::told(&error, Some(&self.password)),
        })
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, to))?;
        let read = to.filled().get(before..).unwrap_or_default();
        let left = self.left.load(Ordering::Relaxed).checked_sub(read.len());
        let Some(left) = left else {
            self.left.store(MORE_THAN_IS_READ, Ordering::Relaxed);
            let why = format!("the database answers more than {ANSWER_BYTES_MAX} bytes");
            return Poll::Ready(Err(io::Error::other(why)));
        };
        self.left.store(left, Ordering::Relaxed);
        Poll::Ready(self.login.sees(read).map_err(io::Error::other))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
