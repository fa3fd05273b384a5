//! `millrace plugin new`, `build` and `test`: from nothing to a component that does what its
//! fixtures say.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Mutex, PoisonError};

use tempfile::{TempDir, tempdir};

use crate::fixture::{complaint, millrace, printed};

/// Builds share the folder of what was compiled.
static BUILDS: Mutex<()> = Mutex::new(());

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
        // The components of all lie at one place, until they are copied.
        let _turn = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
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
    let compared = printed(workshop.plugin(&["test", "guests"]));
    let words = ["  cost: fuel ", ", as before, memory ", ", as before\n"];
    assert!(words.iter().all(|it| compared.contains(it)), "{compared}");
    a_cost_that_grew_is_refused(&workshop);

    workshop.replace("guests/src/lib.rs", "record.text()?", "record.txt()?");
    let broken = complaint(workshop.plugin(&["build", "guests"]), 1);
    assert!(broken.contains("no method named `txt`"), "{broken}");
    assert!(broken.contains("src/lib.rs:"), "{broken}");
}

/// As if the records had cost half as much when they were blessed.
fn a_cost_that_grew_is_refused(workshop: &Workshop) {
    let file = workshop.path("guests/tests/greetings.cost.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let half = |line: &str| {
        let mut cost: serde_json::Value = serde_json::from_str(line).unwrap();
        cost["fuel"] = (cost["fuel"].as_u64().unwrap() / 2).into();
        format!("{cost}\n")
    };
    std::fs::write(&file, text.lines().map(half).collect::<String>()).unwrap();
    let costlier = workshop.plugin(&["test", "guests"]);
    let shown = String::from_utf8_lossy(&costlier.stdout).into_owned();
    for words in [" % more than ", "record 1: fuel ", "--max-cost-change 10%"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let sum = "4 records as expected, 0 not; 1 fixtures cost more than they may";
    assert!(complaint(costlier, 1).contains(sum), "{shown}");
    printed(workshop.plugin(&["test", "guests", "--max-cost-change", "101%"]));
    complaint(
        workshop.plugin(&["test", "guests", "--max-cost-change", "much"]),
        2,
    );
}

#[test]
fn a_new_consumer_with_state_in_rust_goes_on_with_what_it_kept() {
    let workshop = Workshop::new();
    let no = complaint(workshop.plugin(&["new", "totals", "--state"]), 2);
    assert!(no.contains("--state goes with --world consumer"), "{no}");
    let made = workshop.plugin(&["new", "totals", "--world", "consumer", "--state"]);
    printed(made);
    printed(workshop.plugin(&["build", "totals"]));
    let tested = printed(workshop.plugin(&["test", "totals"]));
    assert!(tested.contains("state bytes 1 % of 262,144"), "{tested}");
    assert!(
        tested.ends_with("2 records as expected, 0 not\n"),
        "{tested}"
    );
    let checked = printed(workshop.plugin(&["check", "totals"]));
    let block = "\n[[plugin_grants]]\nname = \"totals\"\nemit = [\"totals\"]\n";
    assert!(checked.contains(block), "{checked}");

    // After a record that fails there is another instance, which goes on with what was kept.
    let fixture = workshop.path("totals/tests/words.in.jsonl");
    let records = "{\"data\":\"one\"}\n{\"data_base64\":\"/w==\"}\n{\"data\":\"and two\"}\n";
    std::fs::write(&fixture, records).unwrap();
    printed(workshop.plugin(&["test", "totals", "--bless"]));
    let expected = workshop.path("totals/tests/words.out.jsonl");
    let expected = std::fs::read_to_string(expected).unwrap();
    let last = expected.lines().last().unwrap();
    assert!(last.contains("\"2 records, 3 words\""), "{expected}");
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

    let after = "words/tests/words.after.jsonl";
    let (right, wrong) = ("\"dog\",\"value\":\"1\"", "\"dog\",\"value\":\"7\"");
    workshop.replace(after, right, wrong);
    let different = workshop.plugin(&["test", "words"]);
    let shown = String::from_utf8_lossy(&different.stdout).into_owned();
    for line in [
        "    - {\"table\":\"counts\",\"key\":\"dog\",\"value\":\"7\"}\n",
        "    + {\"table\":\"counts\",\"key\":\"dog\",\"value\":\"1\"}\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let sum = "2 records as expected, 0 not; 1 fixtures leave tables otherwise than expected";
    assert!(complaint(different, 1).contains(sum), "{shown}");
    workshop.replace(after, wrong, right);

    let before = workshop.path("words/tests/words.before.jsonl");
    let entry = "{\"table\":\"counts\",\"key\":\"dog\",\"value\":\"41\"}\n";
    std::fs::write(&before, entry).unwrap();
    let different = workshop.plugin(&["test", "words"]);
    let shown = String::from_utf8_lossy(&different.stdout).into_owned();
    assert!(
        shown.contains("\"key\":\"dog\",\"value\":\"42\""),
        "{shown}"
    );
    complaint(different, 1);
    std::fs::write(&before, entry.replace("counts", "others")).unwrap();
    let refused = complaint(workshop.plugin(&["test", "words"]), 1);
    assert!(
        refused.contains("the table others is not granted"),
        "{refused}"
    );
    std::fs::remove_file(&before).unwrap();

    workshop.replace("words/plugin.toml", "tables = [\"counts\"]", "tables = []");
    let refused = workshop.plugin(&["test", "words"]);
    let shown = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(shown.contains("the table counts is not granted"), "{shown}");
    assert_eq!(refused.status.code(), Some(1), "{shown}");
}

#[test]
fn a_tool_that_is_missing_is_told_with_the_command_that_installs_it() {
    let workshop = Workshop::new();
    let nothing = workshop.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for (language, words) in [
        (
            "rust",
            "rustc is not there: install rustup, which brings cargo and rustc: curl ",
        ),
        (
            "js",
            "npm is not there, and could not be installed: python3 is not there: ",
        ),
        (
            "python",
            "python3 is not there: install Python 3.10 or newer with venv (Debian: apt ",
        ),
        (
            "c",
            "python3 is not there: install Python 3.10 or newer with venv (Debian: apt ",
        ),
    ] {
        printed(workshop.plugin(&["new", language, "--lang", language]));
        let mut command = millrace(&["plugin", "build", language]);
        command
            .current_dir(workshop.dir.path())
            .env("MILLRACE_CACHE", workshop.path("cache"))
            .env("PATH", &nothing);
        let told = complaint(command.output().unwrap(), 1);
        assert!(told.contains(words), "{told}");
    }
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
