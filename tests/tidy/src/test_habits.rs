//! How tests are written: they run, always, without waiting, and their names are sentences.

use crate::repository::Repository;

/// Words that a test must not use, with the reason.
const NOT_IN_TESTS: [(&str, &str); 3] = [
    ("#[ignore", "a test that is not run is none"),
    ("sleep(", "a test waits for what it needs, not for a time"),
    ("fn test_", "a name is a sentence about behaviour"),
];

/// Bad habits in Rust tests.
pub fn bad_habits(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.rust() {
        for (number, line) in repository.test_code(file) {
            let habits = NOT_IN_TESTS.iter().filter(|(word, _)| line.contains(word));
            found.extend(
                habits.map(|(word, why)| format!("{}:{number}: `{word}`: {why}", file.path)),
            );
        }
    }
    found
}

/// Sleeping and skipping in the conformance tests of other languages.
pub fn bad_habits_elsewhere(repository: &Repository) -> Vec<String> {
    let words = [
        "time.sleep(",
        "setTimeout(",
        "unittest.skip",
        "pytest.mark.skip",
        "{ skip:",
    ];
    let mut found = Vec::new();
    for file in repository.files() {
        if !file.path.starts_with("tests/conformance/") || file.path.ends_with(".json") {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let habits = words.iter().filter(|word| line.contains(**word));
            found.extend(habits.map(|word| format!("{}:{}: `{word}`", file.path, index + 1)));
        }
    }
    found
}

/// Tests whose name is a word or two instead of a sentence.
pub fn short_names(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.rust() {
        let lines = repository.test_code(file);
        for pair in lines.windows(2) {
            let marked = pair[0].1.trim_start();
            let is_test = marked.starts_with("#[test]") || marked.starts_with("#[tokio::test");
            let name = pair[1].1.trim_start().trim_start_matches("async ");
            let Some(name) = name.strip_prefix("fn ").filter(|_| is_test) else {
                continue;
            };
            let name = name.split('(').next().unwrap_or_default();
            // A macro that writes tests takes their names from elsewhere.
            if name.split('_').count() < 3 && !name.starts_with('$') {
                found.push(format!(
                    "{}:{}: `{name}` is no sentence",
                    file.path, pair[1].0
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};

    #[test]
    fn tests_run_always_without_waiting_under_a_name_that_is_a_sentence() {
        holds(bad_habits);
        holds(bad_habits_elsewhere);
        holds(short_names);
    }

    #[test]
    fn each_bad_habit_is_found_in_tests_and_left_alone_elsewhere() {
        for (word, _) in NOT_IN_TESTS {
            let line = format!("    {word} x\n");
            finds(bad_habits, 1, &[("host/a/tests/a.rs", &line)]);
            let module = format!("#[cfg(test)]\nmod tests {{\n{line}}}\n");
            finds(bad_habits, 1, &[("host/a/src/a.rs", &module)]);
            finds(bad_habits, 0, &[("host/a/src/a.rs", &line)]);
        }
        finds(
            bad_habits_elsewhere,
            1,
            &[("tests/conformance/a.py", "time.sleep(1)\n")],
        );
    }

    #[test]
    fn a_name_that_is_no_sentence_is_found() {
        let module = "#[test]\nfn put_works() {}\n#[tokio::test]\nasync fn a_put_is_kept() {}\n";
        finds(short_names, 1, &[("host/a/tests/a.rs", module)]);
    }
}
