//! `millrace plugin new`, `build` and `test`: from nothing to a component that does what its
//! fixtures say.

use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::{TempDir, tempdir};

use crate::fixture::{complaint, millrace, printed};

/// A folder in which plugins are made.
struct Workshop {
    dir: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self {
            dir: tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `millrace plugin …` in it.
    fn plugin(&self, arguments: &[&str]) -> Output {
        let mut command = millrace(&["plugin"]);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("MILLRACE_CACHE", self.path("cache"))
            // What the SDK is built from is built once for all tests.
            .env(
                "CARGO_TARGET_DIR",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/plugins"),
            );
        command.output().unwrap()
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }
}

fn files(dir: &Path) -> usize {
    walk(dir).len()
}

/// All files below a folder.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_new_plugin_in_rust_is_built_checked_and_does_what_its_fixtures_say() {
    let workshop = Workshop::new();
    let made = printed(workshop.plugin(&["new", "guests"]));
    let count = files(&workshop.path("guests"));
    assert!(
        made.starts_with(&format!("made guests: {count} files\n")),
        "{made}"
    );

    let early = complaint(workshop.plugin(&["test", "guests"]), 2);
    assert!(
        early.contains("`millrace plugin build guests` builds it"),
        "{early}"
    );

    let built = printed(workshop.plugin(&["build", "guests"]));
    assert!(built.starts_with("built guests/guests.wasm: "), "{built}");
    let checked = printed(workshop.plugin(&["check", "guests"]));
    assert!(
        checked.contains("a server would put it in force"),
        "{checked}"
    );

    let tested = printed(workshop.plugin(&["test", "guests"]));
    assert!(
        tested.ends_with("4 records as expected, 0 not\n"),
        "{tested}"
    );
    for words in ["fuel", "host calls", "at most: memory "] {
        assert!(tested.contains(words), "{tested}");
    }
    assert_eq!(
        tested,
        printed(workshop.plugin(&["test", "guests"])),
        "costs are the same"
    );

    workshop.replace(
        "guests/tests/greetings.out.jsonl",
        "hello, Bob!",
        "hello, Eve!",
    );
    let different = workshop.plugin(&["test", "guests"]);
    let shown = String::from_utf8_lossy(&different.stdout).into_owned();
    assert!(shown.contains("greetings.in.jsonl:2: not what "), "{shown}");
    assert!(
        shown.contains("expected  {\"status\":\"ok\",\"data\":\"hello, Eve!"),
        "{shown}"
    );
    assert!(complaint(different, 1).contains("3 records as expected, 1 not"));

    let blessed = printed(workshop.plugin(&["test", "guests", "--bless"]));
    assert!(blessed.ends_with("4 records blessed\n"), "{blessed}");
    printed(workshop.plugin(&["test", "guests"]));

    workshop.replace("guests/src/lib.rs", "record.text()?", "record.txt()?");
    let broken = complaint(workshop.plugin(&["build", "guests"]), 1);
    assert!(broken.contains("no method named `txt`"), "{broken}");
    assert!(broken.contains("src/lib.rs:"), "{broken}");
}

#[test]
fn a_new_consumer_in_rust_writes_what_its_fixtures_say_and_nothing_that_is_not_granted() {
    let workshop = Workshop::new();
    printed(workshop.plugin(&["new", "words", "--world", "consumer"]));
    printed(workshop.plugin(&["build", "words"]));
    let checked = printed(workshop.plugin(&["check", "words"]));
    for words in [
        "  world    consumer\n",
        "  consumes words\n",
        "  asks for the table counts\n",
        "  asks for the stream new-words\n",
    ] {
        assert!(checked.contains(words), "{words}: {checked}");
    }
    let tested = printed(workshop.plugin(&["test", "words"]));
    assert!(
        tested.ends_with("2 records as expected, 0 not\n"),
        "{tested}"
    );

    workshop.replace("words/plugin.toml", "tables = [\"counts\"]", "tables = []");
    let refused = workshop.plugin(&["test", "words"]);
    let shown = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(shown.contains("the table counts is not granted"), "{shown}");
    assert_eq!(refused.status.code(), Some(1), "{shown}");
}

#[test]
fn a_folder_that_is_there_is_left_alone_and_a_bad_name_makes_none() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("mine")).unwrap();
    let refused = complaint(workshop.plugin(&["new", "mine"]), 1);
    assert!(refused.contains("mine is there already"), "{refused}");
    assert_eq!(files(&workshop.path("mine")), 0);
    for (name, words) in [
        ("two words", "a plugin's name is 1 to 64 letters"),
        ("../up", "a plugin's name is 1 to 64 letters"),
        ("9lives", "a crate's name begins with a letter"),
    ] {
        let refused = complaint(workshop.plugin(&["new", name]), 1);
        assert!(refused.contains(words), "{refused}");
    }
    let entries = std::fs::read_dir(workshop.dir.path()).unwrap().count();
    assert_eq!(entries, 1, "nothing else was made");
}

#[test]
fn a_fixture_that_cannot_be_read_is_told_with_its_line() {
    let workshop = Workshop::new();
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    std::fs::create_dir_all(workshop.path("drop-bots/tests")).unwrap();
    for file in ["plugin.toml", "drop-bots.wasm", "Cargo.toml"] {
        let from = format!("{plugins}/drop-bots/{file}");
        std::fs::copy(from, workshop.path("drop-bots").join(file)).unwrap();
    }
    let none = complaint(workshop.plugin(&["test", "drop-bots"]), 2);
    assert!(none.contains("holds no file *.in.jsonl"), "{none}");
    let bad = "{\"data\":\"a\"}\n{\"date\":\"a\"}\n";
    std::fs::write(workshop.path("drop-bots/tests/a.in.jsonl"), bad).unwrap();
    let told = complaint(workshop.plugin(&["test", "drop-bots"]), 2);
    assert!(
        told.contains("a.in.jsonl:2: unknown field `date`"),
        "{told}"
    );
    std::fs::write(
        workshop.path("drop-bots/tests/a.in.jsonl"),
        "{\"data\":\"a\"}\n",
    )
    .unwrap();
    let told = complaint(workshop.plugin(&["test", "drop-bots"]), 1);
    assert!(told.contains("a.out.jsonl is not there"), "{told}");
}
