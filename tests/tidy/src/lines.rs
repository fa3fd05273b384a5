//! The shape of a file: how long, how wide, and that it says what lives in it.

use crate::repository::{File, Repository};
use crate::source;

/// Lines of a Rust file outside of its tests.
const LINES_PER_FILE_MAX: usize = 500;
/// Characters of a line.
const COLUMNS_MAX: usize = 100;

/// Rust files that are longer than a reader wants.
pub fn long_files(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.rust().filter(|file| !repository.is_test(file)) {
        let lines = source::production_lines(&file.text).len();
        if LINES_PER_FILE_MAX < lines {
            found.push(format!("{}: {lines} lines without its tests", file.path));
        }
    }
    found
}

/// Lines of code that are wider than the page.
pub fn wide_lines(repository: &Repository) -> Vec<String> {
    let code = [".rs", ".py", ".mjs", ".sh"];
    let mut found = Vec::new();
    for file in repository.files() {
        let is_code = code.iter().any(|end| file.path.ends_with(end)) || file.path == ".ci/run";
        if !is_code {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            if COLUMNS_MAX < line.chars().count() && !is_one_word(line) {
                found.push(format!(
                    "{}:{}: wider than {COLUMNS_MAX}",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    found
}

/// Rust files below `host/`, apart from tests, that do not begin with what lives in them.
pub fn headless_files(repository: &Repository) -> Vec<String> {
    repository
        .rust()
        .filter(|file| file.path.starts_with("host/") && !repository.is_test(file))
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| format!("{}: does not begin with `//!`", file.path))
        .collect()
}

/// Files that do not end in exactly one line feed, or carry trailing blanks or tabs in code.
pub fn ragged_files(repository: &Repository) -> Vec<String> {
    let text = [".rs", ".py", ".mjs", ".toml", ".md", ".sh"];
    repository
        .files()
        .iter()
        .filter(|file| text.iter().any(|end| file.path.ends_with(end)))
        .filter(|file| is_ragged(file))
        .map(|file| {
            format!(
                "{}: trailing blanks or no single final line feed",
                file.path
            )
        })
        .collect()
}

/// A line that no formatter can break: a signature, a hash, an address.
fn is_one_word(line: &str) -> bool {
    let longest = line
        .split_whitespace()
        .map(|word| word.chars().count())
        .max();
    longest.is_some_and(|longest| COLUMNS_MAX * 3 / 4 < longest)
}

fn is_ragged(file: &File) -> bool {
    let trailing = file.text.lines().any(|line| line.trim_end() != line);
    trailing || !file.text.ends_with('\n') || file.text.ends_with("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};

    #[test]
    fn no_file_is_longer_than_a_reader_wants() {
        holds(long_files);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "fn a() {}\n".repeat(LINES_PER_FILE_MAX + 1);
        finds(long_files, 1, &[("host/a/src/a.rs", &long)]);
        let tests = "    fn a() {}\n".repeat(LINES_PER_FILE_MAX + 1);
        let tests = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{tests}}}\n");
        finds(long_files, 0, &[("host/a/src/a.rs", &tests)]);
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        holds(wide_lines);
        let wide = format!("//{}\n", " word".repeat(20));
        finds(wide_lines, 1, &[("host/a/src/a.rs", &wide)]);
        let address = format!("// {}\n", "x".repeat(200));
        finds(wide_lines, 0, &[("host/a/src/a.rs", &address)]);
    }

    #[test]
    fn every_file_says_first_what_lives_in_it() {
        holds(headless_files);
        finds(headless_files, 1, &[("host/a/src/a.rs", "use b;\n")]);
    }

    #[test]
    fn files_end_cleanly() {
        holds(ragged_files);
        finds(
            ragged_files,
            3,
            &[("a.md", "a \n"), ("b.md", "b"), ("c.md", "c\n\n")],
        );
    }
}
