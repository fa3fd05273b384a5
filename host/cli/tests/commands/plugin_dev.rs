//! The README's walk for authors, `millrace plugin new` and `dev`: records go through a plugin from
//! nothing, a change is in force, a mistake is told, and Ctrl-C ends all of it. A consumer works on
//! a live stream, and leaves the server of it as it is.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::fixture::{Server, call, complaint, feed, millrace, printed};

/// How long a line is waited for: the first build makes the SDK, on a machine that does more.
const LINE_TIME_MAX: Duration = Duration::from_secs(600);

/// Seconds from a save to the version in force, on a machine that does more; on one that does not
/// it takes less than three.
const SAVE_SECONDS_MAX: f64 = 60.0;

/// `millrace plugin dev`, killed when the test is over.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    seen: String,
    /// What it and the compiler complain about.
    complaints: PathBuf,
}

impl Dev {
    /// Runs a walk as it is written; the program of its last line takes the place of the shell, so
    /// that it gets the signals that a terminal would send it. What the SDK is built from is kept
    /// for the plugin of this name: components of all plugins have one name where they are built.
    fn start(dir: &Path, name: &str, walk: &str) -> Self {
        let walk = walk.replace("&& millrace", "&& exec millrace");
        let program = Path::new(env!("CARGO_BIN_EXE_millrace"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        let complaints = dir.join("complaints");
        let mut child = Command::new("sh")
            .args(["-euc", &walk])
            .current_dir(dir)
            .env("PATH", path)
            .env("MILLRACE_CACHE", dir.join("cache"))
            .env(
                "CARGO_TARGET_DIR",
                format!(concat!(env!("CARGO_TARGET_TMPDIR"), "/plugins-{}"), name),
            )
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints).unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: String::new(),
            complaints,
        }
    }

    /// Waits for a line with these words.
    fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LINE_TIME_MAX);
            let line = line.unwrap_or_else(|_| panic!("no '{words}' in:\n{}", self.seen));
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(words) {
                return line;
            }
        }
    }

    fn ends_by_ctrl_c(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        let complaints = std::fs::read_to_string(&self.complaints).unwrap();
        let rest: Vec<String> = self.lines.iter().collect();
        let told = format!("{}\n{rest:?}\n{complaints}", self.seen);
        assert_eq!(status.code(), Some(0), "{told}");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long the change took that this line tells of: `v2 … is in force, 1.9 s after the change`.
fn took(line: &str) -> f64 {
    let (_, rest) = line.split_once(" is in force, ").unwrap();
    let (seconds, _) = rest.split_once(" s after the change").unwrap();
    seconds.parse().unwrap()
}

/// The first block of the README's section for authors.
fn walk() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("\n## Write a plugin\n").unwrap();
    let (_, block) = section.split_once("\n```sh\n").unwrap();
    let (block, _) = block.split_once("\n```\n").unwrap();
    block.to_owned()
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn records_go_through_a_new_plugin_and_a_change_is_in_force_with_what_it_changes() {
    let dir = tempdir().unwrap();
    let project = dir.path().join("hello");
    let mut dev = Dev::start(dir.path(), "hello", &walk());
    dev.until("made hello: ");
    dev.until("a server on http://127.0.0.1:");
    dev.until("v1 ");
    dev.until("\"Ann\"");
    let counted = dev.until("counters ");
    assert!(counted.contains("without_name "), "{counted}");
    let delivered = dev.until(" delivered, ");
    assert!(delivered.contains("records put: "), "{delivered}");

    let source = project.join("src/lib.rs");
    replace(&source, "{}, {name}!", "{} {name}.");
    let swapped = dev.until("v2 ");
    assert!(took(&swapped) < SAVE_SECONDS_MAX, "{swapped}");
    dev.until("2 of the last 4 records come out otherwise");
    dev.until("- {\"status\":\"ok\",\"data\":\"hello, Ann!");
    dev.until("+ {\"status\":\"ok\",\"data\":\"hello Ann.");

    replace(&source, "record.text()?", "record.txt()?");
    dev.until("not built: cargo failed");
    dev.until("v2 goes on");
    replace(&source, "record.txt()?", "record.text()?");
    let manifest = project.join("plugin.toml");
    replace(&manifest, "greeting = \"hello\"", "greetings = \"hello\"");
    dev.until("refused: init: config greeting: missing");

    let wrong = "[config]\ngreetings = \"hello\"";
    let asks = "[grants]\nsecrets = [\"api_key\"]\n\n[config]\ngreeting = \"hello\"";
    replace(&manifest, wrong, asks);
    dev.until("secret api_key: its value is the text `secret api_key`; --secret api_key=FILE");
    dev.until("v3 ");
    let asks = "String::from_utf8_lossy(&millrace_sdk::secret(\"api_key\")?)";
    replace(&source, "settings.greeting);", &format!("{asks});"));
    dev.until("v4 ");
    dev.until("+ {\"status\":\"ok\",\"data\":\"secret api_key Ann.");
    dev.ends_by_ctrl_c();
}

/// The value of a key of the table `counts`.
fn count(server: &Server, key: &str) -> String {
    let endpoint = ["--endpoint", &server.endpoint];
    let mut command = millrace(&["table", "get", "counts", key]);
    printed(command.args(endpoint).output().unwrap())
}

/// A table `counts` of a server, in which "the" has "41".
fn make_counts(endpoint: &str) {
    let table = r#"{"TableName":"counts","BillingMode":"PAY_PER_REQUEST","KeySchema":
        [{"AttributeName":"key","KeyType":"HASH"}],"AttributeDefinitions":
        [{"AttributeName":"key","AttributeType":"B"}]}"#;
    call(endpoint, "DynamoDB_20120810.CreateTable", table);
    let entry = r#"{"TableName":"counts","Item":{"key":{"B":"dGhl"},"value":{"B":"NDE="}}}"#;
    call(endpoint, "DynamoDB_20120810.PutItem", entry);
}

