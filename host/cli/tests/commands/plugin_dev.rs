//! `millrace plugin dev`: records go through a plugin from nothing, a change is in force, a mistake is
//! told, and Ctrl-C ends all of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::fixture::{millrace, printed};

/// How long a line is waited for: the first build makes the SDK, on a machine that does more.
const LINE_TIME_MAX: Duration = Duration::from_secs(600);

/// `millrace plugin dev`, killed when the test is over.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    seen: String,
}

impl Dev {
    fn start(dir: &Path, cache: &Path) -> Self {
        let mut child = millrace(&["plugin", "dev"])
            .current_dir(dir)
            .env("MILLRACE_CACHE", cache)
            .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/plugins"))
            .stdout(Stdio::piped())
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
}

impl Drop for Dev {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn replace(file: &PathBuf, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn records_go_through_a_new_plugin_and_a_change_is_in_force_with_what_it_changes() {
    let dir = tempdir().unwrap();
    let made = millrace(&["plugin", "new", "hello"])
        .current_dir(dir.path())
        .output();
    printed(made.unwrap());
    let project = dir.path().join("hello");
    let mut dev = Dev::start(&project, &dir.path().join("cache"));
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
    assert!(swapped.contains(" is in force, "), "{swapped}");
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

    kill_process(Pid::from_child(&dev.child), Signal::INT).unwrap();
    let status = dev.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", dev.seen);
}
