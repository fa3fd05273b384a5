//! The real server as a child process, with credentials, so that every signature is verified.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::requests::{
    ACCESS_KEY_ID, ACCOUNT, OTHER_ACCESS_KEY_ID, OTHER_ACCOUNT, SECRET_ACCESS_KEY,
};
use crate::usage::{self, Resident};

/// How long a server may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long its plugins may take until each is in force or refused.
const PLUGINS_LOADED_MAX: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(20);
/// Who presents it sees the metrics of all accounts.
pub const METRICS_TOKEN: &str = "a-token-of-the-bench";
/// Below the directory of a server.
const DATA: &str = "data";
const LOG_SHOWN_BYTES: usize = 1_000;

/// Where a server speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsEndpoint {
    /// The address.
    pub address: SocketAddr,
    /// The file that clients must trust.
    pub authority: PathBuf,
}

/// What a server says when it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ready {
    address: SocketAddr,
    tls: Option<TlsEndpoint>,
}

/// A server that is running. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it speaks TLS, if it was told to.
    pub tls: Option<TlsEndpoint>,
    /// From its start to the line that names its endpoint.
    pub ready_after: Duration,
}

impl Server {
    /// Starts the server on `dir`, which keeps its data, its configuration and its log.
    pub fn start(bench: &Bench, dir: &Path) -> Result<Self, Failure> {
        Self::start_with(bench, dir, None)
    }

    /// The same with a port for TLS.
    pub fn start_with_tls(bench: &Bench, dir: &Path) -> Result<Self, Failure> {
        Self::spawn(
            bench,
            dir,
            &[Path::new("--tls-listen"), Path::new("127.0.0.1:0")],
        )
    }

    /// The same with a plugins directory.
    pub fn start_with(bench: &Bench, dir: &Path, plugins: Option<&Path>) -> Result<Self, Failure> {
        let Some(plugins) = plugins else {
            return Self::spawn(bench, dir, &[]);
        };
        let server = Self::spawn(bench, dir, &[Path::new("--plugins"), plugins])?;
        server.wait_for_plugins()?;
        Ok(server)
    }

    fn spawn(bench: &Bench, dir: &Path, more: &[&Path]) -> Result<Self, Failure> {
        let config = dir.join("millrace.toml");
        std::fs::write(
            &config,
            format!(
                "[[credentials]]\naccess_key_id = \"{ACCESS_KEY_ID}\"\n\
                 secret_access_key = \"{SECRET_ACCESS_KEY}\"\naccount = \"{ACCOUNT}\"\n\
                 [[credentials]]\naccess_key_id = \"{OTHER_ACCESS_KEY_ID}\"\n\
                 secret_access_key = \"{SECRET_ACCESS_KEY}\"\naccount = \"{OTHER_ACCOUNT}\"\n\
                 [metrics]\ntoken = \"{METRICS_TOKEN}\"\n"
            ),
        )?;
        let log = dir.join("server.log");
        let start = Instant::now();
        let mut child = Command::new(bench.server_program()?)
            .args(["serve", "--no-throttle", "--listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(dir.join(DATA))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let ready = child.stdout.take().map(ready).unwrap_or_default();
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            ready_after: start.elapsed(),
        };
        let ready = ready.ok_or_else(|| {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let tail: Vec<_> = log.chars().rev().take(LOG_SHOWN_BYTES).collect();
            let tail: String = tail.into_iter().rev().collect();
            format!("the server is not ready: {tail}")
        })?;
        server.address = ready.address;
        server.tls = ready.tls;
        Ok(server)
    }

    /// Waits until all plugins are in force or refused: it serves before that.
    fn wait_for_plugins(&self) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let page = calls::page(self.address, "/_millrace/plugins")?;
            let plugins = page["plugins"].as_array().ok_or("no list of plugins")?;
            if plugins.iter().all(|plugin| plugin["state"] != "loading") {
                return Ok(());
            }
            if PLUGINS_LOADED_MAX < begin.elapsed() {
                return Err(format!("plugins are not loaded: {page}").into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// SIGKILL: it is gone when this returns.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its processor time so far.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        usage::cpu_of(self.child.id())
    }

    /// Bytes that it has read so far, wherever they came from.
    pub fn bytes_read(&self) -> Result<u64, Failure> {
        usage::bytes_read_by(self.child.id())
    }

    /// Its memory.
    pub fn resident(&self) -> Result<Resident, Failure> {
        usage::resident_of(self.child.id())
    }
}

/// The directory of buckets of a server that was started on `dir`.
pub fn buckets(dir: &Path) -> PathBuf {
    dir.join(DATA).join("s3")
}

impl Drop for Server {
    /// SIGKILL, as the restart rows need it; the data of the others is thrown away.
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("bench: end the server: {error}");
        }
    }
}

/// What the line `ready http://ip:port` says that the server prints. What it prints later is thrown
/// away, so that it never waits for a reader.
fn ready(stdout: ChildStdout) -> Option<Ready> {
    let (found, ready) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(ready) = ready_in(&line) {
                // Later ones have no receiver any more.
                let _ = found.send(ready);
            }
        }
    });
    ready.recv_timeout(READY_MAX).ok()
}

/// Reads `ready http://ip:port`, behind which there may be ` https://ip:port AWS_CA_BUNDLE=file`.
fn ready_in(line: &str) -> Option<Ready> {
    let rest = line.strip_prefix("ready http://")?;
    let (plain, tls) = match rest.split_once(" https://") {
        Some((plain, tls)) => (plain, Some(tls.split_once(" AWS_CA_BUNDLE=")?)),
        None => (rest, None),
    };
    let tls = match tls {
        Some((address, authority)) => Some(TlsEndpoint {
            address: address.parse().ok()?,
            authority: PathBuf::from(authority),
        }),
        None => None,
    };
    let address = plain.parse().ok()?;
    Some(Ready { address, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_in_the_line_that_says_ready() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let found = ready_in("ready http://127.0.0.1:4567").unwrap();
        assert_eq!((found.address, found.tls), (at(4567), None));
        let tls = " https://127.0.0.1:4568 AWS_CA_BUNDLE=a b/ca.pem";
        let found = ready_in(&format!("ready http://127.0.0.1:4567{tls}")).unwrap();
        let authority = PathBuf::from("a b/ca.pem");
        let tls = TlsEndpoint {
            address: at(4568),
            authority,
        };
        assert_eq!((found.address, found.tls), (at(4567), Some(tls)));
        assert_eq!(ready_in("  endpoint  http://127.0.0.1:4567"), None);
    }
}