#[test]
fn a_consumer_works_on_a_live_stream_and_on_copies_of_its_tables_as_its_source_changes() {
    let dir = tempdir().unwrap();
    let live = Server::start(&dir.path().join("live"), &["--no-throttle"]);
    make_counts(&live.endpoint);
    let before = count(&live, "the");
    printed(live.stream(&["create", "guests"]));
    let put = |data: &[u8]| {
        printed(feed(live.stream_command(&["put", "guests"]), data));
    };
    put(b"the cat\n");
    let walk = format!(
        "millrace plugin new words --world consumer\n\
         echo 'region = \"eu-central-1\"' >> words/plugin.toml\n\
         sed -i 's/^tables = .*/&\\nsecrets = [\"api_key\"]/' words/plugin.toml\n\
         cd words && millrace plugin dev --stream guests --from TRIM_HORIZON --endpoint {} \
         --secret api_key=../key\n",
        live.endpoint
    );
    let mut key = OpenOptions::new();
    let key = key
        .write(true)
        .create(true)
        .mode(0o600)
        .open(dir.path().join("key"));
    key.unwrap().write_all(b"sesame-42\n").unwrap();
    let mut dev = Dev::start(dir.path(), "words", &walk);
    dev.until("table counts: a copy of its 1 entries; the one there stays as it is");
    dev.until("batch 1 of shardId-000000000000: 1 records, 2 entries written, 1 records emitted");
    dev.until("wrote counts: \"cat\" = \"1\"");
    dev.until("wrote counts: \"the\" = \"42\" (was \"41\")");
    dev.until("emitted to new-words: \"cat\" (partition key \"cat\")");

    let source = dir.path().join("words/src/lib.rs");
    replace(&source, "before + 1", "before + 10");
    let swapped = dev.until("v2 ");
    assert!(took(&swapped) < SAVE_SECONDS_MAX, "{swapped}");
    dev.until("1 of the last 1 records come out otherwise");
    put(b"the dog\n");
    dev.until("wrote counts: \"the\" = \"52\" (was \"42\")");
    put(b"\xff\n");
    let failed = dev.until("failed for good: dead letter ");
    assert!(failed.contains("byte 1 is not UTF-8"), "{failed}");

    // What was not asked for is granted as soon as the manifest asks for it.
    let manifest = dir.path().join("words/plugin.toml");
    replace(&manifest, "[\"counts\"]", "[\"counts\", \"others\"]");
    dev.until("v3 ");
    replace(&source, "\"counts\"", "\"others\"");
    dev.until("v4 ");
    put(b"the end\n");
    dev.until("wrote others: \"end\" = \"10\"");
    let asks = "&String::from_utf8_lossy(&millrace_sdk::secret(\"api_key\")?)";
    replace(
        &source,
        "put(stream, word,",
        &format!("put(stream, {asks},"),
    );
    dev.until("v5 ");
    put(b"of it\n");
    dev.until("emitted to new-words: \"it\" (partition key \"sesame-42\")");
    dev.ends_by_ctrl_c();

    assert_eq!(count(&live, "the"), before);
    assert!(before.contains("41"), "{before}");
    let streams = printed(live.stream(&["list"]));
    assert!(!streams.contains("new-words"), "{streams}");
}

/// All of it was taken and did nothing, so that a secret with a slip in its name had a value that
/// was made up.
#[test]
fn what_is_handed_over_to_a_plugin_that_has_no_use_for_it_is_refused_before_it_is_built() {
    let dir = tempdir().unwrap();
    let refusal = |grants: &str, arguments: &[&str]| {
        let manifest =
            format!("name = \"hello\"\nversion = \"1\"\n[build]\nlanguage = \"rust\"\n{grants}");
        std::fs::write(dir.path().join("plugin.toml"), manifest).unwrap();
        let mut command = millrace(&["plugin", "dev"]);
        command.arg(dir.path()).args(arguments);
        complaint(command.output().unwrap(), 2)
    };
    let asks = "[grants]\nsecrets = [\"api_key\", \"other\"]\n";
    for (grants, arguments, words) in [
        (
            asks,
            &["--secret", "apikey=key"] as &[&str],
            "--secret apikey: the manifest of hello does not ask for the secret apikey: it asks \
             for api_key, other; `secrets = [\"apikey\"]` below `[grants]` would ask for it",
        ),
        ("", &["--secret", "apikey=key"], "it asks for no secrets"),
        (
            asks,
            &["--secret", "other=a", "--secret", "other=b"],
            "--secret other is there twice",
        ),
        (
            asks,
            &["--address", "127.0.0.0/8"],
            "--address: the manifest of hello asks for no calls over HTTP; `http = \
             [\"HOST:PORT\"]` below `[grants]` would ask for some",
        ),
        ("", &["--from", "5m"], "--stream <NAME>"),
        ("", &["--region", "eu-west-1"], "there is no --stream"),
        (
            "",
            &["--endpoint", "http://127.0.0.1:1"],
            "there is no --stream",
        ),
    ] {
        let refusal = refusal(grants, arguments);
        assert!(refusal.contains(words), "{arguments:?}: {refusal}");
    }
}
