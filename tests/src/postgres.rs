//! A real PostgreSQL on loopback, as Debian installs it. It refuses to run as root, so that root
//! runs it as the user `postgres` that comes with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who owns everything.
const OWNER: &str = "postgres";
/// Who delivery streams are, with the password.
pub const LOADER: (&str, &str) = ("loader", "the loader's password");
/// Runs what it is told until there is a line of input, or no more, and ends it at once then. Where
/// there is no more, the test has ended without a word, and the directory goes, too.
const WATCH: &str = r#"home=$1; shift; "$@" & pid=$!; read -r _ || gone=1; kill -QUIT $pid
wait $pid; [ -z "$gone" ] || rm -rf "$home""#;

/// A server with its directory.
pub struct Postgres {
    home: TempDir,
    /// Its port.
    pub port: u16,
    running: Option<Child>,
}

/// A client, and what speaks for it.
pub struct Database {
    /// The client.
    pub client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Postgres {
    /// The one that all tests of a program share. It ends with the program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A new one. Blocks until it takes connections.
    pub fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("password");
        fs::write(&secret, LOADER.1).unwrap();
        if is_root() {
            let owned = Command::new("chown")
                .args(["-R", OWNER])
                .arg(home.path())
                .status();
            assert!(owned.unwrap().success());
        }
        let mut init = as_owner(&program("initdb"));
        let made = init
            .arg("--pgdata")
            .arg(home.path().join("data"))
            .arg("--pwfile")
            .arg(&secret)
            .args(["--username", LOADER.0, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--no-locale", "--no-sync"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "{said}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut postgres = Self {
            home,
            port,
            running: None,
        };
        postgres.start_again();
        postgres
    }

    /// Starts it on what it left. Blocks until it takes connections.
    pub fn start_again(&mut self) {
        let mut watched = as_owner(Path::new("sh"));
        let port = format!("port={}", self.port);
        let settings = [
            port.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // The machine does not go down.
            "fsync=off",
            "shared_buffers=16MB",
            "max_connections=60",
        ];
        watched.args(["-c", WATCH, "sh"]).arg(self.home.path());
        watched.arg(program("postgres"));
        watched.arg("-D").arg(self.home.path().join("data"));
        for setting in settings {
            watched.args(["-c", setting]);
        }
        watched
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut running = watched.spawn().unwrap();
        let mut log = BufReader::new(running.stderr.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = log.next().unwrap_or_else(|| panic!("it ends: {said}"));
            let line = line.unwrap();
            if line.contains("ready to accept connections") {
                break;
            }
            said.push_str(&line);
        }
        // What it says later must not fill the pipe.
        thread::spawn(move || log.for_each(drop));
        self.running = Some(running);
    }

    /// Ends it in the middle of what it does.
    pub fn stop_at_once(&mut self) {
        if let Some(mut running) = self.running.take() {
            let mut input = running.stdin.take().unwrap();
            // It may have ended by itself.
            let _ = input.write_all(b"\n");
            drop(input);
            running.wait().unwrap();
        }
    }

    /// A client of a database that there is.
    pub async fn database(&self, name: &str) -> Database {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await;
        let mut config = Config::new();
        config.user(LOADER.0).password(LOADER.1).dbname(name);
        let connected = config.connect_raw(socket.unwrap(), NoTls).await;
        let (client, connection) = connected.unwrap();
        Database {
            client,
            connection: tokio::spawn(async move {
                // Whoever asks hears of it.
                let _ = connection.await;
            }),
        }
    }

    /// A client of a new database.
    pub async fn new_database(&self, name: &str) -> Database {
        let all = self.database("postgres").await;
        let create = format!("CREATE DATABASE {name}");
        all.client.batch_execute(&create).await.unwrap();
        self.database(name).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_at_once();
    }
}

/// A program of the newest version that is installed.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir(VERSIONS).expect("PostgreSQL is installed (`cargo xtask test`)");
    let newest = versions
        .filter_map(|version| version.unwrap().file_name().into_string().ok())
        .filter_map(|version| version.parse::<u32>().ok())
        .max();
    let newest = newest.expect("a version of PostgreSQL is installed");
    Path::new(VERSIONS).join(format!("{newest}/bin/{name}"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", OWNER, "--regid", OWNER, "--clear-groups"])
        .arg(program)
        .current_dir("/");
    command
}
