//! The server as a process of its own, and a client that says when it is gone.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A member that is text.
pub fn text(value: &Value) -> String {
    value.as_str().expect("the member is text").to_owned()
}

/// `millrace serve` as a process.
pub struct Server {
    process: Child,
    address: String,
    /// A server whose standard output was closed could not print.
    printed: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts on a data directory, with a directory of plugins if one is named.
    pub fn start(data: &Path, plugins: Option<&Path>) -> Self {
        Self::start_as(
            Path::new(env!("CARGO_BIN_EXE_millrace")),
            data,
            plugins,
            &[],
        )
    }

    /// As [`Self::start`], of a program that lies elsewhere, with further arguments.
    pub fn start_as(program: &Path, data: &Path, plugins: Option<&Path>, more: &[&str]) -> Self {
        let mut server = Self::begin(program, data, plugins, more);
        server.address = server
            .printed
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready http://").map(str::to_owned))
            .expect("the server says where it listens");
        server
    }

    /// As [`Self::start_as`], but does not wait until it listens: it has no address.
    pub fn begin(program: &Path, data: &Path, plugins: Option<&Path>, more: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--no-throttle",
            "--data",
        ]);
        command.arg(data).args(more);
        if let Some(plugins) = plugins {
            command.arg("--plugins").arg(plugins);
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            address: String::new(),
            printed,
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A connection of its own.
    pub fn connect(&self) -> Connection {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        Connection(BufReader::new(socket))
    }

    /// SIGKILL, by dropping it: the process has no chance to do anything more.
    pub fn kill(self) {}

    /// SIGTERM, as an operator ends it.
    pub fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(
            self.process.wait().unwrap().success(),
            "it ends with exit code 0"
        );
    }
}

impl Drop for Server {
    /// No server outlives its test, however the test ends. One that has ended is left alone.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }
}

/// One connection, HTTP/1.1 with keep-alive.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// The answer of an operation of Data Streams; none once the server is gone. An answer that is
    /// an error fails the test.
    pub fn kinesis(&mut self, operation: &str, input: &Value) -> Option<Value> {
        self.kinesis_text(operation, &input.to_string())
    }

    /// As [`Self::kinesis`], of an input that is text already.
    pub fn kinesis_text(&mut self, operation: &str, input: &str) -> Option<Value> {
        self.post("/", &format!("Kinesis_20131202.{operation}"), input)
    }

    /// Sends a request for an operation of Data Streams and does not wait for its answer.
    pub fn begin_kinesis(&mut self, operation: &str, input: &Value) {
        let target = format!("Kinesis_20131202.{operation}");
        let request = request("/", &target, &input.to_string());
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// As [`Self::kinesis`], of Data Firehose.
    pub fn firehose(&mut self, operation: &str, input: &Value) -> Option<Value> {
        let target = format!("Firehose_20150804.{operation}");
        self.post("/", &target, &input.to_string())
    }

    /// As [`Self::kinesis`], of Kinesis Analytics.
    pub fn analytics(&mut self, operation: &str, input: &Value) -> Option<Value> {
        let target = format!("KinesisAnalytics_20150814.{operation}");
        self.post("/", &target, &input.to_string())
    }

    /// Has everything that waits delivered.
    pub fn flush(&mut self, delivery_stream: &str) -> Option<Value> {
        let path = format!("/_millrace/delivery-streams/{delivery_stream}/flush");
        self.post(&path, "none", &Value::Null.to_string())
    }

    /// One of the pages about what AWS has no operation for.
    pub fn page(&mut self, name: &str) -> Option<Value> {
        let path = format!("/_millrace/{name}");
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.exchange(&head, &path)
    }

    /// Posts to one of them.
    pub fn post_page(&mut self, name: &str, input: &Value) -> Option<Value> {
        self.post(&format!("/_millrace/{name}"), "none", &input.to_string())
    }

    /// As [`Self::kinesis`], of DynamoDB.
    pub fn dynamodb(&mut self, operation: &str, input: &Value) -> Option<Value> {
        let target = format!("DynamoDB_20120810.{operation}");
        let request = request("/", &target, &input.to_string());
        let request = request.replace("x-amz-json-1.1", "x-amz-json-1.0");
        self.exchange(&request, &target)
    }

    fn post(&mut self, path: &str, target: &str, input: &str) -> Option<Value> {
        self.exchange(&request(path, target, input), &format!("{path} {target}"))
    }

    /// Sends a request that does `what`; its answer.
    fn exchange(&mut self, request: &str, what: &str) -> Option<Value> {
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut status = String::new();
        self.0.read_line(&mut status).ok()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let shown = String::from_utf8_lossy(&body);
        assert!(
            status.starts_with("HTTP/1.1 200"),
            "{what}: {status}{shown}"
        );
        if body.is_empty() {
            return Some(Value::Null);
        }
        Some(serde_json::from_slice(&body).unwrap())
    }
}

fn request(path: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-amz-json-1.1\r\nx-amz-target: {target}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}
