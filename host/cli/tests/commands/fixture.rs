//! The binary, and a server made of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

/// The binary, with nothing of our environment that it would listen to.
pub fn millrace(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.starts_with("MILLRACE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    millrace(arguments).output().unwrap()
}

/// What a command printed, which must have gone well.
pub fn printed(output: Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complained about, which must have ended with `code`.
pub fn complaint(output: Output, code: i32) -> String {
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    complaint
}

/// A plugins directory below a folder, with a plugin of this repository in it.
pub fn plugins_with(folder: &Path, name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let plugins = folder.join("plugins-here");
    std::fs::create_dir_all(plugins.join(name)).unwrap();
    for file in ["plugin.toml".to_owned(), format!("{name}.wasm")] {
        let file = Path::new(name).join(file);
        std::fs::copy(built.join(&file), plugins.join(file)).unwrap();
    }
    plugins
}

/// `millrace serve`, killed when the test is over.
pub struct Server {
    child: Child,
    /// What it prints after it is ready.
    stdout: BufReader<ChildStdout>,
    /// All that it printed until then.
    pub announced: String,
    pub endpoint: String,
}

impl Server {
    /// Waits until the server says that it is ready.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        Self::with(
            millrace(&["serve", "--listen", "127.0.0.1:0"]).args(more),
            data,
        )
    }

    pub fn with(command: &mut Command, data: &Path) -> Self {
        Self::logging_to(command, data, Stdio::piped())
    }

    /// One whose standard error is `log`.
    pub fn logging_to(command: &mut Command, data: &Path, log: Stdio) -> Self {
        let command = command.arg("--data").arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            stdout,
            announced: String::new(),
            endpoint: String::new(),
        };
        while server.endpoint.is_empty() {
            let mut line = String::new();
            server.stdout.read_line(&mut line).unwrap();
            assert!(!line.is_empty(), "the server ended: {}", server.announced);
            if let Some(endpoint) = line.strip_prefix("ready ") {
                server.endpoint = endpoint.trim_end().to_owned();
            }
            server.announced.push_str(&line);
        }
        server
    }

    /// Runs `millrace stream …` against it.
    pub fn stream(&self, arguments: &[&str]) -> Output {
        self.stream_command(arguments).output().unwrap()
    }

    pub fn stream_command(&self, arguments: &[&str]) -> Command {
        let mut command = millrace(&["stream"]);
        command.args(arguments).args(["--endpoint", &self.endpoint]);
        command
    }

    /// Sends SIGTERM; returns the exit code and what was logged, if that came here.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "nothing is printed after the server is ready");
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        (status.code(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls an operation, for which there is no command. `target` is its service's name with its own.
pub fn call(endpoint: &str, target: &str, body: &str) -> String {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-amz-json-{}\r\nX-Amz-Date: 20260101T000000Z\r\n\
         X-Amz-Target: {target}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
        if target.starts_with("DynamoDB") {
            "1.0"
        } else {
            "1.1"
        },
        authorization(target),
        body.len()
    );
    let answer = exchange(endpoint, &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// A signature that a server without credentials takes.
fn authorization(target: &str) -> String {
    let service = if target.starts_with("Firehose") {
        "firehose"
    } else {
        "kinesis"
    };
    format!(
        "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=00"
    )
}

/// The server's metrics.
pub fn metrics(endpoint: &str) -> String {
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    exchange(endpoint, request)
}

fn exchange(endpoint: &str, request: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Runs a command with `input` as its standard input.
pub fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs a command about a server.
pub fn ask(server: &Server, arguments: &[&str]) -> Output {
    let mut all = arguments.to_vec();
    all.extend(["--endpoint", &server.endpoint]);
    run(&all)
}

/// Asks until the answer has this text; a plugin may still be compiled.
pub fn until(server: &Server, arguments: &[&str], text: &str) -> String {
    let begun = Instant::now();
    loop {
        let answer = ask(server, arguments);
        let said = String::from_utf8_lossy(&answer.stdout).into_owned();
        if said.contains(text) {
            return said;
        }
        let complaint = String::from_utf8_lossy(&answer.stderr);
        assert!(begun.elapsed().as_secs() < 60, "{said}{complaint}");
    }
}
