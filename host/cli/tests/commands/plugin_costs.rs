//! What plugins of a server cost and say, from a terminal: `inspect`, `profile`, and `logs` that go
//! on across a restart.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::fixture::{Server, complaint, feed, millrace, printed};

const PANICS: &str = "panics";

/// A server with a plugin that panics when it is asked to, behind a delivery stream that reads a
/// stream.
struct Ground {
    dir: TempDir,
    server: Server,
}

impl Ground {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("plugins")).unwrap();
        let server = serve(dir.path(), "127.0.0.1:0");
        let ground = Self { dir, server };
        let component = repository().join("tests/plugins/panics/panics.wasm");
        printed(ground.run(&["plugin", "deploy", component.to_str().unwrap()]));
        printed(ground.run(&["stream", "create", "words"]));
        let created = ground.run(&[
            "delivery",
            "create",
            "out",
            "--stream",
            "words",
            "--plugin",
            PANICS,
            "--interval",
            "0",
        ]);
        printed(created);
        ground
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = millrace(arguments);
        command.args(["--endpoint", &self.server.endpoint]);
        command.current_dir(self.dir.path()).output().unwrap()
    }

    /// Puts and delivers records, one a line.
    fn deliver(&self, lines: &str) {
        let put = self.server.stream_command(&["put", "words"]);
        printed(feed(put, lines.as_bytes()));
        printed(self.run(&["delivery", "flush", "out"]));
    }

    /// Another server in the place of this one, at the same address.
    fn restart(self) -> Self {
        let Self { dir, server } = self;
        let listen = server.endpoint.strip_prefix("http://").unwrap().to_owned();
        let (code, log) = server.terminate();
        assert_eq!(code, Some(0), "{log}");
        let server = serve(dir.path(), &listen);
        Self { dir, server }
    }
}

fn serve(dir: &Path, listen: &str) -> Server {
    let plugins = dir.join("plugins");
    let mut command = millrace(&["serve", "--listen", listen]);
    command.args(["--plugins", plugins.to_str().unwrap()]);
    Server::with(&mut command, &dir.join("data"))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `millrace plugin logs -f`, killed when the test is over.
struct Following {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Following {
    fn of(ground: &Ground) -> Self {
        let mut command = millrace(&["plugin", "logs", PANICS, "-f", "--level", "error"]);
        command.args(["--endpoint", &ground.server.endpoint]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_plugin_cost_is_shown_by_version_and_account() {
    let ground = Ground::new();
    ground.deliver("good\npanic\nbetter\n");
    let shown = printed(ground.run(&["plugin", "inspect", PANICS]));
    let line = |what: &str| {
        let found = shown
            .lines()
            .find(|line| line.trim_start().starts_with(what));
        found
            .unwrap_or_else(|| panic!("{what}: {shown}"))
            .to_owned()
    };
    assert!(
        line("outcomes").ends_with("2 ok, 0 dropped, 1 failed"),
        "{shown}"
    );
    assert!(line("faults").contains(" panic"), "{shown}");
    assert!(line("memory peak").ends_with(" bytes"), "{shown}");
    assert!(line("processor").ends_with(" ns a record"), "{shown}");
    assert!(line("account").contains("000000000000: "), "{shown}");
}

#[test]
fn a_profile_is_written_to_a_file_and_says_how_many_samples_it_has() {
    let ground = Ground::new();
    let said = printed(ground.run(&["plugin", "profile", PANICS, "1s", "-o", "p.json"]));
    assert!(said.contains(" samples of "), "{said}");
    let text = std::fs::read(ground.dir.path().join("p.json")).unwrap();
    let profile: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(profile["meta"]["product"], "millrace plugin panics");
    assert!(profile["threads"].is_array());
    let missing = complaint(ground.run(&["plugin", "profile", "none", "1s"]), 1);
    assert!(missing.contains("no such plugin none"), "{missing}");
    let too_long = complaint(ground.run(&["plugin", "profile", PANICS, "61s"]), 2);
    assert!(too_long.contains("1s to 60s"), "{too_long}");
}

#[test]
fn who_follows_a_log_hears_of_a_server_that_was_started_anew() {
    let ground = Ground::new();
    ground.deliver("panic\n");
    let mut following = Following::of(&ground);
    let first = following.next();
    assert!(
        first.contains(" out shardId-000000000000 panicked "),
        "{first}"
    );
    let ground = ground.restart();
    ground.deliver("panic\n");
    let second = following.next();
    assert!(
        second.contains(" out shardId-000000000000 panicked "),
        "{second}"
    );
    drop(following);
    // One that chooses another shard finds nothing.
    let other = ["plugin", "logs", PANICS, "--shard", "shardId-000000000001"];
    assert_eq!(printed(ground.run(&other)), "");
}
